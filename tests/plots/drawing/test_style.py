import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from landscape import plots
from landscape.errors import InvalidValueError
from landscape.plots.drawing import style, theme
from landscape.slices import wording


def lightness(color):
    """CIE L* of an sRGB color."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    y = np.dot([0.2126, 0.7152, 0.0722], linear)
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_colors_of_the_sets_stay_apart_in_grey_and_on_paper():
    levels = sorted(lightness(color) for color in style.COLORS.values())
    assert min(np.diff(levels)) > 15
    assert levels[-1] < 80


def test_colors_of_checkpoints_go_from_dark_to_light():
    levels = [lightness(each.color[:3]) for each in style.sequential_styles(10)]
    assert (np.diff(levels) > 2).all()
    assert levels[-1] < 82


def test_settings_differ_in_color_and_in_dashes():
    for ordered in (False, True):
        styles = style.setting_styles(8, ordered)
        assert len({to_hex(each.color) for each in styles}) == 8
        assert len({str(each.linestyle) for each in styles}) == 8
        assert all(lightness(each.color[:3] if ordered else each.color) < 82 for each in styles)
    levels = [lightness(each.color[:3]) for each in style.setting_styles(5, ordered=True)]
    assert (np.diff(levels) > 5).all()
    many = style.setting_styles(20, ordered=False)
    assert len({(each.color, str(each.linestyle)) for each in many}) == 20


def test_sets_of_one_kind_share_a_color_and_differ_in_line_and_marker(dataset):
    styles = style.set_styles(dataset)
    one, other = styles["other_batch_1"], styles["other_batch_2"]
    assert one.color == other.color
    assert one.marker != other.marker
    assert one.linestyle != other.linestyle
    assert len({each.color for each in styles.values()}) == 4
    assert len({each.marker for each in styles.values()}) == 5


def test_style_of_a_set_does_not_depend_on_what_else_is_there(dataset):
    all_sets = style.set_styles(dataset)
    few = style.set_styles(dataset.sel(evaluation_set=["validation", "same_batch"]))
    assert few == {name: all_sets[name] for name in few}


def test_labels_come_from_the_dataset(dataset):
    assert wording.value_label(dataset["loss"]) == "loss (nat)"
    assert wording.value_label(dataset["loss"], "other_batch_1") == "loss, other batch 1 (nat)"
    assert wording.value_label(dataset["accuracy"]) == "accuracy"
    smooth = dataset["smooth_accuracy"].sel(slope_factor=10)
    assert wording.value_label(smooth) == "smooth accuracy (s = 10)"
    dataset["step_size"].attrs.update(long_name="displacement", units="m")
    assert wording.step_label(dataset["step_size"], dataset) == "displacement along −∇L (m)"
    dataset.attrs["direction"] = "normalised-gradient"
    dataset["step_size"].attrs.update(long_name="step size along −∇L", units="1")
    assert wording.step_label(dataset["step_size"], dataset) == "step size along −∇L/‖∇L‖"
    dataset.attrs["direction"] = "sideways"
    assert wording.step_label(dataset["step_size"], dataset) == "step size along −∇L"


def test_label_of_a_checkpoint_leaves_out_an_unknown_epoch(dataset):
    one = dataset.isel(checkpoint=1)
    assert wording.checkpoint_label(one) == "iteration 1953 (epoch 4)"
    assert wording.checkpoint_label(one, short=True) == "1953 (4)"
    one["epoch"] = np.nan
    assert wording.checkpoint_label(one) == "iteration 1953"
    one["epoch"] = 0.256
    assert wording.checkpoint_label(one) == "iteration 1953 (epoch 0.3)"
    for epoch, said in ((5.0077, "5"), (11.96, "12"), (0.0769, "0.077"), (0.0012, "0.0012")):
        one["epoch"] = epoch
        assert wording.checkpoint_label(one, short=True) == f"1953 ({said})"


def test_title_says_where_0_is_when_it_is_not_the_checkpoint(dataset):
    assert wording.source_label(dataset) == "synthetic, none"
    dataset.attrs["origin"] = "after-step"
    assert wording.source_label(dataset, "draw 0") == "synthetic, none, 0 is after the step, draw 0"
    assert wording.source_label(dataset.drop_attrs()) == ""
    assert wording.source_label(dataset.drop_attrs().assign_attrs(optimizer="unknown")) == ""


def test_theme_ends_with_its_block():
    before = dict(mpl.rcParams)
    with theme.theme():
        assert mpl.rcParams["svg.fonttype"] == "none"
        assert mpl.rcParams["pdf.fonttype"] == 42
    assert dict(mpl.rcParams) == before


def test_too_few_axes_are_an_error():
    ax = mpl.figure.Figure().add_subplot()
    assert style.axes([ax], 1, height=1) == [ax]
    assert style.axes(ax, 1, height=1) == [ax]
    with pytest.raises(InvalidValueError, match="holds 1 axes; this figure needs 2"):
        style.axes(ax, 2, height=1)


def test_the_title_of_a_legend_is_broken_to_its_width(make):
    panels = plots.plot_gap(make(draws=3))
    figure = panels[0].figure
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_title().get_window_extent()
    assert "line: mean of 3 draws" in legend.get_title().get_text().replace("\n", " ")
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1
