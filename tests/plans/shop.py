"""A shop with membership plans, and a provider that obliges."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from server import clock
from server.clock import Instant
from server.definitions import service as definitions
from server.integrations import billing
from server.integrations.billing import BillingProvider
from server.plans import service as plans
from server.plans.hooks import Taken, take
from server.plans.rules import after_days
from server.plans.service import Changed, PlanView
from server.storage import sql
from tests.api.calling import NOW
from tests.baskets.shopping import open_shop
from tests.integrations.billing_server import Obliging

ZONE = "America/New_York"
"""The demo programme's, where summer begins four days after NOW."""
Plain = dict[str, Any]
PLUS: Plain = {
    "default_language": "en",
    "texts": {"en": {"title": "Plus"}, "lt": {"title": "Pliusas"}},
    "price_minor": 499,
    "interval": "month",
    "grace_days": 7,
    "benefits": {
        "free_shipping": True,
        "points_multiplier_percent": 200,
        "member_prices": [
            {"products": ["1"], "price_minor": 800},
            {"products": ["2"], "price_minor": 100},
        ],
        "guarantee": {"days": 60, "texts": {"en": "Bring it back for 60 days."}},
    },
}
TRIED: Plain = {**PLUS, "trial_days": 30}
YEARLY: Plain = {**PLUS, "price_minor": 4900, "interval": "year"}


def after(days: int = 0) -> Instant:
    """The same time of day so many days after NOW, where the programme is."""
    return after_days(NOW, days, ZONE)


@contextmanager
def billed_by(provider: BillingProvider) -> Iterator[None]:
    """Within the block this provider takes the money."""
    billing.use(provider)
    try:
        yield
    finally:
        billing.use(billing.NoBilling())


@contextmanager
def obliging() -> Iterator[None]:
    with billed_by(Obliging()):
        yield


async def publish_plan(key: str, document: Plain, *, at: Instant = NOW) -> None:
    async with sql.transaction():
        await definitions.publish_document(
            "plan", key, document, by=definitions.COMMAND_LINE, now=at
        )


async def opened(**documents: Plain) -> int:
    """The demo programme and these plans; a member's id."""
    member = await open_shop()
    for key, document in documents.items():
        await publish_plan(key, document)
    return member


async def subscribed(member: int, key: str = "plus", *, now: Instant = NOW) -> PlanView:
    async with sql.transaction():
        return (await plans.subscribe(member, key, now=now)).plan


async def done(verb: str, *given: Any, now: Instant = NOW, **more: Any) -> Changed:
    """cancel, resume, change, grant or end, in a transaction of its own."""
    async with sql.transaction():
        changed: Changed = await getattr(plans, verb)(*given, **{"by": "test", **more}, now=now)
        return changed


def message(kind: str, plan_id: int, at: Instant, payment: str = "p", **data: Any) -> bytes:
    """What the provider tells."""
    told = {"subscription": str(plan_id), "payment": payment, "amount_minor": 499}
    stated = {**told, "currency": "USD", **data}
    timestamp = clock.datetime_of(at).isoformat()
    return json.dumps({"type": kind, "timestamp": timestamp, "data": stated}).encode()


async def paid(plan_id: int, payment: str = "p", *, at: Instant = NOW, **data: Any) -> Taken:
    """The provider tells of a payment, under an id made of the payment's."""
    body = message("payment.succeeded", plan_id, at, payment, **data)
    return await take(f"evt-{payment}", body, now=at)


async def status(plan_id: int, now: Instant = NOW) -> str:
    return (await plans.find([plan_id]))[plan_id].status(now).value
