"""Words of the user's in figures: text, whatever is in them."""

from xml.dom import minidom

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.slices import slices

from landscape import plots
from landscape.errors import InvalidValueError
from landscape.slices.schema import upgraded

NAMES = ("a $x^$ b", "cost $5 and $6", r"$\nothing{$", r"\$ \\", "red \x1b[31m \u202etxt", "a\nb")


def svg(axes, tmp_path):
    """The texts of a figure in a file, as a viewer shows them."""
    path = plots.save(axes, tmp_path / "figure.svg")
    page = minidom.parse(str(path))
    texts = page.getElementsByTagName("text")
    return ["".join(n.data for n in t.childNodes if hasattr(n, "data")) for t in texts]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_drawn_as_it_is(name, tmp_path):
    shown = {NAMES[4]: r"red \x1b[31m \u202etxt", NAMES[5]: "a b"}.get(name, name)
    dataset = upgraded(slices())
    named = {"task": name, "optimizer": name, "direction_symbol": name}
    dataset = dataset.assign_attrs(schema=2, **named)
    dataset["accuracy"].attrs["long_name"] = name
    texts = svg(plots.plot_batches(dataset), tmp_path)
    assert any(text.startswith(f"{shown}, {shown}") for text in texts)
    assert shown in texts  # the axis
    assert any(text.endswith(f"along {shown}") for text in texts)


def test_ticks_of_logarithmic_axes_stay_formulas(tmp_path):
    dataset = slices().assign_attrs(task="$")
    axes = plots.plot_batches(dataset, metric="loss", value_scale="log")
    assert axes.get_yscale() == "log"
    axes.set_ylim(1, 1000)
    texts = svg(axes, tmp_path)
    assert not [text for text in texts if "mathdefault" in text]


def test_what_is_written_later_may_hold_formulas(tmp_path):
    axes = plots.plot_batches(slices())
    axes.set_title(r"$\alpha$")
    assert r"$\alpha$" not in svg(axes, tmp_path)
    axes.set_title(r"$\alpha$")
    assert axes.get_title() == r"$\alpha$"


def test_on_axes_of_the_users_only_what_is_drawn_is_text():
    figure, (left, right) = plt.subplots(1, 2)
    left.set_title(r"$\beta$")
    right.set_title(r"$\alpha$")
    plots.plot_batches(slices().assign_attrs(task="$5$"), ax=left)
    assert left.get_title().startswith(r"\$5\$, SGD")
    assert right.get_title() == r"$\alpha$"
    figure.draw_without_rendering()


def test_the_dataset_is_left_as_it_is():
    dataset = slices().assign_attrs(task="a\nb" * 100)
    dataset["loss"].attrs["long_name"] = "x\n" * 100
    before = dataset.copy(deep=True)
    plots.plot_loss_vs_accuracy(dataset)
    assert dataset.identical(before)
    assert dataset["loss"].attrs == before["loss"].attrs


def test_long_names_are_shortened_and_hold_nothing_up(tmp_path):
    dataset = slices().assign_attrs(task="x" * 20000, optimizer="y" * 5000)
    other = dataset.assign_attrs(task="x" * 20000 + "z")
    compared = plots.plot_compare([dataset, other])
    dataset["evaluation_set"] = np.array([*dataset.evaluation_set.values[:3], "s" * 3000], object)
    for drawn in (compared, plots.plot_batches(dataset)):
        assert max(map(len, svg(drawn, tmp_path))) <= 200


def test_a_full_disk_is_said_with_the_files_name(tmp_path, monkeypatch):
    path = tmp_path / "figure.png"
    axes = plots.plot_batches(slices())

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(axes.figure, "savefig", full)
    with pytest.raises(OSError, match=r"cannot write .*figure.png: No space left on device;"):
        plots.save(axes, path)
    assert list(tmp_path.iterdir()) == []


def test_an_option_that_is_mistyped_is_named(dataset):
    with pytest.raises(InvalidValueError, match="did you mean 'metric'"):
        plots.plot_widening(dataset, metrik="loss")


def test_figures_of_several_stores_take_one_and_others_say_that_they_take_one(dataset):
    assert len(plots.plot_compare(dataset)) == 1
    assert len(plots.plot_overlay([dataset, dataset]).lines) > len(
        plots.plot_overlay(dataset).lines
    )
    with pytest.raises(InvalidValueError, match="plot_gap takes one Dataset; got a list of 2"):
        plots.plot_gap([dataset, dataset])


def test_a_title_may_hold_formulas_and_is_broken_into_lines(dataset):
    ax = plots.plot_widening(dataset, title=r"$\nabla L$ of run_1")
    assert ax.get_title() == r"$\nabla L$ of run_1"
    assert ax.title.get_parse_math()
    ax.figure.canvas.draw()
    assert plots.plot_widening(dataset, title="costs $5").get_title() == "costs $5"
    with pytest.raises(InvalidValueError, match="holds a formula that matplotlib cannot read"):
        plots.plot_widening(dataset, title=r"$\nonsense{$")
    with plots.styled(width="column"):
        ax = plots.plot_widening(dataset, title="many words " * 12)
    ax.figure.canvas.draw()
    box = ax.title.get_window_extent()
    assert ax.figure.bbox.x0 <= box.x0
    assert box.x1 <= ax.figure.bbox.x1


def test_the_set_that_is_shown_by_default_is_one_that_is_there(dataset):
    only = dataset.sel(evaluation_set=["validation"])
    for draw in (plots.plot_widening, plots.plot_parabola, plots.plot_sharpness):
        drawn = draw(only, caption=True)
        figure = np.ravel(drawn)[0].figure
        (caption,) = [each for each in figure.texts if each.get_gid() == "caption"]
        assert "validation" in caption.get_text()
    assert "same_batch, or the first where there is none." in plots.plot_widening.__doc__
    assert "by default loss and accuracy." in plots.plot_interpolation.__doc__
