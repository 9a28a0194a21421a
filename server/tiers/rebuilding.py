"""Counting a member's tier anew from their purchases, when memberships are joined or parted."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.clock import Instant
from server.programme.service import PublishedProgramme, Rulebook
from server.storage import sql
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

    The tier at any later instant follows from that, as always. The member's ledger accounts are
    locked by the caller.
    """
    for table in ("tier_changes", "tier_days", "tier_states"):
        await sql.execute(f"DELETE FROM {table} WHERE member_id = $1", member_id)  # noqa: S608
    counting = Counting({}, book)
    counting.enrol(member_id, book.at(enrolled_at), enrolled_at)
    for spend in spends:
        counting.count(member_id, spend.published, spend.at, spend.spend_minor)
    await counting.flush()
