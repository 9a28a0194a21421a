"""Paying with points, cashback and vouchers: what it takes, and every refusal without a trace."""

import pytest

from server.cards.service import MemberReference
from server.errors import (
    AlreadyDecided,
    InsufficientCashback,
    InsufficientPoints,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from server.messages import told
from server.money import POINTS
from server.payments import service
from server.payments.service import Payment
from server.storage.database import Address
from tests.api.calling import NOW
from tests.households.living import CONTRIBUTOR, SPENDER, founded
from tests.ledger.books import spend
from tests.payments.tills import (
    RIVAL,
    SHOP,
    Changes,
    available,
    basket,
    expiring,
    hold,
    in_currency,
    later,
    member_with,
    more_points,
    pay_with_cashback,
    pay_with_points,
    pay_with_voucher,
    publish,
    redeem,
    refused,
    written,
)


async def test_points_that_expire_first_pay_first(database: Address) -> None:
    await publish()
    anna = await member_with(500, expires_at=later(days=9))
    await more_points(anna, 300, expires_at=later(days=3))
    paid = await written(pay_with_points(anna, 400))
    assert paid.available_after == await available(anna) == 400
    assert await expiring(anna, at=NOW) == {later(days=9): 400}
    assert paid.payment == Payment(
        id=paid.payment.id,
        member_id=anna,
        kind="points",
        asset=POINTS,
        amount=400,
        value_minor=400,
        currency="USD",
        digits=2,
        restored_amount=0,
        restored_minor=0,
        voucher_id=None,
        hold_id=None,
        purchase_id=None,
        partner=SHOP,
        paid_at=NOW,
        cancelled_at=None,
    )
    assert await service.payment(paid.payment.id) == paid.payment
    assert await service.payments([anna], before=None, limit=5) == {anna: [paid.payment]}


@pytest.mark.parametrize(
    ("currency", "minor_units", "rate", "asked", "took", "off"),
    [("JPY", 1, (300, 100), 1000, 999, 333), ("TND", 1000, (10, 35), 1001, 1001, 3503)],
)
async def test_in_a_currency_of_other_minor_units(
    database: Address,
    currency: str,
    minor_units: int,
    rate: tuple[int, int],
    asked: int,
    took: int,
    off: int,
) -> None:
    paying: Changes = {("paying_with_points",): {"points": rate[0], "worth_minor": rate[1]}}
    await publish({**in_currency(currency, minor_units), **paying})
    anna = await member_with(2000, cashback=777, asset=currency)
    paid = await written(pay_with_points(anna, asked, basket(5000, currency)))
    assert (paid.payment.amount, paid.payment.value_minor) == (took, off)
    assert (paid.payment.currency, 10**paid.payment.digits) == (currency, minor_units)
    assert await available(anna) == 2000 - took
    cash = await written(pay_with_cashback(anna, of=basket(500, currency)))
    assert (cash.payment.amount, cash.available_after) == (500, 277)


async def test_as_many_points_as_the_basket_and_the_member_allow(database: Address) -> None:
    await publish({("paying_with_points",): {"maximum_share_basis_points": 5000}})
    anna = await member_with(700)
    first = await written(pay_with_points(anna, of=basket(999)))
    assert (first.payment.amount, first.available_after) == (499, 201)
    second = await written(pay_with_points(anna))
    assert (second.payment.amount, second.available_after) == (201, 0)
    short = await refused(pay_with_points(anna))
    assert isinstance(short, InsufficientPoints)
    assert (short.available, short.required) == (0, 1)


async def test_refused_points(database: Address) -> None:
    await publish({("paying_with_points",): {"minimum_points": 50}})
    anna = await member_with(100)
    short = await refused(pay_with_points(anna, 101))
    assert isinstance(short, InsufficientPoints)
    assert (short.available, short.required) == (100, 101)
    for points, of, path, accepted in (
        (49, basket(), ("points",), "50 to 10000"),
        (10_001, basket(), ("points",), "50 to 10000"),
        (None, basket(49), ("basket", "netMinor"), "50 or more"),
        (50, basket(0), ("basket", "netMinor"), "1 to 2147483647"),
        (50, basket(2**31), ("basket", "netMinor"), "1 to 2147483647"),
        (50, basket(currency="EUR"), ("basket", "currencyCode"), "USD"),
    ):
        wrong = await refused(pay_with_points(anna, points, of))
        assert isinstance(wrong, InvalidInput)
        assert (wrong.path, told(wrong.accepted, "en")) == (path, accepted)
    unknown = await refused(
        service.pay_with_points(
            MemberReference(external_id="nobody"),
            basket(),
            points=50,
            partner=SHOP,
            now=NOW,
        )
    )
    assert isinstance(unknown, NotFound)
    assert unknown.path == ("member", "externalId")


async def test_a_programme_that_does_not_offer_it(database: Address) -> None:
    await publish({("paying_with_points",): {"worth_minor": 0}})
    anna = await member_with(100)
    assert isinstance(await refused(pay_with_points(anna, 10)), NotAllowed)
    assert isinstance(await refused(hold(anna, 10)), NotAllowed)


# ---------------------------------------------------------------- cashback


async def test_cashback_is_exact(database: Address) -> None:
    await publish()
    anna = await member_with(cashback=1234)
    first = await written(pay_with_cashback(anna, 1))
    assert (first.payment.value_minor, first.available_after) == (1, 1233)
    second = await written(pay_with_cashback(anna, of=basket(200)))
    assert (second.payment.amount, second.available_after) == (200, 1033)
    third = await written(pay_with_cashback(anna))
    assert (third.payment.amount, third.available_after) == (1033, 0)
    assert third.payment.asset == third.payment.currency == "USD"
    short = await refused(pay_with_cashback(anna))
    assert isinstance(short, InsufficientCashback)
    assert (short.available, short.required, short.currency, short.digits) == (0, 1, "USD", 2)


async def test_refused_cashback(database: Address) -> None:
    await publish()
    anna = await member_with(cashback=100)
    for amount in (0, -1, 51, 2**63):
        wrong = await refused(pay_with_cashback(anna, amount, basket(50)))
        assert isinstance(wrong, InvalidInput)
        assert (wrong.path, told(wrong.accepted, "en")) == (("amountMinor",), "1 to 50")
    short = await refused(pay_with_cashback(anna, 101))
    assert isinstance(short, InsufficientCashback)
    assert (short.available, short.required) == (100, 101)
    wrong = await refused(pay_with_cashback(anna, 1, basket(currency="EUR")))
    assert isinstance(wrong, InvalidInput)


# ---------------------------------------------------------------- vouchers


async def test_a_voucher_is_used_in_parts_until_nothing_remains(database: Address) -> None:
    await publish()
    anna = await member_with(2000)
    voucher = (await written(redeem(anna, 2000))).voucher
    first = await written(pay_with_voucher(voucher.code, 300))
    assert (first.payment.value_minor, first.available_after) == (300, 1700)
    assert (first.payment.member_id, first.payment.voucher_id) == (anna, voucher.id)
    # However it was typed.
    typed = voucher.code.lower().replace("-", " ")
    second = await written(pay_with_voucher(typed, of=basket(500), partner=RIVAL))
    assert (second.payment.value_minor, second.available_after) == (500, 1200)
    wrong = await refused(pay_with_voucher(voucher.code, 1201))
    assert isinstance(wrong, InvalidInput)
    assert (wrong.path, told(wrong.accepted, "en")) == (("amountMinor",), "1 to 1200")
    third = await written(pay_with_voucher(voucher.code))
    assert (third.payment.value_minor, third.available_after) == (1200, 0)
    over = await refused(pay_with_voucher(voucher.code))
    assert isinstance(over, AlreadyDecided)
    assert (over.status, over.path) == ("USED", ("voucherCode",))


async def test_refused_vouchers(database: Address) -> None:
    await publish()
    anna = await member_with(1000)
    voucher = (await written(redeem(anna, 1000))).voucher
    for code in ("", "nonsense", "x" * 1000, "2222222-2222222"):
        assert isinstance(await refused(pay_with_voucher(code)), NotFound)
    wrong = await refused(pay_with_voucher(voucher.code, of=basket(currency="EUR")))
    assert isinstance(wrong, InvalidInput)
    assert (wrong.path, told(wrong.accepted, "en")) == (("basket", "currencyCode"), "USD")


# ---------------------------------------------------------------- households


async def test_a_household_pays_with_all_that_it_has(database: Address) -> None:
    await publish()
    anna, bob = (
        await member_with(300, expires_at=later(days=5)),
        await member_with(500, expires_at=later(days=2)),
    )
    await founded(anna, (bob, SPENDER))
    paid = await written(pay_with_points(anna, 600, from_household=True))
    assert (paid.payment.member_id, paid.available_after) == (anna, 200)
    assert (await available(anna), await available(bob)) == (200, 0)
    short = await refused(pay_with_points(bob, 201, from_household=True))
    assert isinstance(short, InsufficientPoints)
    assert short.available == 200
    rest = await written(pay_with_points(bob, from_household=True))
    assert (rest.payment.amount, rest.available_after) == (200, 0)


async def test_a_household_buys_a_voucher_together(database: Address) -> None:
    await publish()
    anna, bob = await member_with(300), await member_with(700)
    assert isinstance(await refused(redeem(anna, 1000, from_household=True)), NotAllowed)
    await founded(anna, (bob, CONTRIBUTOR))
    refusal = await refused(redeem(bob, 1000, from_household=True))
    assert isinstance(refusal, NotAllowed)
    assert refusal.path == ("fromHousehold",)
    told = await written(redeem(anna, 1000, from_household=True))
    assert (told.voucher.member_id, told.points_available_after) == (anna, 0)
    assert (await available(anna), await available(bob)) == (0, 0)


async def test_who_may_not_spend_for_the_household(database: Address) -> None:
    await publish()
    anna, bob, carl = await member_with(300), await member_with(500), await member_with(500)
    await founded(anna, (bob, CONTRIBUTOR))
    for member in (bob, carl):
        for work in (
            pay_with_points(member, 10, from_household=True),
            hold(member, 10, from_household=True),
        ):
            refusal = await refused(work)
            assert isinstance(refusal, NotAllowed)
            assert refusal.path == ("fromHousehold",)


async def test_what_was_spent_elsewhere_is_gone(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    await spend(anna, 60, now=NOW)
    assert (await written(pay_with_points(anna))).payment.amount == 40
