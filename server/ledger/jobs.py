"""Booking what has lapsed: for those who are told of it, and for the books.

No balance waits for it: what has lapsed counts as lapsed at every instant, booked or not.
"""

from server.clock import Instant
from server.ledger import queries
from server.ledger.journal import journal
from server.scheduling import Job
from server.storage import sql

MEMBERS_AT_ONCE = 200
"""In one transaction, which locks their accounts."""


async def book_lapsed(now: Instant) -> int:
    """Post what has lapsed by now of every member's value, each at the instant when it did; of how
    many members there may have been something. Twice at once, or again, it posts each once."""
    done, after_id = 0, 0
    while members := await queries.members_due(now, after_id=after_id, limit=MEMBERS_AT_ONCE):
        async with sql.transaction(shares_commit=False), journal(members, (), recorded_at=now):
            pass
        done += len(members)
        after_id = members[-1]
    return done


# The accounts are read through, for an index by expiry would make every purchase dearer.
JOBS: tuple[Job, ...] = (Job("expiries", "20 11 * * * *", book_lapsed),)
