"""Every script in ``figures/`` draws the pictures that lie beside it, into a folder of ours."""

import csv
import importlib.util
from importlib.metadata import version
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.image import imread

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "figures"
# Of 255 levels, over all pixels and channels. Another processor rounds a few pixels of an edge by
# one level, which is below 0.01; one pixel that turns from white to black is above.
RMS = 0.1
# They make the numbers that others draw, or a table.
STUDIES = ("pre_study", "collapse", "at_full_size")
SCRIPTS = sorted(
    p for p in FIGURES.glob("*.py") if p.stem not in STUDIES and not p.stem.startswith("your_")
)
PINNED = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)
PICTURES = pytest.mark.skipif(not [*FIGURES.glob("*.png")], reason="the sdist has no pictures")
OTHERS = [f"{n} {PINNED[n]}" for n in ("matplotlib", "numpy") if version(n) != PINNED[n]]


def load(script):
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=SCRIPTS, ids=[s.stem for s in SCRIPTS])
def drawn(request, tmp_path_factory):
    """The pictures that a script draws, by the name of the kept ones; and the kept ones."""
    plt.switch_backend("Agg")
    folder = tmp_path_factory.mktemp(request.param.stem)
    load(request.param).main(folder)
    plt.close("all")
    kept = {p.name: p for p in FIGURES.glob("*.png") if p.name.startswith(request.param.stem)}
    return {p.name: p for p in folder.iterdir()}, kept


@PICTURES
def test_a_script_draws_the_kept_pictures(drawn):
    new, kept = drawn
    assert sorted(new) == sorted(kept) != []


@PICTURES
@pytest.mark.skipif(OTHERS != [], reason=f"the kept pictures need {', '.join(OTHERS)}")
def test_to_the_pixel(drawn):
    new, kept = drawn
    for name, path in new.items():
        now, before = (255 * imread(p).astype(np.float64) for p in (path, kept[name]))
        assert now.shape == before.shape, name
        assert np.sqrt(np.mean((now - before) ** 2)) <= RMS, name


def test_every_kept_picture_is_drawn_by_a_script():
    stems = tuple(script.stem for script in FIGURES.glob("*.py"))
    assert [p.name for p in FIGURES.glob("*.png") if not p.name.startswith(stems)] == []


def test_the_table_of_collapses(tmp_path, capsys):
    load(FIGURES / "collapse.py").main(seeds=1, out=tmp_path, epochs=6)
    with (tmp_path / "collapse.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["setting"][:15], r["preset"]) for r in rows] == [
        ("slope factor 10", "as published"),
        ("slope factor 10", "default"),
        ("slope factor 1,", "as published"),
        ("slope factor 1,", "default"),
    ]
    assert all(0.3 < float(r["validation accuracy"]) <= 1 for r in rows)
    assert len(capsys.readouterr().out.splitlines()) == 5
    # Exhausted searches are the published preset's alone to suffer; skipped ones the default's.
    assert {r["skipped"] for r in rows if r["preset"] == "as published"} == {"0"}
    kept = FIGURES / "collapse.csv"
    with kept.open() as file:
        assert csv.DictReader(file).fieldnames == list(rows[0])


def test_the_table_in_the_readme_is_that_of_the_kept_runs():
    with (FIGURES / "collapse.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 20
    for setting, preset in dict.fromkeys((r["setting"], r["preset"]) for r in rows):
        own = [r for r in rows if (r["setting"], r["preset"]) == (setting, preset)]
        assert [r["seed"] for r in own] == [str(seed) for seed in range(20)]
        steps, accuracies, passes = (
            [float(r[name]) for r in own]
            for name in ("last step size", "validation accuracy", "forward passes per step")
        )
        line = (
            f"| {preset} | {sum(step < 1e-4 for step in steps)} of 20 |"
            f" {100 * np.mean(accuracies):.2f} % | {100 * min(accuracies):.2f} %"
            f" | {np.mean(passes):.2f} |"
        )
        assert line in (FIGURES / "README.md").read_text(encoding="utf-8"), setting
