"""From what a training's loaders give to inputs and targets."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch.utils.data import DataLoader

from landscape.data import Data, as_data
from landscape.data.samples import DatasetData
from landscape.errors import InvalidValueError, shown

Split = Callable[[Any], tuple[Any, Any]]
"""A collated batch -> (inputs, targets)."""

LABELS = "labels"


def inputs_and_targets(batch: Any) -> tuple[Any, Any]:
    """Split a collated batch into what the model takes and the targets.

    Args:
        batch: a pair (inputs, targets), or a mapping whose ``labels`` are the targets, and whose
            other entries are inputs.

    Returns:
        The inputs, of a mapping a dict, and the targets.

    Raises:
        InvalidValueError: for any other batch.
    """
    if isinstance(batch, Mapping) and LABELS in batch:
        return {name: part for name, part in batch.items() if name != LABELS}, batch[LABELS]
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return batch[0], batch[1]
    if isinstance(batch, Mapping):
        what = f"a mapping of {shown(list(batch))}"
    elif isinstance(batch, (tuple, list)):
        what = f"a {type(batch).__name__} of {len(batch)} parts"
    else:
        what = f"a {type(batch).__name__}"
    raise InvalidValueError(
        f"the batch is {what}; a pair (inputs, targets) or a mapping with 'labels' is understood, "
        "for others give split, a function of the batch that gives (inputs, targets)"
    )


def split_data(
    source: Any, split: Split, what: str, collate: Callable[[list[Any]], Any] | None = None
) -> Data:
    """Make data of what a training is given, with its batches split.

    Args:
        source: what :func:`landscape.data.as_data` takes; of a pair of tensors, and of data
            already, nothing is split.
        split: a collated batch -> (inputs, targets).
        what: its name, for messages.
        collate: how a Dataset that is no DataLoader is collated; as torch does unless given.

    Returns:
        The data.

    Raises:
        InvalidValueError: for what is no data.
    """
    data = as_data(source, what)
    if data is source or not isinstance(data, DatasetData):
        return data
    own = data.collate if collate is None or isinstance(source, DataLoader) else collate
    return replace(data, collate=lambda samples: split(own(samples)))
