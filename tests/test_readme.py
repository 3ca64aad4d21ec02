"""Every block of the README that is marked as running runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"<!-- runs -->\n```(\w+)\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("language", "code"), BLOCKS, ids=[c.split("\n")[0] for _, c in BLOCKS])
def test_block(language, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if language == "python":
        matplotlib.use("Agg")
        exec(compile(code, "README.md", "exec"), {})
        matplotlib.pyplot.close("all")
        return
    scripts = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run(["bash", "-euo", "pipefail", "-c", code], check=True, env=environment)


def test_both_commands_are_there():
    for name in ("demo", "test"):
        block = re.search(rf"<!-- {name} command -->\n```bash\n(.*?)```", README, re.DOTALL)[1]
        assert len(block.strip().splitlines()) == 1
        assert "python3 -m venv" in block
    assert len(BLOCKS) >= 3
