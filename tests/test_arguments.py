import math
import re
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from landscape import arguments, errors
from landscape.errors import InvalidValueError

KINDS = [np.array, torch.tensor, xr.DataArray]


def refused(message, check, *given, **bounds):
    with pytest.raises(InvalidValueError, match=re.escape(message)) as error:
        check("x", *given, **bounds)
    assert "\n" not in str(error.value)


def is_(found, expected):
    """Equal, and of the very same type."""
    assert (type(found), found) == (type(expected), expected)


# One integer


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (np.int32(3), 3),
        (np.uint8(255), 255),
        *((kind(-7), -7) for kind in KINDS),
        (torch.tensor(5, dtype=torch.int16), 5),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
    ],
)
def test_an_integer_of_any_kind_comes_back_as_pythons(value, expected):
    is_(arguments.integer("x", value), expected)


@pytest.mark.parametrize(
    "value",
    [True, np.bool_(False), torch.tensor(True), 3.0, np.float64(3), "3", None, math.nan, 3j, [3]],
)
def test_what_is_no_integer(value):
    refused(f"x is {arguments.plain(value)!r}; give an integer", arguments.integer, value)


def test_integers_of_more_than_64_bits_fit_in_no_array():
    refused(f"x is {2**63}; give an integer of at most 2^63 − 1", arguments.integer, 2**63)
    refused(f"x is {-(2**63) - 1}; give an integer", arguments.integer, -(2**63) - 1)
    refused(
        f"x is {2**63}; give an integer of at least 0 and at most 2^63 − 1",
        arguments.integer, 2**63, least=0,
    )  # fmt: skip
    refused("x is 9; give an integer of at most 8", arguments.integer, 9, most=8)
    assert arguments.integer("x", 8, most=8) == 8


def test_a_path_is_text_of_a_home_that_there_is():
    for path, message in (("a/\udcff", "which is no text"), ("~nobody-of-that-name/a", "no home")):
        with pytest.raises(InvalidValueError, match=message):
            arguments.local_path(path)


def test_the_least_integer_is_allowed():
    is_(arguments.integer("x", np.int64(2), 2), 2)
    refused("x is 1; give an integer of at least 2", arguments.integer, np.int64(1), 2)
    refused("x is -1; give an integer of at least 0", arguments.integer, -1, 0)


# One number


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (0.5, 0.5),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        *((kind(0.25), 0.25) for kind in KINDS),
        (torch.tensor(2), 2),
        (Fraction(1, 4), 0.25),
        (10**300, 10**300),
        (sys.float_info.max, sys.float_info.max),
        (-(2**70), -(2**70)),
    ],
)
def test_a_number_of_any_kind_comes_back_as_pythons(value, expected):
    is_(arguments.number("x", value), expected)


@pytest.mark.parametrize(
    "value",
    [
        *(math.nan, math.inf, -math.inf, np.float32("nan"), np.array(np.inf)),
        *(torch.tensor(-math.inf), 10**400, -(10**400), "0.5", None, 1j),
        *(True, np.bool_(True), torch.tensor(False)),
        *([0.5], np.array([0.5]), torch.ones(1), {}),
    ],
)
def test_what_is_no_finite_number(value):
    refused(
        f"x is {errors.shown(arguments.plain(value))}; give a finite number",
        arguments.number,
        value,
    )


@pytest.mark.parametrize(
    ("bounds", "allowed", "outside", "words"),
    [
        ({"least": 1}, [1, 1.5], [0.999], "of at least 1"),
        ({"above": 0}, [5e-324, 7], [0, -0.0, -1], "above 0"),
        ({"below": 1}, [0.999, -9], [1, 1.0], "below 1"),
        ({"most": 2.5}, [2.5, -1], [2.6], "of at most 2.5"),
        ({"above": 0, "below": 1}, [0.5], [0, 1], "above 0 and below 1"),
        ({"least": 0, "most": 1}, [0, 1], [-0.1, 1.1], "of at least 0 and of at most 1"),
    ],
)
def test_bounds(bounds, allowed, outside, words):
    for value in allowed:
        is_(arguments.number("x", value, **bounds), value)
    for value in (*outside, math.nan):
        refused(f"x is {value!r}; give a number {words}", arguments.number, value, **bounds)


def test_what_else_is_taken_is_said():
    message = "x is 'no'; give a number above 0, or None"
    refused(message, arguments.number, "no", above=0, also="or None")
    refused("x is 'no'; give a finite number, or None", arguments.number, "no", also="or None")


# Lists


@pytest.mark.parametrize("kind", [list, tuple, iter, *KINDS])
def test_lists_of_any_kind_come_back_as_tuples_of_pythons(kind):
    for found, expected in (
        (arguments.integers("x", kind([3, 0, 3])), (3, 0, 3)),
        (arguments.numbers("x", kind([0.5, -2.0])), (0.5, -2.0)),
    ):
        is_(found, expected)
        assert [*map(type, found)] == [*map(type, expected)]


def test_a_list_of_scalars_that_are_arrays():
    mixed = [np.int64(1), torch.tensor(2), np.array(3)]
    assert arguments.integers("x", mixed) == (1, 2, 3)
    assert arguments.numbers("x", mixed) == (1.0, 2.0, 3.0)
    assert arguments.integers("x", []) == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("12", "x is '12'; give a list of integers"),
        (3, "x is 3; give a list of integers"),
        (np.array(3), "x is 3; give a list of integers"),
        ({1: 2}, "x is {1: 2}; give a list of integers"),
        ([1, 2.0], "x is 2.0; give an integer of at least 1"),
        ([1, True], "x is True; give an integer of at least 1"),
        (np.array([1, 0]), "x is 0; give an integer of at least 1"),
        (torch.tensor([[1], [2]]), "x is [1]; give an integer of at least 1"),
    ],
)
def test_what_is_no_list_of_integers(values, message):
    refused(message, arguments.integers, values, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("0.5", "the x are '0.5'; give a list of numbers"),
        (np.array(0.5), "the x are 0.5; give a list of numbers"),
        ([True], "the x are [True]; give a list of numbers"),
        (np.ones((1, 2)), "the x are [[1.0, 1.0]]; give a list of numbers"),
        ([], "the x are []; give at least one"),
        (torch.tensor([1.0, math.nan]), "the x are [1.0, nan]; all must be finite"),
        ([10**400], "all must be finite"),
        ([1, np.float32(1)], "the x are [1, 1.0]; give each only once"),
        ([0.0, -0.0], "the x are [0.0, -0.0]; give each only once"),
    ],
)
def test_what_is_no_list_of_numbers(values, message):
    refused(message, arguments.numbers, values)


# Truth values, names, mappings


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_of_any_kind_comes_back_as_pythons(value):
    for given in (value, np.bool_(value), *(kind(value) for kind in KINDS)):
        assert arguments.flag("x", given) is value


@pytest.mark.parametrize("value", [0, 1.0, np.int64(1), torch.tensor(1), "true", None, [True]])
def test_what_is_no_truth_value(value):
    refused(f"x is {arguments.plain(value)!r}; give true or false", arguments.flag, value)


def test_one_of_several_names():
    assert arguments.one_of("x", "b", iter("ab")) == "b"
    for value in ("c", "", None, 0, ["a"], np.array(["a", "b"]), math.nan):
        refused(f"unknown x {arguments.plain(value)!r}", arguments.one_of, value, ("a", "b"))


@pytest.mark.parametrize("kind", [list, tuple, set, iter, np.array])
def test_several_names_come_in_the_order_of_what_is_allowed(kind):
    assert arguments.several_of("x", kind(["c", "a", "c"]), "abc") == ("a", "c")


def test_one_name_is_a_list_of_one_and_none_is_refused():
    assert arguments.several_of("x", "b", "abc") == ("b",)
    refused("no x was chosen; choose from a, b, c", arguments.several_of, [], "abc")
    for values in ("d", ["a", "d"]):
        refused("unknown x 'd'", arguments.several_of, values, "abc")
    refused("unknown x None", arguments.several_of, None, "abc")


def test_known_refuses_the_first_that_is_not():
    arguments.known("x", iter("ab"), ("a", "b"))
    refused("unknown x 'c'; choose from a, b", arguments.known, "acd", ("a", "b"))


def test_a_mapping_stays_what_it_is():
    given = {"a": 1}
    assert arguments.mapping("x", given) is given
    for value in ([("a", 1)], "a", None, np.array([1])):
        message = f"x is {arguments.plain(value)!r}; give a mapping of names to values"
        refused(message, arguments.mapping, value)


def test_plain_leaves_what_is_no_array():
    for value in ("a", None, (1, 2), {"a": np.int64(1)}):
        assert arguments.plain(value) is value
    is_(arguments.plain(np.array([[1, 2]])), [[1, 2]])


# Values that cannot be shown as they are


class Odd:
    def __repr__(self):
        return "a\nb" + "c" * 500


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param(10**5000, "a int that cannot be shown", id="digits"),
        (Odd(), "a bccc"),
        (torch.empty(3, device="meta"), "tensor("),
        (np.int64, "<class 'numpy.int64'>"),
        (torch.nn.Linear(2, 2), "Linear(in_features=2"),
    ],
)
def test_a_message_is_one_line_whatever_was_given(value, words):
    for check in (arguments.flag, arguments.number, arguments.numbers, arguments.mapping):
        if check is arguments.number and isinstance(value, int):
            continue  # which is too large and says so
        with pytest.raises(InvalidValueError) as error:
            check("x", value)
        assert words in str(error.value)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor(0.5, requires_grad=True),
        torch.tensor(0.5, dtype=torch.bfloat16),
        np.float16(0.5),
        np.array(0.5),
    ],
)
def test_a_number_of_any_kind_of_array(value):
    is_(arguments.number("x", value), 0.5)


def test_a_name_is_pythons_own():
    is_(arguments.one_of("x", np.str_("a"), ["a", "b"]), "a")


def test_paths_and_addresses(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert arguments.local_path("~/a") == tmp_path / "a"
    assert arguments.local_path(tmp_path) == tmp_path
    assert arguments.local_path("C:/a").name == "a"  # a drive is no address
    refusal = "the path is 's3://bucket/a'; give a file or folder of this machine"
    for given in ("s3://bucket/a", Path("s3://bucket/a")):
        with pytest.raises(InvalidValueError, match=refusal):
            arguments.local_path(given)
