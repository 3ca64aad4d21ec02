"""Training and probing of tasks that are no plain classification, into stores and back."""

import numpy as np
import pytest
import torch
from helpers.commands import run
from sklearn.datasets import load_diabetes
from torch import nn

import landscape
from landscape import TrainingSettings, histories, study
from landscape.errors import StoreError
from landscape.tasks import as_task

X, Y = load_diabetes(return_X_y=True)
X, Y = torch.tensor(20 * X).float(), torch.tensor((Y - 152) / 77).float()[:, None]
IDS = (torch.arange(60)[:, None] * 5 + torch.arange(9)) % 11
LABELS = torch.where(torch.arange(9) < 4 + torch.arange(60)[:, None] % 6, IDS, -100)


def near(outputs, targets):
    return ((outputs - targets).abs() < 0.5)[:, 0].float()


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Embedding(11, 8), nn.Linear(8, 11))

    def forward(self, input_ids, labels=None):
        logits = self.net(input_ids)
        if labels is None:
            return {"logits": logits}
        shifted = logits[:, :-1].reshape(-1, 11), labels[:, 1:].reshape(-1)
        return {"loss": nn.functional.cross_entropy(*shifted), "logits": logits}


TEXT = {"input_ids": IDS, "labels": LABELS}
TASKS = {
    "regression": {
        "model": lambda: nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1)),
        "train": (X[:350], Y[:350]),
        "validation": (X[350:], Y[350:]),
        "loss": nn.MSELoss(),
        "metrics": [near],
    },
    "tokens": {"loss": landscape.Measure(shift_labels=True)},
    "own loss": {"loss": landscape.Measure("model", shift_labels=True)},
}
for name in ("tokens", "own loss"):
    TASKS[name] |= {"model": Tokens, "train": TEXT, "validation": TEXT}


@pytest.mark.parametrize("name", TASKS)
def test_it_is_trained_and_probed(tmp_path, name):
    task = as_task({**TASKS[name], "batch_size": 8, "learning_rate": 0.05}, name)
    settings = TrainingSettings.for_task(task, epochs=3, checkpoints=2, options={"momentum": 0.5})
    study.train(task, settings, tmp_path / "run")
    probed = landscape.ProbeSettings(step_sizes=[0, 0.1], batch_size=8, big_batch=20)
    study.probe(task, [tmp_path / "run"], tmp_path / "s.zarr", probed)
    slices = landscape.open(tmp_path / "s.zarr")
    history = histories.open_(histories.Run(tmp_path / "run").history)
    # The last checkpoint is that of the last epoch: what validation found, the probe finds.
    last = slices.isel(checkpoint=-1).sel(evaluation_set="validation", step_size=0).squeeze()
    assert int(last["iteration"]) < int(history.iteration[-1])
    if name == "regression":
        assert {"near", "r_squared", "mean_absolute_error", "loss"} == {*slices.data_vars}
        assert np.isnan(history.validation_accuracy).all()
        said = run("info", tmp_path / "run").output
        assert "validation loss" in said
        assert "validation accuracy" not in said
    else:
        assert {"accuracy", "smooth_accuracy", "loss"} == {*slices.data_vars}
        assert 0 <= float(history.validation_accuracy[-1]) <= 1
    assert float(history.validation_loss[-1]) < float(history.validation_loss[0])
    assert float(history.loss[-1]) < float(history.loss[0])


@pytest.mark.parametrize("name", TASKS)
def test_validation_is_that_of_a_plain_loop(name):
    task = as_task(TASKS[name], name)
    torch.manual_seed(0)
    model = task.model()
    found, accuracy = landscape.training.validation.validate(
        model, task.validation, task.loss, landscape.network.chunking.EvalBatchSize(7)
    )
    with torch.no_grad():
        if name == "regression":
            expected = nn.functional.mse_loss(model(X[350:]), Y[350:]).item()
            assert np.isnan(accuracy)
        else:
            logits = model.double()(IDS)["logits"][:, :-1]
            targets = LABELS[:, 1:]
            expected = nn.functional.cross_entropy(logits.reshape(-1, 11), targets.reshape(-1))
            right = (logits.argmax(-1) == targets)[targets != -100]
            assert accuracy == pytest.approx(right.double().mean().item())
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_sentences_that_are_padded_differently_at_each_checkpoint(tmp_path):
    lines = [IDS[i, : 2 + i % 7] for i in range(60)]

    def collate(samples):
        ids = nn.utils.rnn.pad_sequence(samples, batch_first=True)
        labels = nn.utils.rnn.pad_sequence(samples, batch_first=True, padding_value=-100)
        return {"input_ids": ids, "labels": labels}

    class Once(torch.utils.data.Dataset):
        def __len__(self):
            return 60

        def __getitem__(self, i):
            return lines[i]

    loader = torch.utils.data.DataLoader(Once(), batch_size=4, collate_fn=collate)
    task = as_task({**TASKS["tokens"], "train": loader, "validation": loader}, "lines")
    assert task.batch_size == 4
    study.train(task, TrainingSettings.for_task(task, epochs=1, checkpoints=3), tmp_path / "run")
    settings = {"step_sizes": [0, 0.1], "batch_size": 4, "big_batch": 9, "sets": "same_batch"}
    with pytest.raises(StoreError, match="pad them all to one length, or keep no values"):
        study.probe(
            task, [tmp_path / "run"], tmp_path / "s.zarr", landscape.ProbeSettings(**settings)
        )
    plain = landscape.ProbeSettings(**settings, samples=False)
    assert study.probe(task, [tmp_path / "run"], tmp_path / "plain.zarr", plain) == 3


def test_a_store_of_another_loss_is_not_continued(tmp_path):
    task = as_task({**TASKS["tokens"], "batch_size": 8}, "tokens")
    study.train(task, TrainingSettings.for_task(task, epochs=2, checkpoints=2), tmp_path / "run")
    settings = landscape.ProbeSettings(step_sizes=[0], batch_size=8, big_batch=20)
    study.probe(task, [tmp_path / "run"], tmp_path / "s.zarr", settings)
    said = landscape.open(tmp_path / "s.zarr").attrs["loss"]
    assert said == "cross_entropy (kind=classes, shift_labels=True)"
    other = as_task({**TASKS["tokens"], "loss": landscape.Measure(ignore_index=3)}, "tokens")
    with pytest.raises(StoreError, match="was made with loss 'cross_entropy"):
        study.probe(other, [tmp_path / "run"], tmp_path / "s.zarr", settings)


def test_metrics_of_a_task_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def near(outputs, targets):\n"
        "    return ((outputs - targets).abs() < 0.5)[:, 0].float()\n"
        "x = torch.linspace(-1, 1, 80)[:, None]\n"
        "data = x, 2 * x\n"
        "task = dict(model=lambda: torch.nn.Linear(1, 1), train=data, validation=data,\n"
        "            loss=torch.nn.MSELoss(), batch_size=8, metrics=[near])\n"
    )
    said = run("train", "mine.py:task", "--epochs", 2, "--checkpoints", 2, "-o", "run").output
    assert "validation loss 0." in said
    common = ("--checkpoint", "run", "--task", "mine.py:task", "--big-batch", 20)
    run("probe", *common, "--metrics", "loss,near", "-o", "s.zarr")
    assert {*landscape.open("s.zarr").data_vars} == {"loss", "near"}
    said = run("probe", *common, "--metrics", "nearr", "-o", "t.zarr", status=2).output
    assert "unknown metric 'nearr' (did you mean 'near'?)" in " ".join(said.split())
