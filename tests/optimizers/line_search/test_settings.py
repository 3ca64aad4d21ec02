import math

import pytest

from landscape.errors import InvalidValueError
from landscape.optimizers.line_search.settings import checked_numbers


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("lr", 0.0, "a number above 0"),
        ("lr", math.inf, "a number above 0"),
        ("c", 0, "above 0 and below 1"),
        ("c", 1, "above 0 and below 1"),
        ("beta", 1.0, "above 0 and below 1"),
        ("beta", -0.5, "above 0 and below 1"),
        ("gamma", 0.9, "at least 1"),
        ("n", 0.5, "at least 1"),
        ("eps", 0.0, "above 0"),
        ("eps", math.nan, "above 0"),
        ("eps", "1e-4", "above 0"),
        ("eps", None, "above 0"),
        ("max_trials", 0, "an integer of at least 1"),
        ("max_trials", 1.5, "an integer of at least 1"),
        ("max_trials", True, "an integer of at least 1"),
        ("search_every", 0, "an integer of at least 1"),
        ("max_step_size", 0, "above 0, or None"),
        ("slope_factor", -1.0, "above 0"),
    ],
)
def test_numbers_out_of_range(name, value, allowed):
    with pytest.raises(InvalidValueError, match=f"{name} is .*; give .*{allowed}") as error:
        checked_numbers({name: value})
    assert repr(value) in str(error.value)
    assert "\n" not in str(error.value)


def test_numbers_in_range():
    checked_numbers({"lr": 1, "c": 0.5, "gamma": 1, "max_step_size": None})
