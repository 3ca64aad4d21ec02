"""A training of your own by Lightning, on scikit-learn's digits: slices while it runs.

The callback is all that is added. It measures on the very batches that the training takes, writes
a store, and sends a few numbers of each slice to the training's own logger.
"""

import csv
import logging
import tempfile
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import landscape
from landscape import plots
from landscape.integrations.lightning import LandscapeCallback

HERE = Path(__file__).parent


class Digits(pl.LightningModule):
    """A small convolutional network with batch norm and dropout."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
            nn.Dropout(0.2), nn.Linear(32 * 4 * 4, 10),
        )  # fmt: skip

    def forward(self, images):
        """Images (N, 1, 8, 8) to logits (N, 10)."""
        return self.net(images)

    def training_step(self, batch, _):
        """Give the loss; Lightning does the rest."""
        images, labels = batch
        return F.cross_entropy(self(images), labels)

    def validation_step(self, batch, _):
        """Log the accuracy."""
        images, labels = batch
        self.log("validation_accuracy", (self(images).argmax(1) == labels).float().mean())

    def configure_optimizers(self):
        """SGD with momentum."""
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def loaders():
    """1,400 digits to train on, 397 to validate."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(digits.target)
    train = TensorDataset(images[:1400], labels[:1400])
    validation = TensorDataset(images[1400:], labels[1400:])
    return DataLoader(train, batch_size=100, shuffle=True), DataLoader(validation, batch_size=100)


def main(out=HERE, epochs=5):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # what it says of the machine
    pl.seed_everything(0, verbose=False)
    with tempfile.TemporaryDirectory() as scratch:
        logger, store = CSVLogger(scratch), Path(scratch) / "slices.zarr"
        at = [0, 14, 14 * epochs // 2, 14 * epochs - 1]  # an epoch has 14 steps
        callback = LandscapeCallback(store, at=at, step_sizes=landscape.probing.spaced(21, 3.0))
        trainer = pl.Trainer(
            max_epochs=epochs, callbacks=[callback], logger=logger, accelerator="cpu",
            log_every_n_steps=1, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        module = Digits()
        trainer.fit(module, *loaders())
        logger.save()
        slices = landscape.open(store).load()
        with (Path(logger.log_dir) / "metrics.csv").open() as file:
            rows = [*csv.DictReader(file)]
    plots.save(plots.plot_widening(slices, metric="accuracy"), Path(out) / "your_lightning.png")
    name = "landscape/peak_width/same_batch"
    widths = {int(row["step"]): round(float(row[name]), 2) for row in rows if row[name]}
    print(f"peak widths in the log, by iteration: {widths}")
    reached = float(trainer.callback_metrics["validation_accuracy"])
    print(f"validation accuracy after {epochs} epochs: {reached:.4f}")
    return slices, module


if __name__ == "__main__":
    main()
