import pytest
import torch
from helpers import cases

from landscape.data import TensorData
from landscape.errors import InvalidValueError
from landscape.probing import evaluation_sets
from landscape.probing.settings import BATCH_NORM

SIZES = {"batch_size": 128, "other_batches": 2, "big_batch": 1000, "recalibration_batches": 3}


def noisy(inputs, generator):
    return inputs + torch.rand(len(inputs), generator=generator)[:, None, None, None]


def draw(key=(0, 100, 0), augment=noisy, **sizes):
    data = TensorData(*cases.digits()[0], augment=augment)
    return evaluation_sets.draw(data, **{**SIZES, **sizes}, batch_norm=BATCH_NORM, key=key)


def test_names_sizes_and_disjointness():
    drawn = draw()
    sets = [drawn.same_batch, *drawn.others]
    assert [s.name for s in sets] == ["same_batch", "other_batch_1", "other_batch_2", "big_batch"]
    assert [len(s) for s in sets] == [128, 128, 128, 1000]
    same, one, two, big = (set(s.indices.tolist()) for s in sets)
    assert [len(s) for s in (same, one, two, big)] == [128, 128, 128, 1000]
    assert not same & (one | two | big)
    assert not one & two
    assert not one | two <= big  # it is drawn from all the rest, not the beginning of it
    assert [len(b) for b in drawn.recalibration] == [128] * 3


def test_a_draw_depends_on_its_key_alone():
    first, again = draw(), draw()
    torch.manual_seed(99)
    later = draw()
    for other in (again, later):
        for a, b in zip(
            [first.same_batch, *first.others], [other.same_batch, *other.others], strict=True
        ):
            assert torch.equal(a.inputs, b.inputs)
            assert torch.equal(a.targets, b.targets)
    for key in [(1, 100, 0), (0, 101, 0), (0, 100, 1)]:
        assert not torch.equal(first.same_batch.indices, draw(key).same_batch.indices)


def test_training_sets_are_augmented_and_validation_is_not():
    drawn = draw()
    inputs, labels = cases.digits()[0]
    for s in (drawn.same_batch, *drawn.others):
        assert not torch.equal(s.inputs, inputs[s.indices])
        assert torch.equal(s.targets, labels[s.indices])
    whole = evaluation_sets.validation(
        TensorData(*cases.digits()[1], augment=noisy), None, "running"
    )
    assert torch.equal(whole.inputs, cases.digits()[1][0])
    first = evaluation_sets.validation(TensorData(*cases.digits()[1]), 50, "running")
    assert first.indices.tolist() == list(range(50))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"batch_size": 1401}, "batch_size is 1401, but there are only 1400"),
        ({"big_batch": 1273}, "big_batch is 1273, larger than the 1272 .* choose at most 1272"),
        ({"batch_size": 1400, "big_batch": 1}, "0 training samples .*or leave the big batch out"),
        ({"other_batches": 10}, "choose at most 9"),
    ],
)
def test_data_too_small(sizes, message):
    with pytest.raises(InvalidValueError, match=message):
        draw(**sizes)


def test_sets_may_take_all_there_is():
    assert len(draw(big_batch=1272).others[-1]) == 1272
    sets = [draw(batch_size=140, other_batches=9, big_batch=0)]
    batches = [set(s.indices.tolist()) for s in (sets[0].same_batch, *sets[0].others)]
    assert set.union(*batches) == set(range(1400))
    whole = evaluation_sets.validation(TensorData(*cases.digits()[1]), 397, "running")
    assert whole.indices.tolist() == list(range(397))


def test_places_of_a_given_batch_are_those_of_training_samples():
    inputs, labels = (part[-3:] for part in cases.digits()[0])

    def given(*places):
        return evaluation_sets.given(inputs, labels, places, samples=1400, batch_norm="batch")

    assert given(0, 7, 1399).indices.tolist() == [0, 7, 1399]
    for places in ((0, 7, 1400), (-1, 7, 1399)):
        with pytest.raises(InvalidValueError, match="1400 training samples, so 0 to 1399"):
            given(*places)


def test_validation_too_small():
    with pytest.raises(InvalidValueError, match=r"398 validation samples .* only 397"):
        evaluation_sets.validation(TensorData(*cases.digits()[1]), 398, "running")


def test_no_validation_sample():
    inputs, targets = cases.digits()[1]
    with pytest.raises(InvalidValueError, match="the validation data has no sample; give some"):
        evaluation_sets.validation(TensorData(inputs[:0], targets[:0]), None, "running")


def test_no_set_depends_on_which_others_there_are():
    """Also where augmentation draws."""

    def inputs(**sizes):
        drawn = draw(**{**dict.fromkeys(SIZES, 0), "batch_size": 128, **sizes})
        named = {each.name: each.inputs for each in (drawn.same_batch, *drawn.others)}
        return named | {f"recalibration {i}": x for i, x in enumerate(drawn.recalibration)}

    everything = inputs(**SIZES)
    # Each set has crops of its own.
    assert len({x.flatten()[0].item() for x in everything.values()}) == len(everything)
    for sizes in ({}, {"other_batches": 1, "recalibration_batches": 2}, {"big_batch": 1000}):
        for name, fewer in inputs(**sizes).items():
            assert torch.equal(fewer, everything[name])
