import numpy as np
import pytest
import xarray as xr
from helpers import planes
from helpers.runs import write
from helpers.slices import slices

from landscape import store
from landscape.histories import collection as histories
from landscape.tables.summary import checkpoints, describe_store, facts


def stored(path, dataset, rows=2):
    """A store of the first checkpoint of ``dataset``, with room for ``rows``."""
    row = xr.DataTree(dataset.isel(checkpoint=[0]))
    run = {"optimizer": "sgd", **dataset.attrs["run"]}
    more = {"device_name": "CPU", "landscape": "0", "settings": {"samples": True}, "run": run}
    store.create(path, row, rows=rows, attributes=more).write(row)
    return path


def test_of_slices(tmp_path):
    head, *lines = describe_store(stored(tmp_path / "s.zarr", slices(draws=2)))
    assert head.startswith(f"{tmp_path / 's.zarr'}: slices, schema 2, ")
    assert head.endswith("kB")
    assert lines == [
        "unfinished: 1 of 2 checkpoints; the same command resumes",
        "task: a-task",
        "optimizer: SGD, learning rate 0.25, momentum 0.9",
        "checkpoints: 1 at iteration 10 (epoch 0.5)",
        "origin: before the step",
        "step sizes: 7 from -1 to 1 along the gradient",
        "draws: 2",
        "seed of the probe: 7",
        "metrics: accuracy, loss, smooth_accuracy (slope factor 0.5, 1, 10)",
        "per-sample values: no",  # as where a store was packed
        "made on: CPU, torch 2.14, landscape 0",
        "",
        "evaluation set  kind         samples  batch norm",
        "──────────────  ───────────  ───────  ──────────",
        "same batch      same batch        64  batch",
        "other batch 1   other batch       64  batch",
        "big batch       big batch       1000  batch",
        "validation      validation       360  running",
        "",
        "                                mean              validation",
        "                  learning  gradient  validation    accuracy",
        "iteration  epoch      rate      norm   loss at 0        at 0  digest",
        "─────────  ─────  ────────  ────────  ──────────  ──────────  ──────",
        # 1 + 0.5² + 3, and 0.9 − 0.3 with draws that are 0 and 0.02 above
        "       10    0.5      0.25         2        4.25        0.61  d10d10",
    ]


def test_values_of_samples_are_told_where_they_are(tmp_path):
    samples = xr.Dataset({"loss": (("checkpoint", "sample"), np.arange(3.0)[None])})
    root = slices().isel(checkpoint=[0])
    groups = {f"/per_sample/{name}": samples for name in root["evaluation_set"].values}
    row = xr.DataTree.from_dict({"/": root, **groups})
    attributes = {"settings": {"samples": True}}
    store.create(tmp_path / "s.zarr", row, rows=1, attributes=attributes).write(row)
    assert "per-sample values: yes" in describe_store(tmp_path / "s.zarr")
    packed = store.pack(tmp_path / "s.zarr", tmp_path / "s.zarr.zip")
    assert "per-sample values: no" in describe_store(packed)


def test_what_is_said_once_has_no_column(tmp_path):
    few = slices(draws=2)
    norm = few["gradient_norm"].assign_attrs(long_name="norm of the direction")
    header, rows = checkpoints(
        few.assign_coords(direction_norm=(norm + norm).assign_attrs(norm.attrs))
    )
    assert rows[0][header.index("mean norm of the direction")] == "4"
    header, _ = checkpoints(few.assign_coords(direction_norm=norm))
    assert "mean norm of the direction" not in header


def test_columns_in_which_nothing_is_known_are_left_out():
    gap = np.array([np.nan, np.nan])
    bad = slices().assign_coords(
        search_slope=("checkpoint", gap, {"long_name": "slope of the searched value"}),
        search_outcome=("checkpoint", ["none", "none"], {"long_name": "outcome of the search"}),
        search_step_size=("checkpoint", [0.1, np.nan], {"long_name": "step size taken"}),
        learning_rate=("checkpoint", gap),
    )
    for name in ("loss", "accuracy", "gradient_norm"):  # of which NaN is news
        bad[name] = bad[name] * np.nan
    header, rows = checkpoints(bad.assign_attrs(digests={}))
    assert header == [
        "iteration", "epoch", "step size taken", "gradient norm", "validation loss at 0",
        "validation accuracy at 0",
    ]  # fmt: skip
    assert rows == [["10", "0.5", "0.1", *["NaN"] * 3], ["200", "10", *["NaN"] * 4]]


def test_a_listing_is_as_wide_as_asked_for(tmp_path):
    path = stored(tmp_path / "s.zarr", planes.plane(draws=3), rows=1)
    for width in (80, 60):
        lines = [*describe_store(path, width)]
        listings = lines[lines.index("") :]
        assert max(map(len, listings)) <= width
    assert len([each for each in listings if each.startswith("iteration")]) > 1  # in parts


def test_names_that_commands_take_stand_beside_the_words(tmp_path):
    dataset = slices().assign_attrs(task="mnist-mlp", optimizer="sa-sls-thesis")
    dataset.attrs["run"] = {
        "optimizer": "sa-sls-thesis",
        "learning_rate": 1,
        "options": {"gamma": 3},
    }
    said = dict(facts(dataset))
    assert said["task"] == "MLP on MNIST (mnist-mlp)"
    expected = "sa-SLS as published (sa-sls-thesis), learning rate 1, growth factor 3"
    assert said["optimizer"] == expected
    assert "task" not in dict(facts(dataset.assign_attrs(task="unknown")))


def test_without_validation_it_is_the_big_batch_and_without_0_none(tmp_path):
    few = slices().isel(evaluation_set=[0, 2])
    *_, header, _, _ = describe_store(stored(tmp_path / "s.zarr", few, rows=1), width=200)
    assert header.endswith("big batch loss at 0  big batch accuracy at 0  digest")
    away = slices().isel(step_size=[0, 1, 5])
    *_, header, _, row = describe_store(stored(tmp_path / "t.zarr", away, rows=1), width=200)
    assert "at 0" not in header
    assert row.split()[:3] == ["10", "0.5", "0.25"]


def test_of_a_run_all_its_stores(tmp_path):
    folder = write(tmp_path / "run", [0.5, 0.9, 0.8], options={"momentum": 0.9}, seconds=1.5)
    lines = [*describe_store(folder)]
    assert lines[0].startswith(f"{folder / 'history.zarr'}: history, schema 2, ")
    assert lines[1:] == [
        "task: MLP on digits (digits-mlp)",
        "optimizer: SGD, learning rate 0.1, momentum 0.9",
        "epochs: 3, 4.5 s",
        "validation accuracy: 0.8000 at the end, 0.9000 at best",
        "made on: CPU, torch 2, landscape 0",
    ]
    stored(folder / "landscape.zarr", slices())
    both = [*describe_store(folder)]
    assert both[: len(lines) + 1] == [*lines, ""]
    assert both[len(lines) + 1].startswith(f"{folder / 'landscape.zarr'}: slices, schema 2, ")


def test_of_packed_runs(tmp_path):
    for seed, best in enumerate((0.75, 0.5)):
        write(tmp_path / f"sgd-{seed}", [0.25, best, 0.1], seed=seed)
    path = histories.pack(
        histories.collect([tmp_path / "sgd-0", tmp_path / "sgd-1"]), tmp_path / "r.zip"
    )
    head, *lines = describe_store(path)
    assert head.startswith(f"{path}: runs, schema 2, ")
    assert lines == ["MLP on digits (digits-mlp), SGD: best validation accuracy 0.7500, 0.5000"]


def test_of_a_plane_both_directions_and_the_path(tmp_path):
    path = stored(tmp_path / "p.zarr", planes.plane(draws=1), rows=1)
    lines = [*describe_store(path, width=200)]
    about = f"{planes.ABOUT} (random)"
    assert lines[5:11] == [
        "step sizes: 11 from -1 to 1 along random direction 1",
        f"direction: {about}",
        "step sizes of the second direction: 9 from -0.8 to 0.8 along random direction 2",
        f"second direction: {about}",
        "cosine between the directions: 0; the second was made orthogonal to the first, before it "
        "was 0.02",
        "path: 5 points, of whose variance the projection keeps 0.93",
    ]
    assert "norm of the second direction" in lines[-3]
    # 1 + 1 of the second set, and 0.9 − 0.1 of it, at the origin of the plane
    assert lines[-1].split()[-2:] == ["2", "0.8"]


def test_a_plane_away_from_its_origin_has_no_value_there():
    plane = planes.plane(path=0)
    header, _ = checkpoints(plane.isel(step_size_2=slice(5, None)))
    assert not [name for name in header if "at 0" in name]
    assert "validation loss at 0" in checkpoints(plane)[0]


def test_directions_that_were_not_made_orthogonal():
    plane = planes.plane(orthogonal=False, path=0)
    plane["direction_cosine"][1, 1] = -0.5
    told = dict(facts(plane))
    assert told["cosine between the directions"] == "−0.5 to 0.02"
    assert "path" not in told
    plane["direction_cosine"][0] = np.nan
    assert dict(facts(plane))["cosine between the directions"] == "NaN"


def test_what_is_known_of_a_direction():
    one = {"eigenvalue": (("checkpoint", "draw"), [[3.5]])}
    header, ((*_, value, _, _),) = checkpoints(planes.line([0.0, 1.0], [1.0, 2.0], **one))
    assert (header[5], value) == ("eigenvalue", "3.5")


@pytest.mark.parametrize("about", [None, planes.ABOUT])
def test_a_direction_without_words_is_called_by_its_name(about):
    line = planes.line([0.0, 1.0], [1.0, 2.0], direction="random").assign_attrs(
        direction_about=about
    )
    told = dict(facts(line))
    assert told["step sizes"].endswith("along θ_b − θ" if about else "along the random")
    assert ("direction" in told) == bool(about)
