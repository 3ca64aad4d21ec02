import os
import signal
from dataclasses import replace

import pytest
from helpers.training import dropout, every, plain
from torch.nn import functional as F

from landscape.errors import CheckpointError
from landscape.runtime.interrupts import Stopped, interrupts_held, stop
from landscape.tasks import load_task
from landscape.training import Training


def interrupting(task, after, times=1, by=signal.SIGINT):
    """The task, whose loss presses Ctrl-C when it is called for the ``after``-th time."""
    calls = []

    def loss(logits, targets):
        calls.append(1)
        if len(calls) == after:
            for _ in range(times):
                os.kill(os.getpid(), by)
        return F.cross_entropy(logits, targets, reduction="none")

    return replace(task, loss=loss)


@pytest.fixture
def terminating():
    """SIGTERM is raised, as on the command line."""
    before = signal.signal(signal.SIGTERM, stop)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("by", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Stopped)]
)
def test_a_signal_lets_the_update_finish_and_the_run_goes_on_from_there(by, kind, terminating):
    task = dropout()
    expected = plain(Training(task, every(task)).run())
    training = Training(interrupting(task, after=3, by=by), every(task))
    with pytest.raises(KeyboardInterrupt) as raised:
        list(training.run())
    assert raised.type is kind
    assert training.iteration == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is stop
    again = Training(task, every(task))
    again.resume(training.checkpoint())
    assert plain(again.run()) == expected[1:]


def test_ctrl_c_twice_is_raised_at_once_and_leaves_no_checkpoint():
    task = load_task("digits-mlp")
    training = Training(interrupting(task, after=3, times=2), every(task))
    with pytest.raises(KeyboardInterrupt):
        list(training.run())
    assert training.iteration == 2
    with pytest.raises(
        CheckpointError, match="an error cut off update 3; continue from an earlier"
    ):
        training.checkpoint()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_callers_own_handler_stays(by):
    pressed = []
    previous = signal.signal(by, lambda *_: pressed.append(1))
    try:
        task = load_task("digits-mlp")
        training = Training(interrupting(task, after=3, by=by), every(task))
        assert len(list(training.run())) == 7
    finally:
        signal.signal(by, previous)
    assert pressed == [1]


def test_the_library_installs_no_handler_of_its_own():
    with interrupts_held():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
