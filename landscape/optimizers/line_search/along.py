"""The function that is searched: h along a line, each evaluation from the same state."""

from torch import Tensor

from landscape.optimizers.line_search.closures import Closure
from landscape.optimizers.line_search.line import Line
from landscape.optimizers.line_search.passes import Passes, Start
from landscape.optimizers.line_search.side_effects import State


class Along:
    """h(s) of one step, with s as its argument.

    Args:
        closure: () -> (logits (N, C), targets (N,)), on which h is evaluated.
        passes: those of the step.
        line: through θ.
        state: that from which the step's first evaluation started.

    Attributes:
        passes: as given.
        line: as given.
    """

    def __init__(self, closure: Closure, passes: Passes, line: Line, state: State) -> None:
        self.passes = passes
        self.line = line
        self._closure = closure
        self._state = state

    def __call__(self, step_size: float) -> Tensor:
        """Evaluate h.

        Args:
            step_size: where.

        Returns:
            h there, a scalar.
        """
        self._go(step_size)
        return self.passes.h(self._closure, self.line.parameters)

    def start(self) -> Start:
        """h(0), and ∇h if the slope is taken by autograd, from a forward pass of its own."""
        self._go(0.0)
        return self.passes.start(self._closure, self.line.parameters)

    def repeats(self) -> Tensor:
        """Whether one more evaluation at 0 gives the same logits: a scalar, 1 or 0."""
        self._go(0.0)
        return self.passes.repeats(self._closure, self.line.parameters)

    def _go(self, step_size: float) -> None:
        self.line.move(step_size)
        self._state.restore()
