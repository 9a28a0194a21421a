"""Favourites and places in line when two memberships are joined, and parted."""

import pytest

from server.catalogue import service as catalogue
from server.catalogue.service import PlaceStatus
from server.clock import Instant
from server.errors import AlreadyDecided
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import enrolled
from tests.catalogue.shop import NOW, after, drop, join, leave, place, reward, take
from tests.ledger.books import grant, granted
from tests.merging.pairs import join as merged
from tests.merging.pairs import part

TURN, WAITS = PlaceStatus.YOUR_TURN, PlaceStatus.WAITING


async def _members(*names: str) -> list[int]:
    members = [await enrolled(name, at=NOW) for name in names]
    for member in members:
        await grant(member, granted(1000, at=NOW), now=NOW)
    return members


async def _favour(member: int, *keys: str) -> None:
    for key in keys:
        async with sql.transaction():
            await catalogue.favour(member, key, likes=True, now=NOW)


async def _liked() -> list[tuple[int, str]]:
    rows = await sql.fetch(
        "SELECT member_id, reward_key FROM reward_favourites ORDER BY member_id, reward_key"
    )
    return [(row[0], row[1]) for row in rows]


async def _places() -> list[tuple[int, int, int]]:
    rows = await sql.fetch("SELECT number, member_id, turn FROM drop_places ORDER BY number")
    return [(row[0], row[1], row[2]) for row in rows]


async def test_favourites_go_on_with_the_survivor_and_back(shop: Address) -> None:
    anna, bert = await _members("anna", "bert")
    for key in ("mug", "cup", "pot"):
        await reward(key)
    await _favour(anna, "mug", "cup")
    await _favour(bert, "cup", "pot")
    before = await _liked()
    joined = await merged("anna", "bert", NOW)
    assert [key for member, key in await _liked() if member == bert] == ["cup", "mug", "pot"]
    await part(joined, after(seconds=1))
    assert await _liked() == before


async def test_a_place_in_line_goes_on_with_the_survivor_and_back(shop: Address) -> None:
    anna, bert, carl = await _members("anna", "bert", "carl")
    await reward()
    await drop(units=1)
    await join(carl)
    await join(anna)
    before = await _places()
    joined = await merged("anna", "bert", NOW)
    assert await _places() == [(1, carl, 1), (2, bert, 1)]
    assert ((await place(bert)).status, (await place(bert)).ahead) == (WAITS, 0)
    assert (await join(bert)).number == 2, "who stands there already has that place"
    await part(joined, after(seconds=1))
    assert await _places() == before


async def test_who_stood_in_line_twice_keeps_the_place_that_comes_first(shop: Address) -> None:
    anna, bert, carl = await _members("anna", "bert", "carl")
    await reward()
    await drop(units=1)
    for member in (bert, anna, carl):
        await join(member)
    joined = await merged("bert", "anna", after(seconds=1))
    kept = await place(anna, now=after(seconds=1))
    assert (kept.number, kept.status) == (1, TURN)
    assert (await place(carl, now=after(seconds=1))).ahead == 0
    assert await _places() == [(1, anna, 2), (2, anna, 1), (3, carl, 1)]
    await part(joined, after(seconds=2))
    now = after(seconds=2)
    assert await _places() == [(1, bert, 1), (2, anna, 1), (3, carl, 1)]
    assert (await place(bert, now=now)).status is TURN
    assert (await place(anna, now=now)).status is PlaceStatus.LEFT, "it was given up for good"
    with pytest.raises(AlreadyDecided):
        await leave(anna, now=now)


async def test_units_that_either_has_taken_count_together(shop: Address) -> None:
    anna, bert = await _members("anna", "bert")
    await reward()
    await drop(units=9, per_member=2)
    for member in (anna, bert):
        await join(member)
        await take(member)
    await join(anna)
    joined = await merged("anna", "bert", NOW)
    assert await _places() == [(1, bert, 1), (2, bert, 2), (3, bert, 3)]
    assert (await place(bert)).number == 3
    await take(bert, now=after(seconds=1))
    await part(joined, after(seconds=2))
    # What was ordered since stays with the order, as its points do.
    assert await _places() == [(1, anna, 1), (2, bert, 1), (3, bert, 2)]
    rows = await sql.fetch("SELECT member_id, place_id FROM reward_orders")
    found = await sql.fetch("SELECT id, member_id FROM drop_places")
    owners = {row[0]: row[1] for row in found}
    assert all(owners[place_id] == member for member, place_id in rows)


async def test_the_line_of_a_drop_that_has_ended_goes_along_too(shop: Address) -> None:
    anna, bert = await _members("anna", "bert")
    await reward()
    await drop(closes_at="2026-03-04T12:00:30Z")
    for member in (anna, bert):
        await join(member)
    later: Instant = after(seconds=60)
    joined = await merged("anna", "bert", later)
    assert await _places() == [(1, bert, 1), (2, bert, 2)]
    await part(joined, later)
    assert await _places() == [(1, anna, 1), (2, bert, 1)]
