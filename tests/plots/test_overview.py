from itertools import pairwise

import numpy as np
import pytest
from matplotlib import pyplot as plt

from landscape.errors import InvalidValueError
from landscape.plots import overview, plot_overview


def curves(panel):
    return [line for line in panel.lines if line.get_gid() == "curve"]


def test_a_panel_a_checkpoint_with_all_sets(dataset):
    panels = plot_overview(dataset, metric="loss")
    assert len(panels) == 10
    for position, panel in enumerate(panels):
        values = dataset["loss"].isel(checkpoint=position, draw=0)
        assert f"iteration {values['iteration'].item()} " in f"{panel.get_title()} "
        for line, expected in zip(curves(panel), values.values, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), dataset["step_size"])
            np.testing.assert_array_equal(line.get_ydata(), expected)


def test_panels_share_axes_and_one_legend(dataset):
    panels = plot_overview(dataset)
    assert len({(panel.get_xlim(), panel.get_ylim()) for panel in panels}) == 1
    assert [bool(panel.get_xlabel()) for panel in panels] == [False] * 5 + [True] * 5
    assert [bool(panel.get_ylabel()) for panel in panels] == ([True] + [False] * 4) * 2
    figure = panels[0].get_figure()
    assert tuple(figure.get_size_inches()) == (7, 3.35)
    assert figure.get_suptitle() == "synthetic, none"
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named == ["same batch", "other batch 1", "other batch 2", "big batch", "validation"]
    assert not any(panel.get_legend() for panel in panels)


def test_checkpoints_that_were_asked_for_come_in_that_order(dataset):
    panels = plot_overview(dataset, checkpoint=[5859, 100])
    assert [panel.get_title().split()[1] for panel in panels] == ["5859", "100"]
    assert panels[0].get_figure().get_figwidth() == 3.5


def test_more_than_fit_on_a_page_are_thinned_out_and_told(dataset, monkeypatch):
    monkeypatch.setattr(overview, "MOST", 4)
    panels = plot_overview(dataset)
    assert [panel.get_title().split()[1] for panel in panels] == ["100", "5859", "11718", "17577"]
    assert panels[0].get_figure().get_suptitle().endswith(", 4 of 10 checkpoints")
    panels = plot_overview(dataset, checkpoint=dataset["iteration"].values[:6])
    assert len(panels) == 6
    assert "checkpoints" not in panels[0].get_figure().get_suptitle()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_labels_of_logarithmic_steps_do_not_run_into_each_other(count, make):
    panel = plot_overview(make(checkpoints=count), scale="symlog")[-1]
    panel.get_figure().canvas.draw()
    boxes = sorted(
        (label.get_window_extent() for label in panel.get_xticklabels() if label.get_text()),
        key=lambda box: box.x0,
    )
    assert len(boxes) >= 3
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_a_mark_in_any_panel_is_explained(dataset):
    dataset["loss"][{"checkpoint": 3, "evaluation_set": 1, "step_size": 2}] = np.nan
    panels = plot_overview(dataset, metric="loss")
    (legend,) = panels[0].get_figure().legends
    assert [text.get_text() for text in legend.get_texts()][-1] == "NaN"


def test_given_axes_are_used(make):
    _, axes = plt.subplots(1, 3)
    panels = plot_overview(make(checkpoints=3), ax=axes)
    assert list(panels) == list(axes)
    texts = axes[-1].get_legend().get_texts()
    assert [text.get_text() for text in texts] == [
        "same batch",
        "other batch 1",
        "other batch 2",
        "big batch",
        "validation",
    ]
    with pytest.raises(InvalidValueError, match="3 axes; this figure needs 10"):
        plot_overview(make(), ax=axes)
