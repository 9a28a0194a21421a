"""Purchases paid partly with value: what was paid for earns nothing, and comes back first."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant
from server.errors import AlreadyDecided, DomainError, InvalidInput, NotAllowed, NotFound
from server.members import service as members
from server.messages import told
from server.payments import service as payments
from server.payments.service import Basket, Payment
from server.purchases import rules
from server.purchases.service import Draft, Line, RecordedPurchase, Refund, RestoredValue
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import check_books
from tests.purchases.baskets import PARTNER, at, draft, line, publish, recorded, send
from tests.purchases.returns import balance, everything, return_draft, take_back


def earned(answer: RecordedPurchase) -> dict[str, int]:
    return {one.rule.value: one.points for one in answer.earned}


async def pay(
    points: int, net: int, when: str | Instant, *, household: str = "1", partner: str = PARTNER
) -> Payment:
    """Takes money off a basket for points."""
    instant = at(when) if isinstance(when, str) else when
    with clock.moved_to(instant):
        async with sql.transaction():
            paid = await payments.pay_with_points(
                MemberReference(external_id=household),
                Basket(net, "USD"),
                points=points,
                partner=partner,
                now=instant,
            )
    return paid.payment


def paid_by(one: Draft, *paid: Payment | int) -> Draft:
    """The purchase with these payments."""
    ids = tuple(each if isinstance(each, int) else each.id for each in paid)
    return msgspec.structs.replace(one, payment_ids=ids)


async def joined(*households: str) -> None:
    """Members with 100 welcome points, who bought nothing that counts."""
    for household in households:
        await recorded(
            draft(f"join{household}", "2017-03-01", line("FUEL", 1), household=household)
        )


async def test_what_was_paid_for_earns_nothing_and_comes_back_by_lines(database: Address) -> None:
    await publish()
    await joined("1")
    payment = await pay(50, 1000, "2017-03-02")
    bought = draft("1", "2017-03-02", line("GROCERY", 600), line("MEAT", 400))
    [answer] = await recorded(paid_by(bought, payment))
    assert (answer.net_minor, answer.eligible_minor, answer.paid_minor) == (1000, 950, 50)
    assert earned(answer) == {"BASE": 95}
    assert answer.cashback.accrued_minor == 7  # of 380, rounded down
    rows = await sql.fetch(
        "SELECT paid_minor FROM purchase_lines WHERE purchase_id = $1 ORDER BY number",
        answer.purchase_id,
    )
    assert [row[0] for row in rows] == [30, 20]
    assert (await balance("1", "2017-03-02")).available == 50

    meat = await take_back(return_draft("r1", "1", "2017-03-02", (1, 1)))
    assert meat.refund == Refund(400, points_minor=20, cashback_minor=0, voucher_minor=0)
    assert meat.refund.money_minor == 380
    assert meat.restored == RestoredValue(points=20)
    assert meat.points_taken.amount == 38
    assert meat.cashback_taken.amount == 7
    rest = await take_back(return_draft("r2", "1", "2017-03-02"))
    assert (rest.refund.money_minor, rest.restored.points) == (570, 30)
    has = await balance("1", "2017-03-02")
    assert (has.available, has.pending) == (100, 0)


async def test_points_whose_expiry_has_passed_come_back_with_grace(database: Address) -> None:
    await publish()
    await joined("1")
    payment = await pay(50, 1000, "2017-03-02")
    await recorded(paid_by(draft("1", "2017-03-02", 1000), payment))
    answer = await take_back(return_draft("r", "1", "2017-12-02"))
    assert answer.restored == RestoredValue(points=50, points_with_grace=50)
    assert answer.points_available_after == 50
    assert (await balance("1", "2018-01-05")).available == 0


async def test_a_programme_may_let_value_earn(database: Address) -> None:
    await publish({("paying_with_points",): {"earns_on_value": True}})
    await joined("1")
    payment = await pay(50, 1000, "2017-03-02")
    [answer] = await recorded(paid_by(draft("1", "2017-03-02", 1000), payment))
    assert (answer.eligible_minor, answer.paid_minor, earned(answer)) == (1000, 50, {"BASE": 100})
    half = await take_back(return_draft("r", "1", "2017-03-02", (0, 500, "minor")))
    assert (half.points_taken.amount, half.restored.points) == (50, 25)


async def test_a_purchase_paid_in_full_earns_nothing_at_all(database: Address) -> None:
    await publish({("challenges", "weekly_visits", "visit_days"): 1})
    await joined("1")
    payment = await pay(100, 100, "2017-03-02")
    [answer] = await recorded(paid_by(draft("1", "2017-03-02", 100), payment))
    assert (answer.eligible_minor, answer.earned) == (0, ())


async def refusal(one: Draft) -> DomainError:
    """Why a purchase is refused; nothing is changed by it."""
    before = await everything()
    [answer] = await send(one)
    assert isinstance(answer, DomainError)
    assert await everything() == before
    return answer


async def test_payments_that_can_not_pay_for_a_purchase(database: Address) -> None:
    await publish()
    await joined("1", "2")
    own = await pay(50, 1000, "2017-03-02")
    others = await pay(50, 1000, "2017-03-02", household="2")
    elsewhere = await pay(20, 1000, "2017-03-02", partner="other")
    bought = draft("1", "2017-03-02", 1000)

    error = await refusal(paid_by(bought, own, 17))
    assert isinstance(error, NotFound)
    assert error.path == ("paymentIds", 1)
    error = await refusal(paid_by(bought, elsewhere))
    assert isinstance(error, NotFound)
    error = await refusal(paid_by(bought, others))
    assert isinstance(error, NotAllowed)
    assert error.path == ("paymentIds", 0)
    error = await refusal(paid_by(bought, own, own))
    assert (error.reason, error.path) == ("purchase.payment_twice", ("paymentIds", 1))
    error = await refusal(paid_by(bought, *range(1, 12)))
    assert (error.reason, error.path) == ("purchase.payments", ("paymentIds",))
    error = await refusal(paid_by(draft("1", "2017-03-02", 49), own))
    assert isinstance(error, InvalidInput)
    assert (error.path, error.value) == (("paymentIds",), "50")
    assert told(error.accepted, "en") == "payments that take at most 49 minor units off the basket"
    newcomer = paid_by(draft("1", "2017-03-02", 1000, household="3"), own)
    assert isinstance(await refusal(newcomer), NotFound)
    assert await members.members_by_external_id(["3"]) == {}

    [answer] = await recorded(paid_by(bought, own))
    assert await recorded(paid_by(bought, own)) == [answer]
    error = await refusal(paid_by(draft("2", "2017-03-02", 1000), own))
    assert isinstance(error, AlreadyDecided)
    await check_books()


async def test_a_payment_pays_for_the_first_purchase_of_a_batch_that_names_it(
    database: Address,
) -> None:
    await publish()
    await joined("1")
    own = await pay(50, 1000, "2017-03-02")
    one, other = (paid_by(draft(name, "2017-03-02", 1000), own) for name in ("1", "2"))
    answers = await send(one, other)
    assert isinstance(answers[0], RecordedPurchase)
    assert isinstance(answers[1], AlreadyDecided)


async def test_a_batch_without_payments_asks_for_none(database: Address) -> None:
    await publish()
    await joined("1")
    with sql.counted_statements() as statements:
        await recorded(draft("1", "2017-03-02", 1000))
    assert not any("payments" in statement for statement in statements)


def test_a_purchase_without_payments_has_the_hash_that_it_always_had() -> None:
    one = draft("1", "2017-03-02", 1000)
    assert b"payment" not in msgspec.json.encode(one)
    assert rules.content_hash(one) == rules.content_hash(paid_by(one))
    assert rules.content_hash(one) != rules.content_hash(paid_by(one, 17))


money_lines: Any = st.builds(
    lambda sales, coupon: Line("1", None, None, None, 1, sales, coupon),
    st.integers(0, 1000),
    st.integers(0, 200),
)


@given(lines=st.lists(money_lines, min_size=1, max_size=6), data=st.data())
def test_the_shares_add_up_and_no_line_is_paid_more_than_it_costs(
    lines: list[Line], data: st.DataObject
) -> None:
    nets = [one.sales_minor - one.coupon_minor for one in lines]
    value = data.draw(st.integers(0, max(0, sum(nets))))
    shares = rules.paid_shares(lines, value)
    assert sum(shares) == value
    for share, net in zip(shares, nets, strict=True):
        assert 0 <= share <= max(0, net)


@pytest.mark.parametrize(
    ("value", "nets", "shares"),
    [(100, (1, 1, 1), [34, 33, 33]), (0, (0, -5), [0, 0]), (5, (3, -1, 3), [3, 0, 2])],
)
def test_units_that_are_left_go_to_the_largest_remainder_of_equals_to_the_first(
    value: int, nets: tuple[int, ...], shares: list[int]
) -> None:
    scale = 100 if value == 100 else 1
    lines = [Line("1", None, None, None, 1, max(0, net) * scale, max(0, -net)) for net in nets]
    assert rules.paid_shares(lines, value) == shares
