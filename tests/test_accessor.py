import copy
import inspect
import pickle
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers.slices import slices
from matplotlib import pyplot as plt

import landscape
from landscape import plots, store, tables
from landscape.accessor import Landscape
from landscape.errors import InvalidValueError, MissingFileError, StoreError
from landscape.plots.registry import FIGURES

STORE = Path(__file__).parents[1] / "figures" / "mnist-mlp.zarr.zip"
RECORDED = STORE.with_name("line-search-loss.zarr.zip")


@pytest.fixture(autouse=True)
def closed_figures(monkeypatch):
    monkeypatch.setitem(mpl.rcParams, "backend", "Agg")
    yield
    plt.close("all")


@pytest.fixture
def dataset():
    return landscape.open(STORE)


@pytest.mark.parametrize("name", ["open", "probe"])
def test_what_gives_datasets_gives_the_accessor(name):
    code = f"import landscape, xarray; landscape.{name}; xarray.Dataset().landscape"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_opening_loads_neither_torch_nor_matplotlib():
    code = (
        f"import sys, landscape; print(landscape.open({str(STORE)!r}).landscape); "
        "assert not {'torch', 'matplotlib', 'plotly'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_figure_of_slices_is_a_method(dataset):
    names = {n.replace("-", "_") for n, figure in FIGURES.items() if figure.source == "slices"}
    assert set(dir(dataset.landscape.plot)) == names
    assert {"widening", "batches", "loss_vs_accuracy"} <= names
    listed = repr(dataset.landscape.plot)
    for name in names:
        method, function = getattr(dataset.landscape.plot, name), getattr(plots, f"plot_{name}")
        lines = function.__doc__.splitlines()
        kept = [each for each in lines if not each.startswith("    dataset: ")]
        assert method.__doc__.splitlines() == kept  # the dataset is given
        assert len(kept) == len(lines) - 1
        parameters = inspect.signature(method).parameters
        assert list(parameters) == list(inspect.signature(function).parameters)[1:]
        assert FIGURES[name.replace("_", "-")].summary in listed


def test_a_line_search_can_be_drawn_where_one_was_recorded():
    assert "line_search" in dir(landscape.open(RECORDED).landscape.plot)
    panel = landscape.open(RECORDED).landscape.plot.line_search(checkpoint=72)
    assert "iteration 72" in panel.get_title()


def test_methods_draw_with_their_options(dataset):
    panel = dataset.landscape.plot.batches(metric="loss", checkpoint=100)
    assert panel.get_ylabel() == "loss (nat)"
    assert "iteration 100" in panel.get_title()
    _, given = plt.subplots()
    assert dataset.landscape.plot.widening(ax=given) is given
    with pytest.raises(InvalidValueError, match="unknown checkpoint 7"):
        dataset.landscape.plot.gap(checkpoint=7)


def test_other_names_are_no_figures(dataset):
    with pytest.raises(AttributeError, match=r"no figure 'wide'; there are .*widening"):
        dataset.landscape.plot.wide  # noqa: B018
    assert not hasattr(dataset.landscape.plot, "_repr_html_")


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_the_figures_can_be_copied(dataset, copied):
    assert dir(copied(dataset.landscape.plot)) == dir(dataset.landscape.plot)


def test_statistics_are_the_tables(dataset):
    pd.testing.assert_frame_equal(
        dataset.landscape.statistics(metric="loss"),
        tables.slice_statistics(dataset, metric="loss"),
    )


def test_samples_come_from_the_store_that_was_opened(tmp_path, monkeypatch):
    row = xr.DataTree.from_dict(
        {
            "/": slices().isel(checkpoint=[0]),
            "/per_sample/validation": xr.Dataset(
                {"loss": (("checkpoint", "sample"), np.arange(3.0)[None])}
            ),
        }
    )
    monkeypatch.chdir(tmp_path)
    store.create(Path("a.zarr"), row, rows=1, attributes={}).write(row)
    opened = landscape.open("a.zarr")
    monkeypatch.chdir("/")
    found = opened.sel(evaluation_set=["validation"]).landscape.samples("validation")
    assert found["loss"].values.tolist() == [[0, 1, 2]]
    with pytest.raises(InvalidValueError, match="unknown evaluation set 'valid'"):
        opened.landscape.samples("valid")


@pytest.fixture
def sampled(tmp_path):
    """Stores of two draws, whose gradient norms and samples differ."""

    def make(name, norm):
        whole = slices(draws=2)
        whole["gradient_norm"] = whole["gradient_norm"] + norm * np.arange(4).reshape(2, 2)
        dims = ("checkpoint", "draw", "step_size", "sample")
        loss = norm + np.arange(2 * 2 * 7 * 3.0).reshape(2, 2, 7, 3)
        rows = [
            xr.DataTree.from_dict(
                {
                    "/": whole.isel(checkpoint=[i]),
                    "/per_sample/validation": xr.Dataset({"loss": (dims, loss[[i]])}),
                }
            )
            for i in range(2)
        ]
        writer = store.create(tmp_path / name, rows[0], rows=2, attributes={})
        for row in rows:
            writer.write(row)
        return landscape.open(tmp_path / name)

    return make


def test_samples_are_those_of_the_slices_that_are_left(sampled):
    opened = sampled("a.zarr", 1)
    whole = opened.landscape.samples()
    assert whole.equals(opened.landscape.samples("validation"))
    assert dict(whole.sizes) == {"checkpoint": 2, "draw": 2, "step_size": 7, "sample": 3}
    part = opened.isel(checkpoint=1, draw=[1, 0]).sel(step_size=[0.5, -1])
    found = part.landscape.samples("validation")
    xr.testing.assert_identical(found, whole.isel(checkpoint=[1], draw=[1, 0], step_size=[5, 0]))
    assert opened.drop_vars("iteration").landscape.samples("validation").equals(whole)


def test_samples_of_another_store_are_refused(sampled):
    one, other = sampled("a.zarr", 1), sampled("b.zarr", 2)
    for mixed, what in (
        (xr.concat([one, other], "checkpoint"), "a checkpoint"),
        (one.assign_coords(step_size=one["step_size"] + 1), "a step size"),
        (one.assign_coords(draw=[0, 2]), "a draw"),
        (xr.concat([one[{"checkpoint": [0]}], other[{"checkpoint": [1]}]], "checkpoint"), "norms"),
    ):
        assert mixed.encoding["source"].endswith("a.zarr")
        with pytest.raises(InvalidValueError, match=rf"{what}.* a\.zarr|{what}.*/a\.zarr"):
            mixed.landscape.samples("validation")


def test_a_runs_folder_stands_for_the_slices_in_it(sampled, tmp_path):
    sampled("landscape.zarr", 1)
    (tmp_path / "run.json").write_text("{}")
    opened = landscape.open(tmp_path)
    assert opened.encoding["source"] == str(tmp_path / "landscape.zarr")
    assert opened.landscape.samples("validation").sizes["sample"] == 3
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "run.json").write_text("{}")
    with pytest.raises(MissingFileError, match=r"no store at .*empty/landscape\.zarr"):
        landscape.open(tmp_path / "empty")


def test_samples_that_are_not_there(dataset):
    with pytest.raises(StoreError, match="without per-sample values"):
        dataset.landscape.samples("validation")
    with pytest.raises(InvalidValueError, match=r"landscape\.open_samples"):
        slices().landscape.samples("validation")


def test_it_says_what_it_is():
    said = repr(Landscape(slices(draws=3)))
    for line in (
        "task             a-task",
        "optimizer        SGD, learning rate 0.25, momentum 0.9",
        "checkpoints      2 at iteration 10, 200 (epoch 0.5 to 10)",
        "evaluation sets  same_batch, 64 samples, batch norm with batch statistics",
        "                 validation, 360 samples, batch norm with running statistics",
        "step sizes       7 from -1 to 1 along the gradient",
        "draws            3",
        "metrics          accuracy, loss, smooth_accuracy (slope factor 0.5, 1, 10)",
    ):
        assert line in said.splitlines()
    assert ".plot.widening()" in said.splitlines()[-1]


def test_many_checkpoints_are_a_few_words():
    one = slices().isel(checkpoint=[0] * 30).assign_coords(iteration=("checkpoint", range(30)))
    assert "30 at iteration 0, 1, 2, 3, 4, …, 25, 26, 27, 28, 29 (" in repr(one.landscape)


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (lambda whole: whole.isel(step_size=slice(0)), "step sizes       0 along the gradient"),
        (lambda whole: whole.drop_vars("epoch"), "checkpoints      2 at iteration 10, 200"),
        (lambda whole: whole.drop_vars("iteration"), "checkpoints      2 (epoch 0.5 to 10)"),
        (lambda whole: whole.isel(checkpoint=slice(0)), "checkpoints      0"),
        (lambda whole: whole.isel(draw=slice(0)), "draws            0"),
    ],
)
def test_parts_of_slices_are_told_as_well(part, line):
    assert line in repr(part(slices()).landscape).splitlines()


def test_it_says_so_in_a_notebook_and_escapes_it():
    html = slices().assign_attrs(task="<script>&").landscape._repr_html_()
    assert "<script" not in html
    cells = [unescape(cell) for cell in re.findall(r"<td.*?>(.*?)</td>", html)]
    assert cells[0] == "<script>&"
    assert cells[2].startswith("2 at iteration 10")


def test_other_datasets_are_told_to_be_none():
    assert repr(xr.Dataset({"a": ("b", [1])}).landscape) == "no slices  dimensions b"
    assert "dimensions none" in xr.Dataset().landscape._repr_html_()
    with pytest.raises(InvalidValueError, match="no slices"):
        xr.Dataset().landscape.statistics()
    for other in (xr.Dataset({"accuracy": ("epoch", [1])}), slices().isel(checkpoint=1)):
        with pytest.raises(InvalidValueError, match=r"no slices: .* lack checkpoint"):
            other.landscape.plot.widening()
