import hashlib
import pickle

import numpy as np
import pytest
import torch

from landscape.errors import InvalidValueError, MissingFileError
from landscape.runtime.randomness import generator
from landscape.tasks import load_task
from landscape.tasks.datasets.cifar import read
from landscape.tasks.datasets.images import COLOUR


class OldType:
    """A type that says align=0, of which numpy warns, as 2.4.0 to 2.4.4 do of the real files'."""

    def __reduce__(self):
        return np.dtype, ("u1", 0), (3, "|", None, None, None, -1, -1, 0)


class OldArray:
    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        from numpy._core.multiarray import _reconstruct

        state = (1, self.array.shape, OldType(), False, self.array.tobytes())
        return _reconstruct, (np.ndarray, (0,), b"b"), state


def pixels(start, count):
    """Images whose values count up in the files' order: channel, row, column."""
    return np.arange(start, start + count * 3072).reshape(count, 3072).astype(np.uint8)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root with tiny CIFAR-10 and CIFAR-100, whose md5 sums torchvision then expects."""
    from torchvision import datasets

    def dump(folder, name, content):
        (tmp_path / folder).mkdir(exist_ok=True)
        data = pickle.dumps(content, protocol=2)
        (tmp_path / folder / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    for source, key, names in (
        (datasets.CIFAR10, "labels", {"data_batch_1": 2, "data_batch_2": 3, "test_batch": 2}),
        (datasets.CIFAR100, "fine_labels", {"train": 4, "test": 2}),
    ):
        folder, lists = source.base_folder, ([], [])
        for start, (name, count) in enumerate(names.items()):
            content = {"data": OldArray(pixels(start, count)), key: list(range(count))}
            md5 = dump(folder, name, content)
            lists[name.startswith("test")].append([name, md5])
        monkeypatch.setattr(source, "train_list", lists[0])
        monkeypatch.setattr(source, "test_list", lists[1])
        meta = source.meta
        names = [str(i) for i in range(10)]
        md5 = dump(folder, meta["filename"], {meta["key"]: names})
        monkeypatch.setattr(source, "meta", {**meta, "md5": md5})
    return tmp_path


def test_cifar10(root):
    train, validation = read("CIFAR10", root)
    assert (len(train), len(validation)) == (5, 2)
    assert train.inputs.dtype == torch.uint8
    inputs, targets = train.take(torch.tensor([3, 0]))
    expected = torch.from_numpy(pixels(1, 3)[1]).view(3, 32, 32)
    assert torch.equal(inputs[0], COLOUR(expected[None])[0])
    assert targets.tolist() == [1, 0]
    for data, moved in ((train, True), (validation, False)):
        everything = torch.arange(len(data))
        same = torch.equal(data.take(everything, generator(0))[0], data.take(everything)[0])
        assert same is not moved


def test_cifar100(root):
    train, validation = read("CIFAR100", root)
    assert train.targets.tolist() == [0, 1, 2, 3]
    assert torch.equal(validation.inputs[0].flatten(), torch.from_numpy(pixels(1, 2)[0]))


@pytest.mark.parametrize(
    ("name", "parameters", "classes", "epochs"),
    [
        ("cifar10-resnet20", 269_722, 10, 50),
        ("cifar10-resnet34", 21_282_122, 10, 50),
        ("cifar10-densenet121", 6_956_298, 10, 50),
        ("cifar100-resnet34", 21_328_292, 100, 100),
    ],
)
def test_the_tasks_of_the_thesis(root, name, parameters, classes, epochs):
    task = load_task(name, data=root)
    assert (task.name, task.batch_size, task.epochs, task.learning_rate) == (name, 128, epochs, 0.1)
    model = task.model().eval()
    assert sum(p.numel() for p in model.parameters()) == parameters
    with torch.no_grad():
        assert model(task.validation.take(torch.arange(1))[0]).shape == (1, classes)


@pytest.mark.parametrize("name", ["data_batch_2", "test_batch", "batches.meta"])
def test_a_damaged_file_is_refused_before_it_is_unpickled(root, name, monkeypatch):
    path = root / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    monkeypatch.setattr(pickle, "load", lambda *a, **k: pytest.fail("unpickled"))
    message = f"{name} is damaged .its md5 sum is not .*delete it and fetch it with --download"
    with pytest.raises(InvalidValueError, match=message):
        read("CIFAR10", root)


def test_torchvision_itself_unpickles_nothing_of_a_wrong_sum(root, monkeypatch):
    path = root / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes() + b"!")
    monkeypatch.setattr("landscape.tasks.datasets.cifar._check", lambda *arguments: None)
    monkeypatch.setattr(pickle, "load", lambda *a, **k: pytest.fail("unpickled"))
    with pytest.raises(MissingFileError, match="Dataset not found or corrupted"):
        read("CIFAR10", root)


def test_missing_data_says_what_and_where_and_what_to_do(tmp_path):
    message = (
        f"CIFAR100 is not in {tmp_path}/cifar-100-python .no train.; fetch it with --download, "
        r"name the folder that holds cifar-100-python .unpacked from https://www.cs.toronto.edu/"
    )
    with pytest.raises(MissingFileError, match=message) as error:
        load_task("cifar100-resnet34", data=tmp_path)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_download_is_left_to_torchvision(root, tmp_path, monkeypatch):
    from torchvision.datasets import cifar

    def fake(url, where, filename, md5):
        assert (filename, md5) == ("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a")
        (root / "cifar-10-batches-py").rename(where / "cifar-10-batches-py")

    monkeypatch.setattr(cifar, "download_and_extract_archive", fake)
    new = tmp_path / "new"
    new.mkdir()
    for _ in range(2):
        assert len(read("CIFAR10", new, download=True)[0]) == 5


def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch):
    from torchvision.datasets import cifar

    def fail(*arguments, **settings):
        raise OSError("no route\nto host")

    monkeypatch.setattr(cifar, "download_and_extract_archive", fail)
    message = f"CIFAR10 could not be downloaded to {tmp_path}: no route to host"
    with pytest.raises(MissingFileError, match=message):
        read("CIFAR10", tmp_path, download=True)


def test_without_the_real_sums_nothing_is_read():
    """What keeps strangers' pickles out: the sums of the files as they were published."""
    from torchvision.datasets import CIFAR10, CIFAR100

    assert dict(CIFAR10.train_list)["data_batch_1"] == "c99cafc152244af753f735de768cd75f"
    assert dict(CIFAR100.test_list)["test"] == "f0ef6b0ae62326f3e7ffdfab6717acfc"
