"""Every script in ``figures/`` draws the pictures that lie beside it, into a folder of ours."""

import csv
import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

FIGURES = Path(__file__).parents[2] / "figures"
STUDIES = ("pre_study", "collapse")  # they make the numbers that others draw, or a table
SCRIPTS = sorted(p for p in FIGURES.glob("*.py") if p.stem not in STUDIES)


def load(script):
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", SCRIPTS, ids=[s.stem for s in SCRIPTS])
def test_script(script, tmp_path):
    plt.switch_backend("Agg")
    load(script).main(tmp_path)
    plt.close("all")
    drawn = {p.name for p in tmp_path.iterdir()}
    assert drawn
    assert drawn <= {p.name for p in FIGURES.iterdir()}
    assert drawn == {p.name for p in FIGURES.glob("*.png") if p.name.startswith(script.stem)}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in tmp_path.iterdir())


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
