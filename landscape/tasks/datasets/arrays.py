"""A data set in one file of arrays, as ``numpy.savez`` writes it."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from landscape.data import TensorData
from landscape.errors import InvalidValueError, MissingFileError
from landscape.tasks.datasets.images import colour_images, grey_images

NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def read(path: Path) -> tuple[TensorData, TensorData]:
    """Read training and validation images from a file of arrays.

    The file holds the arrays :data:`NAMES`: images (N, H, W, 3) or (N, H, W) uint8 and labels (N,)
    integers from 0 up, with every class among the training labels. Colour images are normalised and
    augmented like CIFAR, grey ones normalised like MNIST. No code in the file is run.

    Args:
        path: the .npz file.

    Returns:
        Training and validation data; inputs are float32 (N, C, H, W).

    Raises:
        MissingFileError: where there is no such file.
        InvalidValueError: where it is damaged or holds something else.
    """
    arrays = _load(path)
    for part in ("train", "test"):
        _check(path, part, arrays[f"{part}_images"], arrays[f"{part}_labels"])
    _check_alike(path, arrays)
    colour = arrays["train_images"].ndim == 4
    parts = []
    for part in ("train", "test"):
        images = torch.from_numpy(arrays[f"{part}_images"])
        labels = torch.from_numpy(arrays[f"{part}_labels"].astype(np.int64))
        if colour:
            images = images.permute(0, 3, 1, 2).contiguous()
            parts.append(colour_images(images, labels, augmented=part == "train"))
        else:
            parts.append(grey_images(images.unsqueeze(1), labels))
    train, validation = parts
    return train, validation


def _load(path: Path) -> dict[str, NDArray[np.generic]]:
    if not path.is_file():
        raise MissingFileError(f"no file of arrays {str(path)!r}; looked at {path.resolve()}")
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            archive = file.read(2) == b"PK"
        if archive:
            raise InvalidValueError(f"{path} is cut off or damaged; copy it again")
        raise InvalidValueError(f"{path} is not a file of arrays; write one with numpy.savez")
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in NAMES if name not in file]
            if missing:
                raise InvalidValueError(
                    f"{path} has no {', '.join(missing)}; a data set holds {', '.join(NAMES)}, "
                    f"and this file {', '.join(file) or 'nothing'}"
                )
            return {name: np.asarray(file[name]) for name in NAMES}
    except InvalidValueError:
        raise
    except Exception as error:  # a damaged file can raise anything
        reason = " ".join(str(error).split())
        raise InvalidValueError(
            f"{path} cannot be read as arrays: {type(error).__name__}: {reason}"
        ) from error


def _check(path: Path, part: str, images: NDArray[np.generic], labels: NDArray[np.generic]) -> None:
    """Refuse images or labels of another type or shape."""
    grey, colour = images.ndim == 3, images.ndim == 4 and images.shape[-1] == 3
    if images.dtype != np.uint8 or not (grey or colour) or 0 in images.shape:
        raise InvalidValueError(
            f"{part}_images in {path} are {images.dtype} of shape {images.shape}; "
            "give uint8 of shape (N, H, W, 3) or (N, H, W)"
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise InvalidValueError(
            f"{part}_labels in {path} are {labels.dtype} of shape {labels.shape}; "
            f"give integers of shape ({len(images)},), one for each of the {part}_images"
        )


def _check_alike(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Refuse images of two sizes, and labels other than the training data's classes 0 … C − 1."""
    train, test = (arrays[f"{part}_images"].shape[1:] for part in ("train", "test"))
    if train != test:
        raise InvalidValueError(
            f"{path} holds training images of shape {train} and test images of shape {test}; "
            "give images of one shape"
        )
    classes = np.unique(arrays["train_labels"])
    low, high = int(classes[0]), int(classes[-1])
    if low != 0 or high != len(classes) - 1 or high == 0:
        raise InvalidValueError(
            f"train_labels in {path} hold {len(classes)} classes from {low} to {high}; "
            "give two classes or more, numbered 0, 1, 2 and so on without a gap"
        )
    low, high = int(arrays["test_labels"].min()), int(arrays["test_labels"].max())
    if low < 0 or high >= len(classes):
        raise InvalidValueError(
            f"test_labels in {path} run from {low} to {high}; those of the training images run "
            f"from 0 to {len(classes) - 1}, and no others are allowed"
        )
