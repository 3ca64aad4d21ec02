"""Examples of a user's own model, run shorter: what they store is what plain torch computes."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

FIGURES = Path(__file__).parents[2] / "figures"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FIGURES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def validation(slices):
    """Loss and accuracy of the validation set at step size 0, by checkpoint."""
    at = slices.sel(evaluation_set="validation", step_size=0).squeeze("draw")
    return {name: at[name].values for name in ("loss", "accuracy")}


def test_a_language_model(tmp_path, capsys):
    example = load("your_language_model")
    slices = example.main(tmp_path, steps=10)
    assert (tmp_path / "your_language_model.png").stat().st_size > 10_000
    assert slices["iteration"].values.tolist() == [0, 1, 5, 10]
    example.train(10, tmp_path)
    read, found = example.sentences()[:100], validation(slices)
    assert slices["samples"].sel(evaluation_set="validation") == len(read)
    for i, step in enumerate((0, 1, 5, 10)):
        model = example.Transformer().eval()
        model.load_state_dict(torch.load(tmp_path / f"step-{step}.pt"))
        losses, right = [], []
        with torch.no_grad():
            for sentence in read:  # one by one, without padding
                logits = model(sentence[None])[0, :-1].double()
                losses.append(F.cross_entropy(logits, sentence[1:], reduction="none"))
                right.append((logits.argmax(1) == sentence[1:]).double())
        assert found["loss"][i] == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)
        assert found["accuracy"][i] == pytest.approx(torch.cat(right).mean().item(), abs=1e-3)
    assert found["loss"][-1] < found["loss"][0] - 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def direct(outputs, labels):
    loss = F.cross_entropy(outputs.double(), labels).item()
    return {"loss": loss, "accuracy": (outputs.argmax(1) == labels).double().mean().item()}


def test_a_training_by_hugging_face(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("transformers")
    example = load("your_hugging_face")
    slices, model = example.main(tmp_path, steps=4)
    assert (tmp_path / "your_hugging_face.png").stat().st_size > 10_000
    assert slices["iteration"].values.tolist() == [0, 2, 3]
    assert slices["samples"].values.tolist() == [50, 50, 200, 397]
    torch.manual_seed(0)
    fresh, samples = example.classifier().eval(), example.sequences()[1]
    with torch.no_grad():
        logits = fresh(torch.stack([each["input_ids"] for each in samples])).logits
    expected = direct(logits, torch.tensor([each["labels"] for each in samples]))
    for name, values in validation(slices).items():
        assert values[0] == pytest.approx(expected[name], rel=1e-5)
    assert any(
        not torch.equal(now, before)
        for now, before in zip(model.parameters(), fresh.parameters(), strict=True)
    )


def test_a_training_by_lightning(tmp_path, capsys):
    pytest.importorskip("lightning")
    example = load("your_lightning")
    slices, module = example.main(tmp_path, epochs=2)
    assert (tmp_path / "your_lightning.png").stat().st_size > 10_000
    assert slices["iteration"].values.tolist() == [0, 14, 27]
    assert slices["samples"].sel(evaluation_set=["same_batch", "validation"]).values.tolist() == [
        100,
        397,
    ]
    torch.manual_seed(0)
    fresh = example.Digits().eval()
    images, labels = example.loaders()[1].dataset.tensors
    with torch.no_grad():
        expected = direct(fresh(images), labels)
        reached = direct(module.eval()(images), labels)["accuracy"]
    for name, values in validation(slices).items():
        assert values[0] == pytest.approx(expected[name], rel=1e-5)
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"2 epochs: {reached:.4f}")
