"""Which device to compute on."""

import torch

from landscape.errors import InvalidValueError
from landscape.version import __version__


def choose(name: str = "auto") -> torch.device:
    """Choose the device to compute on.

    >>> choose("cpu")
    device(type='cpu')

    Args:
        name: torch's name of a device, as "cpu", "cuda:0" or "mps", or "auto": the first CUDA
            GPU if there is one, else the CPU.

    Returns:
        The device, with its number.

    Raises:
        InvalidValueError: for a device that is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    there = ["auto", "cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    there += ["mps"] if torch.backends.mps.is_available() else []
    try:
        one = torch.empty(1, device=torch.device(name))
        one.cpu()
    except Exception as error:  # of many kinds: each sort of device that torch knows has its own
        raise InvalidValueError(
            f"device {name!r} is not there; choose from {', '.join(there)}"
        ) from error
    return one.device  # with its number: torch takes cuda and cuda:0 for different devices


def versions(device: torch.device) -> dict[str, str]:
    """What a result was computed on and with.

    Args:
        device: where it was computed.

    Returns:
        The name of the device as ``device_name``, the versions of ``torch`` and ``landscape``.
    """
    cuda = device.type == "cuda"
    return {
        "device_name": torch.cuda.get_device_name(device) if cuda else "CPU",
        "torch": str(torch.__version__),
        "landscape": __version__,
    }
