"""The ledger's verbs, case by case, on both engines."""

import pytest

from server.clock import NEVER, Instant
from server.errors import InsufficientPoints, InvalidInput
from server.ledger import service as ledger
from server.ledger.rules import MAXIMUM_BALANCE
from server.ledger.service import Balance, ExpiringValue, Flow, Reason
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import (
    DAY,
    SECOND,
    START,
    book,
    check_books,
    everything,
    grant,
    granted,
    new_members,
    spend,
    take,
    whole_statement,
)


def after(days: float) -> Instant:
    return Instant(START + round(days * DAY))


async def shown(member_id: int, at: Instant) -> list[tuple[int, int, int, str]]:
    return [
        (line.sequence, line.amount, line.balance_after, line.reason.value)
        for line in await whole_statement(member_id, at=at)
    ]


async def test_a_member_without_an_account_has_nothing(database: Address) -> None:
    [member] = await new_members(1)
    assert await ledger.balances([member], START) == {}
    assert await ledger.holdings([member], START) == {}
    assert await ledger.balance_at(member, POINTS, START) == Balance()
    assert await whole_statement(member, at=START) == []


async def test_an_account_is_opened_once_with_nothing_in_it(database: Address) -> None:
    [member] = await new_members(1)
    for _ in range(2):
        async with sql.transaction():
            await ledger.open_accounts([member, member], [POINTS, "USD"])
    assert await ledger.balances([member], START) == {
        (member, POINTS): Balance(),
        (member, "USD"): Balance(),
    }


async def test_a_grant_of_nothing_makes_no_lot_and_no_line(database: Address) -> None:
    [member] = await new_members(1)
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as opened:
        assert opened.grant(member, granted(0, at=START)) is None
    assert await whole_statement(member, at=START) == []
    assert (await everything())["lots"] == []


async def test_one_transaction_grants_and_spends_what_it_has_just_granted(
    database: Address,
) -> None:
    [member] = await new_members(1)
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as opened:
        opened.grant(member, granted(100, at=START))
        assert await take(opened, member, 60) == 40
        opened.grant(member, granted(5, at=START))
        assert await take(opened, member, 42) == 3
    assert (await ledger.balances([member], START))[member, POINTS] == Balance(
        available=3, granted_total=105, redeemed_total=102
    )
    await check_books()


async def test_a_refused_spending_changes_nothing_and_says_what_is_missing(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await grant(
        member,
        granted(100, at=START),
        granted(50, at=START, available_at=after(1)),
        granted(70, at=Instant(START - DAY), expires_at=START),
        now=START,
    )
    await book(member, now=START)
    before = await everything()
    with pytest.raises(InsufficientPoints) as caught:
        await spend(member, 101, now=START)
    refusal = caught.value
    assert (refusal.available, refusal.required, refusal.short_by) == (100, 101, 1)
    assert await everything() == before
    assert await spend(member, 100, now=START) == 0
    await check_books()


async def test_a_refusal_inside_a_transaction_spoils_nothing_else_in_it(
    database: Address,
) -> None:
    [member] = await new_members(1)
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as opened:
        opened.grant(member, granted(10, at=START))
        with pytest.raises(InsufficientPoints):
            await take(opened, member, 11)
        assert await take(opened, member, 10) == 0
    assert await shown(member, START) == [(2, -10, 0, "redemption"), (1, 10, 10, "purchase")]


async def test_an_account_holds_just_so_much_and_a_grant_beyond_changes_nothing(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await grant(member, granted(MAXIMUM_BALANCE - 1, at=START), now=START)
    before = await everything()
    with pytest.raises(InvalidInput) as caught:
        await grant(member, granted(2, at=START), now=START)
    assert caught.value.reason == "ledger.balance_limit"
    assert await everything() == before
    await grant(member, granted(1, at=START), now=START)
    await spend(member, MAXIMUM_BALANCE, now=START)
    await grant(member, granted(MAXIMUM_BALANCE, at=START), now=START)
    await check_books()


async def test_another_asset_is_another_account(database: Address) -> None:
    [member] = await new_members(1)
    await grant(member, granted(7, at=START, asset="USD"), granted(9, at=START), now=START)
    with pytest.raises(InsufficientPoints):
        await spend(member, 8, now=START, asset="USD")
    assert await spend(member, 7, now=START, asset="USD") == 0
    assert (await ledger.balances([member], START))[member, POINTS].available == 9


async def test_what_expired_is_gone_to_the_microsecond_before_anyone_books_it(
    database: Address,
) -> None:
    [member] = await new_members(1)
    end = after(10)
    await grant(member, granted(30, at=START, expires_at=end), granted(4, at=START), now=START)
    key = (member, POINTS)
    for at, balance in (
        (Instant(end - 1), Balance(available=34, granted_total=34)),
        (end, Balance(available=4, granted_total=34, expired_total=30)),
        (after(400), Balance(available=4, granted_total=34, expired_total=30)),
    ):
        assert (await ledger.balances([member], at))[key] == balance
        assert (await ledger.holdings([member], at))[key].balance == balance
    with pytest.raises(InsufficientPoints):
        await spend(member, 5, now=end)
    assert await spend(member, 30, now=Instant(end - 1)) == 4


async def test_booking_an_expiry_changes_no_answer(database: Address) -> None:
    [member] = await new_members(1)
    await grant(
        member,
        granted(30, at=START, expires_at=after(2)),
        granted(20, at=START, expires_at=after(1)),
        granted(10, at=START, expires_at=after(2)),
        granted(5, at=START, expires_at=after(9)),
        now=START,
    )
    now = after(3)

    async def answers() -> object:
        return (
            await ledger.balances([member], now),
            await ledger.holdings([member], now),
            await whole_statement(member, at=now),
            [await ledger.balance_at(member, POINTS, after(day)) for day in range(12)],
            await ledger.flows([after(0.5), after(1.5), after(2.5), now]),
        )

    unbooked = await answers()
    assert await shown(member, now) == [
        (7, -10, 5, "expiry"),
        (6, -30, 15, "expiry"),
        (5, -20, 45, "expiry"),
        (4, 5, 65, "purchase"),
        (3, 10, 60, "purchase"),
        (2, 20, 50, "purchase"),
        (1, 30, 30, "purchase"),
    ]
    await book(member, now=now)
    assert await answers() == unbooked
    await check_books()
    lines = len((await everything())["postings"])
    await book(member, now=after(4))
    assert len((await everything())["postings"]) == lines == 7


async def test_an_expiry_is_dated_when_it_happened_however_late_it_is_booked(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await grant(member, granted(30, at=START, expires_at=after(2)), now=START)
    await book(member, now=after(50))
    top = (await whole_statement(member, at=after(50)))[0]
    assert (top.reason, top.occurred_at, top.rule) == (Reason.EXPIRY, after(2), "purchase")
    assert await ledger.flows([after(1), after(3), after(60)]) == {
        (POINTS, 0): Flow(granted=30),
        (POINTS, 1): Flow(expired=30),
    }


async def test_pending_points_can_expire_without_ever_having_been_available(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await grant(
        member, granted(30, at=START, available_at=after(5), expires_at=after(2)), now=START
    )
    key = (member, POINTS)
    assert (await ledger.balances([member], after(1)))[key] == Balance(pending=30, granted_total=30)
    assert (await ledger.balances([member], after(2)))[key] == Balance(
        granted_total=30, expired_total=30
    )
    assert await ledger.balance_at(member, POINTS, after(6)) == Balance()


async def test_a_grant_that_arrives_after_its_expiry_is_earned_and_expired(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await grant(member, granted(30, at=START, expires_at=after(2)), now=after(3))
    assert await shown(member, after(3)) == [(2, -30, 0, "expiry"), (1, 30, 30, "purchase")]
    with pytest.raises(InsufficientPoints):
        await spend(member, 1, now=after(3))
    assert await ledger.balance_at(member, POINTS, after(1)) == Balance(available=30)
    await book(member, now=after(3))
    await check_books()


async def test_a_holding_says_what_expires_when_first_first_and_leaves_out_what_never_does(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await grant(
        member,
        granted(1, at=START, expires_at=after(5)),
        granted(2, at=START, available_at=after(1), expires_at=after(3)),
        granted(4, at=START, expires_at=after(5)),
        granted(8, at=START),
        now=START,
    )
    holding = (await ledger.holdings([member], START))[member, POINTS]
    assert holding.expiring == (ExpiringValue(after(3), 2), ExpiringValue(after(5), 5))
    await spend(member, 3, now=START)
    holding = (await ledger.holdings([member], after(3)))[member, POINTS]
    assert holding.expiring == (ExpiringValue(after(5), 2),)


async def test_the_balance_at_an_instant_is_that_which_counted_then(database: Address) -> None:
    [member] = await new_members(1)
    await grant(
        member,
        granted(100, at=START, available_at=after(1), expires_at=after(10)),
        granted(7, at=START),
        now=START,
    )
    await spend(member, 50, now=after(2))
    await book(member, now=after(20))

    async def at(days: float) -> tuple[int, int]:
        balance = await ledger.balance_at(member, POINTS, after(days))
        return balance.available, balance.pending

    assert await at(-1) == (0, 0)
    assert await at(0) == (7, 100)
    assert await at(1 - 1 / DAY) == (7, 100)
    assert await at(1) == (107, 0)
    assert await at(2 - 1 / DAY) == (107, 0)
    assert await at(2) == (57, 0)
    assert await at(10 - 1 / DAY) == (57, 0)
    assert await at(10) == (7, 0)
    # A purchase that arrives late counts from when it happened.
    await grant(member, granted(1000, at=after(5)), now=after(30))
    assert await at(5 - 1 / DAY) == (57, 0)
    assert await at(5) == (1057, 0)


async def test_a_statement_in_pages_of_any_size_is_the_whole(database: Address) -> None:
    [member] = await new_members(1)
    for day in range(4):
        await grant(member, granted(10, at=after(day), expires_at=after(day + 3)), now=after(day))
    await spend(member, 12, now=after(3))
    now = after(30)  # two expiries that nobody has booked
    whole = await whole_statement(member, at=now)
    assert [line.sequence for line in whole] == list(range(len(whole), 0, -1))
    assert len(whole) == 4 + 1 + 2 + 2  # grants, an expiry, what was spent, expiries to come
    for size in range(1, len(whole) + 2):
        assert await whole_statement(member, at=now, size=size) == whole
    for line in whole:
        rest = await ledger.statement(
            member, POINTS, at=now, before=line.sequence, limit=len(whole)
        )
        assert rest == [other for other in whole if other.sequence < line.sequence]


async def test_a_journal_of_several_members_books_and_writes_each_ones_own(
    database: Address,
) -> None:
    first, second, third = await new_members(3)
    await grant(first, granted(10, at=START, expires_at=after(1)), now=START)
    await grant(second, granted(20, at=START, expires_at=after(9)), now=START)
    async with (
        sql.transaction(),
        ledger.journal([third, first, second, first], [POINTS], recorded_at=after(2)) as opened,
    ):
        await opened.load_lots([first, second, third], POINTS)
        assert await take(opened, second, 5) == 15
        opened.grant(third, granted(3, at=after(2)))
    assert await shown(first, after(2)) == [(2, -10, 0, "expiry"), (1, 10, 10, "purchase")]
    assert await shown(second, after(2)) == [(2, -5, 15, "redemption"), (1, 20, 20, "purchase")]
    assert await shown(third, after(2)) == [(1, 3, 3, "purchase")]
    await check_books()


async def test_an_exception_in_a_journal_writes_nothing_not_even_expiries(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await grant(member, granted(10, at=START, expires_at=after(1)), now=START)
    before = await everything()

    async def fail() -> None:
        async with (
            sql.transaction(),
            ledger.journal([member], [POINTS], recorded_at=after(2)) as opened,
        ):
            opened.grant(member, granted(3, at=after(2)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await everything() == before


async def test_flows_put_each_instant_into_the_span_that_starts_with_it(database: Address) -> None:
    first, second = await new_members(2)
    await grant(first, granted(10, at=after(1), expires_at=after(3)), now=after(1))
    await grant(second, granted(5, at=Instant(after(1) - 1)), now=after(1))
    await spend(first, 4, now=after(2))
    await grant(first, granted(2, at=START, asset="USD"), now=after(2))
    edges = [after(1), after(2), after(3), after(4)]
    assert await ledger.flows(edges) == {
        (POINTS, 0): Flow(granted=5),
        (POINTS, 1): Flow(granted=10),
        (POINTS, 2): Flow(redeemed=4),
        (POINTS, 3): Flow(expired=6),
        ("USD", 0): Flow(granted=2),
    }
    assert await ledger.flows(edges[:3]) == {
        (POINTS, 0): Flow(granted=5),
        (POINTS, 1): Flow(granted=10),
        (POINTS, 2): Flow(redeemed=4),
        ("USD", 0): Flow(granted=2),
    }
    total = sum(
        (flow for (asset, _), flow in (await ledger.flows(edges)).items() if asset == POINTS),
        Flow(),
    )
    assert (total, total.net) == (Flow(15, 4, 6), 5)


async def test_the_order_in_which_lots_that_expire_together_are_spent_is_that_of_their_making(
    database: Address,
) -> None:
    [member] = await new_members(1)
    end = after(9)
    for amount in (5, 6, 7):
        await grant(member, granted(amount, at=START, expires_at=end), now=START)
    await spend(member, 8, now=Instant(START + SECOND))
    left = await sql.fetch("SELECT sequence, remaining FROM lots ORDER BY sequence")
    assert [tuple(row) for row in left] == [(1, 0), (2, 3), (3, 7)]


async def test_postings_can_be_neither_changed_nor_deleted(database: Address) -> None:
    [member] = await new_members(1)
    await grant(member, granted(5, at=START, expires_at=NEVER), now=START)
    before = await everything()
    for statement in ("UPDATE postings SET amount = 6", "DELETE FROM postings"):
        with pytest.raises(Exception, match="append-only"):
            async with sql.transaction():
                await sql.execute(statement)
    assert await everything() == before
