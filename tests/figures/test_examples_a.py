"""The examples of a user's own model are what plain torch computes; each is run, shortened."""

import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score
from torch.utils.data import DataLoader

FIGURES = Path(__file__).parents[2] / "figures"


def run(name, folder, **shortened):
    """The script, and the model and the slices that its ``main`` returns; a picture is drawn."""
    plt.switch_backend("Agg")
    spec = importlib.util.spec_from_file_location(name, FIGURES / f"{name}.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    model, slices = script.main(folder, **shortened)
    plt.close("all")
    kept = sorted(path.name for path in FIGURES.glob(f"{name}*.png"))
    assert sorted(path.name for path in folder.iterdir()) == kept != []
    assert all(plt.imread(path).std() > 0 for path in folder.iterdir())
    return script, model, slices


def at_zero(slices, set_, checkpoint=0):
    return slices.isel(checkpoint=checkpoint, draw=0).sel(evaluation_set=set_, step_size=0)


def test_an_image_folder(tmp_path, tmp_path_factory, capsys):
    script, model, slices = run(
        "your_image_folder", tmp_path, epochs=1, step_sizes=[-0.05, 0, 0.05]
    )
    assert slices["iteration"].values.tolist() == [480 // 64]
    assert slices["epoch"].values.tolist() == [1]
    assert slices["samples"].values.tolist() == [64, 64, 120]
    again = tmp_path_factory.mktemp("images")
    script.write_images(again)
    images = script.read_images(again)
    assert [len(images[part]) for part in ("train", "validation")] == [480, 120]
    inputs, labels = next(iter(DataLoader(images["validation"], batch_size=120)))
    assert inputs.shape == (120, 3, 32, 32)
    with torch.no_grad():
        outputs = model.train()(inputs)
    found = at_zero(slices, "validation")
    expected = torch.nn.functional.cross_entropy(outputs, labels).item()
    assert found["loss"].item() == pytest.approx(expected, abs=1e-5)
    accuracy = (outputs.argmax(1) == labels).double().mean().item()
    assert found["accuracy"].item() == pytest.approx(accuracy, abs=1e-9)
    best = slices["accuracy"].sel(evaluation_set="validation").max().item()
    assert f"validation {accuracy:.3f}, {best:.3f}\n" in capsys.readouterr().out


def test_a_segmentation(tmp_path):
    pytest.importorskip("nilearn")
    script, model, slices = run("your_segmentation", tmp_path, steps=6)
    images, labels = script.brain(slice(40, 50))
    assert images.shape == (10, 1, 64, 76)
    assert labels.unique().tolist() == [0, 1, 2, 255]
    assert slices["samples"].values.tolist() == [8, 8, 18, 10]
    with torch.no_grad():
        outputs = model.eval()(images)["out"]
    found = at_zero(slices, "validation")
    weight = torch.tensor([4.0, 1.0, 1.5])
    expected = torch.nn.functional.cross_entropy(outputs, labels, weight, ignore_index=255).item()
    assert found["loss"].item() == pytest.approx(expected, abs=1e-5)
    classes, true = outputs.argmax(1).numpy(), labels.numpy()
    inside = true != 255
    accuracy = (classes == true)[inside].mean()
    assert found["accuracy"].item() == pytest.approx(accuracy, abs=1e-9)
    dice = []
    for a, b, c in zip(classes, true, inside, strict=True):
        overlap = ((a == 2) & (b == 2)).sum()
        dice.append(2 * overlap / (((a == 2) & c).sum() + (b == 2).sum()))
    assert 0 < np.mean(dice) < 1
    assert found["white_matter_dice"].item() == pytest.approx(np.mean(dice), abs=1e-6)


def test_a_regression(tmp_path):
    script, model, slices = run("your_regression", tmp_path, steps=20)
    assert slices["iteration"].values.tolist() == [0, 19]
    assert slices["samples"].values.tolist() == [342, 100]
    x, y = script.patients()
    torch.manual_seed(0)
    twin = script.make_model()
    optimizer = torch.optim.SGD(twin.parameters(), lr=script.LEARNING_RATE)
    for iteration in range(20):
        if iteration in (0, 19):
            found = at_zero(slices, "validation", checkpoint=iteration // 19)
            with torch.no_grad():
                outputs = twin(x[342:])
            loss = torch.nn.functional.mse_loss(outputs, y[342:]).item()
            assert found["loss"].item() == pytest.approx(loss, abs=1e-5)
            assert found["r_squared"].item() == pytest.approx(r2_score(y[342:], outputs), abs=1e-5)
            error = mean_absolute_error(y[342:], outputs)
            assert found["mean_absolute_error"].item() == pytest.approx(error, abs=1e-5)
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(twin(x[:342]), y[:342])
        loss.backward()
        if iteration == 19:
            norm = sum(float((p.grad**2).sum()) for p in twin.parameters()) ** 0.5
            assert slices["gradient_norm"][1, 0].item() == pytest.approx(norm, rel=1e-4)
        optimizer.step()
    for own, same in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(own, same)  # recording changed no bit of the training
