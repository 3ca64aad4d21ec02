import io
import zipfile

import numpy as np
import pytest
import torch

from landscape.errors import InvalidValueError, MissingFileError
from landscape.runtime.randomness import generator
from landscape.tasks import load_task
from landscape.tasks.datasets.arrays import read
from landscape.tasks.datasets.images import COLOUR, GREY

RANDOM = np.random.default_rng(0)
COLOURED = {
    "train_images": RANDOM.integers(0, 256, (12, 8, 6, 3), np.uint8),
    "train_labels": np.arange(12, dtype=np.uint8) % 4,
    "test_images": RANDOM.integers(0, 256, (5, 8, 6, 3), np.uint8),
    "test_labels": np.arange(5, dtype=np.int16) % 4,
}
GREYS = COLOURED | {
    "train_images": COLOURED["train_images"][..., 0],
    "test_images": COLOURED["test_images"][..., 0],
}


def write(path, arrays, **others):
    np.savez(path, **arrays | others)
    return path


def test_colour_images(tmp_path):
    train, validation = read(write(tmp_path / "a.npz", COLOURED))
    assert train.inputs.dtype == torch.uint8
    assert train.inputs.is_contiguous()
    for data, part in ((train, "train"), (validation, "test")):
        images = COLOURED[f"{part}_images"]
        assert data.inputs.shape == (len(images), 3, 8, 6)
        inputs, targets = data.take(torch.tensor([4, 1]))
        expected = torch.from_numpy(images[[4, 1]]).movedim(-1, 1)
        assert torch.equal(inputs, COLOUR(expected))
        assert targets.tolist() == COLOURED[f"{part}_labels"][[4, 1]].tolist()
        assert targets.dtype == torch.int64
    indices = torch.arange(5)
    assert not torch.equal(train.take(indices, generator(0))[0], train.take(indices)[0])
    assert torch.equal(validation.take(indices, generator(0))[0], validation.take(indices)[0])


def test_grey_images(tmp_path):
    train, validation = read(write(tmp_path / "a.npz", GREYS))
    assert validation.inputs.shape == (5, 1, 8, 6)
    inputs, _ = train.take(torch.tensor([3]), generator(0))
    assert torch.equal(inputs, GREY(torch.from_numpy(GREYS["train_images"][[3]])[:, None]))


def test_a_compressed_file_with_more_in_it(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **COLOURED, classes=np.array(["a", "b"]))
    assert len(read(tmp_path / "a.npz")[0]) == 12


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (
            {"train_images": COLOURED["train_images"] / 255},
            r"train_images in .* are float64 of shape \(12, 8, 6, 3\); give uint8 of shape \(N, H",
        ),
        (
            {"test_images": COLOURED["test_images"].transpose(0, 3, 1, 2)},
            r"test_images in .* are uint8 of shape \(5, 3, 8, 6\); give uint8 of",
        ),
        ({"train_images": COLOURED["train_images"][:0]}, r"of shape \(0, 8, 6, 3\)"),
        ({"train_images": np.zeros((12, 48), np.uint8)}, r"of shape \(12, 48\)"),
        (
            {"train_labels": COLOURED["train_labels"][:-1]},
            r"train_labels in .* are uint8 of shape \(11,\); give integers of shape \(12,\)",
        ),
        ({"train_labels": np.eye(12)[:, :4]}, r"train_labels in .* are float64 of shape \(12, 4"),
        ({"test_labels": np.zeros(5)}, r"test_labels in .* are float64 of shape \(5,\)"),
        (
            {"test_labels": np.array([0, 1, 2, 3, 4])},
            "test_labels in .* run from 0 to 4; those of the training images run from 0 to 3",
        ),
        ({"test_labels": np.array([0, 1, 2, 3, -1])}, "test_labels in .* run from -1 to 3"),
        (
            {"train_labels": np.arange(12) % 4 + 1},
            "train_labels in .* hold 4 classes from 1 to 4; give two classes or more, numbered 0",
        ),
        ({"train_labels": np.arange(12) % 4 * 2}, "hold 4 classes from 0 to 6"),
        ({"train_labels": np.arange(12) % 4 - 1}, "hold 4 classes from -1 to 2"),
        ({"train_labels": np.zeros(12, int)}, "hold 1 classes from 0 to 0"),
        (
            {"test_images": COLOURED["test_images"][:, :7]},
            r"training images of shape \(8, 6, 3\) and test images of shape \(7, 6, 3\)",
        ),
        (
            {"train_labels": np.array([*range(11), None])},
            "cannot be read as arrays: ValueError: Object arrays cannot be loaded",
        ),
    ],
)
def test_other_arrays_are_refused_in_one_line(tmp_path, others, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        read(write(tmp_path / "a.npz", COLOURED, **others))
    assert "\n" not in str(error.value)
    assert "a.npz" in str(error.value)


def test_missing_arrays_are_named_with_those_that_are_there(tmp_path):
    write(tmp_path / "a.npz", {"train_images": COLOURED["train_images"], "x": np.zeros(1)})
    message = "has no train_labels, test_images, test_labels; .* and this file train_images, x"
    with pytest.raises(InvalidValueError, match=message):
        read(tmp_path / "a.npz")


def test_files_that_are_no_arrays(tmp_path):
    with pytest.raises(MissingFileError, match=f"no file of arrays .*looked at {tmp_path}/none"):
        read(tmp_path / "none.npz")
    path = tmp_path / "a.npz"
    for content in (b"", b"some text", b"\x80\x04."):
        path.write_bytes(content)
        with pytest.raises(InvalidValueError, match=r"a.npz is not a file of arrays; write"):
            read(path)
    for content, message in (
        (b"no array", "train_images in .* are .S8 of shape"),
        (b"\x93NUMPY\x01\x00\x06\x00broken", r"a\.npz cannot be read as arrays: ValueError: malf"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name in COLOURED:
                archive.writestr(f"{name}.npy", content)
        with pytest.raises(InvalidValueError, match=message):
            read(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_damaged_file_is_one_line(tmp_path, compressed):
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **COLOURED)
    content = bytearray(stream.getvalue())
    path = tmp_path / "a.npz"
    for place in range(50, 2500, 350):
        spoilt = content.copy()
        spoilt[place] ^= 0xFF
        path.write_bytes(spoilt)
        try:
            read(path)
        except InvalidValueError as error:
            assert "\n" not in str(error)  # noqa: PT017 -- some bytes matter to nothing
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidValueError, match=r"a\.npz is cut off or damaged; copy it again"):
        read(path)


@pytest.mark.parametrize(("arrays", "channels"), [(COLOURED, 3), (GREYS, 1)])
@pytest.mark.parametrize("model", ["mlp", "cnn", "resnet20"])
def test_a_task_of_a_file(tmp_path, arrays, channels, model):
    path = write(tmp_path / "a.npz", arrays)
    task = load_task(model=model, dataset=str(path))
    assert task.name == f"a.npz-{model}"
    assert (task.batch_size, task.epochs) == (128, 50)
    inputs, _ = task.train.take(torch.arange(6))
    assert inputs.shape == (6, channels, 8, 6)
    assert task.model()(inputs).shape == (6, 4)
