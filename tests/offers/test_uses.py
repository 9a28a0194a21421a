"""Uses of offers: within every limit, whoever else is using them at the same time."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.clock import Instant, LocalDay
from server.offers.evaluation import Standing
from server.offers.limits import Limit, OfferExhausted
from server.offers.returning import Share
from server.offers.uses import HoldOver
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW, SECOND, changed, dump
from tests.offers.using import (
    HELD_UNTIL,
    TODAY,
    applied,
    confirmed,
    held,
    people,
    publish,
    publish_offer,
    released,
    returned,
    standing,
    used,
)

EVERYBODY = 64
TOMORROW = LocalDay(TODAY + 1)
OFF = {"kind": "amount", "amount_minor": 100}


def refusal(limit: Limit, *, allowed: int, left: int, wanted: int = 1) -> OfferExhausted:
    return OfferExhausted("one", 1, limit, allowed=allowed, left=left, wanted=wanted)


# ---------------------------------------------------------------- each limit


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"per_member": 1}, refusal(Limit.PER_MEMBER, allowed=1, left=0)),
        ({"per_member_per_day": 1}, refusal(Limit.PER_MEMBER_PER_DAY, allowed=1, left=0)),
        ({"per_day": 1}, refusal(Limit.PER_DAY, allowed=1, left=0)),
        ({"total": 1}, refusal(Limit.TOTAL, allowed=1, left=0)),
        (
            {"budget_minor": 199},
            refusal(Limit.BUDGET_MINOR, allowed=199, left=99, wanted=100),
        ),
        (
            {"budget_points": 19},
            refusal(Limit.BUDGET_POINTS, allowed=19, left=9, wanted=10),
        ),
    ],
)
@pytest.mark.parametrize("is_held_first", [False, True])
async def test_a_limit_says_exactly_what_is_left(
    database: Address, limits: dict[str, int], expected: OfferExhausted, is_held_first: bool
) -> None:
    given = {"kind": "bonus_points", "points": 10} if "budget_points" in limits else OFF
    await publish(one={"limits": limits, "discount": given})
    (anna,) = await people(1)
    wish = applied(points=10)
    first = held(anna, 7, wish) if is_held_first else used(anna, wish)
    assert await first == ()
    before = await dump()
    assert await used(anna, wish) == (expected,)
    assert await held(anna, 8, wish) == (expected,)
    assert changed(before, await dump()) <= {"versions"}


async def test_the_limits_of_a_day_are_those_of_the_baskets_day(database: Address) -> None:
    await publish(one={"limits": {"per_day": 1, "per_member_per_day": 1}})
    anna, ben = await people(2)
    assert await used(anna) == ()
    assert await used(ben) == (refusal(Limit.PER_DAY, allowed=1, left=0),)
    assert await used(ben, day=TOMORROW) == ()
    assert await used(anna, day=TOMORROW) == (refusal(Limit.PER_DAY, allowed=1, left=0),)
    assert await standing(anna) == Standing(uses_by_member=1, uses_by_member_today=1, uses_today=1,
        uses_total=2, budget_spent_minor=200)  # fmt: skip
    assert await standing(anna, day=TOMORROW) == Standing(uses_by_member=1, uses_today=1,
        uses_total=2, budget_spent_minor=200)  # fmt: skip


async def test_one_members_uses_leave_anothers(database: Address) -> None:
    await publish(one={"limits": {"per_member": 2}})
    anna, ben = await people(2)
    assert [await used(anna) for _ in range(2)] == [(), ()]
    assert await used(anna) == (refusal(Limit.PER_MEMBER, allowed=2, left=0),)
    assert await used(ben) == ()


async def test_what_is_too_much_of_one_offer_leaves_all_others_unused(database: Address) -> None:
    await publish(one={"limits": {"total": 1}}, two={"limits": {"total": 2}})
    (anna,) = await people(1)
    assert await used(anna, applied("one"), applied("two")) == ()
    assert await used(anna, applied("two"), applied("one")) == (
        refusal(Limit.TOTAL, allowed=1, left=0),
    )
    assert (await standing(anna, "two")).uses_total == 1


async def test_limits_that_come_later_count_what_was_used_before(database: Address) -> None:
    await publish(one={})
    anna, ben = await people(2)
    assert await used(anna) == ()
    assert await sql.fetch("SELECT * FROM offer_counters") == []
    async with sql.transaction():
        await publish_offer("one", limits={"total": 2, "per_day": 2})
    assert await used(ben, applied(version=2)) == ()
    assert await used(ben, applied(version=2)) == (
        OfferExhausted("one", 2, Limit.PER_DAY, allowed=2, left=0, wanted=1),
    )


# ---------------------------------------------------------------- holds


async def test_a_hold_that_is_released_leaves_nothing(database: Address) -> None:
    await publish(one={"limits": {"total": 1, "per_member": 1, "budget_minor": 100}})
    anna, ben = await people(2)
    assert await used(anna, applied(minor=0), purchase_id=1) == ()
    await returned(1, is_everything=True)  # so that the counters are there
    before = await dump()
    assert await held(anna, 7) == ()
    assert await held(ben, 8) == (refusal(Limit.TOTAL, allowed=1, left=0),)
    assert await released(7) == 1
    assert changed(before, await dump()) <= {"versions"}
    assert await held(ben, 8) == ()
    assert await released(7) == 0


async def test_a_hold_is_over_at_exactly_its_end(database: Address) -> None:
    await publish(one={"limits": {"total": 1, "per_member": 1}})
    anna, ben = await people(2)
    assert await held(anna, 7) == ()
    just_before = Instant(HELD_UNTIL - 1)
    assert await used(ben, now=just_before) == (refusal(Limit.TOTAL, allowed=1, left=0),)
    assert (await standing(anna, now=just_before)).uses_by_member == 1
    assert await standing(anna, now=HELD_UNTIL) == Standing()
    assert await confirmed(7, now=HELD_UNTIL) == HoldOver()
    assert await used(ben, now=HELD_UNTIL) == ()


async def test_what_is_held_is_used_with_the_limits_that_it_was_held_with(
    database: Address,
) -> None:
    await publish(one={"limits": {"total": 2}})
    anna, ben = await people(2)
    assert await used(ben) == ()
    assert await held(anna, 7) == ()
    async with sql.transaction():
        await publish_offer("one", limits={"total": 1})
    assert await confirmed(7, now=Instant(HELD_UNTIL - 1)) == ()
    assert await confirmed(7) == ()  # and once only
    assert (await standing(anna)).uses_total == 2


async def test_a_basket_does_not_stand_in_its_own_way(database: Address) -> None:
    await publish(one={"limits": {"total": 1, "per_member": 1, "per_day": 1}})
    (anna,) = await people(1)
    assert await held(anna, 7) == ()
    assert await standing(anna, apart_from=7) == Standing()
    taken = Standing(
        uses_by_member=1,
        uses_by_member_today=1,
        uses_today=1,
        uses_total=1,
        budget_spent_minor=100,
    )
    assert await standing(anna) == taken
    assert await confirmed(7) == ()
    assert await standing(anna) == taken


async def test_a_clock_that_is_behind_uses_no_hold_that_another_saw_end(database: Address) -> None:
    await publish(one={"limits": {"total": 1}})
    anna, ben = await people(2)
    assert await held(anna, 7) == ()
    assert await used(ben, now=HELD_UNTIL) == ()
    assert await confirmed(7, now=NOW) == (refusal(Limit.TOTAL, allowed=1, left=0),)


async def test_the_members_next_hold_tidies_those_that_are_over(database: Address) -> None:
    await publish(one={"limits": {"per_member": 1}})
    (anna,) = await people(1)
    assert await held(anna, 7) == ()
    assert await held(anna, 8, now=HELD_UNTIL, until=Instant(HELD_UNTIL + SECOND)) == ()
    assert await sql.fetch("SELECT basket_id FROM offer_uses") in ([(8,)], [[8]])


# ---------------------------------------------------------------- returns


async def test_returns_give_back_exactly_what_came_back(database: Address) -> None:
    await publish(one={"limits": {"total": 1, "per_member": 1, "budget_minor": 100}})
    anna, ben = await people(2)
    assert await used(anna, applied(points=9), purchase_id=5) == ()
    assert await returned(5, one=Share(discount_minor=30, points=4)) == {
        "one": Share(discount_minor=30, points=4)
    }
    assert (await standing(anna)).budget_spent_minor == 70
    assert (await standing(anna)).budget_spent_points == 5
    assert await returned(5, one=Share(discount_minor=80)) == {"one": Share(discount_minor=70)}
    assert (await standing(anna)).uses_by_member == 1
    assert await returned(5, is_everything=True) == {"one": Share(points=5)}
    assert await standing(anna) == Standing()
    assert await returned(5, is_everything=True) == {}
    assert await used(ben) == ()


# ---------------------------------------------------------------- everybody at once


@pytest.mark.parametrize(
    ("limits", "room"),
    [({"total": 10}, 10), ({"per_day": 10}, 10), ({"budget_minor": 1_000}, 10), ({}, EVERYBODY)],
)
async def test_no_limit_is_exceeded_and_all_of_it_is_used(
    database: Address, limits: dict[str, int], room: int
) -> None:
    await publish(one={"limits": limits}, two={"limits": {"total": 1_000}})
    everybody = await people(8)

    async def one(number: int) -> bool:
        member = everybody[number % len(everybody)]
        if number % 2:
            return await used(member, applied("two"), applied("one"), purchase_id=number) == ()
        if await held(member, number, applied("one"), applied("two")):
            return False
        return await confirmed(number, purchase_id=number) == ()

    done = await asyncio.gather(*(one(number) for number in range(1, EVERYBODY + 1)))
    assert sum(done) == room
    (counted,) = await sql.fetch("SELECT COUNT(*), SUM(budget_minor) FROM offer_uses"
        " WHERE offer = 'one' AND status = 'used'")  # fmt: skip
    assert tuple(map(int, counted)) == (room, room * 100)
    kept = await sql.fetch("SELECT uses FROM offer_counters WHERE offer = 'one'")
    assert [row[0] for row in kept] == ([room] * 2 if limits else [])


async def test_a_members_limit_holds_against_their_own_haste(database: Address) -> None:
    await publish(one={"limits": {"per_member": 3}})
    (anna,) = await people(1)
    done = await asyncio.gather(*(used(anna, purchase_id=number) for number in range(16)))
    assert sum(one == () for one in done) == 3


# ---------------------------------------------------------------- any order of things

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "use", "confirm", "release", "return", "wait"]),
        st.integers(0, 2),  # whose
        st.integers(1, 4),  # in which basket, which is its purchase's number
        st.integers(1, 60),  # for how much
    ),
    max_size=24,
)


class Books:
    """What is used of a budget of 100 and a total of 3, as a person would note it down."""

    def __init__(self) -> None:
        self.now = NOW
        self.held: dict[int, tuple[int, Instant]] = {}
        self.used: dict[int, list[int]] = {}

    @property
    def live(self) -> list[int]:
        return [minor for minor, until in self.held.values() if until > self.now]

    @property
    def uses(self) -> int:
        return len(self.live) + sum(map(len, self.used.values()))

    @property
    def spent(self) -> int:
        return sum(self.live) + sum(map(sum, self.used.values()))

    def fits(self, minor: int) -> bool:
        return self.uses + 1 <= 3 and self.spent + minor <= 100


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_whatever_happens_the_limits_count_what_is_held_and_used(
    database: Address, steps: list[tuple[str, int, int, int]]
) -> None:
    key = f"one-{await number_of_offers()}"
    await publish()
    async with sql.transaction():
        await publish_offer(key, limits={"total": 3, "budget_minor": 100})
    everybody, books = await people(3), Books()
    offset = 10 * await number_of_offers()
    for verb, who, basket, minor in steps:
        await step(books, key, verb, everybody[who], offset + basket, minor)
        found = await standing(everybody[0], key, now=books.now)
        assert (found.uses_total, found.budget_spent_minor) == (books.uses, books.spent)
        assert books.uses <= 3
        assert books.spent <= 100


async def number_of_offers() -> int:
    rows = await sql.fetch("SELECT COUNT(*) FROM definition_versions")
    return int(rows[0][0])


async def step(books: Books, key: str, verb: str, who: int, basket: int, minor: int) -> Any:
    wish = applied(key, minor=minor)
    if verb == "wait":
        books.now = Instant(books.now + minor * 20 * SECOND)
    elif verb == "hold" and basket not in books.held:
        until = Instant(books.now + 600 * SECOND)
        fits = books.fits(minor)
        assert (await held(who, basket, wish, now=books.now, until=until) == ()) == fits
        if fits:
            books.held[basket] = (minor, until)
    elif verb == "use":
        fits = books.fits(minor)
        assert (await used(who, wish, purchase_id=basket, now=books.now) == ()) == fits
        if fits:
            books.used.setdefault(basket, []).append(minor)
    elif verb == "confirm" and basket in books.held:
        known, until = books.held.pop(basket)
        answer = await confirmed(basket, purchase_id=basket, now=books.now)
        assert (answer == ()) == (until > books.now)
        if until > books.now:
            books.used.setdefault(basket, []).append(known)
        else:
            await released(basket)
    elif verb == "release" and basket in books.held:
        del books.held[basket]
        await released(basket)
    elif verb == "return" and basket in books.used:
        await returned(basket, is_everything=True)
        del books.used[basket]
