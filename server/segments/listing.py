"""Listing the members of a version that is frozen or names them.

Who is named is listed in the transaction that publishes the version. Of a frozen one the first
MEMBERS_AT_ONCE members are looked at in it, and the rest afterwards, page by page, each in a short
transaction of its own, so that publishing stays quick with a million members and nobody's purchase
waits for it. Until it is done, a member who was not looked at yet is in the segment if the
condition holds of them now.
"""

from collections.abc import Callable

from server import clock
from server.clock import Instant
from server.conditions import Condition
from server.segments import fact_queries, models, reading
from server.segments.facts import VOCABULARY
from server.segments.reading import Asked
from server.storage import changes, sql

MEMBERS_AT_ONCE = 500
Progress = Callable[[int], None]


def silent(_done: int) -> None:
    """Tell nobody how far it is."""


async def fill(version_id: int, member_ids: list[int]) -> None:
    """List the members in the version. Writes; call it inside a transaction."""
    await models.add_listing(version_id, clock.now(), after_id=0, is_complete=True)
    await models.add_members(version_id, list(dict.fromkeys(member_ids)))


async def begin(version_id: int, condition: Condition) -> None:
    """List the first members of whom the condition holds. Writes; call it inside a transaction."""
    as_of = clock.now()
    await models.add_listing(version_id, as_of, after_id=0, is_complete=False)
    await _page(version_id, condition, as_of, after_id=0)


async def go_on(version_id: int, condition: Condition, progress: Progress = silent) -> None:
    """List the rest of them, page by page; two who do so at once list everybody once."""
    done = 0
    while True:

        async def work() -> int:
            async with sql.transaction():
                row = await models.listing_for_writing(version_id)
                if row is None or row[3]:
                    return 0
                return await _page(version_id, condition, Instant(row[1]), after_id=row[2])

        looked_at = await sql.retried(work)
        if not looked_at:
            return
        done += looked_at
        progress(done)


async def _page(version_id: int, condition: Condition, as_of: Instant, *, after_id: int) -> int:
    """Look at the next members; how many they were."""
    ids = await fact_queries.page_of_ids(after_id=after_id, limit=MEMBERS_AT_ONCE)
    await models.add_members(version_id, await holding(ids, condition, as_of))
    is_complete = len(ids) < MEMBERS_AT_ONCE
    last = ids[-1] if ids else after_id
    await models.advance_listing(version_id, after_id=last, is_complete=is_complete)
    if is_complete:
        changes.note(changes.PROGRAMME, 0)  # what was remembered of who was not looked at
    return len(ids)


async def holding(member_ids: list[int], condition: Condition, now: Instant) -> list[int]:
    """Those of the members of whom the condition holds at the instant; one statement."""
    if not member_ids:
        return []
    known = await reading.read(member_ids, Asked(condition.names), now)
    return [
        member_id
        for member_id in member_ids
        if condition.holds(VOCABULARY.facts_of(known[member_id].facts))
    ]
