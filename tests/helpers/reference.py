"""Slow, obvious float64 references, written from the formulas and not from the package."""

import copy
import math

import numpy as np
import torch
from torch import nn


def softmax(logits):
    exponentials = [math.exp(z - max(logits)) for z in logits]
    return [e / math.fsum(exponentials) for e in exponentials]


def sample(logits, label):
    """Cross-entropy and margin of one sample."""
    p = softmax(logits)
    others = [q for k, q in enumerate(p) if k != label]
    loss = math.log(math.fsum(math.exp(z - max(logits)) for z in logits)) + max(logits)
    return loss - logits[label], p[label] - max(others, default=0.0)


def metrics(logits, labels, slope_factor=1.0):
    """Loss, accuracy and smooth accuracy of a set, sample by sample."""
    pairs = [sample(row, label) for row, label in zip(logits, labels, strict=True)]
    n = len(pairs)
    return {
        "loss": math.fsum(loss for loss, _ in pairs) / n,
        "accuracy": sum(margin > 0 for _, margin in pairs) / n,
        "smooth_accuracy": math.fsum(1 / (1 + math.exp(-slope_factor * m)) for _, m in pairs) / n,
    }


def norm_layers(model):
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]


def forward(model, inputs, policy, recalibration=()):
    """Logits of a float64 copy of ``model`` under a batch-norm policy, dropout off."""
    model = copy.deepcopy(model).double().eval()
    layers = norm_layers(model)
    if policy == "recalibrated":
        seen = {layer: [] for layer in layers}

        def note(layer, args, output):
            dims = [d for d in range(args[0].ndim) if d != 1]
            seen[layer].append((args[0].mean(dims), args[0].var(dims, unbiased=True)))

        hooks = [layer.register_forward_hook(note) for layer in layers]
        for layer in layers:
            layer.train()
        for batch in recalibration:
            model(batch.double())
        for layer, hook in zip(layers, hooks, strict=True):
            hook.remove()
            layer.eval()
            layer.running_mean = torch.stack([mean for mean, _ in seen[layer]]).mean(0)
            layer.running_var = torch.stack([var for _, var in seen[layer]]).mean(0)
    for layer in layers:
        layer.train(policy == "batch")
    with torch.no_grad():
        return model(inputs.double())


def gradient(model, inputs, targets, policy="batch"):
    """∇L by autograd in float64, with dropout off; of "running", with the running statistics."""
    model = copy.deepcopy(model).double().eval()
    for layer in norm_layers(model) if policy != "running" else ():
        layer.train()
    logits = model(inputs.double())
    log_p = logits - logits.exp().sum(1, keepdim=True).log()
    loss = -log_p[torch.arange(len(targets)), targets].sum() / len(targets)
    loss.backward()
    return {
        n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters()
    }


def displaced(model, gradients, step_size):
    """A copy of ``model`` at θ − s·∇L, in float64."""
    model = copy.deepcopy(model).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(parameter - step_size * gradients[name])
    return model


def curve(model, gradients, step_sizes, inputs, targets, policy, recalibration=()):
    """The three metrics along θ − s·∇L: a dict of arrays, one value a step size."""
    points = [
        metrics(
            forward(displaced(model, gradients, s), inputs, policy, recalibration).tolist(),
            targets.tolist(),
        )
        for s in step_sizes
    ]
    return {name: np.array([p[name] for p in points]) for name in points[0]}
