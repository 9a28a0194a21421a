"""The subscription memberChanged in the line of a drop: who waits sees each step forward."""

import pytest

from server import clock
from server.catalogue import service as catalogue
from server.catalogue.service import OrderReference, Wish
from server.clock import Instant
from server.storage import sql
from tests.api.calling import SECOND, Api, enrolled, shown
from tests.api.following import Events, followed
from tests.api.redeeming import give_points
from tests.catalogue.shop import PRODUCT, drop, join, leave, reward

WANTED = "drops { place { status ahead isYourTurn turnEndsAt } }"


_HOLD_SECONDS = 3600


@pytest.fixture
async def line(api: Api) -> list[int]:
    """Three who stand in line for one unit, in their order; the first has their turn."""
    await _announced(clock.now())
    members = await _members("anna", "bert", "carl")
    for member in members:
        await join(member, now=clock.now())
    return members


async def _announced(now: Instant) -> None:
    await reward(plain=PRODUCT, now=now)
    await drop(now=now, opens_at=shown(now), units=1, hold_seconds=_HOLD_SECONDS)


async def _members(*names: str) -> list[int]:
    members = [await enrolled(name, at=clock.now()) for name in names]
    for member in members:
        await give_points(member, 1000)
    return members


async def _place(events: Events) -> tuple[str, int | None]:
    [told] = (await events.next())["drops"]
    return told["place"]["status"], told["place"]["ahead"]


async def _take(member: int) -> int:
    async with sql.transaction():
        wish = Wish(member, "mug", 1, by="test", drop_key="mugs")
        return (await catalogue.place_order(wish, now=clock.now())).order.id


async def test_leaving_moves_everybody_who_waits_up(line: list[int]) -> None:
    anna, bert, carl = line
    async with followed(carl, WANTED) as events:
        assert await _place(events) == ("WAITING", 1)
        await leave(bert, now=clock.now())
        assert await _place(events) == ("WAITING", 0)
        await leave(anna, now=clock.now())
        assert await _place(events) == ("YOUR_TURN", None)


async def test_a_unit_that_is_given_back_is_offered_to_who_waits(line: list[int]) -> None:
    anna, bert, _carl = line
    async with followed(bert, WANTED) as events:
        assert await _place(events) == ("WAITING", 0)
        order_id = await _take(anna)
        assert await _place(events) == ("WAITING", 0)
        async with sql.transaction():
            await catalogue.cancel(OrderReference(id=order_id), by="test", now=clock.now())
        assert await _place(events) == ("YOUR_TURN", None)


async def test_a_turn_that_passes_unused_moves_who_waits_up_by_the_clock_alone(api: Api) -> None:
    began = Instant(clock.now() - _HOLD_SECONDS * SECOND)
    await _announced(began)
    anna, bert = await _members("anna", "bert")
    # So long ago that it is over soon, but not before somebody looks.
    await join(anna, now=Instant(clock.now() - (_HOLD_SECONDS - 4) * SECOND))
    await join(bert, now=clock.now())
    async with followed(bert, WANTED) as events:
        assert await _place(events) == ("WAITING", 0)
        assert await _place(events) == ("YOUR_TURN", None)
