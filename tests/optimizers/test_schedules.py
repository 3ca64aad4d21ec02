import math

import pytest
import torch

from landscape.errors import InvalidValueError
from landscape.optimizers import schedules


def rates(name, epochs, lr=1.0, options=None, losses=None):
    """The learning rate in each epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    schedule = schedules.build(name, optimizer, epochs, options or {})
    seen = []
    for epoch in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        if schedule:
            schedules.advance(schedule, losses[epoch] if losses else 0.0)
    return seen


def test_milestones_are_those_of_the_thesis_in_200_epochs():
    seen = rates("milestones", 200, lr=0.1)
    expected = [0.1 * 0.1 ** sum(epoch >= end for end in (60, 120, 160)) for epoch in range(200)]
    assert seen == pytest.approx(expected)
    assert rates("milestones", 4, options={"fractions": [0.5], "factor": 0.5}) == [1, 1, 0.5, 0.5]


def test_ramp_and_cosine_over_200_epochs():
    # A ramp from a quarter over 7 epochs, times (1 + cos(π · epoch / 200)) / 2.
    expected = [
        4e-3 * (0.25 + 0.75 * min(epoch, 7) / 7) * (1 + math.cos(math.pi * epoch / 200)) / 2
        for epoch in range(200)
    ]
    assert rates("ramp-cosine", 200, lr=4e-3) == pytest.approx(expected)


def test_torchs_own_by_name_and_none_at_all():
    assert rates("StepLR", 5, options={"step_size": 2}) == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    assert rates("constant", 3) == [1, 1, 1]
    falling, stuck = [3.0, 2.0, 1.0, 0.5], [3.0, 3.0, 3.0, 3.0]
    assert rates("reducelronplateau", 4, options={"patience": 0}, losses=falling)[-1] == 1
    assert rates("reducelronplateau", 4, options={"patience": 0}, losses=stuck)[-1] < 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cosine", {}, "unknown schedule 'cosine'.*ramp-cosine"),
        ("lambdalr", {}, "unknown schedule 'lambdalr'"),
        ("constant", {"gamma": 1}, "unknown option of schedule constant 'gamma'.*none"),
        ("milestones", {"milestones": [1]}, "unknown option of schedule milestones"),
        ("steplr", {"optimizer": 1}, "unknown option of schedule steplr 'optimizer'"),
        ("steplr", {}, "schedule steplr fails with no options: .*step_size"),
        ("milestones", {"fractions": 3}, "fails with fractions=3"),
        ("steplr", {"step_size": 0}, "schedule steplr fails with step_size=0: "),
        ("milestones", {"factor": -1}, "the learning rate of epoch 2 is -1"),
        ("steplr", {"step_size": 1, "gamma": math.nan}, "the learning rate of epoch 2 is nan"),
    ],
)
def test_bad_choices_are_one_line(name, options, message):
    with pytest.raises(InvalidValueError, match=message) as error:
        rates(name, 3, options=options)
    assert "\n" not in str(error.value)
