"""How a model is called on inputs of any kind, and what of its output holds the predictions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, nn

from landscape.errors import InvalidValueError, shown
from landscape.runtime.nested import Nested, leaves, mapped

Output: TypeAlias = str | int | Callable[[Any], Any] | None
"""Which part of a model's output is used: a key or attribute, a place, or output -> tensors."""


@dataclass(frozen=True)
class Calling:
    """Calls a model: ``model(x)``, ``model(*tuple)`` or ``model(**dict)``, by what the inputs are.

    Attributes:
        forward: (model, inputs) -> output, in place of these calls.
        output: which part of the output is used. None takes a tensor as it is, ``.logits`` of an
            object, ``["logits"]`` of a dict, and the first of a tuple.
        own_loss: whether the output's ``.loss`` or ``["loss"]`` is given too.
    """

    forward: Callable[[nn.Module, Nested], Any] | None = None
    output: Output = None
    own_loss: bool = False

    def __call__(self, model: Any, inputs: Nested) -> Nested:
        """Call the model.

        Args:
            model: a model, as it is or compiled.
            inputs: (N, …), a tensor or a nested dict or tuple of tensors.

        Returns:
            The outputs, (N, …); with ``own_loss`` the pair (outputs, loss), the loss a scalar.

        Raises:
            InvalidValueError: where the model's output has no such part.
        """
        if self.forward is not None:
            # A dict of its own: a user's function may take parts out of it.
            output = self.forward(model, mapped(lambda tensor: tensor, inputs))
        elif isinstance(inputs, (dict, tuple)):
            output = _spread(model, inputs)
        else:
            output = model(inputs)
        found = _picked(output, self.output)
        return (found, _own_loss(output)) if self.own_loss else found


def _spread(model: Any, inputs: dict[str, Nested] | tuple[Nested, ...]) -> Any:
    named = isinstance(inputs, dict)
    try:
        return model(**inputs) if isinstance(inputs, dict) else model(*inputs)
    except TypeError as error:  # as for names or numbers of arguments that are not the model's
        what = f"**inputs of {', '.join(inputs)}" if named else f"*inputs of {len(inputs)} parts"
        reason = next(iter(str(error).strip().splitlines()), "no reason given")
        raise InvalidValueError(
            f"model({what}) fails: {reason}; if the model takes them in another way, give "
            "forward=lambda model, inputs: …"
        ) from error


def _picked(output: Any, which: Output) -> Nested:
    if which is None:
        return _predictions(output)
    if callable(which):
        found = which(output)
    elif isinstance(which, int) and isinstance(output, (tuple, list)):
        found = output[which] if -len(output) <= which < len(output) else None
    elif isinstance(which, str) and isinstance(output, Mapping):
        found = output.get(which)
    else:
        found = getattr(output, str(which), None)
    found = tuple(found) if isinstance(found, list) else found
    if wrong := [type(part).__name__ for _, part in leaves(found) if not isinstance(part, Tensor)]:
        what = shown(which) if isinstance(which, (str, int)) else "the function"
        raise InvalidValueError(
            f"output {what} finds a {wrong[0]} in the model's output, {_described(output)}; name "
            "the part that holds the predictions, a tensor"
        )
    return found


def _predictions(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output
    own = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if own is None and isinstance(output, (tuple, list)) and output:
        own = output[0]
    if isinstance(own, Tensor) and own.ndim:
        return own
    parts = [*output] if isinstance(output, Mapping) else [*getattr(output, "__dict__", {})]
    name = next((part for part in parts if isinstance(part, str)), None)
    hint = f"output={name!r}" if name else "output=lambda output: …"
    raise InvalidValueError(
        f"the model's output is {_described(output)}; logits are looked for in a tensor, .logits, "
        f"['logits'] and the first of a tuple; name the part that holds them, as in {hint}"
    )


def _own_loss(output: Any) -> Tensor:
    own = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if not isinstance(own, Tensor) or own.numel() != 1:
        raise InvalidValueError(
            f"loss is 'model', but the model's output, {_described(output)}, has no loss of one "
            "number; give a loss, or let the model compute its own from the targets"
        )
    return own.reshape(())


def _described(output: Any) -> str:
    def one(part: Any) -> str:
        return str(tuple(part.shape)) if isinstance(part, Tensor) else type(part).__name__

    if isinstance(output, Mapping):
        parts = ", ".join(f"{key!r} {one(part)}" for key, part in [*output.items()][:6])
        return f"a dict with {parts or 'nothing in it'}"
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of {', '.join(map(one, output[:6])) or 'nothing'}"
    return f"a {type(output).__name__}"
