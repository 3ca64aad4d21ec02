"""One automatic range for all checkpoints of a store, found once."""

import numpy as np
import pytest
import torch
from helpers import scalars

import landscape
from landscape import study
from landscape.errors import RangeWarning, StoreError
from landscape.probing import AutoRange, Prober, ProbeSettings
from landscape.tasks import as_task

AUTO = ProbeSettings(step_sizes="auto", batch_size=8, sets="same_batch", samples=False)
EIGHTH = 2 ** (1 / 8) * 1.06


def task(loss=scalars.square):
    members = {"model": scalars.Weight, "train": scalars.DATA, "validation": scalars.DATA}
    return as_task({**members, "loss": loss}, "one-weight")


def files(folder, **weights):
    """A file of foreign weights for each iteration: its number after "i", and the weight."""
    folder.mkdir()
    for name, weight in weights.items():
        torch.save(scalars.Weight(weight).state_dict(), folder / f"step-{name[1:]}.pt")
    return folder


@pytest.fixture
def searches(monkeypatch):
    """The iterations at which the range is searched."""
    asked = []
    reaches = Prober.reaches
    monkeypatch.setattr(
        Prober,
        "reaches",
        lambda *a, iteration, **k: asked.append(iteration) or reaches(*a, iteration=iteration, **k),
    )
    return asked


def test_the_range_is_that_of_the_checkpoint_that_needs_most(tmp_path):
    folder = files(tmp_path / "f", i0=3.0, i10=0.2, i20=1.5)
    assert study.probe(task(), [folder], tmp_path / "s.zarr", AUTO) == 3
    slices = landscape.open(tmp_path / "s.zarr")
    root = np.sqrt(1 + 1 / 0.2**2)  # L(s) = 0.04 · (1 − 2s)², to rise by 1
    for end, true in ((0, (1 - root) / 2), (-1, (1 + root) / 2)):
        assert 1 <= slices.step_size.values[end] / true <= EIGHTH
    assert slices.attrs["range"].count("iteration 10 needs that") == 2
    assert slices.attrs["settings"]["step_sizes"] == slices.step_size.values.tolist()
    # The others are resolved: two step sizes or more are on each side of 0 below their rise.
    assert (np.isfinite(slices.loss)).all()
    first = slices.loss.sel(checkpoint=0).squeeze().values
    assert (first[[8, 9, 11, 12]] < 18).all()


def test_a_store_goes_on_with_its_own_step_sizes(tmp_path, searches):
    folder, out = files(tmp_path / "f", i0=3.0, i10=0.2), tmp_path / "s.zarr"
    assert study.probe(task(), [folder / "step-0.pt"], out, AUTO) == 1
    assert searches == [0]
    before = landscape.open(out)
    assert study.probe(task(), [folder], out, AUTO) == 1
    assert study.probe(task(), [folder], out, AUTO) == 0
    assert searches == [0]
    after = landscape.open(out)
    np.testing.assert_array_equal(after.step_size, before.step_size)
    np.testing.assert_array_equal(after.loss[:1], before.loss)
    assert after.attrs["range"] == before.attrs["range"]
    # The numbers themselves go on too, and other settings do not.
    fixed = ProbeSettings.from_mapping(after.attrs["settings"])
    assert study.probe(task(), [folder], out, fixed) == 0
    with pytest.raises(StoreError, match="was made with seed 0, and now it is 1"):
        study.probe(task(), [folder], out, ProbeSettings(**{**vars(AUTO), "seed": 1}))


def test_the_order_of_files_and_what_was_random_before_change_nothing(tmp_path):
    folder = files(tmp_path / "f", i0=3.0, i10=0.2)
    found = []
    for i, names in enumerate((["step-0.pt", "step-10.pt"], ["step-10.pt", "step-0.pt"])):
        torch.manual_seed(i)
        out = tmp_path / f"{i}.zarr"
        study.probe(task(), [folder / name for name in names], out, AUTO)
        found.append(landscape.open(out))
    np.testing.assert_array_equal(found[0].step_size, found[1].step_size)
    np.testing.assert_array_equal(found[0].loss, found[1].loss)


def test_checkpoints_without_a_rise_are_said_once(tmp_path):
    folder = files(tmp_path / "f", i0=1.0, i10=0.5)
    with pytest.warns(RangeWarning) as said:
        study.probe(task(scalars.bounded), [folder], tmp_path / "s.zarr", AUTO)
    assert [str(each.message).split(" the loss")[0] for each in said] == [
        "towards negative step sizes",
        "towards positive step sizes",
    ]
    slices = landscape.open(tmp_path / "s.zarr")
    assert slices.step_size.values[[0, -1]].tolist() == [-1, 1]
    assert slices.attrs["range"].startswith("21 step sizes from -1 (the loss does not rise) to 1 (")


def test_what_is_no_store_of_slices_is_refused_as_before(tmp_path):
    folder, out = files(tmp_path / "f", i0=3.0), tmp_path / "s.zarr"
    out.mkdir()
    (out / "file").touch()
    with pytest.raises(StoreError, match=r"s\.zarr is no"):
        study.probe(task(), [folder], out, AUTO)


def test_points_and_spacing_are_those_asked_for(tmp_path):
    folder = files(tmp_path / "f", i0=2.0)
    settings = ProbeSettings(**{**vars(AUTO), "step_sizes": AutoRange(5, "linear", 3)})
    study.probe(task(), [folder], tmp_path / "s.zarr", settings)
    steps = landscape.open(tmp_path / "s.zarr").step_size.values
    # (1 − 2s)² = 4 at −½ and 3/2
    assert 0.5 <= -steps[0] <= 0.5 * EIGHTH
    assert 1.5 <= steps[-1] <= 1.5 * EIGHTH
    np.testing.assert_allclose(steps[[1, 2, 3]], [steps[0] / 2, 0, steps[-1] / 2])
