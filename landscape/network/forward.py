"""How a forward pass is run: in which precision and memory format, compiled or not.

The model itself is neither replaced nor changed, so that it can be moved, switched and given back.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import InvalidValueError
from landscape.network.calling import Calling
from landscape.network.point import preserved, same_values
from landscape.network.precision import PRECISIONS
from landscape.runtime.nested import Nested, cloned, leaves, mapped, part_of

BACKEND = "inductor"
_SINGLE = (torch.float32, torch.complex64)
_DOUBLE = (torch.float64, torch.complex128)


class Forward:
    """A model's forward pass in a given precision and memory format: inputs -> outputs.

    Everything that is computed with it, gradients too, belongs inside of
    :meth:`precision_context`.

    Args:
        model: maps inputs (N, …) to outputs (N, …); the device and dtype of its first parameter
            stand for all.
        precision: of matrix products and convolutions. "float32" is the model's own type,
            whatever the caller's settings; "tf32" rounds their float32 inputs to 10 bits of
            mantissa; "bfloat16" is autocast, with logits in float32.
        compile: whether to use torch.compile, which draws other dropout masks.
        channels_last: whether 4-d inputs, and with them what follows, are laid out with the
            channels last, which makes convolutions faster. None is decided by
            :meth:`choose_memory_format`; until then they are not.
        graphs: whether a compiled model on a GPU uses CUDA graphs; its logits then last only
            until the next call.
        calling: how the model is called, and what of its output is used.

    Raises:
        InvalidValueError: where the model's device or dtype lacks the precision.
    """

    def __init__(
        self,
        model: nn.Module,
        precision: str = "float32",
        *,
        compile: bool = False,  # noqa: A002
        channels_last: bool | None = None,
        graphs: bool = False,
        calling: Calling | None = None,
    ) -> None:
        first = next(model.parameters(), torch.empty(0))
        check_precision(precision, first.device, first.dtype)
        on_gpu = first.device.type == "cuda"
        if channels_last is None and not any(isinstance(m, nn.Conv2d) for m in model.modules()):
            channels_last = False
        self.model = model
        self.device = first.device
        self.channels_last = channels_last
        self._precision = precision
        self._writes = False
        self.calling = call = calling or Calling()
        self._fast: Any = None
        if compile:
            # Parameters that are moved in place keep their addresses, which a graph captures.
            mode = "reduce-overhead" if graphs and on_gpu else None
            # Not the model itself, on which torch would leave a mark.
            self._fast = torch.compile(
                lambda inputs: call(model, inputs), dynamic=False, mode=mode, backend=BACKEND
            )

    def __call__(self, inputs: Nested) -> Nested:
        """Compute the outputs, with the compiled model if there is one.

        Args:
            inputs: (N, …), on the model's device.

        Returns:
            The outputs, (N, …).
        """
        return self._run(self._fast or self._plain, inputs)

    def eager(self, inputs: Nested) -> Nested:
        """Compute the outputs without the compiled model: for what is run only once.

        Args:
            inputs: (N, …), on the model's device.

        Returns:
            The outputs, (N, …).
        """
        return self._run(self._plain, inputs)

    @property
    def rounding(self) -> float:
        """By how much outputs may differ through rounding alone, relative to the largest."""
        dtype = next((p.dtype for p in self.model.parameters()), torch.float32)
        if self._precision != "float32" or dtype not in (*_SINGLE, *_DOUBLE):
            return 3e-2
        return 1e-4 if dtype in _SINGLE else 1e-7

    def first(self, inputs: Nested) -> Nested:
        """Compute the outputs as :meth:`eager` does, and learn whether the model writes to inputs.

        Where it does, as a model whose first layer works in place, every later pass gets a copy.

        Args:
            inputs: (N, …), on the model's device; they are not written to.

        Returns:
            The outputs, (N, …).
        """
        given = cloned(inputs)
        outputs = self.eager(given)
        pairs = zip(leaves(given), leaves(inputs), strict=True)
        written = not all(same_values(a, b) for (_, a), (_, b) in pairs)
        self._writes = self._writes or written
        return outputs

    def choose_memory_format(self, inputs: Nested) -> None:
        """Choose the memory format if it is open: channels last where the network can take it.

        One that takes a ``view`` of a convolution's output, for example, cannot. Two samples run
        forward and backward in train and in eval mode, and the outputs must agree with those of
        the usual format. The model and the random generators are left as they are.

        Args:
            inputs: (N, …), on the model's device; the first two are used.
        """
        if self.channels_last is None:
            with preserved(self.model), torch.enable_grad():
                try:
                    self.channels_last = self._bears_channels_last(part_of(inputs, slice(2)))
                except Exception:  # any other fault shows without it as well
                    self.channels_last = False

    @contextmanager
    def precision_context(self) -> Iterator[None]:
        """Compute in this precision inside, whatever the caller's, which is put back."""
        rounding = "tf32" if self._precision == "tf32" else "ieee"
        with float32_products(rounding), torch.autocast(self.device.type, enabled=False):
            yield

    def _bears_channels_last(self, inputs: Nested) -> bool:
        def outputs(channels_last: bool, training: bool) -> list[Tensor]:
            self.channels_last = channels_last
            self.model.train(training)
            found = [tensor for _, tensor in leaves(self.eager(cloned(inputs)))]
            if any(tensor.requires_grad for tensor in found):
                moved = [p for p in self.model.parameters() if p.requires_grad]
                total = torch.stack([t.sum() for t in found if t.requires_grad]).sum()
                torch.autograd.grad(total, moved, allow_unused=True)
            return [tensor.detach() for tensor in found]

        outputs(channels_last=True, training=True)
        last, first = (outputs(channels_last, training=False) for channels_last in (True, False))
        return all(
            bool(((a - b).abs() <= self.rounding * b.abs().max()).all())
            for a, b in zip(last, first, strict=True)
        )

    def _plain(self, inputs: Nested) -> Nested:
        return self.calling(self.model, inputs)

    def _run(self, model: Callable[[Nested], Nested], inputs: Nested) -> Nested:
        if self._writes:
            inputs = cloned(inputs)
        if self.channels_last:
            inputs = mapped(_channels_last, inputs)
        if self._precision != "bfloat16":
            return model(inputs)
        # Casts are not kept: the weights move.
        with torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False):
            outputs = model(inputs)
        return mapped(_widened, outputs)


def _channels_last(inputs: Tensor) -> Tensor:
    if inputs.ndim != 4:
        return inputs
    return inputs.contiguous(memory_format=torch.channels_last)


def _widened(outputs: Tensor) -> Tensor:
    return outputs.float() if outputs.is_floating_point() else outputs


def check_precision(
    precision: str, device: torch.device, dtype: torch.dtype = torch.float32
) -> None:
    """Refuse a precision that ``device`` or parameters of ``dtype`` lack.

    Args:
        precision: "float32", "tf32" or "bfloat16".
        device: where the model is.
        dtype: the parameters'.

    Raises:
        InvalidValueError: for "tf32" or "bfloat16" where the model is not of float32, or the
            device does not have it.
    """
    if precision == "float32":
        return
    if dtype != torch.float32:
        raise InvalidValueError(
            f"precision is {precision!r}, but the model is of {dtype}; choose 'float32', which "
            "leaves its type as it is, or give a model of torch.float32"
        )
    if not _has(precision, device):
        others = [p for p in PRECISIONS if p == "float32" or _has(p, device)]
        raise InvalidValueError(
            f"precision is {precision!r}, which device {str(device)!r} lacks; choose from "
            f"{', '.join(others)}"
        )


def _has(precision: str, device: torch.device) -> bool:
    if device.type != "cuda":
        return precision == "bfloat16" and torch.amp.is_autocast_available(device.type)
    # Both came with compute capability 8.0 (Ampere).
    return torch.version.hip is None and torch.cuda.get_device_capability(device) >= (8, 0)


@contextmanager
def float32_products(rounding: str) -> Iterator[None]:
    """Set how float32 products are rounded on every backend; put the settings back on leaving.

    Args:
        rounding: "ieee" or "tf32".

    Yields:
        Nothing; products inside are rounded in this way.
    """
    backends: Any = torch.backends
    parts = [
        *(backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn),
        *(backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn),
    ]
    older = _older()
    before = []
    # A part without a setting of its own reads as its parent's: the parent is read first, then
    # cleared.
    for place in (backends, backends.cudnn, *parts):
        before.append((place, place.fp32_precision))
        place.fp32_precision = "none"
    try:
        # The older settings too: one that disagrees with the new ones cannot be read.
        _set_older("high" if rounding == "tf32" else "highest", rounding == "tf32")
        for part in parts:
            part.fp32_precision = rounding
        yield
    finally:
        _set_older(*older)
        for place, value in before:
            place.fp32_precision = value


def _older() -> tuple[str | None, bool | None]:
    """The settings of older versions of torch; None where a caller has set only the new ones."""
    values: list[Any] = []
    for read in (
        torch.get_float32_matmul_precision,
        lambda: torch.backends.cudnn.allow_tf32,
    ):
        try:
            values.append(read())
        except RuntimeError:
            values.append(None)
    return values[0], values[1]


def _set_older(matmul: str | None, cudnn: bool | None) -> None:
    if matmul is not None:
        torch.set_float32_matmul_precision(matmul)
    if cudnn is not None:
        torch.backends.cudnn.allow_tf32 = cudnn
