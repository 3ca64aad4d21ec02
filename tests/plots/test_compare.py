import numpy as np
import pytest
from matplotlib import pyplot as plt

from landscape.errors import InvalidValueError
from landscape.plots import plot_compare


def probed(make, origin="before-step", policy=None, draws=2, **settings):
    dataset = make(checkpoints=3, draws=draws)
    if policy:
        dataset["batch_norm"][:] = policy
    return dataset.assign_attrs(settings={"origin": origin, **settings})


def titles(panels):
    return [panel.get_title().splitlines() for panel in panels]


def test_a_panel_a_store_named_by_what_sets_it_apart(make):
    stores = [
        probed(make, origin, policy)
        for origin in ("before-step", "after-step")
        for policy in ("batch", "running", "recalibrated")
    ]
    panels = plot_compare(stores)
    assert [title[0] for title in titles(panels)] == [
        f"origin {origin}, batch norm {policy}"
        for origin in ("before-step", "after-step")
        for policy in ("batch", "running", "recalibrated")
    ]
    figure = panels[0].get_figure()
    assert figure.get_suptitle() == "synthetic, none, iteration 1953 (epoch 4)"
    assert len({panel.get_ylim() for panel in panels}) == 1
    assert [bool(panel.get_xlabel()) for panel in panels] == [False] * 3 + [True] * 3
    assert [bool(panel.get_ylabel()) for panel in panels] == [True, False, False] * 2
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named == ["same batch", "other batch 1", "other batch 2", "big batch", "validation"]


def test_the_curves_are_those_of_each_store(make):
    first, second = probed(make), probed(make, batch_size=64)
    second["accuracy"][:] = 0.25
    panels = plot_compare([first, second], checkpoint=3906)
    for panel, dataset in zip(panels, (first, second), strict=True):
        lines = [line for line in panel.lines if line.get_gid() == "curve"]
        values = dataset["accuracy"].isel(checkpoint=2).mean("draw")
        for line, name in zip(lines, dataset["evaluation_set"].values, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), values.sel(evaluation_set=name))


def test_bias_and_gap_are_written_into_the_panel(make):
    dataset = probed(make)
    levels = {"same_batch": 0.9, "other_batch_1": 0.7, "other_batch_2": 0.5, "big_batch": 0.625}
    for name, level in (levels | {"validation": 0.75}).items():
        dataset["accuracy"].loc[{"evaluation_set": name}] = level
    (panel,) = plot_compare([dataset])
    assert panel.get_title().splitlines()[-1] == "at 0: bias 0.3, gap −0.125"
    few = dataset.sel(evaluation_set=["same_batch", "big_batch"])
    (panel,) = plot_compare([few])
    assert "bias" not in panel.get_title()
    assert "gap" not in panel.get_title()


def test_one_policy_that_differs_is_named_with_its_set(make):
    panels = plot_compare([probed(make), probed(make, policy="batch")])
    assert titles(panels)[0][0] == "batch norm validation running"


def test_given_axes_are_used(make):
    _, axes = plt.subplots(1, 2)
    panels = plot_compare([probed(make), probed(make, seed=1)], ax=axes)
    assert list(panels) == list(axes)
    assert axes[1].get_legend() is not None


def test_nothing_to_compare_is_refused():
    with pytest.raises(InvalidValueError, match="no store was given"):
        plot_compare([])
