"""The optimizers of the thesis [Hackel2023], by name, with their settings and schedules.

AdamW is that of [Loshchilov2019]. Reading the list loads no torch, so that a command can show it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """An optimizer with the settings it is run with unless others are given.

    Attributes:
        name: the recipe's.
        optimizer: "module:class".
        summary: what it is, in one line.
        learning_rate: that of the first step; None for the task's. For a line search, the step
            size that the first search starts from.
        options: the other arguments of the optimizer's constructor.
        schedule: a name that :func:`landscape.optimizers.schedules.build` knows.
    """

    name: str
    optimizer: str
    summary: str
    learning_rate: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: str = "constant"


_OWN = "landscape.optimizers.line_search.sls"
_THESIS = {"preset": "thesis"}

# To add an optimizer that is not torch's, add an entry here.
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe("sgd", "torch.optim:SGD", "SGD at the task's learning rate"),
            Recipe(
                "sgd-schedule",
                "torch.optim:SGD",
                "SGD, its learning rate divided by 10 after 30, 60 and 80 % of the epochs",
                schedule="milestones",
            ),
            Recipe(
                "adam",
                "torch.optim:AdamW",
                "AdamW at 4e-3 with a linear ramp and cosine annealing",
                learning_rate=4e-3,
                options={"weight_decay": 1e-4},
                schedule="ramp-cosine",
            ),
            Recipe(
                "sgd-armijo",
                f"{_OWN}:SGDArmijo",
                "Armijo line search on the loss, as published",
                learning_rate=1.0,
                options=_THESIS,
            ),
            Recipe(
                "l-sls",
                f"{_OWN}:LossSLS",
                "the same with a finite-difference slope, as published",
                learning_rate=1.0,
                options=_THESIS,
            ),
            Recipe(
                "a-sls",
                f"{_OWN}:AccuracySLS",
                "line search on the accuracy, as published",
                learning_rate=1.0,
                options=_THESIS,
            ),
            Recipe(
                "sa-sls",
                f"{_OWN}:SmoothAccuracySLS",
                "line search on smooth accuracy, the robust one",
                learning_rate=1.0,
            ),
            Recipe(
                "sa-sls-thesis",
                f"{_OWN}:SmoothAccuracySLS",
                "line search on smooth accuracy, as published",
                learning_rate=1.0,
                options=_THESIS,
            ),
        )
    }
)
