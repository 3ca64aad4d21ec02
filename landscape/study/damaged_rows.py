"""Which rows of a store of slices are damaged, and of which checkpoints they are."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from landscape import store
from landscape.errors import InvalidValueError, StoreError


@dataclass(frozen=True)
class Redo:
    """What is to be probed again.

    Attributes:
        rows: iteration of the checkpoint -> index of its row.
        shared: names of the arrays to write again that all rows share.
    """

    rows: Mapping[int, int] = field(default_factory=dict)
    shared: Collection[str] = ()


def damaged_rows(writer: store.Writer, found: Iterable[int]) -> Redo:
    """Find what is damaged in a store of slices, if its checkpoints are at hand.

    Args:
        writer: on the store.
        found: the iterations of the checkpoints that were given.

    Returns:
        What is to be probed again; nothing where the store is whole. Where only shared arrays are
        damaged, one row is probed again, since its slice brings them.

    Raises:
        InvalidValueError: where the checkpoint of a damaged row was not given.
        StoreError: for a store of an older schema, and where a row's checkpoint cannot be told.
    """
    damage = store.find_damage(writer.path)
    if not damage:
        return Redo()
    if writer.attributes["schema"] < store.SCHEMA:
        raise StoreError(
            f"{writer.path} is damaged and of an older schema; probe into another store"
        )
    shared = {each.array for each in damage if not each.rows}
    broken = {row for each in damage for row in each.rows}
    known = writer.readable("iteration")
    rows = {known[row]: row for row in sorted(broken) if row in known}
    # The iteration itself may be what is lost: then it is among the digests, and in no other row.
    lost = sorted(
        {int(each) for each in writer.attributes.get("digests", {})} - set(known.values())
    )
    unknown = sorted(broken - set(known))
    if len(lost) < len(unknown):
        raise StoreError(
            f"{writer.path} does not say which checkpoint its row {unknown[0]} is of; probe into "
            "another store"
        )
    rows |= dict(zip(lost, unknown, strict=False))
    given = set(found)
    if shared and not rows:
        rows = dict([next(((i, row) for row, i in known.items() if i in given), (-1, -1))])
    if missing := sorted(set(rows) - given):
        by = writer.attributes.get("placed_by", "iteration")
        raise InvalidValueError(
            f"the row at {by} {missing[0]} of {writer.path} is damaged, and that checkpoint "
            "was not given; give it too"
            if missing[0] >= 0
            else f"no checkpoint of {writer.path} was given; give one of them"
        )
    return Redo(rows, shared)
