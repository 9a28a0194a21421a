"""Flash drops: first come by the server's order, one place for each, nothing sold twice."""

import asyncio
from typing import Any

import pytest

from server.catalogue import service as catalogue
from server.catalogue.service import (
    NotYetOpen,
    NotYourTurn,
    Ordered,
    OutOfStock,
    PlaceStatus,
    PlaceView,
)
from server.clock import Instant
from server.errors import AlreadyDecided, LimitReached, NotFound
from server.programme import service as programme
from server.storage import changes, sql
from server.storage.database import Address
from tests.api.calling import enrolled
from tests.catalogue.shop import (
    NOW,
    after,
    balance,
    change,
    drop,
    join,
    leave,
    members_with,
    place,
    reward,
    sold,
    take,
)
from tests.ledger.books import check_books

TURN, WAITS = PlaceStatus.YOUR_TURN, PlaceStatus.WAITING


async def test_64_at_once_for_10_units_get_them_in_the_order_of_their_places(
    shop: Address,
) -> None:
    await reward(stock=10, by_drop_only=True)
    await drop(units=10)
    members = await members_with(64, 100)
    places = await asyncio.gather(*map(join, members))
    assert sorted(one.number for one in places) == list(range(1, 65))
    answers = await asyncio.gather(*map(take, members), return_exceptions=True)
    made = {one.order.member_id for one in answers if isinstance(one, Ordered)}
    first = sorted(places, key=lambda one: one.number)[:10]
    assert made == {one.member_id for one in first}
    assert {type(one) for one in answers} == {Ordered, NotYourTurn}
    assert await sold() == 10
    taken = await catalogue.taken_units(["mugs"])
    assert taken == {"mugs": 10}
    await check_books()


async def test_joining_many_times_at_once_is_one_place(shop: Address) -> None:
    await reward()
    await drop()
    anna, bert = await members_with(2, 100)
    await join(bert)
    places = await asyncio.gather(*(join(anna) for _ in range(8)))
    assert {one.number for one in places} == {2}
    assert await sql.fetch("SELECT number, member_id FROM drop_places ORDER BY number") == [
        (1, bert),
        (2, anna),
    ]


async def test_what_nobody_takes_passes_on_by_the_clock_alone(shop: Address) -> None:
    await reward(stock=1)
    await drop(units=1)
    anna, bert, carl = await members_with(3, 100)
    for member in (anna, bert, carl):
        await join(member)
    first = await place(anna, now=after(seconds=59))
    assert (first.status, first.turn_ends_at, first.ahead) == (TURN, after(seconds=60), None)
    third = await place(carl, now=after(seconds=59))
    assert (third.status, third.ahead, third.next_at) == (WAITS, 1, after(seconds=60))
    with pytest.raises(NotYourTurn) as early:
        await take(bert, now=after(seconds=59))
    assert early.value.ahead == 0
    with pytest.raises(AlreadyDecided) as late:
        await take(anna, now=after(seconds=60))
    assert late.value.status == "LAPSED"
    assert (await place(carl, now=after(seconds=60))).ahead == 0
    assert (await take(bert, now=after(seconds=60))).order.quantity == 1
    last = await place(carl, now=after(days=9))
    assert (last.status, last.ahead) == (WAITS, 0)
    assert (await place(bert, now=after(days=9))).status is PlaceStatus.TAKEN


async def test_leaving_moves_everybody_up_for_good(shop: Address) -> None:
    await reward()
    await drop(units=1)
    anna, bert, carl = await members_with(3, 100)
    for member in (anna, bert, carl):
        await join(member)
    announced: set[changes.Change] = set()
    with changes.announced_to(announced.update):
        left = await leave(bert)
    assert left.status is PlaceStatus.LEFT
    line_id = left.line_id
    assert announced == {(changes.MEMBER, bert), (changes.DROP, line_id)}
    assert (await place(carl)).ahead == 0
    await leave(anna, now=after(seconds=5))
    now = await place(carl, now=after(seconds=5))
    assert (now.status, now.turn_ends_at) == (TURN, after(seconds=65))
    for again in (join, leave, take):
        with pytest.raises(AlreadyDecided) as refused:
            await again(bert)
        assert refused.value.status == "LEFT"


async def test_a_cancelled_order_goes_to_the_next_in_line(shop: Address) -> None:
    await reward(stock=1)
    await drop(units=1)
    anna, bert = await members_with(2, 100)
    for member in (anna, bert):
        await join(member)
    made = (await take(anna)).order
    assert (await place(bert, now=after(seconds=300))).status is WAITS
    await change("cancel", made.id, now=after(seconds=300))
    assert (await place(bert, now=after(seconds=300))).turn_ends_at == after(seconds=360)
    assert await catalogue.taken_units(["mugs"]) == {"mugs": 0}
    await take(bert, now=after(seconds=301))
    assert ((await balance(anna)).available, await sold()) == (100, 1)
    await check_books()


async def test_the_line_opens_earlier_for_a_tier(shop: Address) -> None:
    levels = (await programme.rulebook()).at(NOW).programme.tiers.levels
    await reward()
    await drop(opens_at="2026-03-04T13:00:00Z", early_access={levels[0].name: 10})
    [anna] = await members_with(1, 100)  # without a tier
    with pytest.raises(NotYetOpen) as refused:
        await join(anna, now=after(seconds=3599))
    assert refused.value.opens_at == after(seconds=3600)
    bert = await enrolled("bert", at=NOW)
    with pytest.raises(NotYetOpen) as early:
        await join(bert, now=after(seconds=2999))
    assert early.value.opens_at == after(seconds=3000)
    assert (await join(bert, now=after(seconds=3000))).status is TURN


async def test_a_member_takes_as_many_as_the_drop_allows_each_from_the_end_of_the_line(
    shop: Address,
) -> None:
    await reward()
    await drop(units=5, per_member=2)
    [anna] = await members_with(1, 1000)
    for number in (1, 2):
        assert (await join(anna)).number == number
        await take(anna)
    with pytest.raises(LimitReached) as refused:
        await join(anna)
    assert (refused.value.limit, refused.value.left) == (2, 0)


async def test_a_drop_without_stock_sells_nothing(shop: Address) -> None:
    await reward(stock=1)
    await drop(units=2)
    anna, bert = await members_with(2, 100)
    for member in (anna, bert):
        await join(member)
    await take(anna)
    with pytest.raises(OutOfStock):
        await take(bert)
    assert (await place(bert)).status is TURN
    assert await catalogue.taken_units(["mugs"]) == {"mugs": 1}


async def test_more_units_are_offered_from_the_version_on_that_adds_them(shop: Address) -> None:
    await reward()
    await drop(units=1)
    anna, bert, carl = await members_with(3, 100)
    for member in (anna, bert, carl):
        await join(member)
    await take(anna)
    await drop(units=2, hold_seconds=5, now=after(seconds=100))
    offered = await place(bert, now=after(seconds=100))
    assert offered.turn_ends_at == after(seconds=160), "the line keeps its own time"
    await drop(units=1, now=after(seconds=101))
    assert (await place(bert, now=after(seconds=101))).status is TURN
    assert (await place(carl, now=after(seconds=101))).status is WAITS


async def test_what_has_ended_is_not_found(shop: Address) -> None:
    await reward()
    await drop(closes_at="2026-03-04T12:00:30Z")
    anna, bert = await members_with(2, 100)
    place_of_anna = await join(anna)
    assert place_of_anna.turn_ends_at == after(seconds=30)
    for verb in (join, leave, take):
        with pytest.raises(NotFound) as refused:
            await verb(bert, now=after(seconds=30))
        assert refused.value.path == ("dropKey",)
    with pytest.raises(NotFound):
        await leave(bert)  # who never came


async def test_a_line_is_never_behind_its_last_event(shop: Address) -> None:
    """Of two who wait for the line's row, the one who looked at the clock first may come second."""
    await reward()
    await drop(units=1)
    anna, bert = await members_with(2, 100)
    await join(anna)
    await join(bert)
    await take(bert, now=after(seconds=61))
    with pytest.raises(AlreadyDecided) as refused:
        await take(anna, now=after(seconds=59))
    assert refused.value.status == "LAPSED"


async def test_who_follows_a_line_knows_when_time_moves_it(shop: Address) -> None:
    await reward()
    await drop(units=1)
    anna, bert = await members_with(2, 100)
    first: PlaceView = await join(anna)
    await join(bert)
    assert await catalogue.followed(bert, NOW) == ({first.line_id}, after(seconds=60))
    nobody: tuple[set[int], Instant | None] = (set(), None)
    assert await catalogue.followed(anna, after(seconds=60)) == nobody


async def test_reading_many_places_takes_as_many_statements_as_reading_one(shop: Address) -> None:
    await reward()
    await drop(units=2)
    members = await members_with(12, 100)
    for member in members:
        await join(member)
    drops = await catalogue.live_drops(NOW)
    counts: list[Any] = []
    for some in (members[-1:], members):
        with sql.counted_statements() as statements:
            found = await catalogue.places_of(some, drops, NOW)
        counts.append(len(statements))
        assert found[members[-1]]["mugs"].ahead == 9
    assert counts == [4, 4]
