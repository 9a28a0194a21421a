"""Rates by tier, caps by spans of time, and what returns give back of them, on both engines."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.cashback import service as cashback
from server.cashback.rules import LIFETIME_START, Accrual, Month, Period, accrue, period_start
from server.clock import LocalDay
from server.ledger import service as ledger
from server.programme.document import CapPeriod, Programme
from server.purchases.rules import amounts_of, highest_cashback_minor
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import new_members
from tests.playing import undone
from tests.purchases.baskets import (
    Changes,
    at,
    draft,
    line,
    programme_with,
    publish,
    recorded,
)

RATE = 2  # percent of MEAT, in the demo's rules
PERIODS: tuple[CapPeriod, ...] = (
    "calendar_day",
    "calendar_week",
    "calendar_month",
    "calendar_year",
    "lifetime",
)


def capped(*caps: tuple[str, int], monthly: int = 1_000_000, **changes: Any) -> Changes:
    """The demo's rules with these caps, and hardly any cap a month."""
    return {
        ("cashback", "monthly_cap_minor"): monthly,
        ("cashback", "caps"): [{"period": name, "minor": minor} for name, minor in caps],
        **{("cashback", name): value for name, value in changes.items()},
    }


def in_currency(currency: str, per_major: int) -> Changes:
    return {
        ("programme", "currency"): currency,
        ("programme", "minor_units_per_major"): per_major,
    }


async def accrued(*whens: str, cashback_minor: int = 300, currency: str = "USD") -> list[int]:
    """What purchases at these instants (UTC) accrue, each worth `cashback_minor` without a cap."""
    meat = line("MEAT", cashback_minor * 100 // RATE)
    answers = await recorded(
        *(draft(f"{n}-{when}", when, meat, currency=currency) for n, when in enumerate(whens))
    )
    assert all(
        one.cashback.accrued_minor + one.cashback.capped_minor == cashback_minor for one in answers
    )
    return [one.cashback.accrued_minor for one in answers]


async def stored() -> list[tuple[str, int, int]]:
    rows = await sql.fetch(
        "SELECT period, period_start, accrued_minor FROM cashback_periods"
        " ORDER BY period, period_start"
    )
    return [(row[0], row[1], row[2]) for row in rows]


# ---------------------------------------------------------------- spans


@pytest.mark.parametrize(
    ("day", "week", "month", "year"),
    [
        ("2024-02-29", "2024-02-26", "2024-02-01", "2024-01-01"),
        ("2024-03-01", "2024-02-26", "2024-03-01", "2024-01-01"),
        ("2023-12-31", "2023-12-25", "2023-12-01", "2023-01-01"),
        ("2024-01-01", "2024-01-01", "2024-01-01", "2024-01-01"),
        ("2024-12-31", "2024-12-30", "2024-12-01", "2024-01-01"),
        ("2025-01-01", "2024-12-30", "2025-01-01", "2025-01-01"),
        ("1970-01-01", "1969-12-29", "1970-01-01", "1970-01-01"),
    ],
)
def test_spans_start_on_these_days(day: str, week: str, month: str, year: str) -> None:
    def day_of(text: str) -> LocalDay:
        return clock.local_day(at(text), "UTC")

    starts = [period_start(period, day_of(day)) for period in PERIODS]
    assert starts == [*map(day_of, (day, week, month, year)), LIFETIME_START]


@pytest.mark.parametrize(
    ("period", "zone", "before", "start"),
    [
        # The last instant of one span and the first of the next, where clocks change.
        ("calendar_day", "America/New_York", "2026-03-08T04:59:59.999999", "2026-03-08T05:00"),
        ("calendar_day", "America/New_York", "2026-03-09T03:59:59.999999", "2026-03-09T04:00"),
        ("calendar_day", "America/New_York", "2026-11-02T04:59:59.999999", "2026-11-02T05:00"),
        ("calendar_day", "America/Santiago", "2026-09-06T03:59:59.999999", "2026-09-06T04:00"),
        ("calendar_week", "America/New_York", "2026-03-09T03:59:59.999999", "2026-03-09T04:00"),
        ("calendar_week", "Europe/Vilnius", "2026-10-25T21:59:59.999999", "2026-10-25T22:00"),
        ("calendar_month", "Asia/Tokyo", "2028-02-29T14:59:59.999999", "2028-02-29T15:00"),
        ("calendar_month", "Europe/Vilnius", "2026-10-31T21:59:59.999999", "2026-10-31T22:00"),
        ("calendar_year", "Asia/Tokyo", "2026-12-31T14:59:59.999999", "2026-12-31T15:00"),
        ("calendar_year", "America/New_York", "2029-01-01T04:59:59.999999", "2029-01-01T05:00"),
        ("calendar_day", "UTC", "2028-02-29T23:59:59.999999", "2028-03-01T00:00"),
    ],
)
async def test_a_cap_starts_anew_with_its_span_in_the_programmes_zone(
    database: Address, period: str, zone: str, before: str, start: str
) -> None:
    await publish(capped((period, 500)) | {("programme", "timezone"): zone})
    assert await accrued(before, before, start, start, start) == [300, 200, 300, 200, 0]


async def test_a_day_of_23_and_one_of_25_hours_have_one_cap_each(database: Address) -> None:
    await publish(capped(("calendar_day", 500)) | {("programme", "timezone"): "America/New_York"})
    spring = await accrued("2026-03-08T05:00", "2026-03-08T18:00", "2026-03-09T03:59")
    autumn = await accrued("2026-11-01T04:00", "2026-11-01T05:30", "2026-11-02T04:59")
    assert spring == autumn == [300, 200, 0]


async def test_the_lifetime_has_one_cap(database: Address) -> None:
    await publish(capped(("lifetime", 700)))
    assert await accrued("1970-01-01", "2000-02-29", "2026-12-31") == [300, 300, 100]
    assert await stored() == [("lifetime", 0, 700)]


async def test_the_tightest_of_several_caps_counts(database: Address) -> None:
    await publish(
        capped(("calendar_year", 1000), ("calendar_day", 400), ("calendar_week", 650), monthly=950)
    )
    whens = ["2026-03-02", "2026-03-02", "2026-03-03", "2026-03-10", "2026-03-31", "2026-04-01"]
    # 400 a day, 650 a week, 950 a month, 1000 a year; then none of the day's, week's or month's
    # room is used any more.
    assert await accrued(*whens) == [300, 100, 250, 300, 0, 50]
    assert await cashback.month_sums() == [(202603, 950, 550), (202604, 50, 250)]
    assert sum(amount for name, _start, amount in await stored() if name == "calendar_year") == 1000


@pytest.mark.parametrize(("currency", "per_major"), [("USD", 100), ("JPY", 1), ("TND", 1000)])
async def test_caps_are_exact_in_minor_units_of_any_currency(
    database: Address, currency: str, per_major: int
) -> None:
    await publish(capped(("calendar_week", 7)) | in_currency(currency, per_major))
    whens = ["2026-03-02", "2026-03-03", "2026-03-04"]
    assert await accrued(*whens, cashback_minor=3, currency=currency) == [3, 3, 1]
    [(member,)] = await sql.fetch(
        "SELECT member_id FROM ledger_accounts WHERE asset = $1", currency
    )
    balance = (await ledger.balances([member], at("2026-05-01")))[member, currency]
    assert (balance.available, balance.granted_total) == (7, 7)


async def test_a_cap_of_nothing_lets_nothing_through(database: Address) -> None:
    await publish(capped(("calendar_day", 0)))
    assert await accrued("2026-03-02") == [0]
    assert await stored() == []


async def test_a_cap_counts_what_versions_that_name_it_have_accrued(database: Address) -> None:
    await publish(capped())
    assert await accrued("2026-03-02T08:00") == [300]
    await publish(capped(("calendar_day", 400)), at=at("2026-03-02T10:00"))
    assert await accrued("2026-03-02T11:00", "2026-03-02T12:00") == [300, 100]


# ---------------------------------------------------------------- what it costs


async def counted(changes: Changes) -> int:
    await publish(changes)
    await recorded(draft("a", "2026-03-02", line("MEAT", 1000)))
    with sql.counted_statements() as statements:
        await recorded(
            draft("b", "2026-03-02", line("MEAT", 1000)),
            draft("c", "2026-03-03", line("MEAT", 1000)),
        )
    assert any("cashback_periods" in one for one in statements) == bool(changes["cashback", "caps"])
    return len(statements)


async def test_a_programme_without_caps_costs_no_statement_more(database: Address) -> None:
    await counted(capped())


async def test_caps_cost_one_statement_to_read_and_one_to_write(database: Address) -> None:
    """On PostgreSQL even these are parts of statements that are sent anyway."""
    more = 2 if database.engine == "sqlite" else 0
    async with undone():
        without = await counted(capped())
    async with undone():
        assert await counted(capped(("calendar_day", 900), ("lifetime", 900))) == without + more


# ---------------------------------------------------------------- tiers


async def test_the_rate_is_that_of_the_tier_that_applied_to_the_purchase(
    database: Address,
) -> None:
    # Silver from 1500.00, Gold from 4000.00.
    await publish(capped(tier_rates_basis_points={"Gold": 500, "Silver": 0}))
    meat = line("MEAT", 200_000)
    answers = await recorded(*(draft(str(n), f"2026-03-0{n}", meat) for n in range(1, 5)))
    # Bronze has the common rate; the purchase that leads to a tier is not of it yet.
    assert [(one.tier_before, one.cashback.accrued_minor) for one in answers] == [
        ("Bronze", 4000),
        ("Silver", 0),
        ("Gold", 10_000),
        ("Gold", 10_000),
    ]


def test_without_a_tier_the_common_rate_counts() -> None:
    programme = programme_with(capped(tier_rates_basis_points={"Bronze": 500}))
    accruing = cashback.Accruing({}, {}, frozenset())
    day = clock.local_day(at("2026-03-02"), "UTC")
    assert accruing.accrue(1, day, 1000, programme) == Accrual(20, 0)
    assert accruing.accrue(1, day, 1000, programme, tier="Bronze") == Accrual(50, 0)
    assert accruing.accrue(1, day, 1000, programme, tier="Silver") == Accrual(20, 0)


@given(
    rates=st.dictionaries(st.sampled_from(["Bronze", "Silver", "Gold"]), st.integers(0, 10_000)),
    rate=st.integers(0, 10_000),
    spend=st.integers(0, 10_000),
    caps=st.dictionaries(st.sampled_from(PERIODS), st.integers(0, 5000), max_size=3),
)
def test_nobody_accrues_more_than_the_highest(
    rates: dict[str, int], rate: int, spend: int, caps: dict[str, int]
) -> None:
    programme = programme_with(
        capped(*caps.items(), monthly=3000, tier_rates_basis_points=rates, rate_basis_points=rate)
    )
    highest = highest_cashback_minor(
        amounts_of(draft("1", "2026-03-02", line("MEAT", spend)), programme), programme
    )
    day = clock.local_day(at("2026-03-02"), "UTC")
    reached = [
        cashback.Accruing({}, {}, frozenset(PERIODS)).accrue(1, day, spend, programme, tier=tier)
        for tier in ("Bronze", "Silver", "Gold")
    ]
    assert max(one.accrued_minor for one in reached) == highest


# ---------------------------------------------------------------- taking back

DAY = clock.local_day(at("2026-03-02"), "UTC")


async def turn(
    member: int, programme: Programme, day: LocalDay, spend: int, *, back: Sequence[int] = ()
) -> Accrual | None:
    """Accrues in a transaction, or takes (accrued, capped) back."""
    async with sql.transaction(), ledger.journal([member], ["USD"], recorded_at=at("2026-12-31")):
        accruing = await cashback.accruing([member], [day], [programme])
        made = None
        if back:
            accruing.unaccrue(
                member, day, accrued_minor=back[0], capped_minor=back[1], programme=programme
            )
        else:
            made = accruing.accrue(member, day, spend, programme)
        await accruing.flush()
    return made


async def test_what_is_taken_back_makes_room_in_every_span(database: Address) -> None:
    [member] = await new_members(1)
    programme = programme_with(
        capped(("calendar_day", 500), ("calendar_year", 700), ("lifetime", 800), monthly=600)
    )
    assert await turn(member, programme, DAY, 20_000) == Accrual(400, 0)
    assert await turn(member, programme, DAY, 20_000) == Accrual(100, 300)
    await turn(member, programme, DAY, 0, back=(250, 100))
    assert await cashback.month_sums() == [(202603, 250, 200)]
    assert [amount for _name, _start, amount in await stored()] == [250, 250, 250]
    assert await turn(member, programme, DAY, 20_000) == Accrual(250, 150)
    next_day = LocalDay(DAY + 1)
    assert await turn(member, programme, next_day, 20_000) == Accrual(100, 300)  # of the month
    next_month = LocalDay(DAY + 31)
    assert await turn(member, programme, next_month, 20_000) == Accrual(100, 300)  # of the year
    next_year = LocalDay(DAY + 365)
    assert await turn(member, programme, next_year, 20_000) == Accrual(100, 300)  # of a lifetime
    assert await turn(member, programme, next_year, 20_000) == Accrual(0, 400)


async def test_taking_back_never_goes_below_nothing(database: Address) -> None:
    [member] = await new_members(1)
    programme = programme_with(capped(("calendar_day", 500)))
    await turn(member, programme, DAY, 0, back=(100, 100))
    assert await cashback.month_sums() == [(202603, 0, 0)]
    assert await turn(member, programme, DAY, 10_000) == Accrual(200, 0)
    await turn(member, programme, DAY, 0, back=(900, 900))
    assert await cashback.month_sums() == [(202603, 0, 0)]
    assert [amount for _name, _start, amount in await stored()] == [0]


async def test_taking_back_goes_by_the_caps_of_the_purchases_own_version(
    database: Address,
) -> None:
    [member] = await new_members(1)
    older, newer = programme_with(capped()), programme_with(capped(("calendar_day", 500)))
    assert await turn(member, older, DAY, 20_000) == Accrual(400, 0)
    assert await turn(member, newer, DAY, 20_000) == Accrual(400, 0)
    await turn(member, older, DAY, 0, back=(400, 0))  # which the day's cap has never counted
    assert await turn(member, newer, DAY, 20_000) == Accrual(100, 300)
    await turn(member, newer, DAY, 0, back=(100, 0))
    assert await turn(member, newer, DAY, 20_000) == Accrual(100, 300)


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 30_000), st.booleans()), max_size=20
    ),
    cap=st.integers(0, 900),
    monthly=st.integers(0, 900),
)
def test_no_span_exceeds_its_cap_and_room_is_what_is_left(
    steps: list[tuple[int, int, bool]], cap: int, monthly: int
) -> None:
    programme = programme_with(capped(("calendar_day", cap), ("lifetime", 1500), monthly=monthly))
    accruing = cashback.Accruing({}, {}, frozenset(PERIODS))
    kept: list[tuple[LocalDay, Accrual]] = []
    for offset, spend, goes_back in steps:
        if goes_back and kept:
            day, made = kept.pop()
            accruing.unaccrue(
                1,
                day,
                accrued_minor=made.accrued_minor,
                capped_minor=made.capped_minor,
                programme=programme,
            )
            continue
        day = LocalDay(DAY + offset)
        in_all = sum(one.accrued_minor for _, one in kept)
        of_day = sum(one.accrued_minor for on, one in kept if on == day)
        room = min(cap - of_day, monthly - in_all, 1500 - in_all)
        made = accruing.accrue(1, day, spend, programme)
        raw = spend * RATE // 100
        assert made == Accrual(min(raw, room), raw - min(raw, room))
        kept.append((day, made))


def test_the_arithmetic_counts_in_every_span_given() -> None:
    month, day, year = Month(100), Period(50), Period(900)
    caps = [(day, 300), (year, 1000)]
    made = accrue(month, 20_000, rate_bps=200, monthly_cap_minor=5000, caps=caps)
    assert made == Accrual(100, 300)
    assert (month, day, year) == (Month(200, 300), Period(150), Period(1000))
