"""scikit-learn's handwritten digits: real data without a download."""

import torch
from torch import Tensor

from landscape.data import TensorData


def read() -> tuple[TensorData, TensorData]:
    """Read the digits: 1,437 training and 360 validation images of 8 x 8 pixels.

    They are kept in [0, 1] and normalised (mean 0.5, sd 0.5) batch by batch. The split is fixed and
    has the classes in the same shares.

    Returns:
        Training and validation data; inputs are float32 (N, 1, 8, 8) in [−1, 1].
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, targets = load_digits(return_X_y=True)
    train, validation = train_test_split(
        range(len(targets)), test_size=360, stratify=targets, random_state=0
    )
    inputs = torch.from_numpy(images / 16).float().view(-1, 1, 8, 8)
    labels = torch.from_numpy(targets).long()
    return (
        TensorData(inputs[train], labels[train], prepare=_normalised),
        TensorData(inputs[validation], labels[validation], prepare=_normalised),
    )


def _normalised(images: Tensor) -> Tensor:
    # (x − 0.5) / 0.5
    return images * 2 - 1
