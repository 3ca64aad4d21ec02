"""Tensors whose values lie in memory one by one, and those that are something else."""

import torch
from torch import Tensor


def unusual(tensor: Tensor) -> str | None:
    """Say what keeps a tensor from being read value by value.

    Args:
        tensor: any tensor.

    Returns:
        What it is and what helps; None for a tensor that can be read.
    """
    if tensor.is_meta:
        return "on the device meta, without values; save it after its values are loaded"
    if tensor.is_nested:
        return "nested; give one tensor of equal rows, as nested_tensor.to_padded_tensor(0) does"
    if tensor.layout != torch.strided:
        kind = str(tensor.layout).removeprefix("torch.").removeprefix("_")
        return f"of layout {kind}; make it dense, tensor.to_dense()"
    if tensor.is_quantized:
        return "quantised; make plain numbers of it, tensor.dequantize()"
    return None


def content(tensor: Tensor) -> memoryview:
    """The bytes of a tensor's values, row by row.

    Args:
        tensor: any that :func:`unusual` finds nothing in.

    Returns:
        Its bytes, of a contiguous copy on the CPU where it is not that already.
    """
    values = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return values.view(torch.uint8).numpy().data
