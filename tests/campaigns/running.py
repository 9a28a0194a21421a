"""Campaigns for tests: writing them down, planning and sending them, and counting what came."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from server import clock
from server.campaigns import planning, queries, settling
from server.campaigns.shapes import Run
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Version
from server.notifications import policy, sending
from server.storage import sql
from server.storage.ids import new_id
from tests.notifications.posting import Post, Provider, at
from tests.purchases.baskets import publish as publish_programme

MONDAY = at("2026-01-05T08:00")  # before everything
DUE = "2026-05-13T10:00:00"
NO_POLICY: dict[str, Any] = {"caps": []}


def message(title: str = "Hello, {name}", **changes: Any) -> dict[str, Any]:
    """A message for campaigns."""
    return {
        "category": "offers",
        "default_language": "en",
        "texts": {"en": {"title": title, "body": "It is spring."}},
        "channels": ["push"],
        **changes,
    }


def campaign(**changes: Any) -> dict[str, Any]:
    """A campaign that says hello to everybody."""
    said = {} if "variants" in changes else {"message": "hello"}
    return {"name": "Spring", "at": DUE, "time_zone": "UTC", **said, **changes}


async def published(
    kind: str, key: str, document: dict[str, Any] | None, now: Instant = MONDAY
) -> Version | None:
    """Write and publish a version; None withdraws the thing."""
    with clock.moved_to(now):
        async with sql.transaction():
            if document is None:
                return await definitions.withdraw(kind, key, by="command line", now=now)
            version, _is_new = await definitions.publish_document(
                kind, key, document, by="command line", now=now
            )
            return version


async def shop(**changes: Any) -> None:
    """A programme without caps and quiet hours, with the message `hello`."""
    await publish_programme()
    await published("message_policy", "default", NO_POLICY)
    await published("message", "hello", message(**changes))


async def planned(now: Instant) -> int:
    """Begin and plan what is due; how many members were looked at."""
    await planning.begin_due(now)
    return await planning.plan_due(now, seconds=60)


async def settled(now: Instant) -> int:
    """Settle what there is to settle."""
    return await settling.settle(now, seconds=60)


async def sent(now: Instant, provider: Provider | None = None) -> Provider:
    """Send all that is due then, under the policy that counts; one channel after the other, so
    that it can be done within a transaction."""
    phone, rules, sender_id = provider or Provider(), await policy.policy_at(now), new_id()
    for pusher, mailer in ((phone, None), (None, Post().send)):
        while await sending.send_due(
            now, pusher=pusher, mailer=mailer, policy=rules, sender_id=sender_id
        ):
            pass
    return phone


async def run_of(campaign_key: str = "spring") -> Run:
    """The campaign's only run."""
    [run] = await queries.runs_of(campaign_key)
    return run


async def rows(columns: str, *, table: str = "notifications") -> Sequence[tuple[Any, ...]]:
    """These columns of all rows, in the order of the members' ids."""
    statement = f"SELECT {columns} FROM {table} ORDER BY member_id, id"  # noqa: S608 - a test's
    found = await sql.fetch(statement)
    return [tuple(row) for row in found]


async def counted(columns: str, *, table: str = "notifications") -> Counter[Any]:
    """How many rows have which of these columns."""
    return Counter(row[0] if len(row) == 1 else row for row in await rows(columns, table=table))
