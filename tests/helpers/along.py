"""Directions taken at a model, outside of a probe."""

from helpers import cases

from landscape.metrics import cross_entropy
from landscape.probing.directions.direction import DirectionContext, mean_gradient, norm
from landscape.probing.directions.registry import get

INPUTS, LABELS = (part[:64] for part in cases.digits()[0])


def context(model, inputs=INPUTS, labels=LABELS, loss=cross_entropy, seed=0, **more):
    gradient = mean_gradient(model, inputs, labels, loss)

    def loss_on(name):
        assert name == ""
        outputs = model(inputs)
        return outputs, loss(outputs, labels).mean()

    return DirectionContext(
        model,
        inputs,
        labels,
        loss,
        model,
        gradient,
        norm([*gradient.values()]),
        seed,
        **{"loss_on": loss_on, **more},
    )


def taken(name, model, *given, **more):
    return get(name).take(context(model, *given, **more))
