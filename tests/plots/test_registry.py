import inspect
import subprocess
import sys

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

from landscape import plots
from landscape.errors import InvalidValueError
from landscape.plots.registry import FIGURES, Figure, get

# Those of one Dataset of slices.
NAMES = [
    *("loss-vs-accuracy", "widening", "batches", "gap", "stepwise", "parabola"),
    *("approximations", "batch-bias", "overview", "best-steps", "improvement", "peak-widths"),
    *("sharpness", "line-search"),
]
CHOOSING = [name for name in NAMES if "scale" in get(name).options]
# Without a scale to choose: their x axis is over the iterations.
OVER_TRAINING = [name for name in NAMES if name not in CHOOSING]


def loaded_after(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_the_list_of_figures_loads_nothing_heavy():
    heavy = {"matplotlib", "seaborn", "xarray", "numpy", "torch"}
    assert not heavy & loaded_after("import landscape.plots.registry")


def test_figures_and_statistics_need_no_torch():
    loads = "; ".join(f"r.get({name!r}).load()" for name in NAMES)
    assert "torch" not in loaded_after(
        f"import landscape.plots.registry as r, landscape.statistics; {loads}"
    )


def test_every_figure_is_listed_under_its_name():
    def of(*sources):
        return [name for name, figure in FIGURES.items() if figure.source in sources]

    assert of("slices", "searches") == NAMES
    assert of("searches") == ["line-search"]
    assert of("planes", "paths") == ["plane", "trajectory"]
    with pytest.raises(InvalidValueError, match="did you mean 'widening'"):
        get("widenning")


@pytest.mark.parametrize("figure", FIGURES.values(), ids=lambda figure: figure.name)
def test_options_are_all_the_keywords_of_the_function(figure: Figure):
    function = figure.load()
    assert function.__name__ == "plot_" + figure.name.replace("-", "_")
    assert function is getattr(plots, function.__name__)
    parameters = inspect.signature(function).parameters
    first = {"stores": ["datasets"], "formulas": []}.get(figure.source, ["dataset"])
    assert list(parameters) == [*first, "ax", *figure.options]
    assert all(p.kind is p.KEYWORD_ONLY for p in list(parameters.values())[len(first) :])
    assert figure.summary.endswith(".")
    if "metric" in parameters and parameters["metric"].default is not None:
        assert figure.metric == parameters["metric"].default


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_makes_one_figure_and_leaves_the_settings_alone(name, dataset):
    before = dict(mpl.rcParams)
    get(name).load()(dataset)
    assert len(plt.get_fignums()) == 1
    assert dict(mpl.rcParams) == before
    plt.gcf().canvas.draw()


@pytest.mark.parametrize("name", CHOOSING)
@pytest.mark.parametrize("scale", ["linear", "symlog"])
@pytest.mark.parametrize("draws", [1, 3])
def test_every_figure_can_be_drawn_whatever_the_scale(name, scale, draws, make):
    get(name).load()(make(checkpoints=3, draws=draws), scale=scale)
    # The right panels of these are over margins, and over iterations.
    along = 1 if name in ("approximations", "batch-bias") else None
    (axis,) = {ax.get_xscale() for ax in plt.gcf().axes[:along]}
    assert axis == scale
    plt.gcf().canvas.draw()


@pytest.mark.parametrize("name", [n for n in OVER_TRAINING if "metric" in get(n).options])
def test_figures_over_training_leave_none_behind_either(name, make):
    with pytest.raises(InvalidValueError, match="did you mean 'accuracy'"):
        get(name).load()(make(draws=3), metric="acuracy")
    assert not plt.get_fignums()


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_can_be_drawn_of_one_checkpoint(name, make):
    get(name).load()(make(checkpoints=1))
    plt.gcf().canvas.draw()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_every_figure_can_be_drawn_where_all_diverged(name, value, dataset):
    for metric in ("loss", "accuracy"):
        dataset[metric][:] = value
    get(name).load()(dataset)
    plt.gcf().canvas.draw()


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_takes_a_title(name, dataset):
    get(name).load()(dataset, title="Of $mine")
    words = [text.get_text() for text in plt.gcf().findobj(Text)]
    assert words.count("Of $mine") == 1
    assert not any("synthetic" in each for each in words)
    plt.close("all")
    get(name).load()(dataset, title="")
    assert not any("synthetic" in text.get_text() for text in plt.gcf().findobj(Text))


def test_a_title_of_axes_that_are_given(dataset):
    _, given = plt.subplots()
    assert plots.plot_batches(dataset, ax=given, title="mine").get_title() == "mine"
    _, pair = plt.subplots(2)
    with pytest.raises(InvalidValueError, match=r"title is 'mine'.* 2 axes; leave out ax"):
        plots.plot_stepwise(dataset, ax=pair, title="mine")


def test_fonts_do_not_mix_on_axes_that_are_given(dataset):
    with plt.style.context({"axes.labelsize": 20, "axes.titlesize": 25, "font.family": "serif"}):
        _, given = plt.subplots()
        ax = plots.plot_batches(dataset, ax=given)
        ax.figure.canvas.draw()
    texts = [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
    assert {text.get_fontsize() for text in texts} <= {6.5, 7.5}
    assert {tuple(text.get_fontfamily()) for text in texts} == {("sans-serif",)}


@pytest.mark.parametrize("name", CHOOSING)
def test_a_failure_leaves_no_figure(name, dataset):
    with pytest.raises(InvalidValueError, match="did you mean 'linear'"):
        get(name).load()(dataset, scale="liner")
    assert not plt.get_fignums()


@pytest.mark.parametrize("name", NAMES)
def test_an_iteration_that_is_not_there_is_named_with_those_that_are(name, dataset):
    with pytest.raises(InvalidValueError, match=r"unknown checkpoint 7.* choose from 100, 1953"):
        get(name).load()(dataset, checkpoint=7)


@pytest.mark.parametrize("name", NAMES)
def test_no_checkpoint_is_an_error_of_its_own(name, dataset):
    with pytest.raises(InvalidValueError, match="no checkpoint"):
        get(name).load()(dataset.isel(checkpoint=slice(0)))


def test_plots_has_no_other_names():
    with pytest.raises(AttributeError, match="plot_nothing"):
        plots.plot_nothing  # noqa: B018
    assert "save" in dir(plots)
