"""Tills for tests: members with value, and what tills do, each act in a transaction of its own."""

from collections.abc import Awaitable
from typing import Any, TypeVar

from server import clock
from server.cards.service import MemberReference
from server.clock import NEVER, Instant
from server.errors import DomainError
from server.ledger import service as ledger
from server.money import POINTS
from server.payments import service
from server.payments.service import Basket, Cancelled, Held, Paid
from server.programme import service as programme
from server.rewards import service as rewards
from server.rewards.service import Redeemed, Redemption, RedemptionCancelled, VoucherReference
from server.storage import sql
from tests.api.calling import NOW, dump, enrolled
from tests.ledger.books import check_books, grant, granted
from tests.programme.demo import Place, demo_yaml

SHOP, RIVAL, STAFF = "shop", "rival", ""
SECOND = 1_000_000
DAY = 86_400 * SECOND
Changes = dict[Place, Any]
_Answer = TypeVar("_Answer")


def later(*, days: int = 0, seconds: int = 0) -> Instant:
    """So long after NOW."""
    return Instant(NOW + days * DAY + seconds * SECOND)


async def publish(changes: Changes | None = None) -> None:
    """The demo programme without welcome points, and with these changes, from the beginning."""
    text = demo_yaml({("points", "welcome_bonus_points"): 0, **(changes or {})})
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(text, published_by="test")


def in_currency(currency: str, minor_units: int) -> Changes:
    """The programme in another currency."""
    return {
        ("programme", "currency"): currency,
        ("programme", "minor_units_per_major"): minor_units,
    }


async def member_with(
    points: int = 0, *, cashback: int = 0, asset: str = "USD", expires_at: Instant = NEVER
) -> int:
    """A new member with points and cashback."""
    member = await enrolled()
    for amount, of in ((points, POINTS), (cashback, asset)):
        if amount:
            lot = granted(amount, at=NOW, expires_at=expires_at, asset=of)
            async with sql.transaction(), ledger.journal([member], [of], recorded_at=NOW) as book:
                book.grant(member, lot)
    return member


async def more_points(member: int, points: int, *, expires_at: Instant) -> None:
    """Another lot."""
    await grant(member, granted(points, at=NOW, expires_at=expires_at), now=NOW)


def basket(net_minor: int = 10_000, currency: str = "USD") -> Basket:
    return Basket(net_minor, currency)


async def written(work: Awaitable[_Answer]) -> _Answer:
    """The work in one transaction, after which the books are in order."""
    async with sql.transaction():
        answer = await work
    await check_books()
    return answer


async def refused(work: Awaitable[Any]) -> DomainError:
    """The work is refused and has changed nothing; why."""
    before = await dump()
    try:
        async with sql.transaction():
            await work
    except DomainError as refusal:
        assert await dump() == before
        return refusal
    raise AssertionError("nothing was refused")


async def pay_with_points(
    member: int,
    points: int | None = None,
    of: Basket | None = None,
    *,
    now: Instant = NOW,
    partner: str = SHOP,
    from_household: bool = False,
) -> Paid:
    return await service.pay_with_points(
        MemberReference(id=member),
        of or basket(),
        points=points,
        from_household=from_household,
        partner=partner,
        now=now,
    )


async def pay_with_cashback(
    member: int,
    amount_minor: int | None = None,
    of: Basket | None = None,
    *,
    now: Instant = NOW,
    partner: str = SHOP,
) -> Paid:
    return await service.pay_with_cashback(
        MemberReference(id=member),
        of or basket(),
        amount_minor=amount_minor,
        partner=partner,
        now=now,
    )


async def pay_with_voucher(
    code: str,
    amount_minor: int | None = None,
    of: Basket | None = None,
    *,
    now: Instant = NOW,
    partner: str = SHOP,
) -> Paid:
    return await service.pay_with_voucher(
        code, of or basket(), amount_minor=amount_minor, partner=partner, now=now
    )


async def hold(
    member: int,
    amount: int,
    kind: str = "points",
    *,
    ttl: int | None = None,
    now: Instant = NOW,
    partner: str = SHOP,
    from_household: bool = False,
) -> Held:
    return await service.hold(
        MemberReference(id=member),
        kind,
        amount,
        ttl_seconds=ttl,
        from_household=from_household,
        partner=partner,
        now=now,
    )


async def settle(
    hold_id: int,
    of: Basket | None = None,
    *,
    points: int | None = None,
    amount_minor: int | None = None,
    now: Instant = NOW,
    partner: str = SHOP,
) -> Paid:
    return await service.settle(
        hold_id,
        of or basket(),
        points=points,
        amount_minor=amount_minor,
        partner=partner,
        now=now,
    )


async def release(hold_id: int, *, now: Instant = NOW, partner: str | None = SHOP) -> Held:
    return await service.release(hold_id, partner=partner, now=now)


async def cancel(payment_id: int, *, now: Instant = NOW, partner: str | None = SHOP) -> Cancelled:
    return await service.cancel_payment(payment_id, partner=partner, now=now)


async def redeem(
    member: int, points: int, *, now: Instant = NOW, from_household: bool = False
) -> Redeemed:
    wish = Redemption(MemberReference(id=member), points, from_household)
    return await rewards.redeem(wish, now=now)


async def cancel_redemption(code: str, *, now: Instant = NOW) -> RedemptionCancelled:
    return await rewards.cancel_redemption(VoucherReference(code=code), now=now)


async def balance(member: int, asset: str = POINTS, *, at: Instant = NOW) -> ledger.Balance:
    return (await ledger.balances([member], at)).get((member, asset), ledger.Balance())


async def available(member: int, asset: str = POINTS, *, at: Instant = NOW) -> int:
    """What the member can spend of their own."""
    return (await balance(member, asset, at=at)).available


async def expiring(member: int, *, at: Instant) -> dict[Instant, int]:
    """What of the member's points expires when."""
    holding = (await ledger.holdings([member], at))[member, POINTS]
    return {each.expires_at: each.amount for each in holding.expiring}
