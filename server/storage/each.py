"""The newest rows of each of several owners, in one statement that reads no more than those."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from server.storage import sql
from server.storage.sql import Row

_NOBODY = 0
"""An id that nothing has: it fills up the list, so that statements are few."""


async def of_each(select: str, owner_ids: Collection[int], *values: Any) -> Sequence[Row]:
    """The rows that `select` finds of each owner, in no order.

    `select` has `{owner}` in the place of the owner's id, and an ORDER BY and a LIMIT of its own;
    its placeholders from $1 on are the same for all.
    """
    owners = sorted(set(owner_ids))
    size = 1 << (len(owners) - 1).bit_length()
    owners += [_NOBODY] * (size - len(owners))
    return await sql.fetch(_statement(select, len(values), size), *values, *owners)


@lru_cache(maxsize=256)
def _statement(select: str, value_count: int, owner_count: int) -> str:
    first = value_count + 1
    return " UNION ALL ".join(
        f"SELECT * FROM ({select.format(owner=f'${place}')}) AS own_{place}"
        for place in range(first, first + owner_count)
    )
