import os
import signal
from dataclasses import replace

import pytest
from helpers.training import dropout, every, plain
from torch.nn import functional as F

from landscape.errors import CheckpointError
from landscape.tasks import load_task
from landscape.training import Training


def interrupting(task, after, times=1):
    """The task, whose loss presses Ctrl-C when it is called for the ``after``-th time."""
    calls = []

    def loss(logits, targets):
        calls.append(1)
        if len(calls) == after:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
        return F.cross_entropy(logits, targets, reduction="none")

    return replace(task, loss=loss)


def test_ctrl_c_lets_the_update_finish_and_the_run_goes_on_from_there():
    task = dropout()
    expected = plain(Training(task, every(task)).run())
    training = Training(interrupting(task, after=3), every(task))
    with pytest.raises(KeyboardInterrupt):
        list(training.run())
    assert training.iteration == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
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


def test_a_callers_own_handler_of_ctrl_c_stays():
    pressed = []
    previous = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        task = load_task("digits-mlp")
        training = Training(interrupting(task, after=3), every(task))
        assert len(list(training.run())) == 7
    finally:
        signal.signal(signal.SIGINT, previous)
    assert pressed == [1]
