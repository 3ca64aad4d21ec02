import copy
import pickle

import pytest

from landscape import errors
from landscape.errors import (
    InvalidValueError,
    LandscapeError,
    UnknownNameError,
    users_code,
    visible,
)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InvalidValueError, ValueError),
        (errors.MissingFileError, FileNotFoundError),
        (errors.CheckpointError, ValueError),
        (errors.StoreError, OSError),
        (errors.DeterminismError, RuntimeError),
        (errors.TooLargeError, MemoryError),
    ],
)
def test_each_is_a_builtin_exception_too_and_says_its_message(kind, builtin):
    assert issubclass(kind, LandscapeError)
    with pytest.raises(builtin) as error:
        raise kind("one line")
    assert str(error.value) == "one line"


def test_an_unknown_name_comes_with_the_nearest_and_all():
    for received, message in (
        (
            "acuracy",
            "unknown metric 'acuracy' (did you mean 'accuracy'?); choose from loss, accuracy",
        ),
        ("x", "unknown metric 'x'; choose from loss, accuracy"),
        (None, "unknown metric None; choose from loss, accuracy"),
    ):
        assert str(UnknownNameError("metric", received, iter(["loss", "accuracy"]))) == message
    assert str(UnknownNameError("checkpoint", 41, ["1", "4"])).endswith("41; choose from 1, 4")


def test_what_a_users_code_raises_becomes_one_line():
    for raised, message in (
        (KeyError("mine"), "the loss fails: KeyError: 'mine'"),
        (RuntimeError("\n first \nsecond"), "the loss fails: RuntimeError: first "),
        (ValueError(), "the loss fails: ValueError: no reason given"),
    ):
        with pytest.raises(InvalidValueError) as error, users_code("the loss"):
            raise raised
        assert str(error.value) == message
        assert error.value.__cause__ is raised


@pytest.mark.parametrize("raised", [errors.StoreError("full"), KeyboardInterrupt(), SystemExit(3)])
def test_what_is_ours_or_no_error_passes(raised):
    with pytest.raises(type(raised)) as error, users_code("the loss"):
        raise raised
    assert error.value is raised


def test_errors_go_from_process_to_process():
    error = UnknownNameError("metric", "acuracy", iter(["loss", "accuracy"]))
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is UnknownNameError
        assert str(other) == str(error)
    assert "a int that cannot be shown" in str(UnknownNameError("metric", 10**5000, ["loss"]))


def test_text_from_elsewhere_steers_no_terminal():
    assert visible("plain − ∇L\u00a0ü\n") == "plain − ∇L\u00a0ü\n"
    assert visible("\x1b]0;t\x07\r\t") == r"\x1b]0;t\x07\r\t"
    assert visible("a\u202eb\u200b\ud800\x9b") == r"a\u202eb\u200b\ud800\x9b"
