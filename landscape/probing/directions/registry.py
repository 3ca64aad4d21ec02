"""All directions, by name. Reading the list does not load torch."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from landscape.arguments import number as number_of
from landscape.errors import InvalidValueError, UnknownNameError, shown

if TYPE_CHECKING:
    from landscape.probing.directions.direction import Direction, DirectionContext, Tangent

OPTIMIZER, TARGET, PATH = "optimizer", "target", "path"


@dataclass(frozen=True)
class DirectionKind:
    """A direction that can be chosen by name.

    Attributes:
        name: its name on the command line and in stores. One that ends in "-K" stands for as many
            as there are numbers K from 1.
        symbol: how axes call it, as "−∇L"; "K" stands for the number.
        summary: one line on what it is.
        function: "module:function", or the function: (:class:`DirectionContext`) ->
            :class:`Tangent`.
        takes: what may follow the name and a colon, in words for errors; "" for nothing.
        check: argument -> the argument as it is kept; raises ValueError for one that is not
            allowed.
        needs: what it is made from beside the model and its data: "optimizer", "target" (another
            checkpoint, which the argument names), "path" (the checkpoints of a training), or "".
        drawn: whether it is drawn at random, so that two of them span a plane.
        ends: the first and the last step size unless others are asked for; None where the loss
            decides, and with ``needs`` "path" the path.
        published: whether the step sizes of [Hackel2023] are those of a run unless others are asked
            for.
        argument: what followed the name, of a kind that was looked up.
        number: K, likewise.
    """

    name: str
    symbol: str
    summary: str
    function: "str | Callable[[DirectionContext], Tangent]"
    takes: str = ""
    check: Callable[[str], str] = str
    needs: str = ""
    drawn: bool = False
    ends: tuple[float, float] | None = None
    published: bool = False
    argument: str = ""
    number: int = 1

    def take(self, context: "DirectionContext") -> "Direction":
        """Take the direction at a point.

        Args:
            context: the model at the point, the batch and its gradient.

        Returns:
            The direction; norm and slope are computed if the direction's function leaves them out.

        Raises:
            InvalidValueError: where one's own function gives no tangent of the model.
        """
        from landscape.probing.directions.direction import (
            Direction,
            checked,
            copied,
            norm,
            sum_of_products,
        )

        told = replace(context, argument=self.argument, number=self.number)
        function, own = self.function, True
        if isinstance(function, str):
            module, name = function.split(":")
            function, own = getattr(import_module(module), name), not module.startswith(_HERE)
        if own:  # it may write to what it is given, or give what moves with the model
            told = replace(told, gradient=copied(context.gradient))
        tangent = function(told)
        if own:
            tangent = checked(tangent, context.model)
        shared = [name for name in tangent.values if name in context.gradient]
        return Direction(
            name=self.name,
            symbol=self.symbol,
            tangent=tangent.values,
            norm=norm([*tangent.values.values()]) if tangent.norm is None else tangent.norm,
            slope=sum_of_products(
                [context.gradient[name] for name in shared],
                [tangent.values[name] for name in shared],
            )
            if tangent.slope is None
            else tangent.slope,
            gradient=context.gradient,
            gradient_norm=context.gradient_norm,
            buffers=tangent.buffers,
            about=tangent.about or self.summary,
            numbers=tangent.numbers,
            taken_on=tangent.taken_on,
        )


def _normalisation(text: str) -> str:
    parts = text.split(",")
    how = [each for each in parts if each in ("filter", "layer", "none")]
    if len(how) > 1 or sorted(parts) != sorted({*how, *({"all"} & {*parts})}):
        raise ValueError
    return text


def _samples(text: str) -> str:
    if int(text) < 1:
        raise ValueError
    return str(int(text))


def _clip(text: str) -> str:
    return f"{number_of('clip', float(text), above=0):.17g}"


def _set(text: str) -> str:
    name = text.replace("-", "_")
    if not re.fullmatch(r"same_batch|other_batch_[1-9]\d*|big_batch|validation", name):
        raise ValueError
    return name


_HERE = "landscape.probing.directions"
_SETS = "an evaluation set, as big-batch or validation"

# One of your own is added by one more entry: DIRECTIONS["mine"] = DirectionKind("mine", …).
DIRECTIONS: dict[str, DirectionKind] = {
    kind.name: kind
    for kind in (
        DirectionKind(
            "gradient",
            "−∇L",
            "steepest descent on the batch: θ − s·∇L",
            f"{_HERE}.gradient:gradient",
            published=True,
        ),
        DirectionKind(
            "normalised-gradient",
            "−∇L/‖∇L‖",
            "the same, of length 1: step sizes are distances",
            f"{_HERE}.normalised_gradient:normalised_gradient",
            published=True,
        ),
        DirectionKind(
            "full-gradient",
            "−∇L (training set)",
            "steepest descent on the training set, or on its first samples with "
            "full-gradient:SAMPLES",
            f"{_HERE}.full_gradient:full_gradient",
            takes="a number of training samples, from 1",
            check=_samples,
            published=True,
        ),
        DirectionKind(
            "update",
            "the update",
            "to where the optimizer's next step leads, at 1; update:NORM clips the gradient",
            f"{_HERE}.update:update",
            takes="the norm to which the gradient is clipped, above 0",
            check=_clip,
            needs=OPTIMIZER,
            published=True,
        ),
        DirectionKind(
            "random",
            "random direction",
            "random, each filter with the norm of the network's; random:layer, random:none, and "
            "with ,all biases and norm layers too",
            f"{_HERE}.random:random",
            takes="filter, layer or none, and ,all",
            check=_normalisation,
            drawn=True,
            ends=(-1.0, 1.0),
        ),
        DirectionKind(
            "towards",
            "θ′ − θ",
            "towards:PATH leads straight to another checkpoint, at 1",
            f"{_HERE}.towards:towards",
            takes="the other checkpoint",
            needs=TARGET,
            ends=(-0.25, 1.25),
        ),
        DirectionKind(
            "hessian-K",
            "eigenvector K",
            "the eigenvector of the K-th largest eigenvalue of the batch's Hessian; hessian-K:SET "
            "of another set's",
            f"{_HERE}.hessian:hessian",
            takes=_SETS,
            check=_set,
        ),
        DirectionKind(
            "ggn-K",
            "Gauss–Newton eigenvector K",
            "the same of the generalised Gauss–Newton matrix",
            f"{_HERE}.hessian:ggn",
            takes=_SETS,
            check=_set,
        ),
        DirectionKind(
            "principal-K",
            "principal component K",
            "along which the checkpoints of the run have moved most",
            f"{_HERE}.principal:principal",
            needs=PATH,
        ),
    )
}


def get(name: str) -> DirectionKind:
    """Find a direction by name.

    >>> landscape.probing.directions.registry.get("gradient").summary
    'steepest descent on the batch: θ − s·∇L'
    >>> landscape.probing.directions.registry.get("hessian-2:validation").symbol
    'eigenvector 2'

    Args:
        name: its name, a key of :data:`DIRECTIONS`, with a number for its K and, after a colon, an
            argument where it takes one.

    Returns:
        The direction, with that name, argument and number.

    Raises:
        UnknownNameError: for an unknown name; the message lists the known ones.
        InvalidValueError: for an argument that is not allowed.
    """
    base, colon, argument = str(name).partition(":")
    numbered = re.fullmatch(r"(.+)-([1-9]\d{0,5})", base)
    family = f"{numbered[1]}-K" if numbered else ""
    if base in DIRECTIONS and not base.endswith("-K"):
        kind, number = DIRECTIONS[base], 1
    elif numbered and family in DIRECTIONS:
        kind, number = DIRECTIONS[family], int(numbered[2])
    elif base in DIRECTIONS:
        raise InvalidValueError(
            f"direction is {shown(name)}, where K stands for a number; give one from 1, as in "
            f"{base[:-1]}1"
        )
    else:
        raise UnknownNameError("direction", name, DIRECTIONS)
    if colon:
        if not kind.takes:
            raise InvalidValueError(
                f"direction is {shown(name)}; {base} takes nothing after a colon, so leave it out"
            )
        try:
            argument = kind.check(argument) if argument else _refused()
        except ValueError as error:
            raise InvalidValueError(
                f"direction is {shown(name)}; after {base}: comes {kind.takes}"
            ) from error
    return replace(
        kind,
        name=f"{base}:{argument}" if argument else base,
        symbol=kind.symbol.replace("K", str(number)) if base != kind.name else kind.symbol,
        argument=argument,
        number=number,
    )


def _refused() -> str:
    raise ValueError
