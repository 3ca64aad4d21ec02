"""The figure of classes, of stored values of samples."""

import numpy as np
import pytest
import xarray as xr
from helpers.commands import run

from landscape import statistics, store
from landscape.errors import InvalidValueError
from landscape.plots import plot_classes


@pytest.fixture
def samples():
    """Margins of 36 samples of 12 classes, of which class k is right at step sizes up to k / 6."""
    steps, labels = np.array([0.0, 0.5, 1.0, 2.0]), np.arange(36) % 12
    margin = np.where(steps[:, None] <= labels / 6, 0.5, -0.5)[None, None]
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
            "step_size": ("step_size", steps, {"long_name": "step size", "units": "1"}),
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
    # At 0 all are right, so that the first ten are shown.
    assert names == [str(k) for k in range(10)]
    assert ax.get_legend().get_title().get_text() == "the lowest 10 of 12 classes"
    for k, line in enumerate(lines):
        expected = (np.array([0.0, 0.5, 1.0, 2.0]) <= k / 6).astype(float)
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert ax.get_ylabel() == "accuracy, validation"
    assert "iteration 100" in ax.get_title()


def test_the_lowest_at_0_are_shown(samples):
    low = samples["margin"].where((samples["target"] < 10) | (samples["step_size"] > 0), -0.5)
    by_class = statistics.rederive([samples.assign(margin=low)], "accuracy", by_class=True)
    names = [text.get_text() for text in plot_classes(by_class).get_legend().get_texts()]
    assert names == ["0", "1", "2", "3", "4", "5", "6", "7", "10", "11"]


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
