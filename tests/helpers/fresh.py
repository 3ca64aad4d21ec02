"""Statements run each in an interpreter of its own, which has loaded what costs time already."""

import json
import subprocess
import sys

# Loads once, and forks for each statement.
SERVER = """
import importlib, json, os, sys, traceback

loaded, statements = json.load(sys.stdin)
for name in loaded:
    importlib.import_module(name)
errors = []
for statement in statements:
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            exec(statement, {})
        except BaseException:
            os.write(into, traceback.format_exc().encode()[-5000:])
            os._exit(1)
        os._exit(0)
    os.close(into)
    with open(out, "rb") as said:
        error = said.read().decode()
    _, status = os.waitpid(child, 0)
    errors.append(error or str(os.waitstatus_to_exitcode(status) or ""))
json.dump(errors, sys.stdout)
"""


def errors(loaded, statements):
    """Statement -> its traceback, or "" where it ran.

    ``loaded`` are modules that are there before: of other packages, never of this one.
    """
    ran = subprocess.run(
        [sys.executable, "-c", SERVER],
        input=json.dumps([loaded, statements]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(zip(statements, json.loads(ran.stdout), strict=True))
