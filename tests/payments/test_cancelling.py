"""Undoing payments and redemptions: what comes back, for how long, and what stays done."""

from server import clock
from server.cards.service import MemberReference
from server.errors import AlreadyDecided, NotAllowed, NotFound
from server.ledger import service as ledger
from server.merging import service as merging
from server.money import POINTS
from server.payments import service
from server.programme import service as programme
from server.rewards import service as rewards
from server.rewards.service import VoucherReference
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW, instant, midnight
from tests.households.living import SPENDER, founded
from tests.payments.tills import (
    RIVAL,
    STAFF,
    available,
    balance,
    basket,
    cancel,
    cancel_redemption,
    expiring,
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


async def test_points_come_back_with_their_own_expiry(database: Address) -> None:
    await publish()
    anna = await member_with(500, expires_at=later(days=9))
    await more_points(anna, 300, expires_at=later(days=3))
    before = await expiring(anna, at=NOW)
    paid = await written(pay_with_points(anna, 400))
    told = await written(cancel(paid.payment.id, now=later(days=1)))
    assert await expiring(anna, at=NOW) == before
    assert (told.restored.amount, told.restored.with_grace) == (400, 0)
    assert told.payment.cancelled_at == later(days=1)
    assert told.payment == await service.payment(paid.payment.id)
    assert (told.payment.restored_amount, told.payment.restored_minor) == (400, 400)
    assert (await balance(anna, at=later(days=1))).redeemed_total == 0


async def test_lapsed_points_live_for_the_days_of_grace(database: Address) -> None:
    await publish({("returns",): {"grace_days": 7}})
    anna = await member_with(500, expires_at=later(days=9))
    await more_points(anna, 300, expires_at=later(days=3))
    paid = await written(pay_with_points(anna, 400))
    told = await written(cancel(paid.payment.id, now=later(days=4)))  # the 8th of March
    assert (told.restored.amount, told.restored.with_grace) == (400, 300)
    # The start of the 15th in New York, summer time begins in between.
    grace = instant(midnight("2026-03-15"))
    assert await expiring(anna, at=later(days=4)) == {later(days=9): 500, grace: 300}
    assert await available(anna, at=later(days=4)) == 800


async def test_without_grace_what_has_lapsed_lapses_at_once(database: Address) -> None:
    await publish({("returns",): {"grace_days": 0}})
    anna = await member_with(300, expires_at=later(days=3))
    paid = await written(pay_with_points(anna))
    told = await written(cancel(paid.payment.id, now=later(days=4)))
    assert told.restored.with_grace == 300
    assert await available(anna, at=later(days=4)) == 0
    assert (await balance(anna, at=later(days=4))).expired_total == 300


async def test_the_day_of_grace_is_the_programmes_own(database: Address) -> None:
    await publish({("programme", "timezone"): "Asia/Tokyo", ("returns",): {"grace_days": 30}})
    published = (await programme.rulebook()).at(NOW)
    late = instant("2026-03-04T15:30:00Z")  # half past midnight of the 5th
    assert service.grace_expires_at(published, late) == instant("2026-04-03T15:00:00Z")
    assert clock.local_day(late, "Asia/Tokyo") == clock.local_day(NOW, "Asia/Tokyo")


async def test_cashback_and_vouchers_come_back(database: Address) -> None:
    await publish(in_currency("TND", 1000))
    anna = await member_with(1000, cashback=555, asset="TND")
    of = basket(700, "TND")
    cash = await written(pay_with_cashback(anna, of=of))
    assert await available(anna, "TND") == 0
    await written(cancel(cash.payment.id))
    assert await available(anna, "TND") == 555
    voucher = (await written(redeem(anna, 1000))).voucher
    one = await written(pay_with_voucher(voucher.code, of=of))
    other = await written(pay_with_voucher(voucher.code, of=of))
    used = await rewards.voucher(voucher.id)
    assert used is not None
    assert (used.status, used.remaining_minor) == ("used", 0)
    await written(cancel(other.payment.id))
    again = await rewards.voucher(voucher.id)
    assert again is not None
    assert (again.status, again.remaining_minor) == ("issued", 300)
    partly = await refused(cancel_redemption(voucher.code))
    assert isinstance(partly, NotAllowed)
    await written(cancel(one.payment.id))
    back = await written(cancel_redemption(voucher.code))
    assert (back.voucher.status, back.voucher.remaining_minor) == ("cancelled", 0)
    assert (back.restored.amount, back.points_available_after) == (1000, 1000)


async def test_each_is_cancelled_once(database: Address) -> None:
    await publish()
    anna = await member_with(2000)
    paid = await written(pay_with_points(anna, 10))
    await written(cancel(paid.payment.id))
    again = await refused(cancel(paid.payment.id))
    assert isinstance(again, AlreadyDecided)
    assert (again.status, again.path) == ("CANCELLED", ("paymentId",))
    voucher = (await written(redeem(anna, 1000))).voucher
    await written(cancel_redemption(voucher.code))
    gone = await refused(cancel_redemption(voucher.code))
    assert isinstance(gone, AlreadyDecided)
    assert gone.status == "CANCELLED"
    unusable = await refused(pay_with_voucher(voucher.code))
    assert isinstance(unusable, AlreadyDecided)
    assert unusable.status == "CANCELLED"
    used = (await written(redeem(anna, 1000))).voucher
    await written(pay_with_voucher(used.code))
    over = await refused(cancel_redemption(used.code))
    assert isinstance(over, AlreadyDecided)
    assert over.status == "USED"


async def test_another_tills_payment_looks_like_none(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    paid = await written(pay_with_points(anna, 10))
    for work in (
        cancel(paid.payment.id, partner=RIVAL),
        cancel(paid.payment.id, partner=STAFF),
        cancel(0),
    ):
        nothing = await refused(work)
        assert isinstance(nothing, NotFound)
        assert nothing.path == ("paymentId",)
    await written(cancel(paid.payment.id, partner=None))
    for reference, path in (
        (VoucherReference(id=0), ("voucherId",)),
        (VoucherReference(code="x"), ("voucherCode",)),
    ):
        nothing = await refused(rewards.cancel_redemption(reference, now=NOW))
        assert isinstance(nothing, NotFound)
        assert nothing.path == path


async def test_what_has_paid_for_a_purchase_is_not_cancelled(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    paid = await written(pay_with_points(anna, 10))
    async with sql.transaction():
        await service.attach([(paid.payment.id, 77)])
    refusal = await refused(cancel(paid.payment.id))
    assert isinstance(refusal, NotAllowed)
    assert refusal.reason == "payment.on_purchase"


async def test_a_household_gets_back_what_each_gave(database: Address) -> None:
    await publish()
    anna = await member_with(600, expires_at=later(days=5))
    bob = await member_with(500, expires_at=later(days=2))
    await founded(anna, (bob, SPENDER))
    paid = await written(pay_with_points(bob, 700, from_household=True))
    await written(cancel(paid.payment.id))
    assert (await available(anna), await available(bob)) == (600, 500)
    voucher = (await written(redeem(anna, 1000, from_household=True))).voucher
    assert (await available(anna), await available(bob)) == (100, 0)
    back = await written(cancel_redemption(voucher.code))
    assert back.points_available_after == 600
    assert (await available(anna), await available(bob)) == (600, 500)


async def test_what_a_duplicate_paid_comes_back_to_whom_they_were_merged_into(
    database: Address,
) -> None:
    await publish()
    anna, double = await member_with(100), await member_with(1500, expires_at=later(days=9))
    paid = await written(pay_with_points(double, 300))
    voucher = (await written(redeem(double, 1000))).voucher
    wish = merging.Wish(
        duplicate=MemberReference(id=double),
        survivor=MemberReference(id=anna),
        reason="one person",
    )
    await written(merging.merge(wish, by=1, now=NOW))
    assert await available(anna) == 300
    await written(cancel(paid.payment.id))
    back = await written(cancel_redemption(voucher.code))
    assert back.points_available_after == await available(anna) == 1600
    assert await expiring(anna, at=NOW) == {later(days=9): 1500}
    assert await available(double) == 0


async def test_what_comes_back_fills_what_is_owed_first(database: Address) -> None:
    """A payment is cancelled after the points that paid it were taken back as a debt."""
    await publish()
    anna = await member_with(100)
    paid = await written(pay_with_points(anna, 100))
    async with sql.transaction():
        await _owe(anna, 30)
    told = await written(cancel(paid.payment.id))
    assert told.restored.amount == 100
    assert await available(anna) == 70


async def _owe(member: int, amount: int) -> None:
    cause = ledger.Cause(ledger.Reason.RECALL, "purchase", None)
    async with ledger.journal([member], [POINTS], recorded_at=NOW) as journal:
        journal.owe(member, POINTS, amount, version=1, cause=cause)
