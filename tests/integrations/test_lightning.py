import csv

import pytest
import torch
from helpers import hooks
from helpers.hooks import BATCH, SMALL, TRAIN, VALIDATION
from torch import nn
from torch.utils.data import DataLoader

import landscape
from landscape.errors import InvalidValueError

pl = pytest.importorskip("lightning.pytorch")
from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: E402
from lightning.pytorch.loggers import CSVLogger  # noqa: E402

from landscape.integrations.lightning import LandscapeCallback  # noqa: E402


class Digits(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = hooks.Classifier()
        self.seen = []

    def forward(self, inputs):
        return self.net(inputs)

    def training_step(self, batch, batch_idx):
        inputs, targets = batch.values() if isinstance(batch, dict) else batch
        self.seen.append(targets.tolist())
        loss = nn.functional.cross_entropy(self(inputs), targets)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("validation", nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def trainer(path, *callbacks, **options):
    options = {"max_steps": 10, "logger": False, "enable_checkpointing": False} | options
    return pl.Trainer(
        default_root_dir=path,
        callbacks=list(callbacks),
        accelerator="cpu",
        devices=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )


def loaders(data=hooks.Pairs):
    return (
        DataLoader(data(TRAIN), batch_size=BATCH, shuffle=True),
        DataLoader(hooks.Pairs(VALIDATION, 60), batch_size=BATCH),
    )


def trained(path, *callbacks, checkpoint=None, module=None, data=hooks.Pairs, **options):
    """A training of two epochs of eight steps, cut off at the tenth."""
    module = module or Digits()
    hooks.seed()
    fitted = trainer(path, *callbacks, **options)
    fitted.fit(module, *loaders(data), ckpt_path=checkpoint)
    return hooks.everything(module, fitted.optimizers[0]), module.seen, fitted


@pytest.mark.parametrize("origin", ["before-step", "after-step"])
def test_training_ends_at_the_same_bits(tmp_path, origin):
    callback = LandscapeCallback(tmp_path / "s.zarr", at=[0, 3, 9], origin=origin, **SMALL)
    assert trained(tmp_path)[:2] == trained(tmp_path, callback)[:2]
    stored = landscape.open(tmp_path / "s.zarr")
    assert stored.iteration.values.tolist() == [0, 3, 9]
    assert stored.epoch.values.tolist() == [i / 8 for i in stored.iteration.values]
    assert stored.learning_rate.values.tolist() == pytest.approx([0.01, 0.01, 0.009])
    assert (stored.attrs["optimizer"], stored.attrs["task"]) == ("Adam", "Digits")
    assert stored.attrs["training_samples"] == 400
    samples = stored["samples"].sel(evaluation_set=["same_batch", "validation"])
    assert samples.values.tolist() == [BATCH, 50]


def test_a_slice_is_that_of_the_steps_own_batch(tmp_path):
    settings = SMALL | {"samples": True}
    callback = LandscapeCallback(tmp_path / "s.zarr", every=4, **settings)
    seen = trained(tmp_path, callback)[1]
    kept = landscape.open_samples(tmp_path / "s.zarr", "same_batch")
    assert kept["target"][:, 0].values.tolist() == [seen[i] for i in (0, 4, 8)]


def test_every_logger_gets_the_scalars(tmp_path):
    logger = CSVLogger(tmp_path, name="log", flush_logs_every_n_steps=1)
    callback = LandscapeCallback(tmp_path / "s.zarr", at=[0, 3], **SMALL)
    trained(tmp_path, callback, logger=logger, log_every_n_steps=4)
    with (tmp_path / "log" / "version_0" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["landscape/gap"]]
    assert [int(row["step"]) for row in rows] == [0, 3]
    stored = landscape.open(tmp_path / "s.zarr")
    for i, row in enumerate(rows):
        found = landscape.statistics.scalars(stored.isel(checkpoint=[i]))
        assert "critical_step_size/same_batch" in found
        for name, value in found.items():
            assert float(row[f"landscape/{name}"]) == pytest.approx(value)


@pytest.mark.filterwarnings("ignore:.*exists and is not empty")
def test_a_resumed_training_goes_on_in_the_same_store(tmp_path):
    def callback():
        return LandscapeCallback(tmp_path / "s.zarr", at=[0, 3, 9], **SMALL)

    def kept():
        return ModelCheckpoint(tmp_path / "kept", every_n_train_steps=8, save_top_k=-1)

    trained(tmp_path, callback(), kept(), max_steps=8, enable_checkpointing=True)
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 3]
    (found,) = (tmp_path / "kept").glob("*step=8.ckpt")
    goes_on = {"checkpoint": found, "enable_checkpointing": True}
    expected, seen, _ = trained(tmp_path, kept(), **goes_on)
    assert len(seen) == 2
    reached, _, _ = trained(tmp_path, callback(), kept(), **goes_on)
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 3, 9]
    assert expected == reached


def test_data_model_and_batches_may_be_given(tmp_path):
    callback = LandscapeCallback(
        tmp_path / "s.zarr",
        hooks.Named(TRAIN),
        hooks.Named(VALIDATION, 60),
        model=lambda module: module.net,
        target=lambda batch: (batch["pixel_values"], batch["labels"]),
        at=[1],
        task="mine",
        **SMALL,
    )
    trained(tmp_path, callback, data=hooks.Named, max_steps=2, limit_val_batches=0)
    stored = landscape.open(tmp_path / "s.zarr")
    assert stored.attrs["task"] == "mine"
    assert stored.attrs["training_samples"] == len(hooks.Named(TRAIN))
    assert "validation" in stored.evaluation_set


@pytest.mark.filterwarnings("ignore:.*You defined a `validation_step`")
def test_without_a_validation_loader_there_is_no_such_set(tmp_path):
    callback = LandscapeCallback(tmp_path / "s.zarr", at=[0], **SMALL)
    trainer(tmp_path, callback, max_steps=1, limit_val_batches=0).fit(Digits(), loaders()[0])
    assert "validation" not in landscape.open(tmp_path / "s.zarr").evaluation_set


class Failing(Digits):
    def training_step(self, batch, batch_idx):
        if self.trainer.global_step == 2:
            raise KeyError("no")
        return super().training_step(batch, batch_idx)


def test_a_step_that_raises_writes_nothing(tmp_path):
    callback = LandscapeCallback(tmp_path / "s.zarr", every=1, task="digits", **SMALL)
    with pytest.raises(KeyError, match="no"):
        trained(tmp_path, callback, module=Failing())
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 1]
    trained(tmp_path, callback, max_steps=3)
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 1, 2]


class Skipping(Digits):
    def on_train_batch_start(self, batch, batch_idx):
        return -1 if batch_idx == 1 else None


def test_a_skipped_step_writes_nothing(tmp_path):
    callback = LandscapeCallback(tmp_path / "s.zarr", every=1, **SMALL)
    trained(tmp_path, callback, module=Skipping(), max_steps=2, max_epochs=2)
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 1]


class Manual(Digits):
    automatic_optimization = False


@pytest.mark.parametrize(
    ("module", "trainers", "options", "message"),
    [
        (Digits, {"accumulate_grad_batches": 2}, {}, "accumulate_grad_batches is 2; a slice"),
        (Manual, {}, {}, "automatic_optimization is False"),
        (Digits, {}, {"at": None}, "at is None and every is None"),
        (
            Digits,
            {},
            {"target": lambda batch: (tuple(batch), batch[1])},
            r"model\(\*inputs of 2 parts\) fails",
        ),
    ],
)
def test_what_is_refused(tmp_path, module, trainers, options, message):
    callback = LandscapeCallback(tmp_path / "s.zarr", **({"at": [0]} | SMALL | options))
    with pytest.raises(InvalidValueError, match=message):
        trained(tmp_path, callback, module=module(), **trainers)


def test_two_validation_loaders_are_too_many(tmp_path):
    callback = LandscapeCallback(tmp_path / "s.zarr", at=[0], **SMALL)
    train, validation = loaders()
    with pytest.raises(InvalidValueError, match="2 validation loaders; give one as validation"):
        trainer(tmp_path, callback).fit(Two(), train, [validation, validation])


class Two(Digits):
    def validation_step(self, batch, batch_idx, dataloader_idx):
        pass


def test_a_model_in_parts_is_refused(tmp_path, monkeypatch):
    from lightning.pytorch.strategies import FSDPStrategy

    callback = LandscapeCallback(tmp_path / "s.zarr", at=[0], **SMALL)
    fitted = trainer(tmp_path, callback)
    strategy = FSDPStrategy()
    monkeypatch.setattr(type(fitted), "strategy", property(lambda _: strategy))
    with pytest.raises(InvalidValueError, match="FSDPStrategy, which splits the model"):
        callback.on_train_start(fitted, Digits())
