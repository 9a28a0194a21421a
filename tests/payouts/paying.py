"""Members with cashback, and payouts in every status."""

from collections.abc import Awaitable, Callable
from typing import Any

from server.clock import NEVER, Instant
from server.ledger import service as ledger
from server.ledger.service import Balance
from server.payouts import service as payouts
from server.payouts.service import PayoutStatus, PayoutView
from server.storage import sql
from tests.api.calling import Api, Caller
from tests.ledger.books import grant, granted, new_members
from tests.purchases.baskets import Changes, at, publish

NOW = at("2026-03-04")
DAY = 86_400_000_000
ASKER, MANAGER = 7, 8
"""Accounts of staff: who asks on members' behalf, and who decides."""

Verb = Callable[[int], Awaitable[PayoutView]]


def later(days: int) -> Instant:
    """Noon, so many days after NOW."""
    return Instant(NOW + days * DAY)


async def member_with(*amounts: int, currency: str = "USD", expires_at: Instant = NEVER) -> int:
    """A member with cashback, a lot for each amount."""
    [member] = await new_members(1)
    async with sql.transaction(), ledger.journal([member], [currency], recorded_at=NOW) as journal:
        for amount in amounts:
            lot = granted(amount, at=NOW, asset=currency, expires_at=expires_at)
            journal.grant(member, lot)
    return member


async def with_cashback(api: Api, amount: int, *, external_id: str | None = None) -> Caller:
    """A member who is signed in and has cashback, in cents."""
    caller = await api.member(external_id, at=NOW)
    await grant(caller.member_id, granted(amount, at=NOW, asset="USD"), now=NOW)
    return caller


async def published(changes: Changes | None = None) -> None:
    """The demo's rules in UTC, with changes, since a while ago."""
    await publish(changes, at=at("2026-01-01"))


async def request(
    member: int,
    amount: int | None = None,
    *,
    now: Instant = NOW,
    requested_by: int | None = None,
) -> PayoutView:
    """Asks in a transaction of its own."""
    async with sql.transaction():
        return await payouts.request(
            member, amount, "LT12 1000", requested_by=requested_by, now=now
        )


def change(to: PayoutStatus, member: int, *, now: Instant = NOW, by: int = MANAGER) -> Verb:
    """The verb that makes a payout of the member so, in a transaction of its own."""
    verbs: dict[PayoutStatus, Callable[[int], Any]] = {
        PayoutStatus.CANCELLED: lambda id_: payouts.cancel(id_, member, now=now),
        PayoutStatus.APPROVED: lambda id_: payouts.approve(id_, by=by, now=now),
        PayoutStatus.REJECTED: lambda id_: payouts.reject(id_, "unknown bank", by=by, now=now),
        PayoutStatus.PAID: lambda id_: payouts.mark_paid(id_, "B-1", by="key:1", now=now),
        PayoutStatus.FAILED: lambda id_: payouts.mark_failed(
            id_, "account closed", by="key:1", now=now
        ),
    }

    async def changed(payout_id: int) -> PayoutView:
        async with sql.transaction():
            made: PayoutView = await verbs[to](payout_id)
            return made

    return changed


WAYS: dict[str, tuple[PayoutStatus, ...]] = {
    "requested": (),
    "approved": (PayoutStatus.APPROVED,),
    "rejected": (PayoutStatus.REJECTED,),
    "cancelled": (PayoutStatus.CANCELLED,),
    "paid": (PayoutStatus.APPROVED, PayoutStatus.PAID),
    "failed": (PayoutStatus.APPROVED, PayoutStatus.FAILED),
    "sent back": (PayoutStatus.APPROVED, PayoutStatus.PAID, PayoutStatus.FAILED),
}
"""How a request gets into each status."""


async def payout_that_is(way: str, member: int, amount: int | None = None) -> PayoutView:
    """A payout that has gone the way."""
    payout = await request(member, amount)
    for status in WAYS[way]:
        payout = await change(status, member)(payout.id)
    return payout


async def balance(member: int, *, currency: str = "USD", now: Instant = NOW) -> Balance:
    """What the member has."""
    return (await ledger.balances([member], now))[member, currency]
