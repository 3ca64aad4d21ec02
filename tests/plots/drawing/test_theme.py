import threading
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import image, style
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from typer.testing import CliRunner

from landscape.errors import InvalidValueError, MissingFileError
from landscape.plots import plot_batches, plot_gap, plot_losses, plot_widening, save, styled
from landscape.plots.drawing import theme
from landscape.plots.drawing.style import COLORS
from landscape.plots.registry import FIGURES
from landscape_cli.app import app

# What no style may change is among it: text as text, full markers, the backend.
LOUD = (
    "axes.facecolor: f0e0d0\naxes.grid: False\naxes.labelsize: 9\nxtick.labelsize: 8\n"
    "lines.linewidth: 3\nfont.family: serif\nfont.serif: DejaVu Serif\n"
    "svg.fonttype: path\npdf.fonttype: 3\nmarkers.fillstyle: none\nbackend: svg\n"
)


@pytest.fixture(autouse=True)
def untouched():
    mpl.use("Agg")
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before


@pytest.fixture
def loud(tmp_path):
    path = tmp_path / "loud.mplstyle"
    path.write_text(LOUD)
    return path


def curves(ax):
    return [line for line in ax.lines if line.get_gid() == "curve"]


def test_a_style_reaches_axes_ticks_and_lines_and_ends_with_its_block(dataset, loud):
    plain = plot_batches(dataset)
    _, given = plt.subplots()
    with styled(loud):
        ax = plot_batches(dataset)
        plot_batches(dataset, ax=given)
    assert to_hex(ax.get_facecolor()) == "#f0e0d0"
    assert curves(ax)[0].get_linewidth() == 3
    assert ax.xaxis.label.get_fontsize() == 9
    assert ax.xaxis.label.get_fontname() == "DejaVu Serif"
    for each in (ax, given):
        each.figure.canvas.draw()  # ticks are made by now, outside of the block
        assert {tick.get_fontsize() for tick in each.xaxis.get_ticklabels()} == {8}
    assert not ax.yaxis.get_gridlines()[0].get_visible()
    for again in (plain, plot_batches(dataset)):
        assert to_hex(again.get_facecolor()) == "#ffffff"
        assert again.xaxis.label.get_fontsize() == 7.5
        assert again.yaxis.get_gridlines()[0].get_visible()


def test_what_means_something_stays(dataset, loud, tmp_path):
    with styled(loud):
        ax = plot_batches(dataset)
        svg = save(ax, tmp_path / "a.svg").read_text()
        pdf = save(ax, tmp_path / "a.pdf").read_bytes()
    assert {line.get_color() for line in curves(ax)} == set(COLORS.values())
    assert {line.get_fillstyle() for line in curves(ax)} == {"full"}
    assert "step size along −∇L</text>" in svg
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf


def test_what_a_backend_turns_on_stays_on():
    """A notebook's backend is loaded by the first figure, within the theme, and turns this on."""
    with mpl.rc_context():
        with theme.theme():
            mpl.interactive(True)
        assert mpl.is_interactive()
        with theme.theme():
            pass
        assert mpl.is_interactive()


def test_a_backend_that_a_figure_loads_stays_interactive(dataset, monkeypatch):
    """As in a notebook, whose later figures would not be shown."""

    def loads_the_backend(*args, **kwargs):
        mpl.interactive(True)
        return subplots(*args, **kwargs)

    subplots = plt.subplots
    monkeypatch.setattr(plt, "subplots", loads_the_backend)
    with mpl.rc_context():
        plot_batches(dataset)
        assert mpl.is_interactive()


def test_styles_by_name(dataset):
    with styled("ggplot"):
        ax = plot_batches(dataset)
    assert to_hex(ax.get_facecolor()) == "#e5e5e5"
    assert to_hex(ax.yaxis.get_gridlines()[0].get_color()) == "#ffffff"
    assert ax.title.get_fontsize() == 7.5  # the sizes are for larger figures
    for name in set(style.available) - {"dark_background"}:
        if name.rpartition("-")[2] in ("paper", "notebook", "talk", "poster"):
            with pytest.raises(InvalidValueError, match="nothing but sizes"), styled(name):
                pass
        else:
            with styled(name), theme.theme():
                assert mpl.rcParams["font.size"] == 7.5


@pytest.mark.parametrize(("entries", "labels", "columns"), [(6, 12, 3), (11, 8, 2)])
def test_a_legend_stays_below_its_axis_and_within_the_figure(
    dataset, tmp_path, entries, labels, columns
):
    path = tmp_path / "large.mplstyle"
    sizes = {"legend.fontsize": entries, "axes.labelsize": labels, "xtick.labelsize": labels}
    path.write_text("".join(f"{key}: {size}\n" for key, size in sizes.items()))
    with styled(path):
        ax = plot_widening(dataset.isel(checkpoint=slice(5)))
        ax.figure.canvas.draw()
    legend, label = ax.get_legend().get_window_extent(), ax.xaxis.label.get_window_extent()
    assert legend.y1 <= label.y0
    assert legend.width <= ax.figure.bbox.width
    texts = ax.get_legend().get_texts()
    assert len({round(text.get_window_extent().x0) for text in texts}) == columns
    assert len(texts) == 5


def test_the_width_is_that_of_new_figures(dataset, tmp_path):
    with styled(width="page"):
        wide = plot_gap(dataset)
        with styled("ggplot"):
            inner = plot_batches(dataset)
        _, given = plt.subplots(figsize=(2, 2))
        plot_batches(dataset, ax=given)
    with styled(width="column"):
        narrow = plot_losses()
    assert wide[0].figure.get_figwidth() == 7
    assert inner.figure.get_figwidth() == 7
    assert given.figure.get_figwidth() == 2
    assert narrow[0].figure.get_figwidth() == 3.5
    assert plot_gap(dataset)[0].figure.get_figwidth() == 3.5
    assert plot_losses()[0].figure.get_figwidth() == 7


def test_a_style_is_its_threads_own(dataset):
    widths = []
    with styled("ggplot", width="page"):
        thread = threading.Thread(target=lambda: widths.append(theme.width_or(1.0)))
        thread.start()
        thread.join()
        assert theme.width_or(1.0) == 7
    assert widths == [1.0]


@pytest.mark.parametrize(
    ("chosen", "error", "message"),
    [
        ("ggplt", InvalidValueError, r"unknown style 'ggplt' \(did you mean 'ggplot'\?\); choose"),
        ("matplotlib.style", InvalidValueError, r"unknown style .*a \.mplstyle file"),
        ("none.mplstyle", MissingFileError, r"no style at none\.mplstyle"),
        ("dark_background", InvalidValueError, "a dark background"),
    ],
)
def test_unknown_styles(chosen, error, message):
    with pytest.raises(error, match=message), styled(chosen):
        pass


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("axes.labelsize: 9pt\n", "reading the style .* fails: ValueError: .*axes.labelsize"),
        ("axes.labelsise: 9\n", r"Bad key axes\.labelsise"),
        ("import os\n", "Missing colon"),
        ("", "sets nothing; give another"),
        ("axes.facecolor: 222222\n", "a dark background"),
        ("\x00\udcff", "reading the style"),
    ],
)
def test_bad_style_files(tmp_path, text, message):
    path = tmp_path / "bad.mplstyle"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidValueError, match=message), styled(path):
        pass
    with pytest.raises(InvalidValueError, match="choose from column, page"), styled(width="wide"):
        pass


# On the command line


def run(*arguments, status=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result


def test_on_the_command_line(tmp_path, loud):
    for name in FIGURES:
        text = run("plot", name, "--help").stdout
        assert "--style" in text
        assert "--width" in text
    path = tmp_path / "a.png"
    assert f"figure: {path}" in run(
        "plot", "losses", "--style", loud, "--width", "column", "-o", path
    ).stdout.replace("\n", "")
    shown = image.imread(path)
    assert shown.shape[1] == 700
    assert (np.round(shown[..., :3] * 255) == [0xF0, 0xE0, 0xD0]).all(-1).mean() > 0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--style", "ggplt"], "error: unknown style 'ggplt' (did you mean 'ggplot'?); choose"),
        (["--style", "no.mplstyle"], "error: there is no style at no.mplstyle"),
        (["--width", "7"], "error: unknown width '7'; choose from column, page"),
    ],
)
def test_a_bad_one_is_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run("plot", "losses", *arguments, status=2)
    assert result.stderr.startswith(message)
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(Path().iterdir())
