import pytest
import torch
from helpers.hooks import TRAIN, Named, Pairs
from torch.utils.data import DataLoader

from landscape.errors import InvalidValueError
from landscape.integrations.batches import inputs_and_targets, split_data
from landscape.integrations.extras import needed


def test_a_pair_or_a_mapping_with_labels_is_understood():
    assert inputs_and_targets((1, 2)) == (1, 2)
    assert inputs_and_targets([1, 2]) == (1, 2)
    batch = {"pixel_values": 1, "mask": 2, "labels": 3}
    assert inputs_and_targets(batch) == ({"pixel_values": 1, "mask": 2}, 3)
    assert batch == {"pixel_values": 1, "mask": 2, "labels": 3}


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((1, 2, 3), "the batch is a tuple of 3 parts; a pair"),
        ({"x": 1}, r"the batch is a mapping of \['x'\]; a pair .* give split"),
        (torch.zeros(2), "the batch is a Tensor; a pair"),
    ],
)
def test_other_batches_are_refused(batch, message):
    with pytest.raises(InvalidValueError, match=message):
        inputs_and_targets(batch)


def test_data_is_split_after_it_is_collated():
    def split(batch):
        return batch["pixel_values"] + 1, batch["labels"]

    def collate(samples):
        return {key: torch.stack([s[key] for s in samples]) * 2 for key in samples[0]}

    places = torch.arange(3)
    named = Named(TRAIN)
    plain = Pairs(TRAIN)
    expected = split_data(plain, inputs_and_targets, "data").take(places)
    for source, given in ((DataLoader(named, collate_fn=collate), None), (named, collate)):
        inputs, targets = split_data(source, split, "data", given).take(places)
        torch.testing.assert_close(inputs, 2 * expected[0] + 1)
        assert torch.equal(targets, 2 * expected[1])
    torch_collated = split_data(DataLoader(named), split, "data", collate).take(places)
    torch.testing.assert_close(torch_collated[0], expected[0] + 1)  # a loader has its own
    pair = split_data(TRAIN, split, "data", collate)
    assert pair.inputs.data_ptr() == TRAIN[0].data_ptr()
    assert split_data(pair, split, "data") is pair


def test_a_package_that_is_not_installed_is_named_with_its_extra():
    with (
        pytest.raises(ModuleNotFoundError, match=r"accuracy-landscape\[nobody_has_it\]"),
        needed("nobody_has_it"),
    ):
        import nobody_has_it  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match="No module named 'another'"), needed("mine"):
        import another  # noqa: F401
