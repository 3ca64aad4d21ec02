"""A small U-Net on slices of a brain: how far may a step go before the Dice of white matter falls?

    python figures/your_segmentation.py

The MNI152 brain comes with nilearn (the extra ``examples``). A pixel is background (0), grey
matter (1) or white matter (2), whichever the templates call most probable; pixels outside the
brain (255) do not count. The net is trained, with an auxiliary output, on the lower slices and
validated on the upper ones.
"""

from pathlib import Path

import numpy as np
import torch
from nilearn import datasets
from torch import nn
from torch.nn import functional as F

import landscape
from landscape import plots
from landscape.metrics import own_metric

HERE = Path(__file__).parent
WHITE, OUTSIDE = 2, 255
LOSS = nn.CrossEntropyLoss(torch.tensor([4.0, 1.0, 1.5]), ignore_index=OUTSIDE)


def brain(slices):
    """Images (N, 1, 64, 76), float32, and labels (N, 64, 76), int64, of axial slices, 3 mm."""
    image, grey, white, inside = (
        getattr(datasets, f"load_mni152_{name}")(resolution=3)
        .get_fdata()[1:65, 1:77, slices]
        .transpose(2, 0, 1)
        for name in ("template", "gm_template", "wm_template", "brain_mask")
    )
    labels = np.stack([1 - grey - white, grey, white]).argmax(0)
    labels[inside == 0] = OUTSIDE
    return torch.tensor(image, dtype=torch.float32).unsqueeze(1), torch.tensor(labels)


def block(inputs, outputs):
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class UNet(nn.Module):
    """Three levels; logits of each pixel, and coarse ones for an auxiliary loss."""

    def __init__(self):
        super().__init__()
        self.down1, self.down2, self.bottom = block(1, 8), block(8, 16), block(16, 32)
        self.up2, self.up1 = block(32 + 16, 16), block(16 + 8, 8)
        self.head, self.auxiliary = nn.Conv2d(8, 3, 1), nn.Conv2d(32, 3, 1)

    def forward(self, x):
        """Logits (N, 3, H, W), twice, of images (N, 1, H, W)."""
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        bottom = self.bottom(F.max_pool2d(second, 2))
        up = self.up2(torch.cat([F.interpolate(bottom, scale_factor=2), second], 1))
        up = self.up1(torch.cat([F.interpolate(up, scale_factor=2), first], 1))
        coarse = F.interpolate(self.auxiliary(bottom), scale_factor=4)
        return {"out": self.head(up), "aux": coarse}


def white_matter_dice(outputs, targets):
    """Dice of each image, (N,): twice the overlap over the sum of both areas."""
    found = (outputs.argmax(1) == WHITE) & (targets != OUTSIDE)
    true = targets == WHITE
    return 2 * (found & true).sum((1, 2)) / (found.sum((1, 2)) + true.sum((1, 2)))


def train(model, images, labels, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        chosen = torch.randperm(len(images))[:8]
        output = model(images[chosen])
        optimizer.zero_grad()
        (LOSS(output["out"], labels[chosen]) + 0.4 * LOSS(output["aux"], labels[chosen])).backward()
        optimizer.step()


def main(out=HERE, steps=60):
    torch.manual_seed(0)
    data, validation = brain(slice(14, 40)), brain(slice(40, 50))
    model = UNet()
    train(model, *data, steps)
    dice = own_metric(white_matter_dice, mode="max")
    slices = landscape.probe(
        model,
        data,
        validation,
        loss=LOSS,
        output="out",
        metrics=["loss", "accuracy", dice],
        batch_size=8,
        other_batches=1,
        step_sizes=landscape.probing.AutoRange(points=31, spacing="linear", rise=0.5),
    )
    drawn = plots.plot_batches(slices, metric="white_matter_dice")
    drawn.title.set_text(f"U-Net after {steps} updates")
    plots.save(drawn, out / "your_segmentation.png")
    at = slices.sel(evaluation_set="validation", step_size=0).squeeze()
    print(
        f"validation at 0: loss {at['loss']:.3f}, accuracy of pixels "
        f"{at['accuracy']:.3f}, Dice of white matter {at['white_matter_dice']:.3f}"
    )
    return model, slices


if __name__ == "__main__":
    main()
