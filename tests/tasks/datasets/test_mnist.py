import gzip
import hashlib
import shutil
from pathlib import Path

import pytest
import torch

from landscape.errors import InvalidValueError, MissingFileError
from landscape.tasks import load_task
from landscape.tasks.datasets import mnist
from landscape.tasks.datasets.mnist import MD5, read

ROOT = Path(__file__).parents[4] / "shared" / "data"
SHAPES = {
    "train-images-idx3-ubyte": (6, 28, 28),
    "train-labels-idx1-ubyte": (6,),
    "t10k-images-idx3-ubyte": (3, 28, 28),
    "t10k-labels-idx1-ubyte": (3,),
}

needs_data = pytest.mark.skipif(
    not all((ROOT / name / "raw").is_dir() for name in MD5), reason=f"no MNIST in {ROOT}"
)


def idx(shape):
    """A file of that shape, whose values count up, without torchvision's or our reader."""
    size = torch.Size(shape).numel()
    header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    return header + bytes(i % 251 for i in range(size))


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root with a tiny, unpacked MNIST, the md5 sums of whose packed files are known."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, shape in SHAPES.items():
        (folder / name).write_bytes(idx(shape))
    packed = {n: hashlib.md5(gzip.compress(idx(s), mtime=0)).hexdigest() for n, s in SHAPES.items()}
    monkeypatch.setitem(MD5, "MNIST", packed)
    return tmp_path


def pack(root, name, content=None):
    file = root / "MNIST" / "raw" / name
    file.with_name(f"{name}.gz").write_bytes(content or gzip.compress(file.read_bytes(), mtime=0))
    file.unlink()


@pytest.mark.parametrize("packed", [False, True])
def test_files_are_read_packed_or_not(root, packed):
    if packed:
        for name in SHAPES:
            pack(root, name)
    before = sorted(root.rglob("*"))
    train, validation = read("MNIST", root)
    assert sorted(root.rglob("*")) == before
    assert (len(train), len(validation)) == (6, 3)
    inputs, targets = train.take(torch.tensor([2, 0]))
    expected = (torch.arange(2 * 784, 3 * 784) % 251).view(1, 28, 28) / 255
    torch.testing.assert_close(inputs[0], (expected - 0.5) / 0.5)
    assert targets.tolist() == [2, 0]
    assert targets.dtype == torch.int64


def damage(root, name, content):
    (root / "MNIST" / "raw" / name).write_bytes(content)


LABELS, IMAGES = "t10k-labels-idx1-ubyte", "train-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: pack(root, LABELS, b"no gz"), f"{LABELS}.gz is damaged .its md5 sum is not"),
        (lambda root: damage(root, LABELS, b"abcdefghijkl"), f"{LABELS} is damaged .*no idx file"),
        (lambda root: damage(root, LABELS, b"ab"), f"{LABELS} is damaged .*no idx file"),
        (lambda root: damage(root, LABELS, b""), f"{LABELS} is damaged .*no idx file"),
        (lambda root: damage(root, IMAGES, idx((6,))), f"{IMAGES} is damaged .*no idx file"),
        (
            lambda root: damage(root, IMAGES, idx((6, 28, 28))[:-1]),
            f"{IMAGES} is damaged .it holds 4703 values, not 6 x 28 x 28",
        ),
        (
            lambda root: damage(root, IMAGES, idx((5, 28, 28))),
            "MNIST/raw is damaged .6 labels for 5 train images",
        ),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(root, spoil, message):
    spoil(root)
    with pytest.raises(InvalidValueError, match=f"{message}.*delete it and .*--download") as error:
        read("MNIST", root)
    assert "\n" not in str(error.value)


def test_a_packed_file_of_the_right_sum_that_does_not_unpack(root, monkeypatch):
    cut = gzip.compress(idx(SHAPES[LABELS]), mtime=0)[:-9]
    pack(root, LABELS, cut)
    monkeypatch.setitem(MD5["MNIST"], LABELS, hashlib.md5(cut).hexdigest())
    with pytest.raises(InvalidValueError, match=f"{LABELS}.gz is damaged"):
        read("MNIST", root)


def test_missing_data_says_what_and_where_and_what_to_do(tmp_path, monkeypatch):
    message = (
        f"FashionMNIST is not in {tmp_path}/other/FashionMNIST/raw .*--download or .* with --data"
    )
    with pytest.raises(MissingFileError, match=message):
        load_task("fashion-mlp", data=tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError, match=f"MNIST is not in {tmp_path}/data/MNIST/raw"):
        load_task("mnist-mlp")
    assert not list(tmp_path.iterdir())


def test_download_is_left_to_torchvision_and_not_done_twice(root, tmp_path, monkeypatch):
    import torchvision

    calls = []

    def fake(where, download):
        calls.append((where, download))
        shutil.copytree(root / "MNIST", where / "MNIST")

    monkeypatch.setattr(torchvision.datasets, "MNIST", fake)
    for _ in range(2):
        train, _ = read("MNIST", tmp_path / "new", download=True)
    assert len(train) == 6
    assert calls == [(tmp_path / "new", True)]


def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch):
    import torchvision

    def fail(where, download):
        raise RuntimeError("Error downloading x:\nTried y")

    monkeypatch.setattr(torchvision.datasets, "MNIST", fail)
    message = f"MNIST could not be downloaded to {tmp_path}: Error downloading x: Tried y"
    with pytest.raises(MissingFileError, match=message):
        read("MNIST", tmp_path, download=True)


def test_the_sums_are_those_that_torchvision_publishes():
    import torchvision

    for name, sums in MD5.items():
        published = getattr(torchvision.datasets, name).resources
        assert {f"{file}.gz": md5 for file, md5 in sums.items()} == dict(published)


@needs_data
@pytest.mark.parametrize(
    ("name", "dataset", "mean"),
    [("mnist-mlp", "MNIST", 0.1307), ("fashion-mlp", "FashionMNIST", 0.2860)],
)
def test_the_real_data_from_a_root_that_is_only_read(name, dataset, mean):
    task = load_task(name, data=ROOT)
    assert (len(task.train), len(task.validation)) == (60_000, 10_000)
    assert task.train.inputs.shape == (60_000, 1, 28, 28)
    assert task.train.inputs.float().mean() / 255 == pytest.approx(mean, abs=1e-4)
    assert task.validation.targets.bincount(minlength=10).min() > 800
    assert (task.batch_size, task.epochs, task.learning_rate) == (128, 40, 0.1)
    inputs, _ = task.train.take(torch.arange(128))
    assert (inputs.min(), inputs.max()) == (-1, 1)
    assert task.model()(inputs).shape == (128, 10)
    assert len(mnist.MD5[dataset]) == 4


@needs_data
def test_torchvision_reads_the_same(tmp_path):
    import torchvision

    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for file in (ROOT / "MNIST" / "raw").glob("*.gz"):
        (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    train, validation = read("MNIST", ROOT)
    for ours, theirs in (
        (train, torchvision.datasets.MNIST(tmp_path, train=True)),
        (validation, torchvision.datasets.MNIST(tmp_path, train=False)),
    ):
        assert torch.equal(ours.inputs[:, 0], theirs.data)
        assert torch.equal(ours.targets, theirs.targets)
