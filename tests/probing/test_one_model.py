"""What landscape.probe takes, and what it says of what it does not take."""

import pytest
import torch

import landscape
from landscape.errors import InvalidValueError

DATA = torch.randn(600, 4, generator=torch.Generator().manual_seed(0)), torch.arange(600) % 3


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"range": 20}, "range is 20, but probe has no argument of that name; give step_sizes, as"),
        ({"points": 7}, r"points is 7, but .*spaced\(points=21, reach=1\), or 'auto'"),
        ({"lr": 0.1}, "lr is 0.1, but probe has no argument of that name; give learning_rate"),
        ({"drawz": 2}, r"unknown argument of probe 'drawz' \(did you mean 'draws'\?\)"),
        ({"step_size": [0, 1]}, r"'step_size' \(did you mean 'step_sizes'\?\)"),
        ({"learning_rat": 1}, r"'learning_rat' \(did you mean 'learning_rate'\?\)"),
        ({"bacth_size": 1}, r"'bacth_size' \(did you mean 'batch_size'\?\)"),
    ],
)
def test_a_keyword_that_is_none(keywords, message):
    with pytest.raises(InvalidValueError, match=message) as caught:
        landscape.probe(torch.nn.Linear(4, 3), DATA, **keywords)
    assert "\n" not in str(caught.value)


def test_what_the_message_says_is_taken():
    slice_ = landscape.probe(
        torch.nn.Linear(4, 3), DATA, step_sizes=landscape.probing.spaced(points=21, reach=1)
    )
    assert slice_.sizes["step_size"] == 21


@pytest.mark.parametrize("size", [20, 128])
def test_the_batch_size_is_the_loaders_or_else_a_common_one(size):
    pairs = torch.utils.data.TensorDataset(*(torch.cat([each, each]) for each in DATA))
    train = pairs if size == 128 else torch.utils.data.DataLoader(pairs, batch_size=size)
    slice_ = landscape.probe(torch.nn.Linear(4, 3), train, other_batches=1, big_batch=50)
    assert slice_.samples.sel(evaluation_set="same_batch") == size
