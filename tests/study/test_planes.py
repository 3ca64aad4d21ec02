"""Planes and directions into files: other checkpoints, interruption row by row, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.commands import refused, run

import landscape
from landscape import study
from landscape.errors import InvalidValueError, StoreError, UnknownNameError
from landscape.probing.directions import Tangent
from landscape.probing.settings import ProbeSettings
from landscape.study.unfinished import Unfinished
from landscape.tasks import load_task

TASK = load_task("digits-mlp")
SMALL = {"sets": ["same_batch"], "batch_size": 64}
PLANE = ProbeSettings(
    direction="random", direction_2="random", step_sizes=[-1, 0, 1], step_sizes_2=[0, 1, 2], **SMALL
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, more in (("a", ()), ("b", ("--seed", "1", "--optimizer", "adam"))):
        out = folder / name
        run("train", "digits-mlp", "--epochs", 2, "--checkpoints", 3, "--out", out, *more)
    return folder


class StoppedError(Exception):
    """Raised in the midst of a plane."""


def stopping(after):
    """Progress that stops the probe after so many points."""
    from contextlib import contextmanager

    @contextmanager
    def progress(name, total):
        done = 0

        def advance(points=1, *_):
            nonlocal done
            done += points
            if done > after:
                raise StoppedError

        yield advance

    return progress


def test_an_interrupted_plane_goes_on_at_its_row(runs, tmp_path, monkeypatch):
    whole = tmp_path / "whole.zarr"
    study.probe(TASK, [runs / "a"], whole, PLANE, at=[-1])
    store = tmp_path / "s.zarr"
    with pytest.raises(StoppedError):
        study.probe(TASK, [runs / "a"], store, PLANE, at=[-1], progress=stopping(7))
    assert not store.exists()
    kept = sorted(each.name for each in (tmp_path / ".s.zarr.unfinished").glob("*/*.npz"))
    assert kept == ["0-0.npz", "0-1.npz"]
    measured = []
    real = landscape.probing.evaluation.Evaluator.measure

    def counted(self, sets, values):
        measured.append(1)
        return real(self, sets, values)

    monkeypatch.setattr(landscape.probing.evaluation.Evaluator, "measure", counted)
    study.probe(TASK, [runs / "a"], store, PLANE, at=[-1])
    monkeypatch.undo()
    # One row of three points, and one point of each that was kept; the others are what checks
    # evaluate.
    rows = len(measured)
    measured.clear()
    monkeypatch.setattr(landscape.probing.evaluation.Evaluator, "measure", counted)
    study.probe(TASK, [runs / "a"], tmp_path / "again.zarr", PLANE, at=[-1])
    assert len(measured) - rows == 4
    assert not (tmp_path / ".s.zarr.unfinished").exists()
    assert landscape.open(store).equals(landscape.open(whole))
    samples = [landscape.open_samples(each, "same_batch") for each in (store, whole)]
    assert samples[0].equals(samples[1])


def test_rows_of_other_settings_or_damaged_ones_are_measured_again(runs, tmp_path):
    store = tmp_path / "s.zarr"
    with pytest.raises(StoppedError):
        study.probe(TASK, [runs / "a"], store, PLANE, at=[-1], progress=stopping(7))
    folder = tmp_path / ".s.zarr.unfinished"
    # Half a row, as no kill leaves it, and one that is no row.
    first, second = sorted(folder.glob("*/*.npz"))
    content = first.read_bytes()
    first.write_bytes(content[: len(content) // 2])
    second.write_bytes(b"nothing")
    other = Unfinished(store, {"other": "settings"})
    assert other.load(0, 0) is None
    assert first.exists()  # settings may be taken back
    study.probe(TASK, [runs / "a"], store, PLANE, at=[-1])
    expected = tmp_path / "whole.zarr"
    study.probe(TASK, [runs / "a"], expected, PLANE, at=[-1])
    assert landscape.open(store).equals(landscape.open(expected))


def test_rows_of_two_probes_at_once_do_not_mix(tmp_path):
    one = Unfinished(tmp_path / "s.zarr", {"seed": 1})
    two = Unfinished(tmp_path / "s.zarr", {"seed": 2})
    one.save(0, 0, [{"loss": np.zeros((3, 4), np.float32)}])
    assert two.load(0, 0) is None
    two.save(0, 0, [{"loss": np.ones((3, 4), np.float32)}])
    assert one.load(0, 0)[0]["loss"].sum() == 0


@pytest.mark.parametrize("changed", ["metric", "shape", "direction"])
def test_rows_of_other_code_of_the_same_name_are_measured_again(runs, tmp_path, changed):
    def settings(second):
        def score(outputs, targets):
            if changed == "shape" and second:
                return outputs[:, 0]
            return outputs[:, int(changed == "metric" and second)]

        def along(context):
            return Tangent(
                {
                    n: (1 + (changed == "direction" and second)) * g
                    for n, g in context.gradient.items()
                }
            )

        return replace(PLANE, metrics=["loss", score], direction=along)

    store, expected = tmp_path / "s.zarr", tmp_path / "whole.zarr"
    with pytest.raises(StoppedError):
        study.probe(TASK, [runs / "a"], store, settings(False), at=[-1], progress=stopping(7))
    study.probe(TASK, [runs / "a"], store, settings(True), at=[-1])
    study.probe(TASK, [runs / "a"], expected, settings(True), at=[-1])
    assert landscape.open(store).equals(landscape.open(expected))


def test_step_sizes_in_numbers_are_not_replaced_by_those_of_a_store(runs, tmp_path):
    store = tmp_path / "s.zarr"
    study.probe(TASK, [runs / "a"], store, PLANE, at=[-1])
    both = replace(PLANE, step_sizes="auto", step_sizes_2="auto")
    assert study.probe(TASK, [runs / "a"], store, both, at=[-1]) == 0
    other = replace(PLANE, step_sizes=[-2, 0, 2], step_sizes_2="auto")
    with pytest.raises(StoreError, match="step_sizes"):
        study.probe(TASK, [runs / "a"], store, other, at=[-1])


def test_towards_another_run_and_what_the_store_keeps_of_it(runs, tmp_path):
    settings = ProbeSettings(direction=f"towards:{runs / 'b'}", step_sizes=[0, 0.5, 1], **SMALL)
    store = tmp_path / "s.zarr"
    study.probe(TASK, [runs / "a"], store, settings, at=[-1])
    found = landscape.open(store)
    last = max((runs / "b" / "checkpoints").glob("*.pt"), key=lambda p: int(p.stem.split("-")[-1]))
    model = TASK.model()
    model.load_state_dict(torch.load(last, weights_only=True)["model"])
    index = landscape.open_samples(store, "same_batch")["index"].values[0, 0]
    inputs, labels = TASK.train.take(torch.tensor(index))
    with torch.no_grad():
        expected = torch.nn.functional.cross_entropy(model(inputs), labels).item()
    assert found.loss.sel(step_size=1).item() == pytest.approx(expected, rel=1e-5)
    # Another checkpoint behind the same name is another slice.
    kept = (runs / "b" / "checkpoints").glob("*.pt")
    moved = tmp_path / "b.pt"
    moved.write_bytes(max(kept, key=lambda p: p.stat().st_mtime).read_bytes())
    settings = ProbeSettings(direction=f"towards:{moved}", step_sizes=[0, 1], **SMALL)
    study.probe(TASK, [runs / "a"], tmp_path / "t.zarr", settings, at=[-1])
    content = torch.load(moved, weights_only=True)
    next(iter(content["model"].values())).mul_(2)
    torch.save(content, moved)
    with pytest.raises(
        (StoreError, InvalidValueError), match=r"landmarks|differs|damaged|made with"
    ):
        study.probe(TASK, [runs / "a"], tmp_path / "t.zarr", settings, at=[-1])


def test_the_path_is_that_of_all_checkpoints(runs, tmp_path):
    settings = ProbeSettings(
        direction="principal-1", direction_2="principal-2", step_sizes=[-1, 0, 1], **SMALL
    )
    study.probe(TASK, [runs / "a"], tmp_path / "s.zarr", settings, at=[-1])
    found = landscape.open(tmp_path / "s.zarr")
    assert found.sizes["checkpoint"] == 1
    assert found.sizes["path"] == 3
    assert found.iteration.item() == found.path_iteration.values[-1]
    # Where the plane has its origin.
    assert found.path_step_size.values.ravel()[-1] == pytest.approx(0, abs=1e-6)
    assert found.path_distance.values.ravel()[-1] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(found.path_explained, 1, rtol=1e-6)  # three points make a plane


def test_the_command(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(runs)
    out = tmp_path / "s.zarr"
    small = ("--sets", "same-batch,validation", "--validation-samples", 50, "--batch-size", 32)
    said = run("probe", "a", "--at", "last", "--direction", "random", "--and", "update", "--points",
               3, "--range", "0.5", *small, "--out", out).stdout  # fmt: skip
    assert "next: landscape plot plane" in said
    found = landscape.open(out)
    assert found.loss.shape == (1, 1, 2, 3, 3)
    assert found.step_size.values.tolist() == found.step_size_2.values.tolist() == [-0.5, 0, 0.5]
    again = run("probe", "a", "--at", "last", "--direction", "random", "--and", "update",
                "--points", 3, "--range", "0.5", *small, "--out", out).stdout  # fmt: skip
    assert again.startswith("0 checkpoints")
    out = tmp_path / "t.zarr"
    said = run(
        "probe", "a", "--at", "last", "--direction", "towards:b", *small, "--out", out
    ).stdout
    assert "next: landscape plot interpolation" in said
    assert landscape.open(out).step_size.values[[0, 5, 25, 30]].tolist() == [-0.25, 0, 1, 1.25]
    out = tmp_path / "p.zarr"
    run("probe", "a", "--at", "last", "--direction", "principal-1", "--and", "principal-2",
        "--points", 5, *small, "--out", out)  # fmt: skip
    assert landscape.open(out).step_size.values[0] < landscape.open(out).path_step_size.min()
    assert "along the second direction" in landscape.open(out).attrs["range"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--direction", "randon"), "did you mean 'random'"),
        (("--and", "gradient"), "span none"),
        (("--direction", "random", "--and", "random:rows"), "filter, layer or none"),
        (("--direction", "principal-9"), "at least 10 checkpoints"),
        (("--direction", "towards"), "needs to know where it leads"),
        (("--direction", "towards:nowhere.pt"), "no checkpoint at nowhere.pt"),
        (("--direction", "random", "--range", "1,2,3"), "give one number, LOW,HIGH"),
        (("--direction", "random", "--points", "4"), "an odd number"),
        (("--direction", "towards:b", "--spacing", "symlog"), "only linear is allowed"),
        (("--at", "first"), "give iterations, or last"),
        (("--at", "77"), "unknown checkpoint 77"),
    ],
)
def test_what_is_refused(runs, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(runs)
    assert message in refused("probe", "a", *options, "--out", tmp_path / "s.zarr")
    assert not any(tmp_path.iterdir())


def test_an_unknown_iteration(runs, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown checkpoint 5"):
        study.probe(TASK, [runs / "a"], tmp_path / "s.zarr", PLANE, at=[5])


def test_a_checkpoint_without_an_optimizer_gives_no_update(tmp_path):
    torch.save(TASK.model().state_dict(), tmp_path / "weights-3.pt")
    settings = ProbeSettings(direction="update", step_sizes=[0, 1], **SMALL)
    with pytest.raises(InvalidValueError, match=r"holds no optimizer.* the step of the optimizer"):
        study.probe(TASK, [tmp_path], tmp_path / "s.zarr", settings)
    study.probe(TASK, [tmp_path], tmp_path / "s.zarr", settings, learning_rate=0.1)
    found = landscape.open(tmp_path / "s.zarr")
    assert found.direction_norm.item() == pytest.approx(0.1 * found.gradient_norm.item(), rel=1e-5)
