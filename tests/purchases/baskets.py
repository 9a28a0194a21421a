"""Programmes and purchases for tests: the demo's rules with changes, and short baskets."""

from collections.abc import Sequence
from contextlib import nullcontext
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant
from server.errors import DomainError
from server.programme import rules, service
from server.programme.document import Programme
from server.purchases import service as purchases
from server.purchases.service import Draft, Line, RecordedPurchase, Submission
from server.storage import sql
from tests.programme.demo import Place, demo_yaml

PARTNER = "shop"
Changes = dict[Place, Any]


def document_with(changes: Changes | None) -> str:
    """The demo's rules with some values changed, in UTC, as text."""
    # Copied, because one change may go into the value of another.
    return demo_yaml(deepcopy({("programme", "timezone"): "UTC"} | (changes or {})))


def programme_with(changes: Changes | None = None) -> Programme:
    """The same as the rules read them."""
    return rules.checked(document_with(changes)).programme


async def publish(changes: Changes | None = None, *, at: Instant | None = None) -> None:
    """Makes these rules the programme, from the instant on if another was published before."""
    with nullcontext() if at is None else clock.moved_to(at):
        async with sql.transaction():
            await service.publish(document_with(changes), published_by="test")


def at(text: str) -> Instant:
    """The instant of an ISO date, at noon UTC unless it says a time."""
    moment = datetime.fromisoformat(text)
    if "T" not in text:
        moment = moment.replace(hour=12)
    return clock.instant_of(moment.replace(tzinfo=UTC))


def line(
    department: str | None,
    sales: int,
    coupon: int = 0,
    *,
    category: str | None = "CATEGORY",
    kind: str | None = "TYPE",
    product: str = "1",
) -> Line:
    """A till line."""
    return Line(product, department, category, kind, 1, sales, coupon)


def draft(
    number: str,
    when: str | Instant,
    *lines: Line | int,
    household: str = "1",
    currency: str = "USD",
) -> Draft:
    """A basket; a line that is only a number is groceries for so many cents."""
    return Draft(
        external_id=number,
        member=MemberReference(external_id=household),
        occurred_at=at(when) if isinstance(when, str) else when,
        store_id="1",
        currency=currency,
        lines=tuple(line("GROCERY", each) if isinstance(each, int) else each for each in lines),
    )


async def send(*drafts: Draft, now: Instant | None = None) -> list[RecordedPurchase | DomainError]:
    """Records the baskets at once, by default at the instant of the latest."""
    instant = max(each.occurred_at for each in drafts) if now is None else now
    submissions = [Submission(each, enrol_if_unknown=True) for each in drafts]
    with clock.moved_to(instant):
        async with sql.transaction():
            return await purchases.record_many(submissions, partner=PARTNER, now=instant)


async def recorded(*drafts: Draft, now: Instant | None = None) -> list[RecordedPurchase]:
    """The same, if nothing is refused."""
    return accepted(await send(*drafts, now=now))


def accepted(answers: Sequence[RecordedPurchase | DomainError]) -> list[RecordedPurchase]:
    """The answers, none of which is a refusal."""
    for answer in answers:
        if isinstance(answer, DomainError):
            raise answer
    return [answer for answer in answers if isinstance(answer, RecordedPurchase)]
