import torch
from sklearn.datasets import load_digits

from landscape.runtime.randomness import generator
from landscape.tasks import load_task


def test_the_split_is_fixed_stratified_and_whole():
    first, second = load_task("digits-mlp"), load_task("digits-mlp")
    assert (len(first.train), len(first.validation)) == (1437, 360)
    assert torch.equal(first.train.inputs, second.train.inputs)
    for label in range(10):
        share = (first.validation.targets == label).float().mean()
        assert abs(share - (first.train.targets == label).float().mean()) < 0.005
    images, targets = load_digits(return_X_y=True)
    parts = (first.train, first.validation)
    rows = torch.cat([torch.cat([p.inputs.flatten(1) * 16, p.targets[:, None]], 1) for p in parts])
    expected = torch.cat([torch.tensor(images), torch.tensor(targets)[:, None]], 1)
    assert sorted(rows.tolist()) == sorted(expected.tolist())


def test_inputs_are_normalised_after_the_augmentation():
    task = load_task("digits-cnn")
    everything = torch.arange(len(task.train))
    plain, _ = task.train.take(everything)
    moved, _ = task.train.take(everything, generator(0))
    assert plain.dtype == torch.float32
    assert (plain.min(), plain.max()) == (-1, 1)
    # What a shift lets in is black, as the background is.
    assert (moved[:, :, 0, 0] == -1).float().mean() > 0.9
    assert not torch.equal(plain, moved)


def test_defaults():
    mlp, cnn = load_task("digits-mlp"), load_task("digits-cnn")
    assert (mlp.batch_size, mlp.epochs, mlp.train.augment) == (64, 80, None)
    assert (cnn.batch_size, cnn.epochs) == (64, 20)


def test_models():
    for name in ("digits-mlp", "digits-cnn"):
        task = load_task(name)
        assert task.model()(task.train.take(torch.arange(5))[0]).shape == (5, 10)
    assert [p.shape[0] for p in load_task("digits-mlp").model().parameters()][::2] == [128, 64, 10]
