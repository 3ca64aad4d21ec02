"""Options of ``landscape probe`` on checkpoints that other code wrote."""

import argparse
import subprocess

import pytest
import torch
from helpers.commands import refused, run

import landscape
from landscape.tasks import load_task

TASK = load_task("digits-mlp")
PROBE = ("probe", "a-1.pt", "--task", "digits-mlp", "--points", 3, "--sets", "same-batch",
         "--device", "cpu", "-o", "s.zarr")  # fmt: skip


@pytest.fixture(autouse=True)
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = TASK.model().state_dict()
    content = {"model": state, "model_ema": TASK.model().state_dict(), "epoch": 1}
    torch.save(content, "a-1.pt")
    torch.save({**content, "args": argparse.Namespace(lr=0.1)}, "b-1.pt")


def test_the_weights_that_were_taken_are_said(tmp_path):
    assert "weights: model, of model, model_ema; --weights takes others" in run(*PROBE).stdout
    assert "made with weights 'plain'" in refused(*PROBE, "--weights", "model_ema")
    result = run(*PROBE, "--weights", "model_ema", "-o", "ema.zarr")
    assert "weights:" not in result.stdout
    assert landscape.open("ema.zarr").attrs["weights"] == "model_ema"
    line = refused(*PROBE, "--weights", "model_emma", "-o", "new.zarr")
    assert "unknown set of weights in a-1.pt: 'model_emma' (did you mean 'model_ema'?)" in line
    assert line.endswith("; choose from model, model_ema")


def test_a_class_is_taken_where_it_is_allowed():
    probe = ["b-1.pt" if each == "a-1.pt" else each for each in PROBE]
    line = refused(*probe)
    assert (
        "holds argparse.Namespace beside tensors, which is harmless; take it with --allow" in line
    )
    run(*probe, "--allow", "argparse.Namespace")


@pytest.mark.parametrize("name", ["os.system", "subprocess.Popen", "builtins.eval", "my.Config"])
def test_other_classes_are_refused(name):
    line = refused(*PROBE, "--allow", "argparse.Namespace", "--allow", name)
    assert f"unknown harmless class '{name}'" in line
    assert "choose from argparse.Namespace, " in line


def test_the_help_states_the_risk():
    text = " ".join(run("probe", "--help").stdout.replace("│", " ").split())
    assert "Files can make objects of it" in text
    assert subprocess.Popen.__name__ not in text
