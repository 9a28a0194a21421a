"""Subscriptions and events of tests."""

from collections.abc import Mapping
from typing import Any

from server import clock
from server.clock import Instant
from server.programme import service as programme
from server.storage import outbox, sql
from server.storage.ids import new_id
from server.storage.outbox import Event
from server.webhooks import fanning, payloads, queries, service, signing
from server.webhooks.service import Delivery, Signed, Wish
from tests.api.calling import NOW
from tests.programme.demo import demo_text

SECOND = clock.MICROSECONDS_PER_SECOND
HOUR = 3_600 * SECOND


def after(hours: float = 0, *, seconds: int = 0) -> Instant:
    """So long after NOW."""
    return Instant(NOW + int(hours * HOUR) + seconds * SECOND)


async def published() -> None:
    """The demo programme, in effect."""
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(demo_text(), published_by="test")


async def subscribed(
    url: str, *kinds: str, partner: str | None = None, name: str = "CRM", now: Instant = NOW
) -> Signed:
    """A new subscription."""
    async with sql.transaction():
        return await service.create(Wish(name, url, partner, kinds), now=now)


async def secret_of(signed: Signed) -> str:
    return await signing.derived_secret(signed.secret_id)


def event(kind: str, member_id: int | None = 7, at: Instant = NOW, **facts: Any) -> Event:
    """An event with the facts of the example, unless others are given."""
    example: Mapping[str, Any] = payloads.KINDS[payloads.EventType(kind)].example
    return Event(new_id(), kind, member_id, {**example, **facts}, at, at)


async def told(*events: Event, now: Instant = NOW) -> None:
    """What the relay does with events."""
    async with sql.transaction():
        await fanning.fan_out(events, now)


async def all_deliveries() -> list[Delivery]:
    """Every delivery, the oldest first."""
    found = await service.deliveries(
        subscription_id=None, status=None, before=2**63 - 1, limit=10_000
    )
    return found[::-1]


async def statuses() -> list[str]:
    return [one.status.value for one in await all_deliveries()]


async def subscription(subscription_id: int) -> service.Subscription:
    return await service.subscription(subscription_id)


async def outbox_kinds() -> list[str]:
    return [one.kind for one in await outbox.oldest(100)]


async def expire_secrets_of(subscription_id: int, now: Instant) -> int:
    async with sql.transaction():
        return await sql.execute(queries.EXPIRE_SECRETS, now, subscription_id)
