"""The outbox: what happened, written in the transaction that made it happen, for who must follow.

A verb puts an event while its transaction runs: `put("points.earned", member_id, {...})`. The
events of a transaction are written at its end by one statement, with the versions of what it
changed; what is rolled back, a savepoint included, leaves none. Whoever follows takes the oldest
events, does what follows from them in the database and removes them, all in one transaction: so
each is followed once, however often a process dies. Nobody who puts an event waits for that.

The events of one member come in the order of their transactions, for those wait for each other.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from tortoise import fields
from tortoise.models import Model

from server.clock import Instant
from server.storage import changes, sql
from server.storage.fields import IdField, InstantField


class OutboxEvent(Model):
    """Something that happened and has not been followed yet; who has followed it removes it."""

    id = IdField()
    kind = fields.CharField(40)
    member_id = fields.BigIntField(null=True)
    facts = fields.TextField()  # a JSON object
    occurred_at = InstantField()
    recorded_at = InstantField()

    class Meta:
        """Table."""

        table = "outbox_events"


class Event(msgspec.Struct, frozen=True):
    """Something that happened."""

    id: int  # ascending for each member
    kind: str  # such as "points.earned"
    member_id: int | None
    facts: Mapping[str, Any]  # what JSON can hold; ids and amounts are integers
    occurred_at: Instant  # when it counts
    recorded_at: Instant  # by the machine's clock


def put(
    kind: str, member_id: int | None, facts: Mapping[str, Any], *, occurred_at: Instant
) -> None:
    """Write the event with the transaction that this is called in."""
    changes.put((kind, member_id, msgspec.json.encode(facts).decode(), occurred_at))


_OLDEST = (
    "SELECT id, kind, member_id, facts, occurred_at, recorded_at FROM outbox_events"
    " ORDER BY id LIMIT $1"
)


async def oldest(limit: int) -> list[Event]:
    """The oldest events, at most so many."""
    return [
        Event(row[0], row[1], row[2], msgspec.json.decode(row[3]), Instant(row[4]), Instant(row[5]))
        for row in await sql.fetch(_OLDEST, limit)
    ]


async def remove(event_ids: Collection[int]) -> None:
    """Remove events that have been followed. Writes; call it in the transaction that follows."""
    await sql.execute_many(
        "DELETE FROM outbox_events WHERE id = $1", [(one,) for one in sorted(event_ids)]
    )


async def remove_all() -> None:
    """Remove all events, followed or not. Writes."""
    await sql.execute("DELETE FROM outbox_events")


async def waiting() -> tuple[int, Instant | None]:
    """How many events wait to be followed, and since when the oldest does; None if none waits."""
    row = await sql.fetch_one("SELECT COUNT(*), MIN(recorded_at) FROM outbox_events")
    assert row is not None, "an aggregate has a row"
    return row[0], row[1]
