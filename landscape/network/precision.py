"""Numerical precision of a forward pass: what may be asked for, and what a device has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from landscape import arguments
from landscape.errors import InvalidValueError

PRECISIONS = ("float32", "tf32", "bfloat16")


def check_forward(precision: str, compile: object, channels_last: object) -> None:  # noqa: A002
    """Refuse what says nothing about how a forward pass is run."""
    arguments.one_of("precision", precision, PRECISIONS)
    arguments.flag("compile", compile)
    if channels_last is not None:
        arguments.flag("channels_last", channels_last)


def check_precision(
    precision: str, device: torch.device, dtype: torch.dtype = torch.float32
) -> None:
    """Raise :class:`InvalidValueError` where ``device`` or parameters of ``dtype`` lack it."""
    if precision == "float32":
        return
    if dtype != torch.float32:
        raise InvalidValueError(
            f"precision is {precision!r}, but the model is of {dtype}; choose 'float32', which "
            "leaves its type as it is, or give a model of torch.float32"
        )
    if not _has(precision, device):
        others = [p for p in ("float32", "tf32", "bfloat16") if p == "float32" or _has(p, device)]
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
    """Set how float32 products are rounded ("ieee" or "tf32") everywhere, for a while."""
    backends: Any = torch.backends
    parts = [
        *(backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn),
        *(backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn),
    ]
    older = _older()
    before = []
    # A part that says nothing reads as its whole does: the whole is read first, then silenced.
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
