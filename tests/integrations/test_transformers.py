import json

import pytest
import torch
from helpers import hooks
from helpers.hooks import BATCH, SMALL, TRAIN, VALIDATION

import landscape
from landscape.errors import InvalidValueError

transformers = pytest.importorskip("transformers")
from accelerate.state import AcceleratorState, GradientState, PartialState  # noqa: E402

from landscape.integrations.transformers import LandscapeCallback  # noqa: E402


@pytest.fixture(autouse=True)
def _alone():
    """Trainers share one state of accelerate, which is left to no other test."""
    yield
    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()


def made(path, model=None, validation=True, **options):
    arguments = transformers.TrainingArguments(
        **{
            "output_dir": str(path / "run"),
            "max_steps": 10,
            "per_device_train_batch_size": BATCH,
            "use_cpu": True,
            "report_to": "none",
            "save_strategy": "no",
            "logging_steps": 4,
            "learning_rate": 0.01,
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
            "remove_unused_columns": False,
            "label_names": ["labels"],
        }
        | options
    )
    return transformers.Trainer(
        model or hooks.Classifier(),
        arguments,
        train_dataset=hooks.Named(TRAIN),
        eval_dataset=hooks.Named(VALIDATION, 60) if validation else None,
    )


def trained(path, store=None, resume=None, arguments=None, model=None, **options):
    """A training of the digits, recorded if there is a store."""
    trainer = made(path, model, **(arguments or {}))
    if store is not None:
        options = {"at": [0, 3, 9]} | SMALL | options
        trainer.add_callback(LandscapeCallback(trainer, path / store, **options))
    hooks.seed()
    trainer.train(resume_from_checkpoint=resume)
    return hooks.everything(trainer.model, trainer.optimizer), trainer


def losses(trainer):
    """What the Trainer itself logs, without what differs by time."""
    kept = [row for row in trainer.state.log_history if "loss" in row]
    return [{key: row[key] for key in ("loss", "step", "epoch", "grad_norm")} for row in kept]


@pytest.mark.parametrize("origin", ["before-step", "after-step"])
def test_training_ends_at_the_same_bits(tmp_path, origin):
    expected, alone = trained(tmp_path)
    reached, recorded = trained(tmp_path, "s.zarr", origin=origin)
    assert expected == reached
    assert losses(alone) == losses(recorded)
    assert [row["step"] for row in losses(alone)] == [4, 8]
    stored = landscape.open(tmp_path / "s.zarr")
    assert stored.iteration.values.tolist() == [0, 3, 9]
    assert stored.learning_rate.values.tolist() == pytest.approx([0.01, 0.007, 0.001])
    assert stored.epoch.values.tolist() == pytest.approx([0, 3 / 8, 9 / 8])
    assert (stored.attrs["optimizer"], stored.attrs["task"]) == ("AdamW", "Classifier")
    assert stored.attrs["training_samples"] == 400
    samples = stored["samples"].sel(evaluation_set=["same_batch", "validation"])
    assert samples.values.tolist() == [BATCH, 50]


class Seeing(hooks.Classifier):
    """Keeps the labels of each training step, and the weights before it; writes to its input."""

    def __init__(self):
        super().__init__("mlp")
        self.seen = []

    def forward(self, pixel_values, labels=None):
        found = super().forward(pixel_values.clone(), labels)
        if labels is not None:
            weights = {name: each.clone() for name, each in self.net.state_dict().items()}
            self.seen.append((pixel_values.clone(), labels.tolist(), weights))
            pixel_values.zero_()
        return found


def test_a_slice_starts_before_the_step_on_its_own_batch(tmp_path):
    _, trainer = trained(tmp_path, "s.zarr", model=Seeing(), samples=True)
    stored = landscape.open(tmp_path / "s.zarr")
    kept = landscape.open_samples(tmp_path / "s.zarr", "same_batch")
    for i, step in enumerate((0, 3, 9)):
        inputs, labels, weights = trainer.model.seen[step]
        assert kept["target"][i, 0].values.tolist() == labels
        model = hooks.Classifier("mlp")
        model.net.load_state_dict(weights)
        loss = torch.nn.functional.cross_entropy(model(inputs), torch.tensor(labels))
        found = stored["loss"].sel(evaluation_set="same_batch", step_size=0)[i].item()
        assert found == pytest.approx(loss.item(), rel=1e-5)


class Reporting(transformers.TrainerCallback):
    """Stands for TensorBoard's callback."""

    def __init__(self):
        self.values = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        if any(name.startswith("landscape/") for name in logs):
            self.values.append((state.global_step, dict(logs)))


def test_what_the_trainer_reports_to_gets_the_scalars(tmp_path):
    trainer = made(tmp_path)
    reporting = Reporting()
    trainer.add_callback(reporting)
    trainer.add_callback(LandscapeCallback(trainer, tmp_path / "s.zarr", at=[0, 3], **SMALL))
    trainer.train()
    assert [step for step, _ in reporting.values] == [0, 3]
    stored = landscape.open(tmp_path / "s.zarr")
    for i, (_, logs) in enumerate(reporting.values):
        found = landscape.statistics.scalars(stored.isel(checkpoint=[i]))
        assert "critical_step_size/same_batch" in found
        expected = {f"landscape/{name}": value for name, value in found.items()}
        assert {name: value for name, value in logs.items() if name != "epoch"} == expected


def test_a_resumed_training_goes_on_in_the_same_store(tmp_path):
    saved = {"save_strategy": "steps", "save_steps": 5}
    trained(tmp_path, "whole.zarr", arguments=saved)
    checkpoint = tmp_path / "run" / "checkpoint-5"
    state = json.loads((checkpoint / "trainer_state.json").read_text())
    assert state["global_step"] == 5
    expected, _ = trained(tmp_path, arguments=saved, resume=str(checkpoint))
    trained(tmp_path, "whole.zarr", arguments=saved, resume=str(checkpoint))
    assert landscape.open(tmp_path / "whole.zarr").iteration.values.tolist() == [0, 3, 9]
    reached, _ = trained(tmp_path, "rest.zarr", arguments=saved, resume=str(checkpoint))
    assert landscape.open(tmp_path / "rest.zarr").iteration.values.tolist() == [9]
    assert expected == reached


def test_data_may_be_given_and_validation_may_be_missing(tmp_path):
    for name, options in (("given", {"validation": VALIDATION, "train": TRAIN}), ("none", {})):
        trainer = made(tmp_path, validation=False, max_steps=1)
        options |= {"at": [0]} | SMALL
        trainer.add_callback(LandscapeCallback(trainer, tmp_path / name, **options))
        trainer.train()
    given, none = (landscape.open(tmp_path / name) for name in ("given", "none"))
    assert given.attrs["training_samples"] == len(TRAIN[1])
    assert "validation" in given.evaluation_set
    assert "validation" not in none.evaluation_set


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ({"gradient_accumulation_steps": 2}, {}, "gradient_accumulation_steps is 2; a slice"),
        ({}, {"at": None}, "at is None and every is None"),
        ({}, {"big_batch": 5000}, "big_batch is 5000, larger"),
    ],
)
def test_what_is_refused(tmp_path, arguments, options, message):
    with pytest.raises(InvalidValueError, match=message):
        trained(tmp_path, "s.zarr", arguments=arguments, **options)


def test_several_validation_sets_are_too_many(tmp_path):
    trainer = made(tmp_path)
    trainer.eval_dataset = {"a": trainer.eval_dataset, "b": trainer.eval_dataset}
    trainer.add_callback(LandscapeCallback(trainer, tmp_path / "s.zarr", at=[0], **SMALL))
    with pytest.raises(InvalidValueError, match="2 validation sets; give one as validation"):
        trainer.train()


class Failing(hooks.Classifier):
    def forward(self, pixel_values, labels=None):
        self.left = getattr(self, "left", 3) - (labels is not None)
        if self.left < 0:
            raise KeyError("no")
        return super().forward(pixel_values, labels)


def test_a_step_that_raises_writes_nothing_and_leaves_no_hook(tmp_path):
    trainer = made(tmp_path, Failing())
    trainer.add_callback(LandscapeCallback(trainer, tmp_path / "s.zarr", every=1, **SMALL))
    with pytest.raises(KeyError, match="no"):
        trainer.train()
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == [0, 1, 2]
    trainer.model.left = 100
    trainer.train()
    assert landscape.open(tmp_path / "s.zarr").iteration.values.tolist() == list(range(10))
    assert not trainer.model._forward_pre_hooks
