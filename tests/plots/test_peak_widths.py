import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.plots import plot_peak_widths
from landscape_cli.plot import app


def lines(panel, gid="curve"):
    return [line for line in panel.lines if line.get_gid() == gid]


def drawn(panel):
    return np.array([line.get_ydata() for line in lines(panel)])


def widths(dataset, *args, **kwargs):
    found = statistics.peak_widths(dataset, *args, **kwargs)["width"]
    found = found.isel(draw=0).sel(evaluation_set=["same_batch", "validation"])
    return found.transpose("evaluation_set", "checkpoint").values


def test_widths_within_a_tenth_of_the_best(dataset):
    panels = plot_peak_widths(dataset)
    one = dataset.isel(slope_factor=1)
    for panel, metric in zip(panels, ("loss", "accuracy", "smooth_accuracy"), strict=True):
        expected = widths(one, metric, tolerance=0.1, relative=True)
        np.testing.assert_array_equal(drawn(panel), expected)
        assert not np.array_equal(expected, widths(one, metric, tolerance=0.1), equal_nan=True)
        assert panel.get_ylabel() == "peak width in step size"
    title = panels[0].get_figure().get_suptitle()
    assert title == "synthetic, none, within 10 % of the best"


def test_a_tolerance_of_the_users_own(dataset):
    (panel,) = plot_peak_widths(dataset, metric="accuracy", tolerance=0.05, relative=False)
    np.testing.assert_array_equal(drawn(panel), widths(dataset, "accuracy", tolerance=0.05))
    assert panel.get_figure().get_suptitle().endswith("within 0.05 of the best")
    with pytest.raises(InvalidValueError, match="tolerance -1 is not"):
        plot_peak_widths(dataset, tolerance=-1)


def test_one_set_at_some_iterations(dataset):
    (panel,) = plot_peak_widths(
        dataset, metric="loss", checkpoint=[1953, 100], evaluation_set="validation"
    )
    expected = widths(dataset, "loss", tolerance=0.1, relative=True)[[-1], :2]
    np.testing.assert_array_equal(drawn(panel), expected)


def test_distance_takes_the_norm_into_account(make):
    dataset = make(checkpoints=3, draws=1)
    (panel,) = plot_peak_widths(dataset, metric="accuracy", against="distance")
    norms = dataset["gradient_norm"].isel(draw=0).values
    expected = widths(dataset, "accuracy", relative=True) * norms
    np.testing.assert_allclose(drawn(panel), expected)
    assert panel.get_ylabel() == "peak width in distance"
    with pytest.raises(InvalidValueError, match="unknown value of against 'norm'"):
        plot_peak_widths(dataset, against="norm")


def test_a_peak_that_runs_out_of_the_samples_is_a_lower_bound(dataset):
    dataset["accuracy"][{"checkpoint": 3}] = 0.75
    dataset = dataset.isel(checkpoint=slice(4))
    (panel,) = plot_peak_widths(dataset, metric="accuracy")
    marks = lines(panel, "open")
    assert len(marks) == 2
    for mark, line in zip(marks, lines(panel), strict=True):
        assert mark.get_xydata()[-1].tolist() == [5859, 2]
        assert mark.get_marker() == "^"
        assert mark.get_markerfacecolor() == "white"
        assert 3 not in line.get_markevery()
        assert 0 in line.get_markevery()
    (legend,) = panel.get_figure().legends
    told = legend.get_title().get_text()
    assert told == "hollow △: lower bound, the peak runs out of the samples"


@pytest.mark.parametrize("end", [0, -1])
def test_one_open_end_is_enough(dataset, end):
    dataset["accuracy"][:] = 0.5
    dataset["accuracy"][{"step_size": end}] = 0.75
    (panel,) = plot_peak_widths(dataset.isel(evaluation_set=[0]), metric="accuracy")
    (hollow,) = lines(panel, "open")
    assert len(hollow.get_xdata()) == 10


def test_of_draws_the_median_which_is_hollow_where_any_is_open(make):
    dataset = make(checkpoints=2, draws=5).isel(evaluation_set=[0])
    dataset["accuracy"][{"checkpoint": 1, "draw": 4}] = 0.75
    (panel,) = plot_peak_widths(dataset, metric="accuracy")
    found = statistics.peak_widths(dataset, "accuracy", relative=True)["width"].values[..., 0]
    np.testing.assert_array_equal(drawn(panel)[0], np.median(found, axis=1))
    (hollow,) = lines(panel, "open")
    assert hollow.get_xdata().tolist() == [1953]
    (legend,) = panel.get_figure().legends
    first, *more = legend.get_title().get_text().splitlines()
    assert first == "line: median of 5 draws, band: the middle half"
    assert " ".join(more).startswith("hollow △ (some draw): lower bound")


def test_the_command_takes_the_tolerance_either_way(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("landscape.store.open_", lambda path: dataset)

    def title(*options):
        path = tmp_path / "drawn.svg"
        ran = CliRunner().invoke(app, ["peak-widths", "any", "-o", str(path), *options])
        assert ran.exit_code == 0, ran.output
        return path.read_text()

    assert "within 10 % of the best" in title()
    assert "within 5 % of the best" in title("--tolerance", "0.05", "--relative")
    assert "within 0.05 of the best" in title("--tolerance", "0.05", "--absolute")
    assert "peak width in distance" in title("--against", "distance")


def test_many_other_batches_are_one_line(make):
    dataset = make(draws=2)
    more = dataset.sel(evaluation_set=["other_batch_2"])
    more = more.assign_coords(evaluation_set=["other_batch_3"])
    dataset = xr.concat([dataset, more], "evaluation_set").drop_sel(evaluation_set="validation")
    (panel,) = plot_peak_widths(dataset, metric="accuracy")
    labels = ["same batch", "3 other batches", "big batch"]
    assert [line.get_label() for line in lines(panel)] == labels
    names = ["other_batch_1", "other_batch_2", "other_batch_3"]
    found = statistics.peak_widths(dataset, "accuracy", tolerance=0.1, relative=True)["width"]
    expected = found.sel(evaluation_set=names).median(["draw", "evaluation_set"])
    np.testing.assert_allclose(lines(panel)[1].get_ydata(), expected)
    (legend,) = panel.figure.legends
    assert "band: the middle half" in legend.get_title().get_text()


def test_of_many_sets_two_are_shown_unless_one_is_asked_for(dataset):
    (panel,) = plot_peak_widths(dataset, metric="loss")
    assert [line.get_label() for line in lines(panel)] == ["same batch", "validation"]
    (panel,) = plot_peak_widths(dataset, metric="loss", evaluation_set="big_batch")
    assert [line.get_label() for line in lines(panel)] == ["big batch"]
    few = dataset.isel(evaluation_set=[0, 3, 4])
    (panel,) = plot_peak_widths(few, metric="loss")
    assert len(lines(panel)) == 3
