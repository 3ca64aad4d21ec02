"""What pyproject.toml says of the packages that are needed is so."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import landscape
import landscape_cli

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
USED = ("dask", "safetensors", "vtk", "lightning", "transformers", "accelerate")
NEEDED = [*map(Requirement, PROJECT["dependencies"] + [each for n in USED for each in EXTRAS[n]])]


def pins(name):
    """The version of each package in a file of constraints."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    return {name: Version(version) for name, version in (line.split("==") for line in lines)}


def imported(package):
    """The packages outside of the standard library that the code of ``package`` imports."""
    names = set()
    for path in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names.add(node.module)
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def test_the_lowest_versions_are_those_that_are_allowed():
    lowest = pins("constraints-lowest.txt")
    for needed in NEEDED:
        (bound,) = needed.specifier
        assert bound.operator == ">="
        assert Version(bound.version) == lowest[needed.name], needed.name
    assert PROJECT["requires-python"] == ">=3.11"  # the Python these are tried with


def test_the_versions_this_was_tested_with_are_allowed():
    tested = pins("constraints.txt")
    assert all(needed.specifier.contains(tested[needed.name]) for needed in NEEDED)


def test_what_is_imported_is_declared():
    names = (imported(landscape) | imported(landscape_cli)) - {"landscape", "landscape_cli"}
    declared = {canonicalize_name(needed.name) for needed in NEEDED}
    homes = packages_distributions()
    assert {"numpy", "pandas"} <= names
    for name in names:
        assert declared & set(map(canonicalize_name, homes.get(name, [name]))), name
