import numpy as np
import pytest
from matplotlib import image
from matplotlib.figure import Figure

from landscape.errors import InvalidValueError, MissingFileError
from landscape.plots import plot_batches, plot_gap, save, save_all
from landscape.plots.registry import FIGURES


@pytest.fixture
def figure():
    made = Figure(figsize=(2, 1), layout="constrained")
    made.add_subplot().set_xlabel("step size")
    return made


@pytest.mark.parametrize(
    ("suffix", "start"),
    [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml"), (".PNG", b"")],
)
def test_the_suffix_says_the_format(figure, tmp_path, suffix, start):
    path = save(figure, tmp_path / f"a{suffix}")
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_has_the_size_of_the_figure(figure, tmp_path):
    assert image.imread(save(figure, tmp_path / "a.png")).shape[:2] == (200, 400)


def test_text_stays_text(figure, tmp_path):
    assert "step size</text>" in save(figure, tmp_path / "a.svg").read_text()
    pdf = save(figure, tmp_path / "a.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf  # a TrueType font, whose text can be searched and edited
    assert b"/Type3" not in pdf


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_a_file_is_the_same_whenever_it_is_written(dataset, tmp_path, suffix):
    one, other = (save(plot_batches(dataset), tmp_path / f"{name}{suffix}") for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_what_a_plot_returned_can_be_saved(dataset, tmp_path):
    for drawn in (plot_batches(dataset), plot_gap(dataset)):
        assert save(drawn, str(tmp_path / "a.png")).is_file()
    figure = Figure()
    plot_batches(dataset, ax=figure.subfigures(1, 2)[0].add_subplot())
    whole = save(figure.subfigs[0].axes[0], tmp_path / "b.png")
    assert np.divide(*image.imread(whole).shape[:2]) < 1.2


def test_bad_paths_are_named(figure, tmp_path):
    with pytest.raises(InvalidValueError, match=r"'.jpg'.*\.png, \.pdf, \.svg"):
        save(figure, tmp_path / "a.jpg")
    with pytest.raises(MissingFileError, match="nowhere"):
        save(figure, tmp_path / "nowhere" / "a.png")
    (tmp_path / "b.png").mkdir()
    for folder in (tmp_path, tmp_path / "b.png"):
        with pytest.raises(InvalidValueError, match="is a folder; give the name of a file"):
            save(figure, folder)


def test_a_failure_leaves_the_old_file_and_nothing_else(figure, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_text("old")

    def half(file, **_):
        file.write_text("half")
        raise RuntimeError("full")

    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(RuntimeError, match="full"):
        save(figure, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_all_figures_of_slices_are_saved(dataset, tmp_path):
    files, left_out = save_all(dataset, tmp_path / "new")
    names = [name for name, figure in FIGURES.items() if figure.source == "slices"]
    assert [file.stem for file in files] == names
    assert not left_out


def test_a_figure_that_cannot_be_drawn_stops_no_other(dataset, tmp_path):
    files, left_out = save_all(dataset.isel(step_size=slice(0, 3)), tmp_path)  # none is 0
    assert "parabola" in left_out
    assert {file.stem for file in files} >= {"widening", "batches"}
