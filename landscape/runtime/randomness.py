"""The global random generators: left as they were found, or seeded for a while."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def preserved() -> Iterator[None]:
    """Put every global generator back on leaving: Python's, numpy's, torch's on each device."""
    state = capture()
    try:
        yield
    finally:
        restore(state)


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Seed every global generator from ``key`` inside; put each back as it was afterwards.

    Args:
        *key: integers that name what is drawn, as of :func:`derive`.

    Yields:
        Nothing; the generators are seeded inside.
    """
    with preserved():
        seed_everything(*key)
        yield


def seed_everything(*key: int) -> None:
    """Seed Python's, numpy's and torch's global generators from ``key``.

    Args:
        *key: integers that name what is drawn, as of :func:`derive`.
    """
    seed_all(derive(*key))


def seed_all(seed: int) -> None:
    """Seed Python's, numpy's and torch's global generators with one seed.

    Args:
        seed: a 63-bit integer, as of :func:`derive`.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 -- a user's code may draw from it
    seed_torch(seed)


def seed_torch(seed: int) -> None:
    """Seed torch's global generators, and queue nothing for a GPU that is not in use yet.

    Args:
        seed: a 63-bit integer, as of :func:`derive`.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


def derive(*key: int) -> int:
    """Derive one 63-bit seed from integers.

    Other keys, longer ones too, give independent seeds.

    Args:
        *key: integers that name what is drawn, as the run's seed and the iteration.

    Returns:
        A seed from 0 to 2⁶³ − 1.
    """
    digest = hashlib.sha256(",".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*key: int) -> torch.Generator:
    """A generator of its own, on the CPU so that draws agree on all devices.

    Args:
        *key: integers that name what is drawn, as of :func:`derive`.

    Returns:
        A torch generator seeded from the key.
    """
    return torch.Generator().manual_seed(derive(*key))


def capture() -> dict[str, Any]:
    """The global generators' states, as tensors, numbers and strings alone."""
    kind, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.array(keys)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if cuda else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two captured states are alike, so that nothing was drawn between them.

    Args:
        first: what :func:`capture` returned.
        second: what it returned later.

    Returns:
        True where every generator has the same state.
    """

    def alike(a: Any, b: Any) -> bool:
        if isinstance(a, torch.Tensor):
            return isinstance(b, torch.Tensor) and torch.equal(a, b)
        if isinstance(a, list | tuple) and isinstance(b, list | tuple):
            return len(a) == len(b) and all(map(alike, a, b))
        return bool(a == b)

    return all(alike(first[name], second[name]) for name in first)


def restore(state: dict[str, Any]) -> None:
    """Set the global generators to captured states.

    Args:
        state: what :func:`capture` returned, on this machine or another.
    """
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy(), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    # A state from another machine may hold devices that this one lacks.
    devices = torch.cuda.device_count() if state["cuda"] else 0
    for device, cuda in zip(range(devices), state["cuda"], strict=False):
        torch.cuda.set_rng_state(cuda, device)
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
