"""What figures and tables can be asked: one text an option, for ``help()`` and for commands.

Reading the list loads neither matplotlib nor torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Defaults that a figure, its text and its command share.
TOLERANCE = 0.1
REACH = 0.1
CONSTANTS = (0.1, 0.3, 0.5, 0.9)


@dataclass(frozen=True)
class Option:
    """An option that figures or tables take.

    Attributes:
        name: the keyword argument.
        help: what it is, in a sentence without a full stop.
        default: what holds unless it is given, where that is not a plain value.
    """

    name: str
    help: str
    default: str = ""


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        option.name: option
        for option in (
            Option("checkpoint", "iteration to show; may be several", "a sensible choice"),
            Option(
                "metric", "what is shown: accuracy, loss, smooth_accuracy or another in the store"
            ),
            Option("evaluation_set", "evaluation set to show, as same_batch"),
            Option("slope_factor", "that of smooth accuracy", "the nearest to 1"),
            Option(
                "against",
                "what lengths are measured in: step-size, or distance (times norm of the direction)",
            ),
            Option(
                "step_size", "sampled step size to show", "nearest to an update by learning rate"
            ),
            Option(
                "tolerance",
                "how far a peak's values may lie from the best",
                f"{TOLERANCE:g}",
            ),
            Option(
                "relative", "whether the tolerance is a share of the best value", "it is a share"
            ),
            Option("scale", "of the step sizes: linear or symlog"),
            Option("value_scale", "of the values: auto, linear or log"),
            Option("draw", "draw to show", "the first"),
            Option("reach", "step size up to which parabolas are fitted", f"{REACH:g}"),
            Option(
                "c",
                "sufficient-decrease constant of Armijo's line; may be several",
                ", ".join(f"{each:g}" for each in CONSTANTS),
            ),
            Option(
                "accuracy_from",
                "lower end of the accuracy's axis: a number, as 0.9, or auto, which fits the "
                "second half of the training",
                "everything is shown",
            ),
        )
    }
)
