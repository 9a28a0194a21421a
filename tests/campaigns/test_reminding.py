"""What comes near, told once at a sensible hour, with exact values, on both engines."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import clock
from server.campaigns import reminding
from server.campaigns.reminder_jobs import JOBS
from server.clock import Instant, LocalDay, start_of_day
from server.definitions import service as definitions
from server.ledger import service as ledger
from server.money import POINTS
from server.notifications import rules, writing
from server.notifications.shapes import Draft
from server.notifications.triggers import TRIGGERS
from server.offers import service as offers
from server.storage import sql
from server.storage.database import Address
from server.storage.database import opened as database_opened
from tests.campaigns.occasions import Told, due, forget, publish_message, told
from tests.catalogue import shop as rewards
from tests.ledger.books import grant, granted, new_members, spend
from tests.offers.using import publish_offer
from tests.purchases.baskets import Changes, at, draft, publish, recorded

START = at("2025-01-01")
NOW = at("2026-03-04T06:07")  # a Wednesday
DAY = 86_400_000_000
HOUR = DAY // 24
TODAY = clock.local_day(NOW, "UTC")
ONE_VISIT: Changes = {("challenges", "weekly_visits", "visit_days"): 1}


async def prepared(trigger: str | None = None, changes: Changes | None = None, **more: Any) -> None:
    """The programme, in UTC, with a message for the trigger."""
    await publish(changes, at=START)
    if trigger is not None:
        await publish_message(trigger, at=START, **more)


async def remind(now: Instant = NOW) -> int:
    """Do all that is left to do today."""
    return await reminding.remind(now, seconds=600.0)


def midnight(days: int) -> Instant:
    """The start of the day so many days after NOW's."""
    return start_of_day(LocalDay(TODAY + days), "UTC")


def nine(text: str, member_id: int, topic: str) -> Instant:
    """When a reminder of nine o'clock is due: four to nine minutes later, off the peak."""
    hour = at(text)
    due_at = rules.off_peak(hour, member_id, topic)
    assert 4 * 60 <= (due_at - hour) // 1_000_000 < 9 * 60
    return due_at


def said(found: Sequence[Told]) -> list[tuple[int, str, str]]:
    """To whom what was said."""
    return [(one.member_id, one.title, one.body) for one in found]


# ---------------------------------------------------------------- points that expire


async def test_points_are_told_seven_days_and_one_day_before_they_expire(
    database: Address,
) -> None:
    await prepared("points_expiring")
    anna, ben, eva = await new_members(3)
    lots = [(300, 7), (20, 7), (50, 1), (999, 6), (999, 8)]
    await grant(
        anna, *(granted(n, at=START, expires_at=midnight(days)) for n, days in lots), now=START
    )
    await grant(ben, granted(1, at=START, expires_at=Instant(midnight(2) - 1)), now=START)
    await grant(eva, granted(70, at=START, expires_at=midnight(7)), now=START)
    await spend(eva, 70, now=START)
    assert await remind() == 3
    assert said(await told()) == [
        (anna, "50 points", "Gone on Mar 5, 2026, 1."),
        (anna, "320 points", "Gone on Mar 11, 2026, 7."),
        (ben, "1 points", "Gone on Mar 5, 2026, 1."),
    ]
    assert {one.topic for one in await told()} == {
        "points-expiring:2026-03-11:7",
        "points-expiring:2026-03-05:1",
    }
    for hour in (0, 1, 5, 17):
        assert await remind(Instant(NOW + hour * HOUR)) == 0
    assert await remind(Instant(NOW + DAY)) == 1
    assert (anna, "999 points", "Gone on Mar 12, 2026, 7.") in said(await told())


async def test_only_on_the_days_and_from_the_points_that_the_message_says(
    database: Address,
) -> None:
    await prepared("points_expiring", trigger_days=[3], trigger_minimum_points=100)
    anna, ben = await new_members(2)
    for member, points in ((anna, 100), (ben, 99)):
        await grant(member, granted(points, at=START, expires_at=midnight(3)), now=START)
    await remind()
    assert said(await told()) == [(anna, "100 points", "Gone on Mar 7, 2026, 3.")]


async def test_reminders_are_due_at_nine_by_the_members_own_clock(database: Address) -> None:
    await prepared("points_expiring")
    tokyo, berlin, lisbon = await new_members(3)
    zones = {tokyo: "Asia/Tokyo", berlin: "Europe/Berlin", lisbon: "Europe/Lisbon"}
    async with sql.transaction():
        for member, zone in zones.items():
            await sql.execute("UPDATE members SET time_zone = $1 WHERE id = $2", zone, member)
    for member, days in ((tokyo, 7), (berlin, 1), (lisbon, 7)):
        await grant(member, granted(5, at=START, expires_at=midnight(days)), now=START)
    await remind()
    rows = await sql.fetch(
        "SELECT n.member_id, n.shown_from, d.expires_at, n.expires_at FROM notifications n"
        " JOIN deliveries d ON d.notification_id = n.id"
    )
    of_berlin = nine("2026-03-04T08:00", berlin, "points-expiring:2026-03-05:1")
    of_lisbon = nine("2026-03-04T09:00", lisbon, "points-expiring:2026-03-11:7")
    assert {row[0]: tuple(row)[1:] for row in rows} == {
        tokyo: (NOW, NOW + DAY, midnight(7)),  # nine is over there
        # Neither sent nor in the inbox any more when the points are gone.
        berlin: (of_berlin, at("2026-03-05T00:00"), at("2026-03-05T00:00")),
        lisbon: (of_lisbon, of_lisbon + DAY, midnight(7)),
    }


async def test_nobody_is_looked_at_before_six_by_the_programmes_clock(database: Address) -> None:
    await prepared("points_expiring")
    (anna,) = await new_members(1)
    await grant(anna, granted(5, at=START, expires_at=midnight(7)), now=START)
    assert await remind(at("2026-03-04T05:59:59")) == 0
    assert not await reminding.is_due(at("2026-03-04T05:59:59"))
    assert await reminding.is_due(NOW)
    assert await reminding.lag_seconds(NOW) == 7 * 60
    assert await remind() == 1
    assert not await reminding.is_due(NOW)
    assert await reminding.lag_seconds(NOW) == 0


async def test_a_message_that_fails_keeps_no_other_one_back(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepared("birthday")
    await publish_message("points_expiring", "aaa", at=START)
    [anna] = await new_members(1)
    async with sql.transaction():
        await sql.execute("UPDATE members SET birthday = '2000-03-04' WHERE id = $1", anna)

    async def fails(_page: reminding.Page) -> Sequence[Any]:
        raise LookupError

    monkeypatch.setitem(reminding._finders, "points_expiring", fails)
    with pytest.raises(LookupError):
        await remind()
    assert [one.topic for one in await told()] == ["birthday:2026"]
    assert await reminding.is_due(NOW)


async def test_a_message_that_counts_since_today_is_not_late_since_the_morning(
    database: Address,
) -> None:
    await prepared()
    evening = Instant(NOW + 11 * HOUR)
    await publish_message("birthday", at=Instant(evening - 60_000_000))
    assert await reminding.is_due(evening)
    assert await reminding.lag_seconds(evening) == 60
    assert await reminding.lag_seconds(Instant(NOW + DAY)) == 7 * 60


async def test_who_dies_goes_on_where_it_was_and_tells_nobody_twice(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepared("points_expiring")
    monkeypatch.setattr(reminding, "PAGE", 2)
    people = await new_members(5)
    for member in people:
        await grant(member, granted(5, at=START, expires_at=midnight(7)), now=START)
    write = writing.write

    async def dying(drafts: Sequence[Draft], now: Instant) -> list[int | None]:
        written = await write(drafts, now)
        if drafts[0].member_id == people[2]:
            raise KeyboardInterrupt
        return written

    monkeypatch.setattr(writing, "write", dying)
    with pytest.raises(KeyboardInterrupt):
        await remind()
    assert [one.member_id for one in await told()] == people[:2]
    monkeypatch.setattr(writing, "write", write)
    with sql.counted_statements() as statements:
        assert await remind() == 3
    assert [one.member_id for one in await told()] == people
    assert (
        sum("FROM ledger_accounts WHERE" in one for one in statements) == 2
    )  # pages that were left


async def test_two_that_look_at_once_tell_nobody_twice(database: Address) -> None:
    await prepared("points_expiring")
    people = await new_members(5)
    for member in people:
        await grant(member, granted(5, at=START, expires_at=midnight(7)), now=START)
    await asyncio.gather(*(remind() for _ in range(3)))
    assert [one.member_id for one in await told()] == people


@pytest.mark.parametrize("trigger", sorted(t for t, one in TRIGGERS.items() if one.is_reminder))
async def test_a_page_costs_the_same_for_any_number_of_members(
    database: Address, trigger: str
) -> None:
    await prepared(trigger, ONE_VISIT)
    costs: list[int] = []
    for count in (1, 2, 30):
        for member in await new_members(count):
            await grant(member, granted(5, at=START, expires_at=midnight(7)), now=START)
        async with sql.transaction():
            await sql.execute("DELETE FROM reminder_scans")
        with sql.counted_statements() as statements:
            await remind()
        costs.append(len(statements))
    assert costs[1] == costs[2]


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "spend"]),
        st.integers(1, 500),
        st.integers(0, 9 * 24),  # hours after NOW's midnight at which it expires
        st.booleans(),  # pending until an hour before
    ),
    max_size=8,
)


def test_what_is_told_is_what_the_ledger_loses_on_the_day(database_address: Address) -> None:
    async def begun() -> None:
        async with database_opened(database_address):
            await prepared("points_expiring", trigger_days=[7, 6, 3, 1])

    async def told_of(acts: list[tuple[str, int, int, bool]]) -> None:
        async with database_opened(database_address):
            await _check_story(acts)

    asyncio.run(begun())

    @settings(
        max_examples=25,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(ACTS)
    def check(acts: list[tuple[str, int, int, bool]]) -> None:
        asyncio.run(told_of(acts))

    check()


async def _check_story(acts: list[tuple[str, int, int, bool]]) -> None:
    (member,) = await new_members(1)
    for kind, amount, hours, is_pending in acts:
        if kind == "grant":
            expires_at = Instant(midnight(0) + 12 * HOUR + hours * HOUR)
            available_at = Instant(expires_at - HOUR) if is_pending else START
            lot = granted(amount, at=START, available_at=available_at, expires_at=expires_at)
            await grant(member, lot, now=START)
        else:
            balance = (await ledger.balances([member], START)).get((member, POINTS))
            if balance is not None and balance.available:
                await spend(member, min(amount, balance.available), now=START)
    async with sql.transaction():
        await sql.execute("DELETE FROM reminder_scans")
    await remind()

    async def worth(when: Instant) -> int:
        balance = await ledger.balance_at(member, POINTS, when)
        return balance.available + balance.pending

    lost = {
        days: await worth(Instant(midnight(days) - 1))
        - await worth(Instant(midnight(days + 1) - 1))
        for days in (7, 6, 3, 1)
    }
    expected = {
        f"points-expiring:{clock.date_of(LocalDay(TODAY + days))}:{days}": f"{points} points"
        for days, points in lost.items()
        if points
    }
    assert {one.topic: one.title for one in await told() if one.member_id == member} == expected


def test_every_reminder_has_what_finds_it() -> None:
    assert JOBS
    assert set(reminding.finders()) == {name for name, one in TRIGGERS.items() if one.is_reminder}


# ---------------------------------------------------------------- cashback, rewards


async def test_cashback_is_told_on_the_day_on_which_it_can_be_spent(database: Address) -> None:
    await prepared("cashback_available", trigger_minimum_minor=500)
    anna, ben, eva = await new_members(3)
    for member, minor, days in ((anna, 500, 0), (ben, 499, 0), (eva, 900, 1)):
        lots = [
            granted(minor - 100, at=START, available_at=midnight(days), asset="USD"),
            granted(100, at=START, asset="USD"),
        ]
        await grant(member, *lots, now=START)
    assert await remind() == 1
    assert said(await told()) == [(anna, "$5.00", "To spend.")]
    assert await remind(Instant(NOW + DAY)) == 1
    assert said(await told()) == [(anna, "$5.00", "To spend."), (eva, "$9.00", "To spend.")]
    assert await remind(Instant(NOW + 2 * DAY)) == 0


async def test_of_the_rewards_within_reach_the_dearest_is_told_once(database: Address) -> None:
    await prepared("reward_reachable")
    for key, points in (("mug", 100), ("jug", 400), ("bowl", 1000)):
        texts = {"en": {"title": f"A {key}"}}
        await rewards.reward(key, now=START, price={"points": points}, texts=texts)
    poor, rich = await new_members(2)
    await grant(poor, granted(99, at=START), now=START)
    await grant(rich, granted(999, at=START), now=START)
    assert await remind() == 1
    assert said(await told()) == [(rich, "A jug", "For 400.")]
    await grant(rich, granted(1, at=NOW), now=NOW)
    assert await remind(Instant(NOW + DAY)) == 1
    assert said(await told())[0] == (rich, "A bowl", "For 1,000.")
    await spend(rich, 500, now=Instant(NOW + DAY))
    assert await remind(Instant(NOW + 2 * DAY)) == 0


# ---------------------------------------------------------------- goals


async def test_a_challenge_that_is_nearly_done_is_told_once_a_week(database: Address) -> None:
    await prepared("challenge_nearly_done", trigger_percent=66)
    anna, _ben = await recorded(
        draft("1", "2026-03-02", 100), draft("2", "2026-03-02", 100, household="2"), now=NOW
    )
    await recorded(draft("3", "2026-03-03", 100), now=NOW)
    assert await remind() == 1
    title = "Shop on several days of a week"
    assert said(await told()) == [(anna.member_id, title, "1 left, 66.")]
    assert await remind(Instant(NOW + DAY)) == 0
    await recorded(draft("4", "2026-03-10", 1), draft("5", "2026-03-11", 1), now=at("2026-03-11"))
    assert await remind(at("2026-03-11")) == 1
    await recorded(draft("6", "2026-03-12", 1), now=at("2026-03-12"))
    assert await remind(at("2026-03-13")) == 0


async def test_a_streak_is_told_in_its_last_days_unless_it_goes_on(database: Address) -> None:
    await prepared("streak_in_danger", ONE_VISIT, trigger_days=2)
    anna, _ = await recorded(
        draft("1", "2026-02-17", 100), draft("2", "2026-02-24", 100), now=at("2026-02-25")
    )
    await recorded(draft("3", "2026-02-24", 100, household="short"), now=at("2026-02-25"))
    for household in ("goes-on",):
        days = ("2026-02-17", "2026-02-24", "2026-03-03")
        await recorded(
            *(draft(f"{household}-{day}", day, 100, household=household) for day in days),
            now=at("2026-03-04T05:00"),
        )
    assert await remind() == 0
    assert await remind(at("2026-03-06")) == 1
    title = "Shop on several days of a week"
    assert said(await told()) == [(anna.member_id, title, "2 in a row, until Mar 8, 2026.")]
    assert await remind(at("2026-03-07")) == 0


async def test_a_tier_that_ends_is_told_with_what_is_missing(database: Address) -> None:
    await prepared("tier_at_risk")
    silver, keeps, later = await recorded(
        draft("1", "2025-03-10", 150_000),
        draft("2", "2025-03-10", 150_000, household="keeps"),
        draft("3", "2025-03-20", 150_000, household="later"),
        now=at("2025-03-20"),
    )
    await recorded(
        draft("4", "2026-01-10", 100_050),
        draft("5", "2026-01-10", 150_000, household="keeps"),
        now=at("2026-01-10"),
    )
    assert await remind() == 1
    assert said(await told()) == [
        (silver.member_id, "Silver", "$499.50 missing, until Mar 9, 2026.")
    ]
    assert [one.topic for one in await told()] == ["tier-at-risk:Silver:2026-03-10"]
    assert await remind(Instant(NOW + DAY)) == 0
    assert await remind(Instant(NOW + 2 * DAY)) == 1
    assert keeps.member_id not in {one.member_id for one in await told()}
    assert later.member_id in {one.member_id for one in await told()}


async def test_only_who_lacks_little_of_the_tier_if_the_message_says_so(database: Address) -> None:
    await prepared("tier_at_risk", trigger_within_percent=50)
    await recorded(draft("1", "2025-03-10", 150_000), now=at("2025-03-10"))
    near, _ = await recorded(
        draft("2", "2025-03-10", 150_000, household="near"),
        draft("3", "2025-09-10", 75_000, household="near"),
        now=at("2025-09-10"),
    )
    await remind()
    assert [one.member_id for one in await told()] == [near.member_id]


async def test_an_offer_that_ends_is_told_to_who_activated_it_and_did_not_use_it(
    database: Address,
) -> None:
    await prepared("offer_ending", trigger_days=2)
    async with sql.transaction():
        for key, day in (("soon", "2026-03-06"), ("later", "2026-03-07")):
            schedule = {"ends_on": day}
            await publish_offer(key, at=START, activation="clip", schedule=schedule)
        await publish_offer("always", at=START, activation="clip")
    anna, ben, _eva = await new_members(3)
    shelf = (await definitions.shelves()).of("offer")
    for member, key in ((anna, "soon"), (anna, "later"), (ben, "soon"), (anna, "always")):
        async with sql.transaction():
            await offers.activate(member, offers.number_of(shelf, key), now=START)
    async with sql.transaction():
        await sql.execute(
            sql.insert(
                "offer_uses",
                "id, member_id, offer, version, purchase_id, local_day, status, used_at,"
                " discount_minor, shipping_minor, points, cashback_minor, budget_minor,"
                " budget_points, returned_discount_minor, returned_shipping_minor,"
                " returned_points, returned_cashback_minor, returned_budget_minor,"
                " returned_budget_points",
            ),
            *(1, ben, "soon", 1, 9, 1, "used", 1),
            *(0,) * 12,
        )
    assert await remind() == 1
    assert said(await told()) == [(anna, "soon", "Until Mar 6, 2026.")]
    due_at = nine("2026-03-04T09:00", anna, "offer-ending:soon:2026-03-06")
    assert await due() == {"offer-ending:soon:2026-03-06": (due_at, due_at + DAY)}
    assert await remind(Instant(NOW + DAY)) == 1
    assert [one.topic for one in await told() if one.title == "later"] == [
        "offer-ending:later:2026-03-07"
    ]


# ---------------------------------------------------------------- birthdays


async def test_a_birthday_is_told_on_the_members_own_day(database: Address) -> None:
    await prepared("birthday")
    people = await new_members(4)
    known = [
        ("Anna", "1990-03-04", "Europe/Vilnius"),
        ("Ben", "1990-03-05", "Pacific/Kiritimati"),
        ("Eva", "1990-03-06", "UTC"),
        (None, None, "UTC"),
    ]
    async with sql.transaction():
        for member, (name, birthday, zone) in zip(people, known, strict=True):
            await sql.execute(
                "UPDATE members SET name = $1, birthday = $2, time_zone = $3 WHERE id = $4",
                name,
                birthday,
                zone,
                member,
            )
    assert await remind() == 2
    assert said(await told()) == [
        (people[0], "Happy birthday", "Anna!"),
        (people[1], "Happy birthday", "Ben!"),
    ]
    rows = await sql.fetch("SELECT member_id, shown_from FROM notifications ORDER BY member_id")
    assert [tuple(row) for row in rows] == [
        (people[0], nine("2026-03-04T07:00", people[0], "birthday:2026")),
        # Nine o'clock of the fifth, fourteen hours ahead.
        (people[1], nine("2026-03-04T19:00", people[1], "birthday:2026")),
    ]
    assert await remind(Instant(NOW + DAY)) == 1
    assert {one.topic for one in await told()} == {"birthday:2026"}


@pytest.mark.parametrize(("year", "day"), [(2027, "02-28"), (2028, "02-29")])
async def test_who_was_born_on_a_leap_day_celebrates_every_year(
    database: Address, year: int, day: str
) -> None:
    await prepared("birthday")
    (member,) = await new_members(1)
    async with sql.transaction():
        await sql.execute("UPDATE members SET birthday = '2000-02-29' WHERE id = $1", member)
    for date in (f"{year}-02-26", f"{year}-02-27", f"{year}-02-28", f"{year}-02-29"[:10]):
        if date != "2027-02-29":
            await remind(at(f"{date}T06:07"))
    due_at = nine(f"{year}-{day}T09:00", member, f"birthday:{year}")
    assert next(iter((await due()).values()))[0] == due_at
    assert len(await told()) == 1
    await forget()
