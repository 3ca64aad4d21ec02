"""Networks by their formulas, in float64, with torch.nn.functional alone."""

import torch
from torch import nn
from torch.nn import functional as F


def normalised(values, state, name, running):
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    if not running:
        return F.batch_norm(values, None, None, weight, bias, training=True)
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(values, mean, variance, weight, bias)


def moved(model):
    """The model in float64, away from its start: batch norm's values would hide mistakes."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return model.double()


def assert_one_step_agrees(model, logits, images, labels):
    """``logits(state, images, running)`` in evaluation, then a step of 0.1 of training."""
    state = {n: t.detach().clone() for n, t in model.state_dict().items()}
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(model(images), logits(state, images, running=True))
    model.train()
    names = [name for name, _ in model.named_parameters()]
    before = [state[name].requires_grad_() for name in names]
    expected = F.cross_entropy(logits(state, images, running=False), labels)
    gradients = torch.autograd.grad(expected, before)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    torch.testing.assert_close(loss, expected)
    optimizer.step()
    for name, start, gradient, now in zip(
        names, before, gradients, model.parameters(), strict=True
    ):
        assert gradient.abs().max() > 0, name
        with torch.no_grad():
            difference = now - start.add(gradient, alpha=-0.1)
            assert difference.abs().max() < 1e-9 * (1 + gradient.abs().max()), name
