import pytest
import torch

from landscape.errors import InvalidValueError
from landscape.runtime import devices
from landscape.version import __version__

NONE = not torch.cuda.is_available()


def test_the_cpu_is_the_cpu():
    assert devices.choose("cpu") == torch.device("cpu")


def test_by_default_it_is_the_gpu_if_there_is_one():
    assert devices.choose() == devices.choose("auto") == torch.device("cpu" if NONE else "cuda:0")


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "", "cpu:x", "meta"])
def test_a_device_that_is_not_there(name):
    message = f"device {name!r} is not there; choose from auto, cpu"
    with pytest.raises(InvalidValueError, match=f"^{message}") as error:
        devices.choose(name)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not NONE, reason="there is a GPU")
def test_without_a_gpu_there_is_none_to_choose():
    with pytest.raises(
        InvalidValueError, match="device 'cuda' is not there; choose from auto, cpu"
    ):
        devices.choose("cuda")


def test_what_a_result_was_computed_with():
    assert devices.versions(torch.device("cpu")) == {
        "device_name": "CPU",
        "torch": torch.__version__,
        "landscape": __version__,
    }
