"""Which samples a DataLoader shows, whatever its samplers are."""

from collections import Counter
from collections.abc import Iterator, Sequence, Sized
from copy import deepcopy
from itertools import islice
from typing import Any, cast

from torch.utils.data import BatchSampler, DataLoader, Dataset, Subset

from landscape.errors import InvalidValueError, shown, users_code
from landscape.runtime.randomness import seeded


def shown_by(loader: DataLoader[Any], what: str) -> Dataset[Any]:
    """Find the samples of the loader's Dataset that it shows.

    Args:
        loader: one of a map-style Dataset; it is left as it is.
        what: its name, for messages.

    Returns:
        The Dataset, or the part of it.

    Raises:
        InvalidValueError: where it repeats samples, has no end or shows others each time.
    """
    dataset, sampler, batches = loader.dataset, loader.sampler, loader.batch_sampler
    own = sampler if batches is None or type(batches) is BatchSampler else batches
    who = f"{what} is a DataLoader whose {type(own).__name__}"
    places = _stable(dataset, sampler if batches is None else batches, who)
    if places is None and own is sampler:
        # drop_last leaves out another part each time.
        places = _stable(dataset, sampler, who)
    if places is None:
        raise InvalidValueError(
            f"{who} shows other samples each time; give a Dataset of the samples you mean"
        )
    if places == range(len(cast(Sized, dataset))):
        return dataset
    return Subset(dataset, list(places))


def _stable(dataset: Any, sampler: Any, who: str) -> Sequence[int] | None:
    """The places that a sampler shows, each once; None where it shows others when run again."""
    # A copy of the sampler is run, so that it and its own generators stay where they are.
    most = len(dataset)
    orders = []
    with users_code(who):
        copy = deepcopy(sampler, {id(dataset): dataset})
        for seed in (0, 1):
            with seeded(seed):
                orders.append(list(islice(_places(copy), most + 1)))
    first_, second = orders
    for order in orders:
        if wrong := [i for i in order if not isinstance(i, int) or not 0 <= i < most]:
            raise InvalidValueError(
                f"{who} gives the index {shown(wrong[0])}; give a Dataset whose samples have the "
                f"indices 0 to {most - 1}"
            )
        place, count = (Counter(order).most_common(1) or [(0, 0)])[0]
        if count > 1:
            raise InvalidValueError(
                f"{who} shows sample {place} more than once; give a Dataset of the samples you "
                "mean, each once"
            )
    if not first_:
        raise InvalidValueError(f"{who} shows no sample; give at least one")
    if sorted(first_) != sorted(second):
        return None
    if len(first_) == most:
        return range(most)
    return first_ if first_ == second else sorted(first_)


def _places(sampler: Any) -> Iterator[Any]:
    """The indices of a sampler, one by one, or of a sampler of batches."""
    for each in sampler:
        for i in each if isinstance(each, (list, tuple)) else [each]:
            yield int(i) if hasattr(i, "__index__") else i
