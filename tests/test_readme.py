"""Every block of the README runs, with what its own install line brings."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot
import pytest

import landscape

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^(?:<!-- ([^\n]*) -->\n)?```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EVERY = [match.groups() for match in FENCED.finditer(README)]
BLOCKS = [(language, code) for marker, language, code in EVERY if marker == "runs"]
# Documents whose links and pictures are to be there.
DOCUMENTS = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "figures/README.md"),
    "tests/benchmarks/README.md",
)

# Of what the extras bring, what this environment has and a user's may not.
EXTRAS = ("dask", "lightning", "transformers", "accelerate")
HIDING = f"""
import sys
from importlib.machinery import PathFinder

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in {EXTRAS!r}:
            return super().find_spec(name, path, target)

sys.meta_path[:] = [Hiding if finder is PathFinder else finder for finder in sys.meta_path]
"""


def run(code, folder):
    """Run ``code`` by bash in ``folder``, without what the extras bring."""
    hiding = folder / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text(HIDING)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(hiding), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        check=True,
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@pytest.mark.parametrize(("language", "code"), BLOCKS, ids=[c.split("\n")[0] for _, c in BLOCKS])
def test_block(language, code, tmp_path, monkeypatch):
    if language == "bash":
        run(code, tmp_path)
        # What is said to be written is there.
        written = re.findall(r"--out (\S+)", code)
        assert [name for name in written if not (tmp_path / name).exists()] == []
        return
    assert language == "python"
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    exec(compile(code, "README.md", "exec"), {})
    matplotlib.pyplot.close("all")


def test_the_extras_are_hidden(tmp_path):
    said = (
        "from importlib.util import find_spec as f; print(f('dask'), f('accelerate'), f('torch'))"
    )
    assert run(f'python -c "{said}"', tmp_path).startswith("None None ModuleSpec")
    assert find_spec("accelerate") is not None


def test_every_block_runs():
    markers = [marker for marker, _, _ in EVERY]
    assert len(markers) == README.count("\n```") / 2
    assert markers[:2] == ["demo command", "test command"]
    assert set(markers[2:]) == {"runs"}
    assert len(BLOCKS) >= 6
    # The install lines are left to what makes an environment; this is what comes after them.
    tails = [code.strip().split(" && ")[-1] for _, _, code in EVERY[:2]]
    assert tails == [".venv/bin/landscape demo", ".venv/bin/pytest -n 2"]


def test_both_commands_are_there():
    for name in ("demo", "test"):
        block = re.search(rf"<!-- {name} command -->\n```bash\n(.*?)```", README, re.DOTALL)[1]
        assert len(block.strip().splitlines()) == 1
        assert "python3 -m venv" in block


def test_the_module_is_the_command(tmp_path):
    commands = ["landscape --version", "python -m landscape --version"]
    assert {run(commands[0], tmp_path)} == {f"landscape {landscape.__version__}\n"}
    again = tmp_path / "again"
    again.mkdir()
    assert run(commands[1], again) == f"landscape {landscape.__version__}\n"


def test_it_fits_on_a_few_pages():
    assert len(README.splitlines()) <= 200


def slug(heading):
    """The anchor that a heading gets on a page."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_pictures_are_there(name):
    path = ROOT / name
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), target


def test_the_changelog_and_the_citation_know_the_version():
    version = landscape.__version__
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
