import numpy as np

from landscape import statistics
from landscape.plots import plot_improvement


def lines(panel, gid="curve"):
    return [line for line in panel.lines if line.get_gid() == gid]


def legend(panels):
    (found,) = panels[0].get_figure().legends
    return found.get_title().get_text(), [text.get_text() for text in found.get_texts()]


def test_how_much_better_the_best_is_than_staying(dataset):
    panels = plot_improvement(dataset)
    one = dataset.isel(slope_factor=1)
    for panel, metric in zip(panels, ("loss", "accuracy", "smooth_accuracy"), strict=True):
        values = one[metric].isel(draw=0).sel(evaluation_set=["same_batch", "validation"])
        best = values.max("step_size") if metric != "loss" else values.min("step_size")
        expected = abs(best - values.sel(step_size=0))
        assert expected.max() > 0
        for line, each in zip(lines(panel), expected.values.T, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), each)
    labels = ["improvement (nat)", "improvement", "improvement"]
    assert [panel.get_ylabel() for panel in panels] == labels
    assert panels[0].get_figure().get_suptitle().endswith("the best step size against 0")


def test_panels_of_different_metrics_have_scales_of_their_own(dataset):
    dataset["loss"] *= 1000
    loss, accuracy, _ = plot_improvement(dataset)
    assert loss.get_ylim()[1] > 100 * accuracy.get_ylim()[1]


def test_values_are_logarithmic_where_asked_for(dataset):
    (panel,) = plot_improvement(dataset, metric="accuracy", value_scale="log")
    assert panel.get_yscale() in ("log", "symlog")
    (panel,) = plot_improvement(dataset, metric="accuracy", value_scale="linear")
    assert panel.get_yscale() == "linear"


def test_panels_side_by_side_are_read_alike(dataset):
    dataset["loss"][..., -1] = dataset["loss"].min() - 1  # an improvement everywhere
    dataset["accuracy"][0] = 0.5  # none at the first checkpoint
    panels = plot_improvement(dataset, value_scale="log")
    assert min(lines(panels[0])[0].get_ydata()) > 0 == min(lines(panels[1])[0].get_ydata())
    for panel in panels:
        assert panel.get_yscale() == "symlog"
        assert panel.get_ylim()[0] == 0
        assert 0 in panel.yaxis.get_majorticklocs()
    # So they are where but one has more than two decades.
    dataset["loss"][0, :, :, -1] -= 1000
    assert {panel.get_yscale() for panel in plot_improvement(dataset)} == {"symlog"}
    (alone,) = plot_improvement(dataset, value_scale="log", metric="loss")
    assert alone.get_yscale() == "log"


def test_of_a_logarithmic_axis_no_label_lies_below_the_smallest_value(dataset):
    dataset = dataset.isel(checkpoint=slice(4), evaluation_set=[0])
    dataset["accuracy"][:] = 0.5
    for at, more in enumerate((0, 0.0001, 0.001, 0.05)):
        dataset["accuracy"][{"checkpoint": at, "step_size": 8}] += more
    (panel,) = plot_improvement(dataset, metric="accuracy")
    assert panel.get_yscale() == "symlog"
    ticks = panel.yaxis.get_majorticklocs()
    np.testing.assert_allclose(ticks[ticks >= 0], [0, 0.0001, 0.001, 0.01])


def test_one_set_at_some_iterations(dataset):
    (panel,) = plot_improvement(
        dataset, metric="loss", checkpoint=[1953, 100], evaluation_set="validation"
    )
    (line,) = lines(panel)
    best = statistics.best_steps(dataset, "loss")["improvement"].sel(evaluation_set="validation")
    np.testing.assert_array_equal(line.get_ydata(), best[:2, 0])


def test_a_best_at_the_end_is_a_lower_bound(dataset):
    dataset["accuracy"][{"step_size": -1, "checkpoint": 2, "evaluation_set": 0}] = 1
    panels = plot_improvement(dataset.isel(evaluation_set=[0]), metric="accuracy")
    (hollow,) = lines(panels[0], "open")
    assert hollow.get_xdata().tolist() == [3906]
    assert hollow.get_marker() == "^"
    assert legend(panels)[0] == "hollow △: lower bound, a better value may lie unseen"


def test_without_a_value_at_0_there_is_none(dataset):
    center = statistics.center(dataset["step_size"])
    for at, value in ((1, np.nan), (2, np.inf)):
        dataset["loss"][{"step_size": center, "checkpoint": at, "evaluation_set": 0}] = value
    panels = plot_improvement(dataset.isel(evaluation_set=[0]), metric="loss")
    assert [line.get_xdata()[0] for line in lines(panels[0], "nan")] == [1953]
    assert [line.get_xdata()[0] for line in lines(panels[0], "+inf")] == [3906]
    assert not lines(panels[0], "open")
    assert legend(panels) == ("", ["same batch", "NaN", "+∞"])


def test_infinite_draws_leave_the_band_open(make):
    dataset = make(checkpoints=2, draws=4).isel(evaluation_set=[0])
    center = statistics.center(dataset["step_size"])
    dataset["loss"][{"step_size": center, "checkpoint": 1, "draw": slice(2, None)}] = np.inf
    (panel,) = plot_improvement(dataset, metric="loss")
    assert lines(panel)[0].get_ydata()[1] == np.inf
    assert len(lines(panel, "+inf")) == 1
