"""The decorator of figures: the theme around them, and their options in their docstring."""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text

from landscape.errors import InvalidValueError, UnknownNameError, visible
from landscape.plots.drawing import captions
from landscape.plots.drawing.style import SETTINGS
from landscape.plots.drawing.theme import rc_context, themed
from landscape.plots.registry import FIGURES, Figure
from landscape.slices.caption import shared_caption
from landscape.slices.choice import main_set
from landscape.slices.options import OPTIONS
from landscape.slices.wording import one_line, shortened

P = ParamSpec("P")
R = TypeVar("R")

LONGEST = 160  # characters of a line
# What names something in a figure: attributes, and coordinates of words.
NAMES = ("task", "optimizer", "direction_symbol", "direction_symbol_2")
NAMED = ("task", "label", "evaluation_set")

# Texts of the parameters that are not options.
GIVEN = {
    "dataset": "slices from ``landscape.open`` or ``landscape.probe``; for figures of runs, their "
    "histories from ``landscape.histories.collect``",
    "datasets": "slices from ``landscape.open`` or ``landscape.probe``, one Dataset per store",
    "ax": "where to draw, one ``Axes`` for each panel, best of a figure made with "
    "``layout='constrained'``, which leaves room for legends; by default a new figure",
}
# Where a figure of slices also takes those of several stores.
MORE = "; or a list of them, one Dataset per store"


def figure(function: Callable[P, R]) -> Callable[P, R]:
    """Make ``function`` a figure: draw it in the theme, and explain each option it takes.

    A section "Args" with the texts of :data:`landscape.slices.options.OPTIONS` is inserted into its
    docstring. Every figure also takes ``title``, and one of slices ``caption``, as the registry
    says.

    Args:
        function: ``plot_x(dataset, *, ax=None, **options)``.

    Returns:
        The function, with the theme around it.
    """
    signature = inspect.signature(function)
    listed = FIGURES.get(function.__name__.removeprefix("plot_").replace("_", "-"))
    inner: Callable[..., Any] = function
    more: list[inspect.Parameter] = []
    keyword = inspect.Parameter.KEYWORD_ONLY
    if listed and "caption" in listed.options:
        inner = _captioned(inner, listed.one_set)
        more.append(inspect.Parameter("caption", keyword, default=False, annotation=bool))
    more.append(inspect.Parameter("title", keyword, default=None, annotation=str | None))
    signature = signature.replace(parameters=[*signature.parameters.values(), *more])
    within = _checked(themed(_titled(_literal(inner))), signature, listed)
    within.__signature__ = signature  # type: ignore[attr-defined]
    lines = [f"    {_explained(each, listed)}" for each in signature.parameters.values()]
    text = inspect.cleandoc(function.__doc__ or "")
    head, section, tail = text.partition("\n\nReturns:")
    # Of the function too, where tools that read the source look.
    explained = "\n".join([head, "", "Args:", *lines]) + section + tail + "\n"
    within.__doc__ = function.__doc__ = explained
    return within


def _checked(
    function: Callable[..., R], signature: inspect.Signature, listed: Figure | None
) -> Callable[..., R]:
    """Name an option that is mistyped, and take one Dataset or several as the figure does.

    Args:
        function: the figure.
        signature: its parameters.
        listed: what the registry says of it.

    Returns:
        The function, which refuses what it cannot draw in a line.
    """

    @wraps(function)
    def within(*args: Any, **kwargs: Any) -> R:
        for name in kwargs:
            if name not in signature.parameters:
                called = function.__name__
                raise UnknownNameError(f"option of {called}", name, signature.parameters)
        if args and listed:
            first = args[0]
            if listed.source == "stores" and isinstance(first, xr.Dataset):
                args = [first], *args[1:]
            if listed.source == "slices" and not listed.several and isinstance(first, list | tuple):
                raise InvalidValueError(
                    f"{function.__name__} takes one Dataset; got a {type(first).__name__} of "
                    f"{len(first)}"
                )
        return function(*args, **kwargs)

    return within


def _titled(function: Callable[P, R]) -> Callable[P, R]:
    """Let a figure take ``title``, which stands in place of its own.

    Args:
        function: ``plot_x(dataset, *, ax=None, **options)``, or with several datasets.

    Returns:
        The function with one more option.
    """

    @wraps(function)
    def within(*args: P.args, **kwargs: P.kwargs) -> R:
        title: Any = kwargs.pop("title", None)
        if title is not None:
            _require_text(title)
        drawn = function(*args, **kwargs)
        if title is None:
            return drawn
        panels = _axes(drawn)
        whole = panels[0].get_figure(root=True)
        if whole is not None and kwargs.get("ax") is None and "$" not in title:
            size = FontProperties(size=SETTINGS["axes.titlesize"]).get_size_in_points()
            width = whole.get_figwidth() / captions.WIDER - captions.MARGIN
            title = "\n".join("\n".join(captions.lines(e, width, size)) for e in title.split("\n"))
        if len(panels) == 1 and (
            kwargs.get("ax") is not None or not (whole and whole.get_suptitle())
        ):
            panels[0].set_title(title)
        elif kwargs.get("ax") is not None:
            raise InvalidValueError(
                f"title is {title!r}, but the figure was given {len(panels)} axes; leave out ax, "
                "or call set_title of the axes that it belongs to"
            )
        elif whole is not None:
            if not whole.get_suptitle() and not any(each.get_title() for each in panels[1:]):
                panels[0].set_title("")  # it was that of all panels
            whole.suptitle(title)
        return drawn

    return within


def _require_text(title: str) -> None:
    """A title may hold formulas between dollars, in matplotlib's mathematics."""
    if not is_math_text(title):
        return
    try:
        MathTextParser("path").parse(title)
    except ValueError as error:
        raise InvalidValueError(
            f"title {title!r} holds a formula that matplotlib cannot read; write \\$ for a dollar"
        ) from error


def _captioned(function: Callable[P, R], one_set: str) -> Callable[P, R]:
    """Let a figure take ``caption``, which prints what is stored with the slices under it.

    Args:
        function: ``plot_x(dataset, *, ax=None, **options)``, or with several datasets.
        one_set: the evaluation set that it shows by default, where it shows one alone.

    Returns:
        The function with one more option.
    """

    @wraps(function)
    def within(*args: P.args, **kwargs: P.kwargs) -> R:
        wanted = kwargs.pop("caption", False)
        if wanted and kwargs.get("ax") is not None:
            raise InvalidValueError(
                "caption is True, but a caption goes under a new figure; leave out ax, or write "
                "landscape.slices.caption.caption(dataset) where it fits"
            )
        drawn = function(*args, **kwargs)
        if wanted:
            given = inspect.signature(function).bind(*args, **kwargs)
            given.apply_defaults()
            chosen = {n: given.arguments.get(n) for n in ("metric", "evaluation_set")}
            slices: Any = next(iter(given.arguments.values()))
            slices = [slices] if isinstance(slices, xr.Dataset) else slices
            if one_set:
                chosen["evaluation_set"] = main_set(slices[0], chosen["evaluation_set"], one_set)
            if (whole := _axes(drawn)[0].get_figure(root=True)) is not None:
                captions.add(whole, shared_caption(slices, **chosen))
        return drawn

    return within


def _literal(function: Callable[P, R]) -> Callable[P, R]:
    """Let the figure's words be text: a "$" in a name of the user's begins no formula.

    Only while ``function`` draws: what a user writes later may hold formulas, as ever.

    Args:
        function: ``plot_x(dataset, *, ax=None, **options)``.

    Returns:
        The function, with what it writes taken for text.
    """

    @wraps(function)
    def within(*args: P.args, **kwargs: P.kwargs) -> R:
        given = kwargs.get("ax")
        before = {} if given is None else {each: each.get_text() for each in _words(given)}
        # The slices or histories, which come first where a figure is of any.
        cleaned: Any = (_readable(each) for each in args)
        named: Any = {name: _readable(each) for name, each in kwargs.items()}
        with rc_context({"text.parse_math": False}):
            drawn = function(*cleaned, **named)
        made = [each for each in _texts(drawn) if not each.get_parse_math()]
        for each in made:
            each.set_parse_math(True)
        changed = [each for each in _words(drawn) if before.get(each) != each.get_text()]
        for each in dict.fromkeys((*made, *changed)):
            if each.get_text():
                each.set_text(_as_text(each.get_text()))
        return drawn

    return within


def _readable(given: Any) -> Any:
    """Datasets with names that fit into a line, from which no control character steers anything."""
    if isinstance(given, list | tuple):
        return type(given)(map(_readable, given))
    if not isinstance(given, xr.Dataset):
        return given
    attributes = {
        name: one_line(value)
        for name, value in given.attrs.items()
        if name in NAMES and isinstance(value, str)
    }
    given = given.copy().assign_attrs(attributes)
    for name in (each for each in NAMED if each in given.coords):
        # As they are, however long: figures tell runs apart by them.
        values = [visible(" ".join(str(each).split())) for each in given[name].values.flat]
        if values != given[name].values.ravel().tolist():
            given = given.assign_coords({name: given[name].copy(data=np.array(values, object))})
    for variable in given.variables.values():
        for name in {"long_name", "units"} & variable.attrs.keys():
            variable.attrs[name] = one_line(str(variable.attrs[name]))
    return given


def _as_text(words: str) -> str:
    """Words that matplotlib draws as they are; no line longer than any figure is wide."""
    lines = (shortened(visible(line), LONGEST) for line in words.split("\n"))
    return "\n".join(lines).replace("$", r"\$")


def _axes(drawn: Any) -> list[Axes]:
    return list(np.ravel(np.asarray(drawn, dtype=object)))


def _texts(drawn: Any) -> Iterator[Text]:
    """Every text of the figures that axes are in."""
    for figure in dict.fromkeys(each.get_figure(root=True) for each in _axes(drawn)):
        if figure is not None:
            yield from figure.findobj(Text)


def _words(drawn: Any) -> Iterator[Text]:
    """Titles and labels of axes, which are made with them."""
    for each in _axes(drawn):
        yield from (each.title, each.xaxis.label, each.yaxis.label)


def _explained(parameter: inspect.Parameter, listed: Figure | None) -> str:
    if parameter.name in GIVEN:
        several = bool(listed and listed.several)
        more = MORE if several and parameter.name == "dataset" else ""
        return f"{parameter.name}: {GIVEN[parameter.name]}{more}."
    option = OPTIONS[parameter.name]
    default = option.default if parameter.default is None else repr(parameter.default)
    if parameter.name == "metric" and parameter.default is None and listed:
        default = listed.metric
    if parameter.name == "evaluation_set" and listed and listed.one_set:
        default = f"{listed.one_set}, or the first where there is none"
    return f"{parameter.name}: {option.help}{f'; by default {default}' if default else ''}."
