"""All directions, by name. Reading the list does not load torch."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from landscape.errors import UnknownNameError

if TYPE_CHECKING:
    from landscape.probing.directions.direction import Direction, DirectionContext, Tangent


@dataclass(frozen=True)
class DirectionKind:
    """A direction that can be chosen by name.

    Attributes:
        name: its name on the command line and in stores.
        symbol: how axes call it, as "−∇L".
        summary: one line on what it is.
        function: "module:function", or the function: (:class:`DirectionContext`) ->
            :class:`Tangent`.
    """

    name: str
    symbol: str
    summary: str
    function: "str | Callable[[DirectionContext], Tangent]"

    def take(self, context: "DirectionContext") -> "Direction":
        """Take the direction at a point.

        Args:
            context: the model at the point, the batch and its gradient.

        Returns:
            The direction; norm and slope are computed if the direction's function leaves them out.
        """
        from landscape.probing.directions.direction import Direction, norm, sum_of_products

        function: Any = self.function
        if isinstance(function, str):
            module, name = function.split(":")
            function = getattr(import_module(module), name)
        tangent = function(context)
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
        )


_HERE = "landscape.probing.directions"

# One of your own is added by one more entry: DIRECTIONS["mine"] = DirectionKind("mine", …).
DIRECTIONS: dict[str, DirectionKind] = {
    kind.name: kind
    for kind in (
        DirectionKind(
            "gradient",
            "−∇L",
            "steepest descent on the batch: θ − s·∇L",
            f"{_HERE}.gradient:gradient",
        ),
        DirectionKind(
            "normalised-gradient",
            "−∇L/‖∇L‖",
            "the same, of length 1: step sizes are distances",
            f"{_HERE}.normalised_gradient:normalised_gradient",
        ),
    )
}


def get(name: str) -> DirectionKind:
    """Find a direction by name.

    >>> landscape.probing.directions.registry.get("gradient").summary
    'steepest descent on the batch: θ − s·∇L'

    Args:
        name: its name, a key of :data:`DIRECTIONS`.

    Returns:
        The direction.

    Raises:
        UnknownNameError: for an unknown name; the message lists the known ones.
    """
    if name not in DIRECTIONS:
        raise UnknownNameError("direction", name, DIRECTIONS)
    return DIRECTIONS[name]
