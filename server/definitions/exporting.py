"""What counts at an instant and afterwards, as the items of a file."""

import json
from collections.abc import Iterable, Sequence

from server.clock import Instant
from server.definitions.bundles import Item
from server.definitions.kinds import Kind, in_order, kinds
from server.definitions.shelves import Published, shelves


async def exported(at: Instant, some: Iterable[Kind] | None = None) -> list[Item]:
    """What of the kinds (None: of all) counts at the instant, and what is scheduled after it.

    Kinds come after those that they refer to, and else everything by its name. What is scheduled
    and changes nothing is left out, so that a database made of the file gives the same file.
    """
    known = await shelves()
    items: list[Item] = []
    for kind in in_order(kinds() if some is None else some):
        shelf = known.of(kind.name)
        for key in shelf.keys:
            items += _of(kind.name, key, shelf.versions(key), at)
    return items


def _of(kind: str, key: str, versions: Sequence[Published], at: Instant) -> list[Item]:
    """The items of one thing; `versions` in the order in which they take effect."""
    starting: dict[Instant | None, Published] = {}
    for one in versions:  # of several at once, the last counts
        starting[None if one.effective_at <= at else one.effective_at] = one
    items: list[Item] = []
    standing = ""
    for starts, one in starting.items():
        if one.canonical != standing:
            plain = json.loads(one.canonical) if one.canonical else None
            items.append(Item(kind, key, starts, plain))
        standing = one.canonical
    return items
