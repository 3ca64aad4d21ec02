import re

import pytest
import torch

from landscape.errors import InvalidValueError
from landscape.network import outputs


def test_logits_have_so_many_classes():
    assert outputs.count_classes(torch.zeros(3, 10), 3) == 10
    assert outputs.count_classes(torch.zeros(1, 1), 1) == 1


@pytest.mark.parametrize(
    ("logits", "shape"),
    [
        (torch.zeros(3), "(3,)"),
        (torch.zeros(3, 1, 1), "(3, 1, 1)"),
        (torch.zeros(2, 3), "(2, 3)"),
        (torch.tensor(0.0), "()"),
        ((torch.zeros(3, 10),), "tuple"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_logits_of_three_samples(logits, shape):
    message = f"the model's output has shape {shape}; logits of shape (3, classes) are needed"
    with pytest.raises(InvalidValueError, match=f"^{re.escape(message)}$"):
        outputs.count_classes(logits, 3)


def test_labels_from_0_to_the_last_class():
    outputs.check_targets(torch.tensor([0, 9, 4]), 10, "validation data")
    for wrong, message in (
        ([0, 10], "run from 0 to 10; the model has 10 outputs, so 0 to 9 are allowed"),
        ([-1, 9], "run from -1 to 9; the model has 10 outputs"),
    ):
        with pytest.raises(InvalidValueError, match=f"the labels of validation data {message}"):
            outputs.check_targets(torch.tensor(wrong), 10, "validation data")
