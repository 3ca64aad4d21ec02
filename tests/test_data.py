import random

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from landscape.data import DatasetData, TensorData, as_data, digest, first
from landscape.errors import InvalidValueError
from landscape.runtime.randomness import generator

IMAGES, LABELS = load_digits(return_X_y=True)
INPUTS, TARGETS = torch.from_numpy(IMAGES).float(), torch.from_numpy(LABELS)


class Digits(Dataset):
    """One by one, with noise from each of the global generators."""

    def __init__(self, noise=0.0):
        self.noise = noise

    def __len__(self):
        return len(LABELS)

    def __getitem__(self, index):
        draw = random.random() + np.random.rand() + torch.rand(64)  # noqa: NPY002
        return INPUTS[index] + self.noise * draw, int(LABELS[index])


class Stream(IterableDataset):
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(zip(INPUTS[: self.count], TARGETS[: self.count], strict=True))


def double(batch):
    inputs, targets = torch.utils.data.default_collate(batch)
    return 2 * inputs, targets


INDICES = torch.tensor([5, 0, 1796, 5])
SOURCES = {
    "tensors": (INPUTS, TARGETS),
    "a list": [INPUTS, TARGETS],
    "arrays": (IMAGES, LABELS),
    "int32 labels": (IMAGES, LABELS.astype(np.int32)),
    "TensorDataset": TensorDataset(INPUTS, TARGETS),
    "Dataset": Digits(),
    "DataLoader": DataLoader(Digits(), batch_size=7, shuffle=True, drop_last=True),
    "DataLoader of single samples": DataLoader(Digits(), batch_size=None),
    "a stream": Stream(1797),
    "DataLoader of a stream": DataLoader(Stream(1797), batch_size=100),
    "data": TensorData(INPUTS, TARGETS),
    "Dataset data": DatasetData(Digits()),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_source_gives_the_same_samples(kind):
    data = as_data(SOURCES[kind])
    inputs, targets = data.to(torch.device("cpu")).take(INDICES)
    assert len(data) == 1797
    assert torch.equal(inputs, INPUTS[INDICES])
    assert inputs.dtype == torch.float32
    assert torch.equal(targets, TARGETS[INDICES])
    assert targets.dtype == torch.int64


def test_data_of_another_make_is_taken_as_it_is():
    class Own:
        def __len__(self):
            return 1

        def take(self, indices, generator=None): ...

        def to(self, device): ...

    own = Own()
    assert as_data(own) is own


def test_a_loader_keeps_its_collate_function():
    inputs, _ = as_data(DataLoader(Digits(), collate_fn=double, batch_size=3)).take(INDICES)
    assert torch.equal(inputs, 2 * INPUTS[INDICES])


def test_a_loader_of_a_subset_gives_the_subset_alone():
    chosen = [3, 1, 4]
    for loader in (
        DataLoader(Digits(), sampler=SubsetRandomSampler(chosen)),
        DataLoader(Subset(Digits(), chosen), shuffle=True),
    ):
        data = as_data(loader)
        inputs, _ = data.take(torch.arange(3))
        assert len(data) == 3
        assert torch.equal(inputs, INPUTS[chosen])


def test_a_loader_whose_sampler_would_be_left_out_is_refused():
    sampler = WeightedRandomSampler([0.5] * 1797, 100)
    with pytest.raises(InvalidValueError, match="train is a DataLoader with a WeightedRandomS"):
        as_data(DataLoader(Digits(), sampler=sampler), "train")


def test_a_tensor_batch_is_augmented_and_then_prepared_only_with_a_generator():
    def augment(inputs, generator):
        assert inputs.dtype == torch.uint8
        return inputs + torch.randint(5, inputs.shape, generator=generator, dtype=torch.uint8)

    images = INPUTS.to(torch.uint8)
    data = TensorData(images, TARGETS, augment=augment, prepare=lambda images: images / 16)
    plain, _ = data.take(INDICES)
    assert torch.equal(plain, INPUTS[INDICES] / 16)
    augmented = [data.take(INDICES, generator(seed))[0] for seed in (1, 1, 2)]
    assert torch.equal(augmented[0], augmented[1])
    assert not torch.equal(augmented[0], augmented[2])
    assert not torch.equal(augmented[0], plain)
    assert torch.equal(data.inputs, images)


def test_a_dataset_draws_from_the_generator_given_and_leaves_the_global_ones():
    data = as_data(Digits(noise=1.0))
    before = (random.getstate(), np.random.get_state()[2], torch.get_rng_state())  # noqa: NPY002
    taken = [data.take(INDICES, generator(seed))[0] for seed in (1, 1, 2)]
    fixed = [data.take(INDICES)[0] for _ in range(2)]
    assert torch.equal(taken[0], taken[1])
    assert not torch.equal(taken[0], taken[2])
    assert torch.equal(fixed[0], fixed[1])
    assert (random.getstate(), np.random.get_state()[2]) == before[:2]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (INPUTS, "train is a Tensor; give a pair .inputs, targets., a Dataset or a DataLoader"),
        (IMAGES, "train is a ndarray"),
        ("digits.npz", "train is a str"),
        ({"x": INPUTS}, "train is a dict"),
        (None, "train is a NoneType"),
        ((INPUTS, TARGETS[:-1]), "differ in length: 1797 and 1796"),
        ((INPUTS, TARGETS, TARGETS), "train gives 3 parts"),
        (TensorDataset(INPUTS), "train gives 1 parts"),
        ((INPUTS, TARGETS.float()), "targets of shape .1797,. and type torch.float32"),
        ((INPUTS, torch.eye(10, dtype=torch.long)[TARGETS]), r"targets of shape \(1797, 10\)"),
        (Stream(0), "train is empty"),
    ],
)
def test_other_sources_are_refused_in_one_line(source, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        as_data(source, "train")
    assert "\n" not in str(error.value)


def test_a_dataset_of_something_else_is_refused_when_it_is_read():
    with pytest.raises(InvalidValueError, match="must be a pair"):
        as_data(Subset([torch.zeros(3)] * 4, range(4))).take(torch.arange(2))


@pytest.mark.parametrize("kind", ["tensors", "Dataset"])
def test_the_first_samples(kind):
    data = as_data(SOURCES[kind])
    part = first(data, 7)
    inputs, targets = part.take(torch.arange(7))
    assert len(part) == 7
    assert torch.equal(inputs, INPUTS[:7])
    assert torch.equal(targets, TARGETS[:7])
    assert len(first(data, 1797)) == len(data) == 1797


def test_the_first_samples_keep_what_happens_to_them():
    data = TensorData(INPUTS, TARGETS, augment=lambda x, _: x + 1, prepare=lambda x: 2 * x)
    inputs, _ = first(data, 3).take(torch.tensor([2]), generator(0))
    assert torch.equal(inputs, 2 * (INPUTS[[2]] + 1))


@pytest.mark.parametrize("samples", [0, -1, 1798])
def test_more_first_samples_than_there_are(samples):
    message = f"the first {samples} samples were asked for; there are 1797, so 1 to 1797"
    with pytest.raises(InvalidValueError, match=message):
        first(as_data((INPUTS, TARGETS)), samples)


def test_data_of_another_make_has_no_first_samples():
    class Own:
        def __len__(self):
            return 5

    with pytest.raises(InvalidValueError, match="a Own has no first samples"):
        first(Own(), 2)


def test_the_digest_depends_on_every_sample():
    one, two = TensorData(INPUTS, TARGETS), TensorData(INPUTS.clone(), TARGETS.clone())
    assert digest(one, one.first(7)) == digest(two, two.first(7))
    changed = INPUTS.clone()
    changed[-1, -1] += 1
    others = [
        TensorData(changed, TARGETS),
        TensorData(INPUTS, TARGETS.flip(0)),
        TensorData(INPUTS.reshape(-1, 8, 8), TARGETS),
        TensorData(INPUTS.double(), TARGETS),
        one.first(1796),
    ]
    assert len({digest(each) for each in (one, *others)}) == 6
    assert digest(one, DatasetData(TensorDataset(INPUTS, TARGETS))) is None


def test_data_is_shown_in_a_line():
    assert repr(TensorData(INPUTS, TARGETS)) == "TensorData(1,797 samples, 64 float32)"
    images = TensorData(INPUTS.reshape(-1, 1, 8, 8).byte(), TARGETS, augment=lambda x, g: x)
    assert repr(images) == "TensorData(1,797 samples, 1×8×8 uint8, augmented)"
