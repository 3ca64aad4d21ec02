"""The line in parameter space along which a step size is searched."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from landscape.errors import InvalidValueError


class Line:
    """θ − s·d with d = ∇L or ∇L / ‖∇L‖: the parameters that have a gradient, moved in place.

    Args:
        parameters: those of the optimizer, with ∇L as their ``.grad``.
        memory: parameter -> a tensor in which θ is kept; passed from one line to the next, it
            spares the time to allocate them.
        normalised: whether d is ∇L / ‖∇L‖; where ‖∇L‖ is 0, d is ∇L all the same.

    Attributes:
        parameters: those that have a gradient.
        gradient_norm: ‖∇L‖, a scalar, if ``normalised``, else None.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        memory: dict[Tensor, Tensor] | None = None,
        *,
        normalised: bool = False,
    ) -> None:
        self.parameters = [p for p in parameters if p.grad is not None]
        self._gradients = [p.grad for p in self.parameters if p.grad is not None]
        self._versions = [gradient._version for gradient in self._gradients]
        self._direction = self._gradients
        self.gradient_norm: Tensor | None = None
        if normalised:
            norm = self.gradient_norm = self.squared_norm().sqrt()
            divisor = norm.where(norm != 0, 1)
            self._direction = [
                (w / divisor.to(w.device, w.dtype)).to(g.dtype)
                for g, w in zip(self._gradients, _wide(self._gradients), strict=True)
            ]
        self._memory = {} if memory is None else memory
        self._origin: list[Tensor] = []
        self._at = 0.0
        self._on_cpu = all(p.is_cpu for p in self.parameters)

    def move(self, step_size: float) -> None:
        """Set the parameters to θ − s·d, computed from the stored θ.

        Args:
            step_size: s; 0 gives θ bit for bit.
        """
        if step_size == self._at:
            return
        if not self._origin:
            self._origin = [self._buffer(p) for p in self.parameters]
            torch._foreach_copy_(self._origin, self.parameters)
        self._at = step_size
        if step_size != 0 and self._on_cpu:
            # One pass over the memory; a copy and a subtraction would be two.
            for p, origin, d in zip(self.parameters, self._origin, self._direction, strict=True):
                torch.add(origin, d, alpha=-step_size, out=p)
        else:
            torch._foreach_copy_(self.parameters, self._origin)
            if step_size != 0:
                self.leave(step_size)
        torch.clear_autocast_cache()  # else autocast reuses weights cast before they moved

    def leave(self, step_size: float) -> None:
        """Subtract s·d from the parameters where they are, without storing θ.

        Args:
            step_size: s.
        """
        torch._foreach_add_(self.parameters, self._direction, alpha=-step_size)

    def slope(self, of_h: Mapping[Tensor, Tensor] | None = None) -> Tensor:
        """The rate at which h falls at 0, ∇h · d.

        Args:
            of_h: parameter -> ∇h, of its shape; ∇L unless given.

        Returns:
            A scalar, in float64 where the device has it.
        """
        if of_h is None:
            # ∇L · d is ‖∇L‖² or, for d = ∇L / ‖∇L‖, ‖∇L‖.
            return self.squared_norm() if self.gradient_norm is None else self.gradient_norm
        return _inner([of_h[p] for p in self.parameters], self._direction)

    @property
    def narrow(self) -> bool:
        """Whether some of the parameters resolve less than float32 does."""
        return any(narrow(dtype) for dtype in {p.dtype for p in self.parameters})

    def arrived(self) -> Tensor:
        """How much of the present move −s·d the parameters hold; they round what they cannot.

        Returns:
            A scalar, in float64 where the device has it: 1 where nothing is lost or d is 0, 0
            where nothing moved.
        """
        # ⟨θ − θ(s), d⟩ / (s · ‖d‖²)
        moved = torch._foreach_sub(_wide(self._origin), _wide(self.parameters))
        whole = self._at * _inner(self._direction, self._direction)
        return (_inner(moved, self._direction) / whole).where(whole != 0, 1)

    def check_gradients(self) -> None:
        """Refuse gradients that changed since the line was made.

        Raises:
            InvalidValueError: where one was replaced or written to.
        """
        same = all(p.grad is g for p, g in zip(self.parameters, self._gradients, strict=True))
        if not same or [g._version for g in self._gradients] != self._versions:
            raise InvalidValueError(
                "the closure changed the gradients, by zero_grad() or backward(); run only the "
                "model in it, return (logits, targets), and leave both to step()"
            )

    def _buffer(self, p: Tensor) -> Tensor:
        buffer = self._memory.get(p)
        fits = buffer is not None and buffer.shape == p.shape
        if buffer is None or not fits or buffer.dtype != p.dtype or buffer.device != p.device:
            buffer = self._memory[p] = torch.empty_like(p)
        return buffer

    def squared_norm(self) -> Tensor:
        """‖∇L‖², a scalar, in float64 where the device has it."""
        return _gathered(torch._foreach_norm(_wide(self._gradients))).square().sum()


_WIDE = frozenset((torch.float32, torch.float64, torch.complex64, torch.complex128))


def narrow(dtype: torch.dtype) -> bool:
    """Whether a type resolves less than float32 does.

    Args:
        dtype: of a tensor.

    Returns:
        True for bfloat16, float16 and narrower types.
    """
    return dtype not in _WIDE


def _wide(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors, narrow ones in float32: sums and products of half types overflow or round."""
    return [
        t.to(torch.complex64 if t.is_complex() else torch.float32) if narrow(t.dtype) else t
        for t in tensors
    ]


def _inner(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """The inner product of two tangents, a scalar, in float64 where the device has it."""
    # Re Σ a · b*, since autograd's gradient of a complex parameter is ∂L/∂Re + i ∂L/∂Im.
    products = torch._foreach_mul(_wide(one), [t.conj() for t in _wide(other)])
    return _gathered([_real(product).sum() for product in products]).sum()


def _real(tensor: Tensor) -> Tensor:
    return tensor.real if tensor.is_complex() else tensor


def _gathered(scalars: Sequence[Tensor]) -> Tensor:
    """Scalars from any devices as one tensor on the first one's, in float64 where possible."""
    device = scalars[0].device
    gathered = torch.stack([scalar.to(device) for scalar in scalars])
    return gathered if device.type == "mps" else gathered.double()
