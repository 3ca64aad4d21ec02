"""What a shell offers for options that take a name; loads no torch."""

from collections.abc import Callable, Iterable

from landscape.metrics import METRICS
from landscape.optimizers.recipes import RECIPES
from landscape.probing.directions.registry import DIRECTIONS
from landscape.probing.settings import KINDS
from landscape.tasks.registry import BUILTIN, DATASETS, MODELS


def of(names: Iterable[str], listed: bool = False) -> Callable[[str], list[str]]:
    """Make the completion of an option: those of the names that begin as what was typed.

    Args:
        names: what is offered, with underscores for hyphens or without.
        listed: whether several may be given with commas between, of which the last is completed.

    Returns:
        What typer takes as ``autocompletion``.
    """
    every = [*dict.fromkeys(name.replace("_", "-") for name in names)]

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",") if listed else ("", "", incomplete)
        return [f"{before}{comma}{name}" for name in every if name.startswith(last)]

    return complete


tasks = of([*BUILTIN, *(f"{data}-{model}" for data in DATASETS for model in MODELS)])
data_sets, models = of(DATASETS), of(MODELS)
optimizer, optimizers = of(RECIPES), of(RECIPES, listed=True)
metric, metrics = of(METRICS), of(METRICS, listed=True)
# A family by its first; the others are named in the help.
directions = of(name.replace("-K", "-1") for name in DIRECTIONS)
kinds_of_set = of(KINDS, listed=True)
sets = of(
    each
    for kind in KINDS
    for each in ([f"{kind}_1", f"{kind}_2"] if kind == "other_batch" else [kind])
)
