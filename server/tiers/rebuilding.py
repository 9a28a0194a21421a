"""Counting a member's tier anew from their purchases, when memberships are joined or parted."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.clock import Instant
from server.programme.service import PublishedProgramme, Rulebook
from server.storage import outbox, sql
from server.tiers.service import Counting


@dataclass(frozen=True, slots=True)
class Spend:
    """What a purchase counts for, in minor units: its eligible spend, less what was returned."""

    published: PublishedProgramme
    at: Instant
    spend_minor: int


async def rebuild(
    member_id: int, spends: Sequence[Spend], *, enrolled_at: Instant, book: Rulebook
) -> None:
    """Put the member's tier, its days and its changes as these purchases make them, in the order
    in which they were recorded, from the lowest tier at `enrolled_at` on.

    The tier at any later instant follows from that, as always. If they have another tier now, that
    is put as an event. The member's ledger accounts are locked by the caller.
    """
    for table in ("tier_changes", "tier_days"):
        await sql.execute(f"DELETE FROM {table} WHERE member_id = $1", member_id)  # noqa: S608
    before = await sql.fetch(
        "DELETE FROM tier_states WHERE member_id = $1 RETURNING level", member_id
    )
    counting = Counting({}, book)
    counting.enrol(member_id, book.at(enrolled_at), enrolled_at)
    for spend in spends:
        counting.count(member_id, spend.published, spend.at, spend.spend_minor)
    await counting.flush(puts_events=False)
    after = counting.tier_of(member_id)
    if before and spends and before[0][0] != after.level:
        facts = {"before": before[0][0], "after": after.level}
        outbox.put("tier.changed", member_id, facts, occurred_at=after.since)
