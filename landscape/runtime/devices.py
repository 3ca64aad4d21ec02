"""Which device to compute on."""

import torch

from landscape.errors import InvalidValueError
from landscape.version import __version__


def choose(name: str = "auto") -> torch.device:
    """The device called ``name``; ``auto`` is the GPU if there is one, else the CPU.

    Raises :class:`InvalidValueError` for a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    there = ["auto", "cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    there += ["mps"] if torch.backends.mps.is_available() else []
    try:
        one = torch.empty(1, device=torch.device(name))
        one.cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InvalidValueError(
            f"device {name!r} is not there; choose from {', '.join(there)}"
        ) from error
    return one.device  # with its number: to torch, cuda is another device than cuda:0


def versions(device: torch.device) -> dict[str, str]:
    """What a result was computed on and with."""
    cuda = device.type == "cuda"
    return {
        "device_name": torch.cuda.get_device_name(device) if cuda else "CPU",
        "torch": str(torch.__version__),
        "landscape": __version__,
    }
