"""Inviters and friends for tests, under the demo's rules in UTC and one referral programme."""

from typing import Any

from server import clock
from server.clock import Instant
from server.definitions import service as definitions
from server.enrolment import service as enrolment
from server.ledger import service as ledger
from server.money import POINTS
from server.programme import service as programme
from server.referrals import service as referrals
from server.referrals.service import Invitation, Marks, ReferralView
from server.storage import sql
from tests.purchases.baskets import at, draft, publish, recorded

TERMS: dict[str, Any] = {
    "inviter": {"points": 500, "cashback_minor": 200},
    "friend": {"points": 300},
    "minimum_purchase_minor": 2_000,
    "within_days": 30,
    "return_period_days": 14,
}
JOINED = at("2026-01-05")


async def publish_terms(
    changes: dict[str, Any] | None = None, *, key: str = "default", now: Instant = JOINED
) -> None:
    """Publish the referral programme."""
    async with sql.transaction():
        await definitions.publish_document(
            "referral", key, TERMS | (changes or {}), by="command line", now=now
        )


async def opened(changes: dict[str, Any] | None = None) -> int:
    """Publish everything; the inviter, whose external id is `inviter`."""
    await publish()
    await publish_terms(changes)
    return await member("inviter")


async def member(
    name: str,
    *,
    by: int | None = None,
    now: Instant = JOINED,
    marks: Marks | None = None,
    email: str | None = None,
) -> int:
    """Enrol a member, who comes through another one if `by` is given."""
    code = None
    if by is not None:
        (code,) = await referrals.codes_of([by])
    with clock.moved_to(now):
        async with sql.transaction():
            published = (await programme.rulebook()).at(now)
            return await enrolment.enrol(
                enrolment.newcomer(now, published, external_id=name, name=f"{name} Smith"),
                invitation=Invitation(code, marks or Marks(), email),
            )


async def came(friend_id: int) -> ReferralView:
    """The referral by which the member came."""
    found = await referrals.of_friends([friend_id])
    return found[friend_id]


async def points(member_id: int, when: str | Instant, asset: str = POINTS) -> tuple[int, int]:
    """What the member has available then, and what is pending."""
    now = at(when) if isinstance(when, str) else when
    balance = (await ledger.balances([member_id], now))[member_id, asset]
    return balance.available, balance.pending


async def granted(member_id: int) -> list[tuple[str, int, int]]:
    """Rule, amount and what was undone, of all that referrals gave the member."""
    rows = await sql.fetch(
        "SELECT rule, amount, undone FROM lots WHERE member_id = $1 AND reason = 'referral'"
        " ORDER BY sequence, id",
        member_id,
    )
    return sorted((row[0], row[1], row[2]) for row in rows)


async def bought(name: str, number: str, when: str, *minor: int) -> None:
    """Record a purchase of groceries by the member."""
    await recorded(draft(number, when, *minor, household=name))
