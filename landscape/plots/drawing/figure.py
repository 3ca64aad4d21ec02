"""The decorator of figures: the theme around them, and their options in their docstring."""

import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from landscape.plots.drawing.theme import themed
from landscape.slices.options import OPTIONS

P = ParamSpec("P")
R = TypeVar("R")

# Texts of the parameters that are not options.
GIVEN = {
    "dataset": "slices from ``landscape.open`` or ``landscape.probe``; for figures of runs, their "
    "histories from ``landscape.histories.collect``",
    "datasets": "slices from ``landscape.open`` or ``landscape.probe``, one Dataset per store",
    "ax": "where to draw, one ``Axes`` for each panel; by default a new figure",
}


def figure(function: Callable[P, R]) -> Callable[P, R]:
    """Make ``function`` a figure: draw it in the theme, and explain each option it takes.

    A section "Args" with the texts of :data:`landscape.slices.options.OPTIONS` is inserted into its
    docstring.

    Args:
        function: ``plot_x(dataset, *, ax=None, **options)``.

    Returns:
        The function, with the theme around it.
    """
    within = themed(function)
    lines = [f"    {_explained(each)}" for each in inspect.signature(function).parameters.values()]
    text = inspect.cleandoc(function.__doc__ or "")
    head, section, tail = text.partition("\n\nReturns:")
    # Of the function too, where tools that read the source look.
    explained = "\n".join([head, "", "Args:", *lines]) + section + tail + "\n"
    within.__doc__ = function.__doc__ = explained
    return within


def _explained(parameter: inspect.Parameter) -> str:
    if parameter.name in GIVEN:
        return f"{parameter.name}: {GIVEN[parameter.name]}."
    option = OPTIONS[parameter.name]
    default = option.default if parameter.default is None else repr(parameter.default)
    return f"{parameter.name}: {option.help}{f'; by default {default}' if default else ''}."
