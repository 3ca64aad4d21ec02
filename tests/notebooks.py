"""Every notebook in ``figures/`` runs from its first cell to its last, in an empty folder.

    pytest tests/notebooks.py

Apart from the other tests, for it takes minutes. With ``--basetemp FOLDER`` the executed notebooks
are kept there; one of them in place of the committed one brings its outputs up to date.
"""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "figures").glob("*.ipynb"))
# An absolute path in an output is one of the machine that made it.
HOMES = ("/home/", "/tmp/", "/work/", "/root/", "/Users/")


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell):
    """The kinds of what a cell put out."""
    kinds = {kind for out in cell.outputs for kind in out.get("data", [out.get("name")])}
    return kinds | {out.output_type for out in cell.outputs if out.output_type == "error"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_the_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for networks so small, threads only wait
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel's own shows figures
    committed = nbformat.read(path, as_version=4)
    notebook = nbformat.read(path, as_version=4)
    # A busy machine may show a picture seconds after the cell that drew it has ended.
    where = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(
        notebook, timeout=600, iopub_timeout=60, record_timing=False, resources=where
    )
    for store in path.parent.glob("*.zarr.zip"):  # which lie beside the notebook
        (tmp_path / store.name).symlink_to(store)
    client.execute()
    nbformat.write(notebook, tmp_path / path.name)
    kinds = [shown(cell) for cell in code(notebook)]
    assert not any("stderr" in kind for kind in kinds)
    # No figure is kept back.
    for cell in code(notebook):
        drawn = "plt.subplots(" in cell.source or ".plot_" in cell.source
        assert ("image/png" in shown(cell)) == drawn
    # What is committed was executed, in order, and shows what this code shows.
    assert [cell.execution_count for cell in code(committed)] == [*range(1, len(kinds) + 1)]
    assert [shown(cell) for cell in code(committed)] == kinds
    assert not any(home in path.read_text(encoding="utf-8") for home in HOMES)
