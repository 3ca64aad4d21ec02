import numpy as np
import pytest
from matplotlib import pyplot as plt

from landscape import statistics
from landscape.errors import InvalidValueError
from landscape.plots import plot_batch_noise

SIZES = (32, 128, 512)


def probed(make, batch_size, checkpoints=3, **attributes):
    """Slices whose other batches have a noise of 1/√n, twice that at step sizes above 0."""
    dataset = make(checkpoints=checkpoints, draws=2)
    off = np.array([0, 1, -1, 0, 0])[:, None] / np.sqrt(2 * batch_size)
    dataset["loss"][:] = 5 + off * np.where(dataset["step_size"] > 0, 3, 1)
    return dataset.assign_attrs(settings={"batch_size": batch_size}, **attributes)


def drawn(panel, gid="curve"):
    return [line for line in panel.lines if line.get_gid() == gid]


def test_the_noise_against_the_batch_size(make):
    panels = plot_batch_noise([probed(make, n) for n in (128, 32, 512)])
    for panel, factor in zip(panels, (1, 2), strict=True):
        assert len(drawn(panel)) == len(drawn(panel, "law")) == 3
        for line in [*drawn(panel), *drawn(panel, "law")]:
            assert line.get_xdata().tolist() == [*SIZES]
            np.testing.assert_allclose(line.get_ydata(), factor / np.sqrt(SIZES))
        assert panel.get_xscale() == panel.get_yscale() == "log"
        assert [tick.get_text() for tick in panel.get_xticklabels()] == ["32", "128", "512"]
        assert panel.get_xlabel() == "samples in a batch, n"
        assert not drawn(panel, "origin")
    left, right = panels
    assert left.get_ylabel() == "noise of the loss (nat)"
    assert left.get_title() == "value at step size 0"
    assert right.get_title() == "change from 0 to 0.1"
    assert left.get_ylim() == right.get_ylim()
    (legend,) = left.figure.legends
    assert legend.get_title().get_text().endswith("dotted: 1/√n through the first point")
    named = [text.get_text() for text in legend.get_texts()]
    assert named == ["100", "1953 (4)", "3906 (9)"]


def test_checkpoint_metric_and_step_size_are_those_asked_for(make):
    stores = [probed(make, n).isel(draw=[i]) for i, n in enumerate(SIZES[:2])]
    for i, store in enumerate(stores):
        store["smooth_accuracy"][:] *= 1 + i
    asked = {"metric": "smooth_accuracy", "slope_factor": 0.5}
    left, right = plot_batch_noise(stores, checkpoint=1953, step_size=-0.5, **asked)
    found = [statistics.batch_noise(each, "smooth_accuracy") for each in stores]
    at = {"step_size": -0.5, "slope_factor": 0.5}
    for panel, name, place in ((left, "value", at | {"step_size": 0}), (right, "change", at)):
        (line,) = drawn(panel)
        expected = [each[name].isel(checkpoint=1).sel(place).item() for each in found]
        np.testing.assert_allclose(line.get_ydata(), expected)
    assert left.get_ylabel() == "noise of the smooth accuracy\n(s = 0.5)"
    with pytest.raises(InvalidValueError, match=r"unknown step size 0\.3"):
        plot_batch_noise(stores, step_size=0.3)


def test_iterations_and_step_sizes_are_those_that_all_have(make):
    few = probed(make, 32).isel(checkpoint=[0, 2], step_size=slice(4, None))
    panels = plot_batch_noise([probed(make, 128, checkpoints=8), few])
    assert [line.get_label() for line in drawn(panels[0])] == ["100", "3906 (9)"]
    with pytest.raises(InvalidValueError, match=r"unknown checkpoint 1953; choose from 100, 3906"):
        plot_batch_noise([probed(make, 128), few], checkpoint=1953)
    with pytest.raises(InvalidValueError, match="unknown step size -1"):
        plot_batch_noise([probed(make, 128), few], step_size=-1)
    with pytest.raises(InvalidValueError, match="no iteration in common"):
        plot_batch_noise([probed(make, 128).isel(checkpoint=[1]), few])
    with pytest.raises(InvalidValueError, match="no step size in common"):
        plot_batch_noise([probed(make, 128).isel(step_size=slice(4)), few])


def test_of_many_checkpoints_four_are_shown(make):
    panels = plot_batch_noise([probed(make, n, checkpoints=10) for n in SIZES])
    assert len(drawn(panels[0])) == 4


def test_no_noise_and_nan_have_their_place(make):
    stores = [probed(make, n) for n in SIZES]
    stores[0]["loss"][0, 0, 1] = np.nan
    stores[1]["loss"][1] = 5.0
    left, right = plot_batch_noise(stores)
    assert left.get_yscale() == "symlog"
    assert len(drawn(left, "nan")) == len(drawn(right, "nan")) == 1
    assert drawn(left)[1].get_ydata()[1] == 0
    assert "NaN" in [text.get_text() for text in left.figure.legends[0].get_texts()]
    left.figure.canvas.draw()


def test_given_axes_are_used(make):
    _, axes = plt.subplots(1, 2)
    panels = plot_batch_noise([probed(make, n) for n in SIZES], ax=axes)
    assert list(panels) == list(axes)
    texts = axes[1].get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["100", "1953 (4)", "3906 (9)"]


def test_what_cannot_be_compared_is_refused_in_one_line(make):
    def refused(*stores, match):
        with pytest.raises(InvalidValueError, match=match) as caught:
            plot_batch_noise(stores)
        assert "\n" not in str(caught.value)

    one = probed(make, 32)
    refused(match="0 stores were given; give at least 2")
    refused(one, match="1 store was given; give at least 2")
    refused(one, probed(make, 32), match="the batch sizes 32, 32; give one store of each size")
    refused(one, probed(make, 64, task="mine"), match="of the tasks synthetic, mine")
    refused(one, probed(make, 64, origin="after-step"), match="of the origins before-step, after")
    refused(one, make(), match="does not say its batch size")
    first, second = ({"digests": {"100": "a", "1953": end}} for end in "bc")
    runs = probed(make, 32, **first), probed(make, 64, **second)
    refused(*runs, match="different checkpoints at iteration 1953; give those of one run")
    alone = ["same_batch", "other_batch_1"]
    refused(one, probed(make, 64).sel(evaluation_set=alone), match="have 1 other batch;")
    assert not plt.get_fignums()
