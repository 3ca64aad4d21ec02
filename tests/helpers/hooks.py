"""What the tests of the integrations share: data, settings, and what must end at the same bits."""

import random

import numpy as np
import torch
from helpers import cases
from torch import nn

TRAIN, VALIDATION = cases.digits()
BATCH = 50
SMALL = {
    "step_sizes": (-0.1, 0.0, 0.1, 5.0),
    "big_batch": 60,
    "validation_samples": 50,
    "samples": False,
}


class Pairs(torch.utils.data.Dataset):
    """The first digits as pairs, each with noise drawn when it is read."""

    def __init__(self, data, samples=400):
        self.inputs, self.targets = (part[:samples] for part in data)

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        noise = torch.randn(()) + random.random() + np.random.rand()  # noqa: NPY002
        return self.inputs[i] + 0.01 * noise.float(), self.targets[i]


class Named(Pairs):
    """The same as mappings, as models of Hugging Face take them."""

    def __getitem__(self, i):
        inputs, target = super().__getitem__(i)
        return {"pixel_values": inputs, "labels": target}


class Classifier(nn.Module):
    """Logits of its own input, and the loss too where it is given labels."""

    def __init__(self, name="cnn"):
        super().__init__()
        self.net = cases.fresh(name)

    def forward(self, pixel_values, labels=None):
        logits = self.net(pixel_values)
        if labels is None:
            return logits
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def everything(model, optimizer=None):
    """Parameters, buffers, optimizer state and generators, bit for bit."""
    kept = {
        "model": {name: each.tolist() for name, each in model.state_dict().items()},
        "modes": [module.training for module in model.modules()],
        "python": random.getstate(),
        "numpy": [np.asarray(part).tolist() for part in np.random.get_state()],  # noqa: NPY002
        "torch": torch.get_rng_state().tolist(),
    }
    if optimizer is not None:
        states = optimizer.state_dict()["state"].values()
        kept["optimizer"] = [
            {key: getattr(value, "tolist", lambda v=value: v)() for key, value in state.items()}
            for state in states
        ]
    return kept


def seed():
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
