"""Options of figures and tables: one text each, shown by ``help()`` and by the commands.

Reading the list loads neither matplotlib nor torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Defaults shared by a figure, its help text and its command.
TOLERANCE = 0.1
REACH = 0.1
CONSTANTS = (0.1, 0.3, 0.5, 0.9)


@dataclass(frozen=True)
class Option:
    """An option of figures or tables.

    Attributes:
        name: the keyword argument.
        help: what it is, in a sentence without a full stop.
        default: its default in words, where that is not a plain value.
        choices: every value that it takes, where these are a few words.
        beside: what it is where its choices stand beside it, as in the help of commands.
    """

    name: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()
    beside: str = ""


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        option.name: option
        for option in (
            Option(
                "checkpoint",
                "iteration of the checkpoint to show (its epoch where no iteration is known), or "
                "iterations where several are shown",
                "a sensible choice",
            ),
            Option(
                "metric",
                "metric to show: accuracy, loss, smooth_accuracy or another in the store",
                "accuracy, or else loss",
            ),
            Option("evaluation_set", "evaluation set to show, for example same_batch"),
            Option(
                "slope_factor",
                "slope factor of smooth accuracy, one of those in the store",
                "the one nearest to 1",
            ),
            Option(
                "against",
                "how lengths are measured: step-size, or distance, which is the step size times "
                "the norm of the direction",
                choices=("step-size", "distance"),
                beside="how lengths are measured; distance is the step size times the norm of the "
                "direction",
            ),
            Option(
                "step_size",
                "sampled step size to show",
                "the one nearest to an update with the learning rate",
            ),
            Option(
                "tolerance",
                "largest difference from the best value within a peak",
                f"{TOLERANCE:g}",
            ),
            Option(
                "relative",
                "whether the tolerance is a share of the best value (relative) or in units of the "
                "metric (absolute)",
                "relative",
            ),
            Option(
                "scale",
                "scale of the step sizes: linear, symlog, or auto, which is symlog where samples "
                "would fall on one another",
                choices=("linear", "symlog", "auto"),
                beside="scale of the step sizes; auto is symlog where samples would fall on one "
                "another",
            ),
            Option(
                "value_scale",
                "scale of the values: auto, linear or log",
                choices=("auto", "linear", "log"),
                beside="scale of the values",
            ),
            Option("draw", "number of the draw to show", "the first"),
            Option(
                "reach",
                "step size up to which parabolas are fitted",
                f"{REACH:g}, or more where that holds too few samples",
            ),
            Option(
                "c",
                "sufficient-decrease constant of Armijo's line, or several of them",
                ", ".join(f"{each:g}" for each in CONSTANTS),
            ),
            Option(
                "difference",
                "whether a last panel shows by how much the stores differ from the first",
            ),
            Option(
                "together",
                "whether several stores share one panel, where each has a colour of its own; then "
                "their first and last checkpoints are shown by default",
            ),
            Option("path", "whether the training path is drawn, where it was projected"),
            Option(
                "caption",
                "whether to print below a new figure what its directions are, on which samples it "
                "was measured, and what it does not show",
            ),
            Option(
                "title",
                "title of the figure in place of its own, formulas between $; empty for none",
                "task, optimizer and what is shown",
            ),
            Option(
                "accuracy_from",
                "lower end of the accuracy axis: a number, for example 0.9, or auto, which fits "
                "the second half of the training",
                "everything is shown",
            ),
        )
    }
)
