"""Checkpoints of others in stores: by iteration or by epoch, and of which weights."""

import argparse
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

import landscape
from landscape import plots, report, study
from landscape.errors import CheckpointError, InvalidValueError, StoreError, UnknownNameError
from landscape.plots.registry import FIGURES
from landscape.probing.settings import ProbeSettings
from landscape.store import find_damage
from landscape.tables import slice_statistics, slice_values
from landscape.tables.summary import describe_store
from landscape.tasks import load_task

TASK = load_task("digits-mlp")
FEW = ProbeSettings(step_sizes=(0,), batch_size=64, sets=["same_batch"], samples=False)


def save(path, seed=0, **more):
    torch.manual_seed(seed)
    torch.save({"model": TASK.model().state_dict(), **more}, path)
    return path


def probed(paths, out, **more):
    study.probe(TASK, paths, out, FEW, **more)
    return landscape.open(out)


# By epoch


def test_files_that_know_their_epoch_alone_are_placed_by_it(tmp_path):
    for epoch in (10, 9, 2):
        save(tmp_path / f"model_{chr(97 + epoch)}.pt", epoch, epoch=epoch)
    slices = probed([tmp_path], tmp_path / "s.zarr")
    assert slices.attrs["placed_by"] == "epoch"
    assert slices.iteration.values.tolist() == slices.epoch.values.tolist() == [2, 9, 10]
    save(tmp_path / "model_z.pt", 11, epoch=11)
    assert study.probe(TASK, [tmp_path], tmp_path / "s.zarr", FEW) == 1


def test_names_that_count_epochs_are_no_iterations(tmp_path):
    for epoch in (1, 2):
        save(tmp_path / f"checkpoint-{epoch}.pth.tar", epoch, epoch=epoch)
    (tmp_path / "model_best.pth.tar").write_bytes((tmp_path / "checkpoint-1.pth.tar").read_bytes())
    slices = probed([tmp_path], tmp_path / "s.zarr")
    assert (slices.attrs["placed_by"], slices.iteration.values.tolist()) == ("epoch", [1, 2])


def test_names_that_one_file_shows_to_be_iterations_stay_that(tmp_path):
    for epoch in (0, 1, 2):
        save(tmp_path / f"checkpoint-{500 * epoch}.pt", epoch, epoch=epoch)
    slices = probed([tmp_path], tmp_path / "s.zarr")
    assert (slices.attrs["placed_by"], slices.iteration.values.tolist()) == (
        "iteration",
        [0, 500, 1000],
    )


def test_a_store_keeps_what_its_checkpoints_are_placed_by(tmp_path):
    save(tmp_path / "checkpoint-0.pt", epoch=0)
    assert probed([tmp_path], tmp_path / "s.zarr").attrs["placed_by"] == "epoch"
    save(tmp_path / "checkpoint-500.pt", 1, epoch=1)
    assert probed([tmp_path], tmp_path / "s.zarr").iteration.values.tolist() == [0, 1]
    save(tmp_path / "checkpoint-700.pt", 2)
    with pytest.raises(StoreError, match="was made with placed by 'epoch', and now it is 'iterati"):
        probed([tmp_path], tmp_path / "s.zarr")


@pytest.mark.parametrize(
    ("epochs", "message"),
    [
        ((1, 1), "are both at epoch 1"),
        ((1, 2.5), r"is at epoch 2\.5 and does not say its iteration; without one"),
        (
            (1, None),
            "does not say its iteration, and nor does its name; .* its epoch in every file",
        ),
        ((1, -1), "is at epoch -1 and does"),
    ],
)
def test_epochs_that_place_nothing(tmp_path, epochs, message):
    for name, epoch in zip("ab", epochs, strict=True):
        save(tmp_path / f"{name}.pt", ord(name), **({} if epoch is None else {"epoch": epoch}))
    with pytest.raises(InvalidValueError, match=message):
        probed([tmp_path], tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()


@pytest.fixture(scope="module")
def by_epoch(tmp_path_factory):
    folder = tmp_path_factory.mktemp("epochs")
    for epoch in (3, 4, 5):
        save(folder / f"epoch_{epoch}.pt", epoch)
    settings = ProbeSettings(
        step_sizes=(-0.1, -0.05, 0, 0.05, 0.1), batch_size=64, other_batches=2, big_batch=100
    )
    study.probe(TASK, [folder], folder / "s.zarr", settings)
    return folder / "s.zarr"


@pytest.mark.parametrize("name", [f.name for f in FIGURES.values() if f.source == "slices"])
def test_figures_say_epoch(by_epoch, name):
    getattr(plots, f"plot_{name.replace('-', '_')}")(landscape.open(by_epoch))
    figures = [plt.figure(number) for number in plt.get_fignums()]
    found = [text.get_text() for each in figures for text in each.findobj(plt.Text)]
    plt.close("all")
    assert any("epoch" in each for each in found)
    assert not [each for each in found if "iteration" in each]


def test_tables_listings_and_reports_say_epoch(by_epoch):
    slices = landscape.open(by_epoch)
    info = list(describe_store(by_epoch))
    assert "checkpoints: 3 at epoch 3, 4, 5" in info
    assert any(line.startswith("epoch  ") for line in info)
    assert slice_statistics(slices).index.names == ["epoch", "evaluation set"]
    note = slice_values(slices, checkpoint=5).attrs["note"]
    assert "epoch 5" in note
    page = re.sub("<script[^>]*>.*?</script>", "", report.page(slices), flags=re.S)
    for text in (*info, note, repr(slices.landscape), page):
        assert "iteration" not in text
    chunk = by_epoch / "loss" / "c" / "0"
    next(each for each in chunk.rglob("*") if each.is_file()).unlink()
    assert [each.where for each in find_damage(by_epoch)] == ["epoch 3"]


# Weights


def average(path, seed, **more):
    torch.manual_seed(seed + 100)
    return save(path, seed, model_ema=TASK.model().state_dict(), **more)


def test_the_weights_of_a_store_are_recorded_and_kept(tmp_path):
    paths = [average(tmp_path / f"a-{i}.pt", i) for i in (1, 2)]
    plain, ema = tmp_path / "plain.zarr", tmp_path / "ema.zarr"
    assert probed(paths[:1], plain).attrs["weights"] == "plain"
    one = probed(paths[:1], ema, weights="model_ema")
    assert one.attrs["weights"] == "model_ema"
    assert not one.loss.equals(landscape.open(plain).loss)
    with pytest.raises(
        StoreError, match="was made with weights 'model_ema', and now it is 'plain'"
    ):
        probed(paths[1:], ema)
    with pytest.raises(
        StoreError, match="was made with weights 'plain', and now it is 'model_ema'"
    ):
        probed(paths[1:], plain, weights="model_ema")
    # The same set by its key.
    assert probed(paths, plain, weights="model").sizes["checkpoint"] == 2
    assert "weights: model_ema" in list(describe_store(ema))


def test_a_probe_takes_one_set_of_weights(tmp_path):
    save(tmp_path / "a-1.pt")
    torch.save({"ema": TASK.model().state_dict()}, tmp_path / "a-2.pt")
    with pytest.raises(InvalidValueError, match="gives the weights 'ema', and the files before it"):
        probed([tmp_path], tmp_path / "s.zarr")
    with pytest.raises(UnknownNameError, match="'ema'; choose from model"):
        probed([tmp_path], tmp_path / "s.zarr", weights="ema")


def test_the_step_of_averaged_weights_is_not_known(tmp_path):
    optimizer = torch.optim.SGD(TASK.model().parameters(), lr=0.1).state_dict()
    path = average(tmp_path / "a-1.pt", 1, optimizer=optimizer)
    settings = ProbeSettings(**{**FEW.as_dict(), "origin": "after-step"})
    study.probe(TASK, [path], tmp_path / "plain.zarr", settings)
    with pytest.raises(InvalidValueError, match="holds no optimizer of 'model_ema'"):
        study.probe(TASK, [path], tmp_path / "ema.zarr", settings, weights="model_ema")


# Classes


def test_a_class_is_allowed_for_all_that_reads_the_files(tmp_path):
    path = save(tmp_path / "a-1.pt", args=argparse.Namespace(lr=0.1))
    with pytest.raises(CheckpointError, match=r"take it with --allow argparse\.Namespace"):
        study.task_of([path], "digits-mlp")
    study.task_of([path], "digits-mlp", allow=["argparse.Namespace"])
    allowed = probed([path], tmp_path / "s.zarr", allow=["argparse.Namespace"])
    assert allowed.iteration.values.tolist() == [1]
    assert Path(path).exists()
