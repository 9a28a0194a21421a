"""Returning goods: everything that the returned part has brought is undone, to the point."""

import asyncio

import pytest

from server.challenges import service as challenges
from server.errors import DomainError, ExternalIdConflict, InvalidInput, NotFound
from server.ledger.service import Undone
from server.messages import told
from server.programme import service as programme
from server.purchases import service as purchases
from server.purchases.service import (
    Line,
    LineReturn,
    PurchaseReference,
    RecordedPurchase,
    Refund,
    ReturnDraft,
    ReturnedLine,
    ReturnedPurchase,
)
from server.storage import sql
from server.storage.database import Address
from server.tiers import service as tiers
from tests.purchases.baskets import at, draft, line, publish, recorded
from tests.purchases.returns import balance, everything, refused, return_draft, take_back


def units(department: str, quantity: int, sales: int, coupon: int = 0) -> Line:
    return Line("1", department, "CATEGORY", "TYPE", quantity, sales, coupon)


def reversed_points(answer: ReturnedPurchase) -> dict[str, int]:
    return {one.rule.value: one.points for one in answer.reversed}


async def buy_three_and_more() -> RecordedPurchase:
    """Three units of produce for 10.00, groceries for 95.00, and a coupon of 2.00."""
    [bought] = await recorded(
        draft(
            "1",
            "2017-03-01",
            units("PRODUCE", 3, 1000),
            units("GROCERY", 1, 9500),
            units("COUPON", 1, 0, 200),
        )
    )
    assert {one.rule.value: one.points for one in bought.earned} == {
        "WELCOME": 100,
        "BASE": 1030,
        "CATEGORY": 100,
        "CHALLENGE": 150,
    }
    assert bought.cashback.accrued_minor == 20
    return bought


async def test_units_come_back_one_by_one_and_the_rest_at_last(database: Address) -> None:
    await publish()
    bought = await buy_three_and_more()
    first = await take_back(return_draft("r1", "1", "2017-03-02", (0, 1)))
    assert first.lines == (ReturnedLine(0, 1, 333),)
    assert first.refund == Refund(333, 0, 0, 0)
    assert reversed_points(first) == {"BASE": 34, "CATEGORY": 34, "CHALLENGE": 150}
    assert first.points_taken == Undone(218, from_lot=218)
    assert first.cashback_taken == Undone(7, from_lot=7)
    [gone] = first.withdrawn
    assert (gone.challenge, gone.is_streak, gone.points) == ("month_spend", False, 150)
    assert gone.period_start == at("2017-03-01T00:00")
    assert (first.tier_before, first.tier_after) == ("Bronze", "Bronze")
    assert (first.points_available_after, first.cashback_available_after_minor) == (100, 0)
    has = await balance("1", "2017-03-02")
    assert (has.available, has.pending) == (100, 1062)

    second = await take_back(return_draft("r2", "1", "2017-03-02", (0, 1)))
    assert (second.refund.net_minor, reversed_points(second)) == (333, {"BASE": 33, "CATEGORY": 33})
    assert second.cashback_taken.amount == 7
    third = await take_back(return_draft("r3", "1", "2017-03-02", (0, 1)))
    assert (third.refund.net_minor, reversed_points(third)) == (334, {"BASE": 33, "CATEGORY": 33})
    assert third.cashback_taken.amount == 6
    rest = await take_back(return_draft("r4", "1", "2017-06-02"))
    assert rest.lines == (ReturnedLine(1, 1, 9500), ReturnedLine(2, 1, -200))
    assert (rest.refund.money_minor, reversed_points(rest)) == (9300, {"BASE": 930})
    has = await balance("1", "2017-06-02")
    assert (has.available, has.pending, has.owed, has.reversed_total) == (100, 0, 0, 1280)
    assert (await balance("1", "2017-06-02", "USD")).reversed_total == 20
    [stored] = (await purchases.purchases_by_id([bought.purchase_id])).values()
    assert (stored.returned_net_minor, stored.returned_eligible_minor) == (10300, 10300)
    assert [each.outcome for each in (await purchases.returns_of([stored.id]))[stored.id]] == [
        *(first, second, third, rest)
    ]


async def test_an_amount_and_units_of_one_line_add_up(database: Address) -> None:
    await publish()
    await buy_three_and_more()
    first = await take_back(return_draft("r1", "1", "2017-03-02", (0, 500, "minor")))
    assert first.lines == (ReturnedLine(0, 0, 500),)
    second = await take_back(return_draft("r2", "1", "2017-03-02", (0, 1)))
    assert second.lines == (ReturnedLine(0, 1, 333),)
    last = await take_back(return_draft("r3", "1", "2017-03-02", (0, 2)))
    assert last.lines == (ReturnedLine(0, 2, 167),)


async def test_a_coupon_that_comes_back_earns_nothing(database: Address) -> None:
    await publish()
    await buy_three_and_more()
    answer = await take_back(return_draft("r", "1", "2017-03-02", (2, 1)))
    assert (answer.refund.money_minor, answer.reversed) == (-200, ())
    assert answer.points_taken == Undone()
    assert answer.withdrawn == ()


async def test_the_tier_falls_and_what_it_gave_to_others_stands(database: Address) -> None:
    await publish()
    await recorded(draft("1", "2017-03-01", 150_000))
    [later] = await recorded(draft("2", "2017-03-05", 10_000))
    assert later.tier_before == "Silver"
    answer = await take_back(return_draft("r", "1", "2017-03-10"))
    assert (answer.tier_before, answer.tier_after) == ("Silver", "Bronze")
    assert reversed_points(answer) == {"BASE": 15_000}
    assert answer.withdrawn == ()  # the other purchase reaches the month's spend by itself
    assert answer.points_available_after == 100 + 150 + 1000 + 250
    published = (await programme.rulebook()).at(at("2017-03-10"))
    view = (await tiers.views([answer.member_id], published, at("2017-03-10")))[answer.member_id]
    assert (view.name, view.since, view.change_count) == ("Bronze", at("2017-03-10"), 2)
    assert (view.qualifying_spend_minor, view.lifetime_spend_minor) == (10_000, 10_000)
    changes = await sql.fetch("SELECT level_before, level_after FROM tier_changes ORDER BY id")
    assert [tuple(row) for row in changes] == [("Bronze", "Silver"), ("Silver", "Bronze")]
    today = at("2017-03-10") // 86_400_000_000
    standings = await challenges.standings([answer.member_id], published.programme, today)  # type: ignore[arg-type]
    month = standings[answer.member_id][2]
    assert (month.progress, month.completions) == (10_000, 1)
    assert month.completed_at == at("2017-03-05")
    # The reward is the first purchase's lot; it goes when the second is returned as well.
    rest = await take_back(return_draft("r2", "2", "2017-03-11"))
    assert reversed_points(rest) == {"BASE": 1000, "TIER": 250, "CHALLENGE": 150}
    assert rest.points_available_after == 100


async def test_a_return_long_after_spend_has_left_the_window(database: Address) -> None:
    await publish({("tiers", "window_days"): 10})
    await recorded(draft("1", "2017-03-01", 150_000))
    answer = await take_back(return_draft("r", "1", "2017-08-01"))
    assert (answer.tier_before, answer.tier_after) == ("Bronze", "Bronze")
    view = await sql.fetch("SELECT window_spend_minor, lifetime_spend_minor FROM tier_states")
    assert [tuple(row) for row in view] == [(0, 0)]


async def test_the_month_has_room_for_cashback_again(database: Address) -> None:
    await publish()
    accrued = await recorded(
        draft("1", "2017-03-01", line("MEAT", 30_000)), draft("2", "2017-03-02", line("MEAT", 100))
    )
    assert [each.cashback.accrued_minor for each in accrued] == [500, 0]
    part = await take_back(return_draft("r1", "1", "2017-03-03", (0, 5000, "minor")))
    assert part.cashback_taken == Undone()  # what the cap cut off goes first
    rest = await take_back(return_draft("r2", "1", "2017-03-03"))
    assert rest.cashback_taken == Undone(500, from_lot=500)
    months = await sql.fetch("SELECT accrued_minor, capped_minor FROM cashback_months")
    assert [tuple(row) for row in months] == [(0, 2)]
    [third] = await recorded(draft("3", "2017-03-04", line("MEAT", 20_000)))
    assert (third.cashback.accrued_minor, third.cashback.capped_minor) == (400, 0)


async def test_reports_of_the_purchases_month_go_down(database: Address) -> None:
    await publish()
    await buy_three_and_more()
    await take_back(return_draft("r", "1", "2017-06-02", (1, 9400, "minor")))
    [month] = await purchases.months(at("2017-06-02"))
    assert (month.local_month, month.purchases) == (201703, 1)
    assert (month.net_minor, month.eligible_minor) == (900, 900)


# ---------------------------------------------------------------- exactly once


async def test_the_same_return_again_is_answered_as_the_first_time(database: Address) -> None:
    await publish()
    await buy_three_and_more()
    wanted = return_draft("r", "1", "2017-03-02", (0, 1), (1, 1))
    first = await take_back(wanted)
    before = await everything()
    assert await take_back(wanted, now=at("2018-06-01")) == first
    mirrored = return_draft("r", "1", "2017-03-02", (1, 1), (0, 1))
    assert await take_back(mirrored, now=at("2018-06-01")) == first
    assert await everything() == before
    other = return_draft("r", "1", "2017-03-02", (0, 1))
    assert isinstance(await refused(other), ExternalIdConflict)


@pytest.mark.parametrize("same", [True, False], ids=["the same return", "two returns"])
async def test_two_at_once_take_back_no_more_than_there_is(database: Address, same: bool) -> None:
    await publish()
    await buy_three_and_more()

    async def attempt(number: str) -> ReturnedPurchase | DomainError:
        async def work() -> ReturnedPurchase:
            async with sql.transaction():
                wanted = return_draft(number, "1", "2017-03-02", (0, 2))
                return await purchases.take_back(wanted, partner="shop", now=at("2017-03-02"))

        try:
            return await sql.retried(work)
        except DomainError as error:
            return error

    one, other = await asyncio.gather(attempt("r1"), attempt("r1" if same else "r2"))
    if same:
        assert isinstance(one, ReturnedPurchase)
        assert one == other
    else:
        [error] = (each for each in (one, other) if isinstance(each, DomainError))
        assert isinstance(error, InvalidInput)
        assert told(error.accepted, "en") == "1 to 1"
    rows = await sql.fetch("SELECT returned_quantity FROM purchase_lines WHERE number = 0")
    assert [row[0] for row in rows] == [2]


async def test_the_number_of_statements_does_not_grow_with_the_lines(database: Address) -> None:
    await publish()
    counts = set()
    for number in (2, 60):
        name = str(number)
        await recorded(draft(name, "2017-03-01", *[100] * number, household=name))
        with sql.counted_statements() as statements:
            async with sql.transaction():
                await purchases.take_back(
                    return_draft(f"r{name}", name, "2017-03-02"),
                    partner="shop",
                    now=at("2017-03-02"),
                )
        counts.add(len(statements))
    assert len(counts) == 1


# ---------------------------------------------------------------- refusals


async def test_no_more_comes_back_than_was_bought(database: Address) -> None:
    await publish()
    await buy_three_and_more()
    await take_back(return_draft("r", "1", "2017-03-02", (0, 2)))
    for number, (wish, place, accepted) in enumerate(
        (
            ((0, 2), "quantity", "1 to 1"),
            ((0, 0), "quantity", "1 to 1"),
            ((0, -1), "quantity", "1 to 1"),
            ((0, 335, "minor"), "amountMinor", "1 to 334"),
            ((2, 1, "minor"), "amountMinor", "nothing: none of it is left"),
            ((3, 1), "number", "0 to 2, each number once"),
            ((-1, 1), "number", "0 to 2, each number once"),
        )
    ):
        error = await refused(return_draft(f"x{number}", "1", "2017-03-02", wish))  # type: ignore[arg-type]
        assert isinstance(error, InvalidInput)
        assert (error.path, told(error.accepted, "en")) == (("lines", 0, place), accepted)
    error = await refused(return_draft("x", "1", "2017-03-02", (1, 1), (1, 1)))
    assert isinstance(error, InvalidInput)
    assert error.path == ("lines", 1, "number")
    await take_back(return_draft("all", "1", "2017-03-02"))
    error = await refused(return_draft("more", "1", "2017-03-02"))
    assert (error.reason, error.path) == ("return.nothing_left", ("lines",))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "return.lines"),
        ((LineReturn(0),), "return.how_much"),
        ((LineReturn(0, 1, 1),), "return.how_much"),
    ],
)
async def test_a_return_says_how_much_of_which_lines(
    database: Address, lines: tuple[LineReturn, ...], reason: str
) -> None:
    await publish()
    await buy_three_and_more()
    reference = PurchaseReference(external_id="1")
    error = await refused(ReturnDraft("r", reference, at("2017-03-02"), lines))
    assert error.reason == reason


async def test_only_its_partner_and_staff_return_a_purchase(database: Address) -> None:
    await publish()
    bought = await buy_three_and_more()
    by_id = ReturnDraft("r", PurchaseReference(id=bought.purchase_id), at("2017-03-02"), None)
    unknown = ReturnDraft("r", PurchaseReference(id=17), at("2017-03-02"), None)
    huge = ReturnDraft("r", PurchaseReference(id=2**70), at("2017-03-02"), None)
    for wanted, partner, name in (
        (return_draft("r", "2", "2017-03-02"), "shop", "externalId"),
        (return_draft("r", "1", "2017-03-02"), "other", "externalId"),
        (by_id, "other", "id"),
        (unknown, None, "id"),
        (huge, None, "id"),
    ):
        error = await refused(wanted, partner=partner)
        assert isinstance(error, NotFound)
        assert error.path == ("purchase", name)
    error = await refused(return_draft("r", "1", "2017-03-02"), partner=None)
    assert error.reason == "return.purchase"
    assert (await take_back(by_id, partner=None)).purchase_id == bought.purchase_id
    # It is the partner's return now.
    assert await take_back(by_id) == await take_back(return_draft("r", "1", "2017-03-02"))


async def test_a_return_has_an_id_and_lies_in_no_future(database: Address) -> None:
    await publish()
    await buy_three_and_more()
    error = await refused(return_draft("", "1", "2017-03-02"))
    assert error.path == ("externalId",)
    wanted = return_draft("r", "1", "2017-03-03")
    with pytest.raises(InvalidInput) as caught:
        await take_back(wanted, now=at("2017-03-02"))
    assert (caught.value.reason, caught.value.path) == ("purchase.future", ("occurredAt",))
