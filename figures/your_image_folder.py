"""Torchvision's ResNet18 on a folder of images: does a batch's own step help other images?

    python figures/your_image_folder.py

600 of scikit-learn's digits are written as PNG files, class by class, as such data sets come. An
ordinary loop trains with Adam and saves a checkpoint after each epoch; then these are probed. After
so few updates the running statistics of batch norm lag behind, so validation is by its own.
"""

import tempfile
from pathlib import Path

import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18
from torchvision.transforms import Compose, Resize, ToTensor

import landscape
from landscape import plots, statistics, study

HERE = Path(__file__).parent
STEP_SIZES = landscape.probing.spaced(13, 0.12)
IMAGES = {"train": slice(0, 480), "validation": slice(480, 600)}


def write_images(folder):
    digits = load_digits()
    for part, chosen in IMAGES.items():
        pixels = (digits.images[chosen] * 15.9375).astype("uint8")
        for i, (image, label) in enumerate(zip(pixels, digits.target[chosen], strict=True)):
            path = folder / part / str(label) / f"{i:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)


def read_images(folder):
    to_tensor = Compose([Resize((32, 32)), ToTensor()])
    return {part: ImageFolder(folder / part, to_tensor) for part in IMAGES}


def make_model():
    return resnet18(num_classes=10)


def train(images, folder, epochs):
    loader = DataLoader(images, batch_size=64, shuffle=True, drop_last=True)
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    folder.mkdir()
    for epoch in range(1, epochs + 1):
        for inputs, labels in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
        state = {"model": model.state_dict(), "epoch": epoch, "step": epoch * len(loader)}
        torch.save(state, folder / f"epoch_{epoch}.pt")
    return model


def main(out=HERE, epochs=2, step_sizes=STEP_SIZES):
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_images(folder)
        data = read_images(folder)
        model = train(data["train"], folder / "checkpoints", epochs)
        task = landscape.tasks.as_task({"model": make_model, **data}, "digits as PNG files")
        settings = landscape.ProbeSettings(
            step_sizes=step_sizes,
            sets=["same_batch", "other_batch", "validation"],
            batch_size=64,
            other_batches=1,
            batch_norm={"validation": "batch"},
        )
        study.probe(task, [folder / "checkpoints"], folder / "landscape.zarr", settings)
        slices = landscape.open(folder / "landscape.zarr").load()
        samples = slices.landscape.samples("validation")
        by_class = statistics.rederive([samples], "accuracy", by_class=True)
    plots.save(plots.plot_classes(by_class), out / "your_image_folder_classes.png")
    plots.save(plots.plot_batches(slices), out / "your_image_folder.png")
    accuracy = slices["accuracy"][-1, 0].sel(evaluation_set=["same_batch", "validation"])
    (batch, others), at = accuracy.max("step_size").values, accuracy.sel(step_size=0).values
    print(
        f"accuracy at 0 and at best: same batch {at[0]:.3f}, {batch:.3f}; "
        f"validation {at[1]:.3f}, {others:.3f}"
    )
    return model, slices


if __name__ == "__main__":
    main()
