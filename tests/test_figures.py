"""Every script in ``figures/`` draws the pictures that lie beside it, into a folder of ours."""

import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

FIGURES = Path(__file__).parents[1] / "figures"
SCRIPTS = sorted(p for p in FIGURES.glob("*.py") if p.stem != "pre_study")


@pytest.mark.parametrize("script", SCRIPTS, ids=[s.stem for s in SCRIPTS])
def test_script(script, tmp_path):
    plt.switch_backend("Agg")
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path)
    plt.close("all")
    drawn = {p.name for p in tmp_path.iterdir()}
    assert drawn
    assert drawn <= {p.name for p in FIGURES.iterdir()}
    assert drawn == {p.name for p in FIGURES.glob("*.png") if p.name.startswith(script.stem)}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in tmp_path.iterdir())
