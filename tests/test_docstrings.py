"""Public functions explain each argument and result, and their examples run."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest
import torch
from helpers import cases
from matplotlib import pyplot as plt

import landscape

PACKAGE = Path(landscape.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# Their section "Args" is inserted when they are loaded; see landscape.plots.drawing.figure.
INSERTED = "figure"
MODULES = {
    path: ".".join(("landscape", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    )
    for path in FILES
}


def public(tree, where="", inherited=None):
    """(name, definition, docstring) of public functions, methods and classes' constructors.

    A method without a docstring has that of the class in the same file that it is derived from.
    """
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        name = f"{where}{node.name}"
        if isinstance(node, ast.ClassDef):
            bases = [classes[ast.unparse(b)] for b in node.bases if ast.unparse(b) in classes]
            known = {
                each.name: ast.get_docstring(each)
                for base in bases
                for each in base.body
                if isinstance(each, ast.FunctionDef)
            }
            yield from public(node, f"{name}.", known)
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and each.name in ("__init__", "__call__"):
                    text = ast.get_docstring(each if each.name == "__call__" else node)
                    yield f"{name}.{each.name}", each, text
        else:
            yield name, node, ast.get_docstring(node) or (inherited or {}).get(node.name)


def decorators(node):
    return {ast.unparse(each).split("(")[0] for each in node.decorator_list}


def arguments(node):
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    every += [each for each in (node.args.vararg, node.args.kwarg) if each]
    return [a.arg for a in every if a.arg not in ("self", "cls") and not a.arg.startswith("_")]


def section(text, title):
    """The lines of a section of a docstring, without their indentation."""
    _, found, rest = f"\n{text}".partition(f"\n{title}:\n")
    lines = []
    for line in rest.splitlines() if found else ():
        if line and not line.startswith(" "):
            break
        lines.append(line)
    return lines


@pytest.mark.parametrize("path", FILES, ids=MODULES.get)
def test_every_argument_and_result_is_explained(path):
    lacking = []
    for name, node, text in public(ast.parse(path.read_text())):
        if {"property", "overload"} & decorators(node) or INSERTED in decorators(node):
            continue
        args = "\n".join(section(text or "", "Args"))
        lacking += [
            f"{name}: argument {each}"
            for each in arguments(node)
            if not any(f"    {star}{each}:" in args for star in ("", "*", "**"))
        ]
        result = ast.unparse(node.returns) if node.returns else "None"
        gives = result not in ("None", "NoReturn") and node.name != "__init__"
        if (
            gives
            and arguments(node)
            and not any(section(text or "", t) for t in ("Returns", "Yields"))
        ):
            lacking.append(f"{name}: what it returns")
    assert not lacking, "\n".join(lacking)


@pytest.mark.parametrize("path", [p for p in FILES if ">>> " in p.read_text()], ids=MODULES.get)
def test_examples_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    (images, labels), validation = cases.digits()
    found = doctest.testmod(
        importlib.import_module(MODULES[path]),
        extraglobs={
            "landscape": landscape,
            "model": cases.fresh("mlp"),
            "images": images,
            "labels": labels,
            "validation": validation,
        },
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE,
    )
    plt.close("all")
    assert found.attempted > 0
    assert found.failed == 0
