import subprocess
import sys

import pytest

from landscape.errors import StoreError
from landscape.runtime.locks import exclusive

HOLD = """
import sys
from pathlib import Path
from landscape.runtime.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time_and_none_that_was_killed(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"another process is writing into {tmp_path}"):
            exclusive(tmp_path).__enter__()
        other.kill()
    with exclusive(tmp_path):
        pass
    with exclusive(tmp_path), exclusive(tmp_path.parent):
        pass


def test_an_error_inside_is_passed_on_and_lets_go(tmp_path):
    with pytest.raises(OSError, match="mine"), exclusive(tmp_path):
        raise OSError("mine")
    with exclusive(tmp_path):
        pass
