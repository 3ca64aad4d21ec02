"""The figure of classes, of stored values of samples."""

import numpy as np
import pytest
import xarray as xr
from helpers.commands import run

from landscape import statistics, store
from landscape.errors import InvalidValueError
from landscape.plots import plot_classes

STEPS = np.array([0.0, 0.5, 1.0, 2.0])


@pytest.fixture
def samples():
    """Margins of 36 samples of 12 classes, of which class k is right at step sizes up to k / 6."""
    labels = np.arange(36) % 12
    margin = np.where(STEPS[:, None] <= labels / 6, 0.5, -0.5)[None, None]
    dims = ("checkpoint", "draw", "step_size", "sample")
    return xr.Dataset(
        {
            "loss": (dims, 1 - margin),
            "margin": (dims, margin),
            "target": (("checkpoint", "draw", "sample"), labels[None, None]),
        },
        {
            "iteration": ("checkpoint", [100]),
            "epoch": ("checkpoint", [1.0]),
            "step_size": ("step_size", STEPS, {"long_name": "step size", "units": "1"}),
            "evaluation_set": "validation",
            "kind": "validation",
            "samples": 36,
            "batch_norm": "running",
        },
        {"task": "mine", "direction_symbol": "−∇L", "along": "checkpoint"},
    )


def test_a_curve_for_each_class(samples):
    ax = plot_classes(statistics.rederive([samples], "accuracy", by_class=True))
    lines = [line for line in ax.lines if line.get_gid() == "curve"]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    # All of them change as much, so that the first six have colours.
    assert names == [*"012345", "6 others"]
    title = ax.get_legend().get_title().get_text()
    assert title == "class: the 6 of 12 that change most"
    assert [line.get_label() for line in lines] == [*(f"_{k}" for k in range(6, 12)), *"012345"]
    assert len({line.get_color() for line in lines}) == 7
    for line in lines:
        expected = (int(line.get_label().strip("_")) / 6 >= STEPS).astype(float)
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert ax.get_ylabel() == "accuracy, validation"
    assert "iteration 100" in ax.get_title()


def test_those_that_change_most_have_colours(samples):
    # Classes 0 to 4 and 11 are right at every step size.
    moves = (samples["target"] >= 5) & (samples["target"] < 11)
    margin = samples["margin"].where(moves, 0.5)
    by_class = statistics.rederive([samples.assign(margin=margin)], "accuracy", by_class=True)
    ax = plot_classes(by_class)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["5", "6", "7", "8", "9", "10", "6 others"]


def test_a_class_that_is_not_finite_is_among_them(samples):
    by_class = statistics.rederive([samples], "accuracy", by_class=True)
    by_class["accuracy"].loc[{"class_label": 9, "step_size": 0.5}] = np.nan
    names = [text.get_text() for text in plot_classes(by_class).get_legend().get_texts()]
    assert names[:6] == ["0", "1", "2", "3", "4", "9"]


def test_few_classes_are_all_told_apart(samples):
    few = samples.sel(sample=samples["target"][0, 0].values < 7)
    ax = plot_classes(statistics.rederive([few], "accuracy", by_class=True))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [*"0123456"]
    assert ax.get_legend().get_title().get_text() == "class"


def test_slices_that_are_not_by_class(dataset):
    with pytest.raises(InvalidValueError, match="these slices are not by class"):
        plot_classes(dataset)


def test_the_command_reads_the_values_of_samples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("train", "digits-mlp", "--epochs", 1, "--checkpoints", 2, "-o", "run")
    run("probe", "--checkpoint", "run", "--step-sizes", "0,0.1")
    run("plot", "classes", "run", "--metric", "smooth-accuracy", "--slope-factor", 2)
    assert (tmp_path / "classes.png").stat().st_size > 5000
    run("probe", "--checkpoint", "run", "--step-sizes", "0", "--no-samples", "-o", "none.zarr")
    said = run("plot", "classes", "none.zarr", status=2).output
    assert "per-sample values" in " ".join(said.split())
    assert store.progress("none.zarr") == (2, 2)
