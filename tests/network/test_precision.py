"""What may be asked of a forward pass; how it is then run is tested with it."""

import re

import numpy as np
import pytest
import torch

from landscape.errors import InvalidValueError
from landscape.network.forward import check_precision
from landscape.network.precision import PRECISIONS, forward_settings

CPU = torch.device("cpu")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("channels_last", [None, True, np.bool_(False)])
def test_what_may_be_asked_for(precision, channels_last):
    forward_settings(precision, torch.tensor(True), channels_last)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("float16", False, None), "unknown precision 'float16'"),
        ((torch.float32, False, None), "unknown precision torch.float32"),
        (("float32", None, None), "compile is None; give true or false"),
        (("float32", 1, None), "compile is 1; give true or false"),
        (("float32", False, "last"), "channels_last is 'last'; give true or false"),
        (("float32", False, 0), "channels_last is 0; give true or false"),
    ],
)
def test_what_says_nothing(asked, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        forward_settings(*asked)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_only_a_model_of_float32_is_rounded(dtype):
    check_precision("float32", CPU, dtype)
    check_precision("bfloat16", CPU, torch.float32)
    for precision in ("tf32", "bfloat16"):
        message = f"precision is '{precision}', but the model is of {dtype}; choose 'float32'"
        with pytest.raises(InvalidValueError, match=message):
            check_precision(precision, CPU, dtype)


def test_tf32_is_a_gpus():
    with pytest.raises(InvalidValueError, match="device 'cpu' lacks; choose from float32, bfloat"):
        check_precision("tf32", CPU)
