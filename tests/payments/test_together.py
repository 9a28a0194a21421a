"""Several tills at once: what one has, no other gets."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from server.errors import AlreadyDecided, DomainError, InsufficientPoints
from server.rewards import service as rewards
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW
from tests.households.living import SPENDER, founded
from tests.ledger.books import check_books
from tests.payments.tills import (
    available,
    cancel,
    cancel_redemption,
    hold,
    member_with,
    pay_with_points,
    pay_with_voucher,
    publish,
    redeem,
    release,
    settle,
    written,
)


async def at_once(*works: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Each in a transaction of its own, all at once; what each answered, or its refusal."""

    async def attempt(work: Callable[[], Awaitable[Any]]) -> Any:
        async def once() -> Any:
            async with sql.transaction():
                return await work()

        try:
            return await sql.retried(once)
        except DomainError as refusal:
            return refusal

    answers = await asyncio.gather(*(attempt(work) for work in works))
    await check_books()
    return answers


def statuses(answers: list[Any]) -> list[str]:
    return [one.status for one in answers if isinstance(one, AlreadyDecided)]


async def test_a_hold_is_settled_once(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    held = (await written(hold(anna, 60))).hold.id
    answers = await at_once(*(lambda: settle(held, points=40) for _ in range(6)))
    assert statuses(answers) == ["SETTLED"] * 5
    assert {one.path for one in answers if isinstance(one, AlreadyDecided)} == {("holdId",)}
    assert await available(anna) == 60


async def test_a_hold_is_settled_or_released(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    held = (await written(hold(anna, 60))).hold.id
    answers = await at_once(
        *(lambda: settle(held) for _ in range(3)), *(lambda: release(held) for _ in range(3))
    )
    assert len(statuses(answers)) == 5
    assert len(set(statuses(answers))) == 1
    assert await available(anna) == (40 if statuses(answers)[0] == "SETTLED" else 100)


async def test_payments_and_redemptions_are_cancelled_once(database: Address) -> None:
    await publish()
    anna = await member_with(1100)
    paid = (await written(pay_with_points(anna, 60))).payment.id
    code = (await written(redeem(anna, 1000))).voucher.code
    answers = await at_once(
        *(lambda: cancel(paid) for _ in range(4)),
        *(lambda: cancel_redemption(code) for _ in range(4)),
    )
    assert statuses(answers) == ["CANCELLED"] * 6
    assert await available(anna) == 1100


async def test_a_voucher_is_used_up_once(database: Address) -> None:
    await publish()
    anna = await member_with(1000)
    voucher = (await written(redeem(anna, 1000))).voucher
    answers = await at_once(
        *(lambda: pay_with_voucher(voucher.code, 400) for _ in range(3)),
        lambda: cancel_redemption(voucher.code),
    )
    after = await rewards.voucher(voucher.id)
    assert after is not None
    refusals = [one for one in answers if isinstance(one, DomainError)]
    if after.status == "cancelled":
        assert (len(refusals), await available(anna)) == (3, 1000)
    else:
        assert (len(refusals), after.remaining_minor) == (2, 200)


async def test_a_household_spends_everything_once(database: Address) -> None:
    await publish()
    anna, bob = await member_with(100), await member_with(100)
    await founded(anna, (bob, SPENDER))
    answers = await at_once(
        *(lambda: pay_with_points(anna, 50, from_household=True) for _ in range(3)),
        *(lambda: pay_with_points(bob, 50, from_household=True) for _ in range(3)),
    )
    short = [one for one in answers if isinstance(one, InsufficientPoints)]
    assert len(short) == 2
    assert await available(anna) + await available(bob) == 0
    paid = [one.payment.id for one in answers if not isinstance(one, DomainError)]
    await at_once(*(lambda id_=id_: cancel(id_, now=NOW) for id_ in paid))
    assert (await available(anna), await available(bob)) == (100, 100)
