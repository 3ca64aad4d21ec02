"""MNIST and FashionMNIST.

torchvision downloads them. The files are read here, packed or unpacked, so that a data root can be
read-only.
"""

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from landscape.data import TensorData
from landscape.errors import InvalidValueError, MissingFileError
from landscape.tasks.datasets.images import grey_images

# The published md5 sums of the packed files.
MD5 = {
    "MNIST": {
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    "FashionMNIST": {
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
}


def read(dataset: str, root: Path, download: bool = False) -> tuple[TensorData, TensorData]:
    """Read 60,000 training and 10,000 validation images of 28 x 28 pixels.

    They are kept as bytes and normalised (mean 0.5, sd 0.5) batch by batch.

    Args:
        dataset: a key of :data:`MD5`.
        root: the folder of the data sets; the files are in ``root/dataset/raw``, packed (.gz) or
            not.
        download: whether missing files are fetched.

    Returns:
        Training and validation data; inputs are float32 (N, 1, 28, 28) in [−1, 1].

    Raises:
        MissingFileError: where files are missing, or cannot be downloaded.
        InvalidValueError: where a file is damaged.
    """
    folder = root / dataset / "raw"
    missing = [name for name in MD5[dataset] if _find(folder, name) is None]
    if missing and download:
        _download(dataset, root)
    elif missing:
        raise MissingFileError(
            f"{dataset} is not in {folder.resolve()} (no {missing[0]}); fetch it there with "
            f"--download or name the folder that holds {dataset} with --data"
        )
    parts = {name: _read_idx(folder, name, md5) for name, md5 in MD5[dataset].items()}
    train, validation = (_part(folder, part, parts) for part in ("train", "t10k"))
    return train, validation


def _part(folder: Path, part: str, parts: Mapping[str, Tensor]) -> TensorData:
    images, labels = parts[f"{part}-images-idx3-ubyte"], parts[f"{part}-labels-idx1-ubyte"]
    if len(images) != len(labels):
        raise _damaged(folder, f"{len(labels)} labels for {len(images)} {part} images")
    return grey_images(images.unsqueeze(1), labels.long())


def _find(folder: Path, name: str) -> Path | None:
    """The packed file, which can be checked, or else the unpacked one."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def _download(dataset: str, root: Path) -> None:
    import torchvision

    try:
        getattr(torchvision.datasets, dataset)(root, download=True)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise MissingFileError(
            f"{dataset} could not be downloaded to {root.resolve()}: {reason}"
        ) from error


def _read_idx(folder: Path, name: str, md5: str) -> Tensor:
    """Read an idx file's array of bytes."""
    path = _find(folder, name)
    if path is None:
        raise MissingFileError(f"{name} is not in {folder.resolve()}")
    content = path.read_bytes()
    if path.suffix == ".gz":
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise _damaged(path, f"its md5 sum is not {md5}")
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(path, str(error)) from error
    dimensions = 3 if "idx3" in name else 1
    start = 4 + 4 * dimensions
    # Bytes 0, 0, the type (8 is uint8), the number of dimensions; then each size.
    if len(content) < start or content[:4] != bytes([0, 0, 8, dimensions]):
        raise _damaged(path, "it is no idx file of bytes")
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    values = np.frombuffer(content[start:], np.uint8)
    if values.size != np.prod(shape):
        raise _damaged(path, f"it holds {values.size} values, not {' x '.join(map(str, shape))}")
    return torch.from_numpy(values.reshape(shape).copy())


def _damaged(path: Path, reason: str) -> InvalidValueError:
    return InvalidValueError(
        f"{path} is damaged ({reason}); delete it and fetch it with --download"
    )
