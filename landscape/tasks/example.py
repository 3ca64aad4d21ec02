"""A task of your own: change the parts below, then use it as ``path/to/this_file.py:task``.

A task is any object with the members ``model``, ``train`` and ``validation``; the others have
defaults. It can be a dict, a class or a module, or a function that returns one of these. This one
runs as it is: a small network on scikit-learn's handwritten digits.
"""

from types import SimpleNamespace

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn


class Network(nn.Module):
    """Any torch module that returns logits, one row of class scores per sample: (N, classes)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.output = nn.Linear(32, 10)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Compute the logits of a batch.

        Args:
            inputs: (N, 64) float32.

        Returns:
            Logits, (N, 10).
        """
        logits: torch.Tensor = self.output(torch.relu(self.hidden(inputs)))
        return logits


# Inputs of any shape (N, …), here float32 (N, 64); class labels as integers (N,).
images, labels = load_digits(return_X_y=True)
inputs = (images / 16).astype(np.float32)

task = SimpleNamespace(
    # The class, or a function without arguments, that makes a fresh model. It is initialised
    # from torch's global generator, which the seed of a run sets. One ready module works too;
    # every run then starts from its weights.
    model=Network,
    # A pair (inputs, labels) of tensors or arrays is fastest. A torch Dataset of such pairs
    # works as well, and so does a DataLoader, of which the Dataset is used, not the batches.
    train=(inputs[:1437], labels[:1437]),
    # Accuracy and loss are measured on these after each epoch; never augmented.
    validation=(inputs[1437:], labels[1437:]),
    #
    # All below is optional. Options of a command override these values.
    #
    # One value per sample: a function of (logits, labels) such as
    #   lambda logits, labels: nn.functional.cross_entropy(logits, labels, reduction="none")
    # or a torch loss without class weights.
    loss=nn.CrossEntropyLoss(),
    batch_size=64,
    epochs=30,
    learning_rate=0.1,
    # For train given as tensors, a change to each training batch, with a torch.Generator for
    # its random draws, e.g. noise:
    #   augment=lambda inputs, generator: inputs
    #   + 0.1 * torch.randn(inputs.shape, generator=generator).to(inputs.device),
)
