"""CIFAR-10 and CIFAR-100, read by torchvision after the md5 sum of every file is checked."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from landscape.data import TensorData
from landscape.errors import InvalidValueError, MissingFileError
from landscape.tasks.datasets.images import colour_images


def read(dataset: str, root: Path, download: bool = False) -> tuple[TensorData, TensorData]:
    """Read 50,000 training and 10,000 validation images of 32 x 32 pixels.

    Images are kept as bytes and normalised batch by batch; the training images are augmented as
    in [Hackel2023]: see :func:`landscape.tasks.datasets.images.colour_images`.

    Args:
        dataset: "CIFAR10" or "CIFAR100".
        root: the folder of the data sets; the files are in ``root/cifar-10-batches-py`` or
            ``root/cifar-100-python``.
        download: whether missing files are fetched.

    Returns:
        Training and validation data; inputs are float32 (N, 3, 32, 32).

    Raises:
        MissingFileError: where files are missing, or cannot be downloaded.
        InvalidValueError: where a file is damaged.
    """
    from torchvision import datasets

    source = getattr(datasets, dataset)
    if not download:
        _check(source, root)
    try:
        with warnings.catch_warnings():
            # numpy 2.4.0 to 2.4.4 want False where the old files say align=0.
            warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
            train, validation = (source(root, train=t, download=download) for t in (True, False))
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise MissingFileError(
            f"{dataset} could not be downloaded to {root.resolve()}: {reason}"
        ) from error
    return (
        colour_images(*_tensors(train), augmented=True),
        colour_images(*_tensors(validation), augmented=False),
    )


def _check(source: Any, root: Path) -> None:
    """Name the file that is missing or damaged; torchvision says only that there is one."""
    from torchvision.datasets.utils import check_md5

    folder = root / source.base_folder
    files = [*source.train_list, *source.test_list, (source.meta["filename"], source.meta["md5"])]
    for name, md5 in files:
        path = folder / name
        if not path.is_file():
            raise MissingFileError(
                f"{source.__name__} is not in {folder.resolve()} (no {name}); fetch it with "
                f"--download, name the folder that holds {source.base_folder} (unpacked from "
                f"{source.url}) with --data, or give a file of arrays with --dataset"
            )
        if not check_md5(path, md5):
            raise InvalidValueError(
                f"{path} is damaged (its md5 sum is not {md5}); delete it and fetch it with "
                "--download"
            )


def _tensors(dataset: Any) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous()
    return images, torch.tensor(dataset.targets)
