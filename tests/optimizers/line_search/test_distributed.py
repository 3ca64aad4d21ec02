"""Two ranks of torch.distributed, on half batches, against one process on the joint batch."""

import pytest
import torch
from helpers import ranks as rank_cases
from torch import distributed, multiprocessing

from landscape.optimizers.line_search.distributed import Ranks

pytestmark = pytest.mark.skipif(
    not (distributed.is_available() and distributed.is_gloo_available()),
    reason="needs torch.distributed with gloo",
)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(rank_cases.run, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("label", rank_cases.SEARCHES)
def test_ranks_step_as_one_process_on_the_joint_batch(ranks, label):
    first, second = (results[label] for results in ranks)
    assert first["seen"] == second["seen"]
    assert first["counts"] == second["counts"]
    assert torch.equal(first["parameters"], second["parameters"])
    joint = rank_cases.trained(label)
    assert first["counts"] == joint["counts"]
    assert joint["counts"]["rejected"] > 0
    torch.testing.assert_close(
        torch.tensor(first["seen"], dtype=torch.float64),
        torch.tensor(joint["seen"], dtype=torch.float64),
        rtol=1e-6,
        atol=1e-9,
    )
    torch.testing.assert_close(first["parameters"], joint["parameters"], rtol=1e-8, atol=1e-9)


def test_what_is_not_finite_on_one_rank_is_refused_on_all(ranks):
    first, second = (results["refusals"] for results in ranks)
    assert first["said"] == second["said"]
    assert len(first["said"]) == 2
    assert all(line.startswith("the loss is nan; a step needs") for line in first["said"])
    assert first["untouched"] == second["untouched"] == [True, True]
    # In a trial it is a trial that fails.
    assert first["trials"] == second["trials"]
    assert first["trials"][0] is True
    assert torch.equal(first["parameters"], second["parameters"])


def test_ranks_count_alike_whatever_their_batches(ranks):
    first, second = (results["sizes_that_differ"] for results in ranks)
    assert first["loss"] != second["loss"]
    assert first["h"] == second["h"] == pytest.approx((first["loss"] + second["loss"]) / 2)


def test_batch_norm(ranks):
    first, second = (results["with_batch_norm"] for results in ranks)
    assert torch.equal(first["parameters"], second["parameters"])
    assert first["trials"] == second["trials"] > 5
    # 3 of the model's making, and one a step.
    assert first["tracked"] == 3 + 20 + 5


def test_groups_of_ones_own(ranks):
    assert [results["alone"] for results in ranks] == [{"own": True, "copied": True}] * 2
    assert ranks[0]["strangers_group"] == ""
    assert ranks[1]["strangers_group"].startswith("process_group does not hold this rank; give")


def test_one_process_has_nobody_to_ask(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(distributed, "all_reduce", refuse)
    assert Ranks().size == 1
    assert Ranks().means([torch.tensor(2.0), torch.tensor(3.0, dtype=torch.float64)]) == [2, 3]
