"""What has to hold on a GPU, against the CPU; skipped where there is none.

``GPU_TESTS=cpu pytest tests/test_gpu.py`` runs them on the CPU, to try the tests themselves.
"""

import os

import numpy as np
import pytest
import torch
from helpers import cases
from torch import nn

import landscape
from landscape import study
from landscape.data import as_data
from landscape.errors import InvalidValueError
from landscape.optimizers import SmoothAccuracySLS
from landscape.probing.settings import ProbeSettings
from landscape.tasks import load_task
from landscape.training import TrainingSettings

ON = os.environ.get("GPU_TESTS") or ("cuda" if torch.cuda.is_available() else "")
pytestmark = pytest.mark.skipif(not ON, reason="no GPU")
GPU = ON == "cuda"

TRAIN, VALIDATION = cases.digits()
SMALL = {"batch_size": 64, "big_batch": 100, "validation_samples": 200}
STEPS = [-0.1, 0, 0.1]


def probed(device, name="cnn", **settings):
    model = cases.fresh(name).to(device)
    return landscape.probe(model, TRAIN, VALIDATION, **{"step_sizes": STEPS, **SMALL, **settings})


@pytest.mark.parametrize("name", ["mlp", "cnn", "dropout"])
def test_values_are_those_of_the_cpu_to_rounding(name):
    found, expected = probed(ON, name), probed("cpu", name)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-4)
    np.testing.assert_allclose(found.gradient_norm, expected.gradient_norm, rtol=1e-4)
    # A sample at the border may change its class by rounding.
    assert abs(found.accuracy - expected.accuracy).max() <= 1 / 64


@pytest.mark.parametrize("direction", ["random", "hessian-1", "full-gradient", "update"])
def test_directions_are_those_of_the_cpu(direction):
    more = {"direction": direction, "learning_rate": 0.1}
    found, expected = probed(ON, "mlp", **more), probed("cpu", "mlp", **more)
    np.testing.assert_allclose(found.direction_norm, expected.direction_norm, rtol=1e-4)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-3)


def test_a_compiled_network_moves():
    """Captured graphs read the weights where they are now."""
    steps = {"step_sizes": [-0.5, -0.1, 0, 0.1, 0.5]}
    eager, compiled = probed(ON, **steps), probed(ON, compile=True, **steps)
    np.testing.assert_allclose(compiled.loss, eager.loss, rtol=1e-4)
    assert np.ptp(compiled.loss.values, axis=-1).min() > 1e-3


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_narrower_precisions_round_a_little(precision):
    try:
        found = probed(ON, precision=precision)
    except InvalidValueError as error:
        pytest.skip(str(error))
    np.testing.assert_allclose(found.loss, probed(ON).loss, rtol=3e-2)


def test_a_plane_too():
    more = {"direction": "random", "direction_2": "random", "sets": "validation"}
    found, expected = probed(ON, **more), probed("cpu", **more)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-3)


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_else_is_touched(fails):
    model = cases.fresh("cnn").to(ON)
    state = [t.clone() for t in model.state_dict().values()]
    generator = torch.cuda.get_rng_state() if GPU else torch.get_rng_state()

    def score(outputs, targets):
        if fails:
            raise RuntimeError("on purpose")
        return outputs[:, 0]

    settings = {"step_sizes": STEPS, "metrics": ["loss", score], **SMALL}
    if fails:
        with pytest.raises(InvalidValueError, match="on purpose"):
            landscape.probe(model, TRAIN, VALIDATION, **settings)
    else:
        landscape.probe(model, TRAIN, VALIDATION, **settings)
    after = model.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(state, after, strict=True))
    now = torch.cuda.get_rng_state() if GPU else torch.get_rng_state()
    assert torch.equal(generator, now)


@pytest.mark.skipif(not GPU, reason="the memory of a CPU is not limited")
def test_what_does_not_fit_is_halved():
    wide = nn.Sequential(nn.Flatten(), nn.Linear(64, 200_000), nn.ReLU(), nn.Linear(200_000, 10))
    samples = TRAIN[0].repeat(20, 1, 1, 1), TRAIN[1].repeat(20)
    settings = {
        "step_sizes": [0.0],
        "sets": "validation",
        "batch_size": 8,
        "eval_batch_size": 28_000,
    }
    expected = landscape.probe(wide, TRAIN, samples, **{**settings, "eval_batch_size": 500})
    wide = wide.cuda()
    free, total = torch.cuda.mem_get_info()
    used = total - free
    torch.cuda.set_per_process_memory_fraction(min((used + 8e9) / total, 1.0))
    try:
        found = landscape.probe(wide, TRAIN, samples, **settings)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-4)


def test_a_run_is_probed_on_the_other_device(tmp_path):
    task = load_task("digits-mlp")
    settings = TrainingSettings.for_task(task, epochs=2, checkpoints=2)
    study.train(task, settings, tmp_path / "run", device=ON)
    probe = ProbeSettings(step_sizes=STEPS, **SMALL)
    for device in (ON, "cpu"):
        study.probe(task, [tmp_path / "run"], tmp_path / f"{device}.zarr", probe, device=device)
    found, expected = (landscape.open(tmp_path / f"{each}.zarr") for each in (ON, "cpu"))
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-4)


def test_a_line_search_takes_the_same_steps():
    taken = []
    for device in (ON, "cpu"):
        model = cases.fresh("mlp").to(device)
        optimizer = SmoothAccuracySLS(model.parameters())
        for start in range(0, 640, 64):
            inputs, labels = (part[start : start + 64].to(device) for part in TRAIN)
            optimizer.step(lambda x=inputs, y=labels, m=model: (m(x), y))
        taken.append(optimizer.step_size)
    assert taken[0] == pytest.approx(taken[1], rel=1e-3)


def test_a_prober_keeps_its_data_where_the_model_is():
    prober = landscape.Prober(
        as_data(TRAIN), as_data(VALIDATION), ProbeSettings(step_sizes=STEPS, **SMALL)
    )
    first = prober(cases.fresh("mlp").to(ON))
    again = prober(cases.fresh("mlp").to(ON))
    np.testing.assert_array_equal(first.loss, again.loss)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_learns(tmp_path, precision):
    task = load_task("digits-cnn")
    settings = TrainingSettings.for_task(task, epochs=3, checkpoints=0, precision=precision)
    training = study.train(task, settings, tmp_path / "run", device=ON)
    assert training.device.type == ON
    history = landscape.histories.collect(tmp_path / "run")
    assert history["validation_accuracy"].values.ravel()[-1] > 0.5
