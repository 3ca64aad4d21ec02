"""The command line, run in this process."""

import re

from typer.testing import CliRunner

from landscape_cli.app import app


def run(*arguments, status=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result


def told(stderr):
    """What a command says on standard error, without the lines of its progress."""
    lines = stderr.splitlines(keepends=True)
    return "".join(
        each for each in lines if not re.match(r".*: (epoch|checkpoint) \d+ of \d+, ", each)
    )


def refused(*arguments):
    """The one line of an error; exit status 2 and no traceback are part of it."""
    result = run(*arguments, status=2)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert isinstance(result.exception, SystemExit)
    return lines[0]
