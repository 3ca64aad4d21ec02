"""``landscape probe --range``: which step sizes are taken, and what is said of them."""

import re
import shutil

import pytest
import torch
from helpers.commands import refused, run, told

import landscape
from landscape.probing.settings import STEP_SIZES
from landscape.tasks import load_task

SMALL = ["--sets", "same-batch", "--no-samples", "--device", "cpu"]
FOREIGN = ["probe", "weights", "--task", "digits-mlp", *SMALL]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, and the same weights without its record."""
    folder = tmp_path_factory.mktemp("range")
    run("train", "digits-mlp", "--epochs", 1, "--checkpoints", 2, "--out", folder / "run")
    (folder / "weights").mkdir()
    for i, path in enumerate(sorted((folder / "run" / "checkpoints").iterdir())):
        model = load_task("digits-mlp").model()
        model.load_state_dict(torch.load(path, weights_only=True)["model"])
        torch.save(model.state_dict(), folder / "weights" / f"step-{10 * i}.pt")
    return folder


@pytest.fixture(autouse=True)
def there(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def steps(store):
    return landscape.open(store).step_size.values.tolist()


def test_checkpoints_of_no_run_get_an_automatic_range():
    result = run(*FOREIGN, "--out", "a.zarr")
    slices = landscape.open("a.zarr")
    loss = slices.loss.squeeze()
    risen = loss.sel(step_size=0) + loss.sel(step_size=0).clip(min=1)
    ends = loss.isel(step_size=[0, -1])
    # At each end the loss has risen at one of the checkpoints, the one that needs most.
    assert (ends >= risen * (1 - 1e-6)).any("checkpoint").all()
    assert (ends >= risen * (1 - 1e-6)).sum() == 4
    assert slices.sizes["step_size"] == 21
    first, last = slices.step_size.values[[0, -1]]
    assert f"range: 21 step sizes from {first:g} (iteration " in result.stdout
    assert f" needs that) to {last:g} (iteration " in result.stdout
    # The same command resumes, on the same step sizes.
    again = run(*FOREIGN, "--out", "a.zarr")
    assert "0 checkpoints probed, 2 in the store" in again.stdout
    assert slices.attrs["range"] in again.stdout


def test_a_run_keeps_the_published_step_sizes():
    result = run("probe", "run", *SMALL)
    assert steps("run/landscape.zarr") == sorted(STEP_SIZES)
    assert "range:" not in result.stdout
    run("probe", "run", *SMALL, "--range", "auto", "--points", 5, "--rise", 3, "--out", "a.zarr")
    assert len(steps("a.zarr")) == 5
    run("probe", "run", *SMALL, "--spacing", "symlog", "--out", "b.zarr")
    assert steps("b.zarr")[::6] == [-1, 0, 1]


def test_points_and_spacing_of_an_automatic_range():
    file = ["probe", "weights/step-0.pt", "--task", "digits-mlp", *SMALL]
    run(*file, "--points", 5, "--spacing", "linear", "--out", "a.zarr")
    first, second, zero, fourth, last = steps("a.zarr")
    assert (second, zero, fourth) == (first / 2, 0, last / 2)
    run(*file, "--points", 5, "--range", 0.5, "--out", "b.zarr")
    assert steps("b.zarr") == [-0.5, -0.25, 0, 0.25, 0.5]


def test_flat_slices_are_said_once():
    result = run(*FOREIGN, "--range", 0.001, "--points", 3, "--out", "a.zarr")
    assert told(result.stderr) == (
        "note: on the same batch, from -0.001 to 0.001, 2 of 2 slices are flat, within 1 %; try "
        "--range auto or --range 0.004, with another --out\n"
    )


def test_peaks_that_leave_the_range_are_said_once():
    result = run(*FOREIGN, "--range", 0.5, "--points", 3, "--out", "a.zarr")
    (line,) = told(result.stderr).splitlines()
    assert "the peaks of 2 of 2 slices go beyond it; try --range auto or --range 2," in line
    result = run(*FOREIGN, "--rise", 0.001, "--out", "b.zarr")
    (line,) = told(result.stderr).splitlines()
    assert "try a higher --rise or --range" in line


def test_peaks_within_the_range_need_no_word():
    assert not told(run(*FOREIGN, "--out", "a.zarr").stderr)
    other = [*FOREIGN, "--sets", "validation", "--range", 0.001, "--points", 3, "--out", "b.zarr"]
    assert not told(run(*other).stderr)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--range", "wide"], "--range is 'wide'; give a number above 0, LOW,HIGH, auto or path"),
        (["--range", "0"], "range is 0.0; give a number above 0"),
        (["--range", "2", "--rise", "2"], "--rise is 2 and the range not automatic; give --range"),
        (["--range", "auto", "--rise", "0"], "rise is 0.0; give a number above 0"),
        (["--range", "auto", "--points", "4"], "choose an odd number of at least 3"),
        (["--range", "auto", "--spacing", "log"], "unknown spacing 'log'"),
        (["--range", "auto", "--step-sizes", "0"], "--step-sizes was given with --points, --range"),
        (
            ["--range=-0.25,1.25", "--points", "9"],
            "leave out 0, .* choose --points 7, 13, 19, 25, 31",
        ),
        (["--range=-0.3333,1.771"], "leave out 0, where the checkpoint is; give another --range"),
    ],
)
def test_what_makes_no_range_is_refused(options, message):
    assert re.search(message, refused(*FOREIGN, *options))


def test_a_range_by_rise_is_not_for_the_published_step_sizes():
    assert "give --range auto" in refused("probe", "run", "--rise", 2)
