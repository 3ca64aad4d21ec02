"""What a probe of a language model costs, token by token, against the least loop.

    python tests/benchmarks/tokens_cost.py [--repeats 5] [--vocabulary 128]

On one thread, in CPU time; each line is the median over the repeats of the ratio to the minimal
loop of the same repeat. The slice has 13 points on 480 sequences of 8 to 32 tokens, padded, with
labels shifted by one (random tokens; the cost does not depend on them).
"""

import argparse
import statistics

import torch
from probe_cost import cost
from torch import nn
from torch.nn import functional as F

from landscape.data import TensorData
from landscape.network.measures import Measure
from landscape.probing import Prober
from landscape.probing.settings import STEP_SIZES, ProbeSettings

SEQUENCES, LENGTH, BATCH, CHUNK, IGNORED = 480, 32, 8, 80, -100
EVERYTHING = ["loss", "accuracy", "smooth_accuracy"]


class Transformer(nn.Module):
    def __init__(self, vocabulary, width=64, layers=2):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(LENGTH, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Linear(width, vocabulary)
        mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)
        self.register_buffer("mask", mask)

    def forward(self, ids):
        hidden = self.tokens(ids) + self.places.weight
        return self.out(self.body(hidden, mask=self.mask, is_causal=True))


def data(vocabulary):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(vocabulary, (SEQUENCES, LENGTH), generator=generator)
    lengths = torch.randint(8, LENGTH + 1, (SEQUENCES, 1), generator=generator)
    return ids, ids.masked_fill(torch.arange(LENGTH) >= lengths, IGNORED)


def minimal(model, ids, labels):
    """Parameters moved in place, tensors cached, no autograd; the loss and nothing else."""

    def loss(part, reduction):
        logits, targets = model(ids[part])[:, :-1], labels[part, 1:]
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)

    model.eval()
    parameters = list(model.parameters())
    direction = [-g for g in torch.autograd.grad(loss(slice(BATCH), "mean"), parameters)]
    start = [p.detach().clone() for p in parameters]
    tokens, losses = int((labels[:, 1:] != IGNORED).sum()), []
    with torch.inference_mode():
        for step_size in STEP_SIZES:
            torch._foreach_copy_(parameters, start)
            torch._foreach_add_(parameters, direction, alpha=step_size)
            parts = (slice(i, i + CHUNK) for i in range(0, SEQUENCES, CHUNK))
            losses.append(sum(loss(part, "sum").item() for part in parts) / tokens)
        torch._foreach_copy_(parameters, start)
    return losses


def prober(samples, metrics):
    settings = ProbeSettings(
        sets=["validation"],
        metrics=metrics,
        batch_size=BATCH,
        samples=False,
        eval_batch_size=CHUNK,
    )
    return Prober(samples, samples, settings, loss=Measure(shift_labels=True))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--vocabulary", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Transformer(arguments.vocabulary)
    ids, labels = data(arguments.vocabulary)
    samples = TensorData(ids, labels)
    candidates = {"loss": ["loss"], "loss, accuracy, smooth accuracy": EVERYTHING}
    ratios, least = {name: [] for name in candidates}, []
    minimal(model, ids, labels)
    prober(samples, EVERYTHING)(model)
    for _ in range(arguments.repeats):
        for name, metrics in candidates.items():
            # Before and after, so that a drift of the machine's speed falls out.
            before = cost(minimal, model, ids, labels)
            own = cost(prober(samples, metrics), model)
            after = cost(minimal, model, ids, labels)
            least.append(before)
            ratios[name].append(own / ((before + after) / 2))
    print(f"vocabulary {arguments.vocabulary}: minimal loop {statistics.median(least):.2f} s CPU")
    for name, values in ratios.items():
        print(
            f"  probe, {name:<40} {statistics.median(values):.3f}  "
            f"({min(values):.3f} to {max(values):.3f})"
        )


if __name__ == "__main__":
    main()
