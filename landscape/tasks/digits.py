"""Tasks on scikit-learn's handwritten digits: real data that comes with the package."""

import torch
from torch import Tensor

from landscape.data import Augmentation, TensorData
from landscape.models import mlp, small_cnn
from landscape.tasks.augmentation import random_shift
from landscape.tasks.task import Task


def digits_mlp() -> Task:
    """MLP 64-128-64-10 on the digits, without augmentation."""
    train, validation = digits()
    return Task(
        "digits-mlp",
        lambda: mlp((64, 128, 64, 10)),
        train,
        validation,
        batch_size=64,
        epochs=80,
    )


def digits_cnn() -> Task:
    """Small CNN with batch norm on the digits, each image shifted by up to one pixel."""
    train, validation = digits(augment=random_shift(1))
    return Task("digits-cnn", small_cnn, train, validation, batch_size=64, epochs=20)


def digits(augment: Augmentation | None = None) -> tuple[TensorData, TensorData]:
    """1,437 training and 360 validation images (1, 8, 8), given as float32 in [−1, 1].

    They are kept in [0, 1] and normalised (mean 0.5, sd 0.5) after the augmentation. The split
    is fixed and keeps the classes' shares; ``augment`` goes to the training images.
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
        TensorData(inputs[train], labels[train], augment=augment, prepare=_normalised),
        TensorData(inputs[validation], labels[validation], prepare=_normalised),
    )


def _normalised(images: Tensor) -> Tensor:
    # (x − 0.5) / 0.5
    return images * 2 - 1
