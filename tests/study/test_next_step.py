"""The step that ``origin="after-step"`` takes at a checkpoint of other training code."""

import pytest
import torch

import landscape
from landscape import study
from landscape.errors import CheckpointError, InvalidValueError
from landscape.probing.settings import ProbeSettings
from landscape.tasks import load_task

TASK = load_task("digits-mlp")


def stepped(model, optimizer, batch):
    inputs, labels = TASK.train.take(batch)
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(inputs), labels).backward()
    optimizer.step()
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(model(inputs), labels).item()


AFTER = ProbeSettings(step_sizes=(0,), batch_size=64, sets=["same_batch"], origin="after-step")


def trained(make, path, **more):
    """A checkpoint {"model", "optimizer", …} as other training code writes it."""
    torch.manual_seed(0)
    model = TASK.model()
    optimizer = make(model.parameters())
    for i in range(3):
        stepped(model, optimizer, torch.arange(64 * i, 64 * i + 64))
    content = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 3}
    torch.save(content | more, path)
    return model, optimizer


def test_after_step_takes_the_step_of_sgd_with_its_momentum(tmp_path):
    model, optimizer = trained(
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01, nesterov=True),
        tmp_path / "a.pt",
    )
    study.probe(TASK, [tmp_path / "a.pt"], tmp_path / "s.zarr", AFTER)
    batch = landscape.open_samples(tmp_path / "s.zarr", "same_batch")["index"].values[0, 0]
    expected = stepped(model, optimizer, torch.tensor(batch))
    found = landscape.open(tmp_path / "s.zarr")
    assert found.loss.item() == pytest.approx(expected, rel=1e-5)
    assert found.learning_rate.item() == 0.05


def halves(parameters):
    parameters = list(parameters)
    return torch.optim.SGD([{"params": parameters[:2]}, {"params": parameters[2:]}], lr=0.1)


@pytest.mark.parametrize(
    ("make", "more", "message"),
    [
        (
            lambda p: torch.optim.Adamax(p, lr=0.01),
            {},
            "settings betas, .*: not of torch's",
        ),
        (halves, {}, "an optimizer with 2 groups of parameters, and which of the model's"),
        (
            lambda p: torch.optim.SGD(p, lr=0.1),
            {"other": {"state": {}, "param_groups": []}},
            "holds several optimizers",
        ),
        (lambda p: torch.optim.SGD(p, lr=0.1), {"optimizer": {}, "lr": 0.1}, "holds no optimizer"),
    ],
)
def test_a_step_that_is_not_known_is_refused(tmp_path, make, more, message):
    trained(make, tmp_path / "a.pt", **more)
    with pytest.raises(InvalidValueError, match=f"{message}.* give the learning rate of plain SGD"):
        study.probe(TASK, [tmp_path / "a.pt"], tmp_path / "s.zarr", AFTER)
    assert not (tmp_path / "s.zarr").exists()
    study.probe(TASK, [tmp_path / "a.pt"], tmp_path / "s.zarr", AFTER, learning_rate=0.1)


def test_an_optimizer_of_another_model_is_refused(tmp_path):
    own = torch.optim.SGD(TASK.model().parameters(), lr=0.1, momentum=0.9).state_dict()
    momenta = {i: {"momentum_buffer": torch.zeros(3)} for i in range(len(own["param_groups"][0]))}
    trained(lambda p: torch.optim.SGD(p, lr=0.1), tmp_path / "a.pt",
            optimizer=own | {"state": {0: momenta[0]}})  # fmt: skip
    with pytest.raises(CheckpointError, match=r"its optimizer has momentum_buffer of shape \(3,\)"):
        study.probe(TASK, [tmp_path / "a.pt"], tmp_path / "s.zarr", AFTER)


@pytest.mark.parametrize("rate", [-1, 0, float("inf"), "fast"])
def test_a_learning_rate_that_is_none(tmp_path, rate):
    torch.save(TASK.model().state_dict(), tmp_path / "a-1.pt")
    with pytest.raises(InvalidValueError, match="learning_rate is"):
        study.probe(TASK, [tmp_path], tmp_path / "s.zarr", AFTER, learning_rate=rate)
