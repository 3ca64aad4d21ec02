"""Probe a model: from a point, a direction, sets and step sizes to a slice as a Dataset."""

from typing import TYPE_CHECKING

from landscape.lazy import lazily

if TYPE_CHECKING:
    from landscape.probing import directions, reach
    from landscape.probing.directions import Direction
    from landscape.probing.evaluation_sets import EvaluationSet
    from landscape.probing.one_model import probe
    from landscape.probing.prober import Prober
    from landscape.probing.settings import AutoRange, ProbeSettings, between, spaced

__all__ = [
    "AutoRange",
    "Direction",
    "EvaluationSet",
    "ProbeSettings",
    "Prober",
    "between",
    "directions",
    "probe",
    "reach",
    "spaced",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "AutoRange": "settings:",
        "Direction": "directions:",
        "EvaluationSet": "evaluation_sets:",
        "ProbeSettings": "settings:",
        "Prober": "prober:",
        "between": "settings:",
        "directions": "directions",
        "probe": "one_model:",
        "reach": "reach",
        "spaced": "settings:",
    },
)
