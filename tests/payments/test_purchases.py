"""What purchases and their returns ask of payments."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant
from server.errors import AlreadyDecided, DomainError, InvalidInput, NotAllowed, NotFound
from server.ledger import service as ledger
from server.ledger.service import Restored
from server.money import POINTS
from server.payments import service
from server.payments.service import GivenBack, Payment
from server.programme import service as programme
from server.rewards import service as rewards
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW
from tests.households.living import SPENDER, founded
from tests.ledger.books import check_books
from tests.payments.tills import (
    RIVAL,
    SHOP,
    STAFF,
    available,
    balance,
    cancel,
    later,
    member_with,
    pay_with_cashback,
    pay_with_points,
    pay_with_voucher,
    publish,
    redeem,
    written,
)
from tests.playing import undone
from tests.properties import trying

PURCHASE, RETURN = 77, 78


async def found(*payment_ids: int, partner: str = SHOP) -> dict[int, Payment]:
    async with sql.transaction():
        return await service.for_purchase(payment_ids, partner=partner)


def refusal(payment: Payment | None, member: int, **changes: str) -> DomainError:
    """Why the payment can't be used."""
    facts = {"currency": "USD", "partner": SHOP, **changes}
    with pytest.raises(DomainError) as refused:
        service.check_usable(
            payment,
            member_id=member,
            currency=facts["currency"],
            partner=facts["partner"],
            path=("payments", 0),
        )
    assert refused.value.path == ("payments", 0)
    return refused.value


async def attached(*payments: Payment) -> None:
    async with sql.transaction():
        await service.attach([(each.id, PURCHASE) for each in payments])


async def give_back(value_minor: int, buyer: int, *, now: Instant = NOW) -> GivenBack:
    """As a return does."""
    published = (await programme.rulebook()).at(now)
    async with sql.transaction():
        owners = await service.paid_by(PURCHASE)
        async with ledger.journal({*owners, buyer}, [POINTS, "USD"], recorded_at=now) as journal:
            payments = await service.of_purchase(PURCHASE)
            assert await service.owners(payments) == owners
            given_back = await service.give_back(
                journal, payments, value_minor, returned_by=RETURN, published=published, now=now
            )
    await check_books()
    return given_back


async def test_payments_are_found_by_their_partner_in_two_statements(database: Address) -> None:
    await publish()
    anna = await member_with(1000)
    own = [(await written(pay_with_points(anna, 10))).payment for _ in range(3)]
    other = (await written(pay_with_points(anna, 10, partner=RIVAL))).payment
    staffs = (await written(pay_with_points(anna, 10, partner=STAFF))).payment
    async with sql.transaction():
        with sql.counted_statements() as statements:
            seen = await service.for_purchase(
                [each.id for each in (*own, other, staffs)] + [0, 17, 2**63], partner=SHOP
            )
    assert len(statements) == 2
    assert seen.keys() == {each.id for each in (*own, staffs)}
    assert {each.payers for each in seen.values()} == {(anna,)}
    assert await found() == {}
    for payment in seen.values():
        service.check_usable(payment, member_id=anna, currency="USD", partner=SHOP, path=())


async def test_what_a_purchase_may_not_use(database: Address) -> None:
    await publish()
    anna, bob = await member_with(1000), await member_with()
    paid = (await written(pay_with_points(anna, 10))).payment
    payment = (await found(paid.id))[paid.id]
    assert isinstance(refusal(None, anna), NotFound)
    assert isinstance(refusal(payment, anna, partner=RIVAL), NotFound)
    assert isinstance(refusal(payment, bob), NotAllowed)
    wrong = refusal(payment, anna, currency="EUR")
    assert isinstance(wrong, InvalidInput)
    assert wrong.accepted == "USD"
    await attached(payment)
    over = refusal((await found(paid.id))[paid.id], anna)
    assert isinstance(over, AlreadyDecided)
    assert over.status == "USED"
    other = (await written(pay_with_points(anna, 10))).payment
    await written(cancel(other.id))
    over = refusal((await found(other.id))[other.id], anna)
    assert isinstance(over, AlreadyDecided)
    assert over.status == "CANCELLED"


async def test_a_vouchers_payment_is_anyones_and_a_households_is_theirs(
    database: Address,
) -> None:
    await publish()
    anna, bob, carl = await member_with(1500), await member_with(1000), await member_with()
    voucher = (await written(redeem(anna, 1000))).voucher
    by_voucher = (await written(pay_with_voucher(voucher.code))).payment
    await founded(anna, (bob, SPENDER))
    pooled = (await written(pay_with_points(anna, 1400, from_household=True))).payment
    payments = await found(by_voucher.id, pooled.id)
    for member in (anna, bob, carl):
        service.check_usable(
            payments[by_voucher.id], member_id=member, currency="USD", partner=SHOP, path=()
        )
    for member in (anna, bob):
        service.check_usable(
            payments[pooled.id], member_id=member, currency="USD", partner=SHOP, path=()
        )
    assert isinstance(refusal(payments[pooled.id], carl), NotAllowed)


async def test_the_last_payment_comes_back_first(database: Address) -> None:
    await publish({("paying_with_points",): {"points": 3, "worth_minor": 2}})
    anna = await member_with(2000, cashback=400)
    voucher = (await written(redeem(anna, 1000))).voucher
    points = (await written(pay_with_points(anna, 100))).payment  # 66 for 99 points
    assert (points.amount, points.value_minor) == (99, 66)
    cash = (await written(pay_with_cashback(anna, 50))).payment
    last = (await written(pay_with_voucher(voucher.code))).payment
    await attached(points, cash, last)
    assert [each.id for each in await service.of_purchase(PURCHASE)] == [
        points.id,
        cash.id,
        last.id,
    ]
    part = await give_back(1020, anna)
    assert (part.voucher_minor, part.cashback_minor, part.points) == (
        1000,
        Restored(20),
        Restored(),
    )
    assert [(each.payment_id, each.value_minor) for each in part.payments] == [
        (last.id, 1000),
        (cash.id, 20),
    ]
    again = await rewards.voucher(voucher.id)
    assert again is not None
    assert (again.status, again.remaining_minor) == ("issued", 1000)
    part = await give_back(31, anna)
    assert (part.cashback_minor, part.points) == (Restored(30), Restored(1))  # 99 / 66, down
    part = await give_back(65, anna)
    assert part.points == Restored(98)
    assert (await available(anna), await available(anna, "USD")) == (1000, 400)
    assert await give_back(0, anna) == GivenBack()


async def test_what_has_lapsed_comes_back_with_grace_in_every_part(database: Address) -> None:
    await publish()
    anna = await member_with(300, expires_at=later(days=1))
    payment = (await written(pay_with_points(anna))).payment
    await attached(payment)
    for part in (100, 50, 150):
        given_back = await give_back(part, anna, now=later(days=2))
        assert given_back.points == Restored(part, part)
        assert given_back.payments[0].with_grace == part
    after = await balance(anna, at=later(days=2))
    assert (after.available, after.redeemed_total, after.expired_total) == (300, 0, 0)
    stored = await service.payment(payment.id)
    assert stored is not None
    assert (stored.restored_amount, stored.restored_minor, stored.left_minor) == (300, 300, 0)


@trying(25)
@given(
    st.lists(st.sampled_from(["points", "cashback", "voucher"]), min_size=1, max_size=4),
    st.lists(st.integers(1, 400), min_size=1, max_size=5),
)
async def test_all_comes_back_in_the_end(
    database: Address, kinds: Sequence[str], parts: Sequence[int]
) -> None:
    async with undone():
        await publish({("paying_with_points",): {"points": 7, "worth_minor": 3}})
        anna = await member_with(3000, cashback=500)
        voucher = (await redeem(anna, 1000)).voucher
        before = [await available(anna), await available(anna, "USD")]
        payments = []
        for kind in kinds:
            if kind == "points":
                paid = await pay_with_points(anna, 50)
            elif kind == "cashback":
                paid = await pay_with_cashback(anna, 50)
            else:
                paid = await pay_with_voucher(voucher.code, 50)
            payments.append(paid.payment)
        await attached(*payments)
        left = sum(each.value_minor for each in payments)
        for part in (*parts, left):
            part_minor = min(part, left)
            await give_back(part_minor, anna)
            left -= part_minor
        assert left == 0
        assert [await available(anna), await available(anna, "USD")] == before
        again = await rewards.voucher(voucher.id)
        assert again is not None
        assert again.remaining_minor == 1000
