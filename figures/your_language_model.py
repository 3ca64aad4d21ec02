"""A language model of your own: a transformer on the sentences of Python's manual, byte by byte.

The loss is a mean over tokens, the sentences differ in length, and padding does not count. The
command line probes the same checkpoints:

    landscape probe --checkpoint step-*.pt --task your_language_model.py:task
"""

import re
import tempfile
from pathlib import Path
from pydoc_data.topics import topics

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

import landscape
from landscape import plots, study
from landscape.tasks import as_task

HERE = Path(__file__).parent
BYTES, LENGTH, IGNORED = 128, 64, -100


class Transformer(nn.Module):
    """A causal transformer: bytes (N, T) to logits of the next byte (N, T, 128)."""

    def __init__(self, width=64, layers=2):
        super().__init__()
        self.bytes, self.places = nn.Embedding(BYTES, width), nn.Embedding(LENGTH, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Linear(width, BYTES)

    def forward(self, text):
        """Let every place see those before it."""
        length = text.shape[1]
        hidden = self.bytes(text) + self.places.weight[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=text.device)
        return self.out(self.body(hidden, mask=mask, is_causal=True))


def sentences():
    """Sentences as bytes, 24 to 64 of them each, in an order of their own."""
    text = " ".join(" ".join(topics.values()).split())
    kept = sorted(
        {s for s in re.split(r"(?<=[.:;]) ", text) if s.isascii() and 24 <= len(s) <= LENGTH}
    )
    order = torch.randperm(len(kept), generator=torch.Generator().manual_seed(0))
    return [torch.tensor([*kept[i].encode()]) for i in order]


def pad(samples):
    labels = pad_sequence(samples, batch_first=True, padding_value=IGNORED)
    return {"text": labels.clamp(min=0), "labels": labels}


def task():
    read = sentences()
    return {
        "model": Transformer,
        "train": DataLoader(read[200:], batch_size=32, shuffle=True, collate_fn=pad),
        "validation": DataLoader(read[:200], batch_size=32, collate_fn=pad),
        "loss": landscape.Measure(shift_labels=True),  # outputs are of the next byte
    }


def train(steps, folder):
    """Train with AdamW; keep weights at the start, early, halfway and at the end."""
    torch.manual_seed(0)
    parts, model = task(), Transformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batches = (batch for _ in range(steps) for batch in parts["train"])
    for step, batch in zip(range(steps + 1), batches, strict=False):
        if step in {0, steps // 10, steps // 2, steps}:
            torch.save(model.state_dict(), folder / f"step-{step}.pt")
        logits = model(batch["text"])[:, :-1]
        optimizer.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten()).backward()
        optimizer.step()


def main(out=HERE, steps=150):
    with tempfile.TemporaryDirectory() as scratch:
        train(steps, Path(scratch))
        store = Path(scratch) / "slices.zarr"
        settings = landscape.ProbeSettings(
            step_sizes=landscape.probing.spaced(15, 0.7),
            sets=["same_batch", "validation"],
            validation_samples=100,
            samples=False,
        )
        study.probe(
            as_task(task, "Transformer on Python's manual"), [Path(scratch)], store, settings
        )
        slices = landscape.open(store).load()
    plots.save(plots.plot_widening(slices, metric="loss"), Path(out) / "your_language_model.png")
    start = slices.sel(evaluation_set="validation", step_size=0).squeeze("draw")
    for name in ("loss", "accuracy"):
        print(f"validation {name} per byte: {start[name].values.round(3).tolist()}")
    return slices


if __name__ == "__main__":
    main()
