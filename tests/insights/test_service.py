"""The reports, against the reference and against cases worked by hand."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import clock
from server.clock import Instant
from server.insights import service as insights
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.storage import sql
from server.storage.database import Address, opened
from tests.insights.rows import Json, check_reports, month_row
from tests.playing import instant, play, publish, record
from tests.postgres import create_database, drop_database
from tests.programme.demo import demo
from tests.reference import programme_reference
from tests.reference.strategies import baskets, programmes

EXAMPLE = Path(__file__).parents[1] / "reference" / "data" / "demo-example.jsonl"


def bought(household: str, timestamp: str, sales_minor: int) -> Json:
    """A basket with one line of a department without any bonus."""
    digits = timestamp.translate(str.maketrans("", "", "-:TZ"))
    line = {
        "product_id": "1",
        "department": "GROCERY",
        "product_category": "A",
        "product_type": "A",
        "quantity": 1,
        "sales_minor": sales_minor,
        "coupon_minor": 0,
    }
    return {
        "basket_id": f"{digits}{household}",
        "household_id": household,
        "store_id": "1",
        "timestamp": timestamp,
        "lines": [line],
    }


def demo_until(last_local_date: str, **policy: int) -> Json:
    """The demo's programme up to another date, with changes of the redemption policy."""
    document: Json = demo({("programme", "last_local_date"): last_local_date})
    document["redemption_policy"] |= policy
    return document


def as_of(timestamp: str) -> Instant:
    return instant({"timestamp": timestamp})


@pytest.mark.usefixtures("database")
async def test_the_worked_example() -> None:
    with EXAMPLE.open(encoding="utf-8") as lines:
        example = [json.loads(line) for line in lines]
    at = await play(demo(), example)
    expected = programme_reference.play(demo(), example)
    assert len(expected.months) == 4
    await check_reports(at, months=expected.months, retention=expected.retention)


@asynccontextmanager
async def fresh_database(engine: str, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """A migrated, empty database for one example of many in a test."""
    if engine == "sqlite":
        file: Path = request.getfixturevalue("tmp_path") / "fresh.sqlite3"
        for old in file.parent.glob("fresh.sqlite3*"):
            old.unlink()
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        async with opened(Address("sqlite", str(file))):
            yield
        return
    server = request.getfixturevalue("postgres_server")
    url = create_database(server, template=request.getfixturevalue("postgres_template"))
    try:
        async with opened(Address("postgres", url), pool_size=2):
            yield
    finally:
        drop_database(url)


# The fixtures give names of files and servers only; each example has a database of its own.
@settings(
    deadline=None,
    max_examples=8,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
async def test_random_programmes(
    data: st.DataObject, engine: str, request: pytest.FixtureRequest
) -> None:
    document = data.draw(programmes())
    purchases = data.draw(baskets(document))
    expected = programme_reference.play(document, purchases)
    async with fresh_database(engine, request):
        at = await play(document, purchases)
        await check_reports(at, months=expected.months, retention=expected.retention)


UNBOOKED = [
    bought("1", "2017-01-03T12:00:00Z", 200_000),
    bought("2", "2017-01-03T12:00:00Z", 1_000),
    bought("2", "2018-03-05T12:00:00Z", 1_000),
]


@pytest.mark.usefixtures("database")
async def test_what_time_alone_has_done_counts_without_any_write() -> None:
    document = demo_until("2018-03-31", threshold_points=10**6, redeem_points=10**6)
    at = await play(document, UNBOOKED)
    expected = programme_reference.play(document, UNBOOKED)
    assert [row["members_silver"] for row in expected.months] == [1, 0]
    assert expected.months[1]["breakage_rate"] > 0.9
    await check_reports(at, months=expected.months, retention=expected.retention)

    one = (await members.members_by_external_id(["1"]))["1"]
    written = "SELECT COUNT(*) FROM postings WHERE member_id = $1 AND reason = 'expiry'"
    assert await sql.fetch_one(written, one) == (0,)
    before = await insights.months(at)
    async with sql.transaction(), ledger.journal([one], [POINTS], recorded_at=at):
        pass
    assert await sql.fetch_one(written, one) != (0,)
    assert await insights.months(at) == before


@pytest.mark.usefixtures("database")
async def test_unbooked_expiries_and_drops_count_from_their_own_instant_on() -> None:
    document = demo_until("2018-12-31", threshold_points=10**6, redeem_points=10**6)
    document["tiers"]["window_days"] = 10
    await publish(document)
    await record(document, [bought("1", "2017-01-21T12:00:00Z", 200_000)])
    await record(document, [bought("2", "2017-07-01T12:00:00Z", 100)])
    # Spend of 21 January leaves the window on the 31st; its points expire 180 days later.
    for moment, silver in (("2017-01-31T04:59:59.999999Z", 1), ("2017-01-31T05:00:00Z", 0)):
        (january, *_) = await insights.months(as_of(moment))
        assert month_row(january)["members_silver"] == silver
    for moment, expired in (("2017-07-20T03:59:59.999999Z", 0), ("2017-07-20T04:00:00Z", 20_250)):
        *_, july = await insights.months(as_of(moment))
        assert (july.points_expired, july.points_earned) == (expired, 110)
        assert july.points_outstanding == 20_360 - expired


@pytest.mark.usefixtures("database")
async def test_a_late_purchase_counts_in_its_own_month() -> None:
    document = demo_until("2017-12-31")
    timestamps = ["2017-01-03T12:00:00Z", "2017-01-04T12:00:00Z", "2017-03-06T12:00:00Z"]
    first, late, last = (bought("1", timestamp, 80_000) for timestamp in timestamps)
    await publish(document)
    await record(document, [first])
    await record(document, [last])
    assert [
        (month_row(month)["members_silver"], month.purchases)
        for month in await insights.months(as_of("2017-04-01T00:00:00Z"))
    ] == [(0, 1), (1, 1)]
    await record(document, [late], now=instant(last))
    january, march = await insights.months(as_of("2017-04-01T00:00:00Z"))
    assert (month_row(january)["members_silver"], january.purchases) == (1, 2)
    assert (month_row(march)["members_silver"], march.purchases) == (1, 1)
    assert january.repeat_members == 1
    assert january.net_minor == 160_000


@pytest.mark.usefixtures("database")
async def test_the_month_in_progress_is_as_of_now() -> None:
    document = demo_until("2017-12-31")
    purchases = [bought("1", "2017-01-03T12:00:00Z", 100), bought("2", "2017-01-05T12:00:00Z", 100)]
    await publish(document)
    for purchase in purchases:
        await record(document, [purchase])
    assert await insights.months(as_of("2017-01-03T11:59:59Z")) == []
    assert await insights.retention(as_of("2017-01-03T11:59:59Z")) == []
    for moment, number in (("2017-01-03T12:00:00Z", 1), ("2017-01-05T12:00:00Z", 2)):
        (january,) = await insights.months(as_of(moment))
        assert (january.new_members, january.purchases) == (number, number)
        assert january.points_outstanding == january.points_earned == 110 * number
        assert [count.members for count in january.members_by_tier] == [number, 0, 0]
        (cell,) = await insights.retention(as_of(moment))
        assert (cell.cohort_size, cell.active_members, cell.retention) == (
            number,
            number,
            Decimal(1),
        )


@pytest.mark.usefixtures("database")
async def test_a_month_is_told_in_the_terms_that_counted_at_its_end() -> None:
    first: Json = demo_until("2017-12-31")
    later: Json = deepcopy(first)
    later["liability"]["point_value_minor_per_1000"] = 2500
    later["tiers"]["levels"] = [
        {"name": "Leaf", "min_spend_minor": 0, "multiplier_percent": 100},
        {"name": "Tree", "min_spend_minor": 100, "multiplier_percent": 100},
    ]
    await publish(first)
    with clock.moved_to(as_of("2017-01-01T00:00:00Z")):
        async with sql.transaction():
            await programme.publish(
                json.dumps(later, default=str),
                effective_at=as_of("2017-02-15T00:00:00Z"),
                published_by="test",
            )
    await record(first, [bought("1", "2017-01-03T12:00:00Z", 100)])
    await record(first, [bought("1", "2017-02-16T12:00:00Z", 100)])
    january, february = await insights.months(as_of("2017-06-01T00:00:00Z"))
    assert [(count.tier, count.members) for count in january.members_by_tier] == [
        ("Bronze", 1),
        ("Silver", 0),
        ("Gold", 0),
    ]
    assert [(count.tier, count.members) for count in february.members_by_tier] == [
        ("Leaf", 0),
        ("Tree", 1),
    ]
    assert (january.points_outstanding, january.liability_minor) == (110, 110)
    assert (february.points_outstanding, february.liability_minor) == (120, 300)


@pytest.mark.usefixtures("database")
async def test_cohorts_without_purchases_and_months_without_enrolments() -> None:
    document = demo_until("2017-12-31")
    await publish(document)
    await record(document, [bought("1", "2017-01-03T12:00:00Z", 100)])
    await record(document, [bought("1", "2017-04-03T12:00:00Z", 100)])
    async with sql.transaction():
        await members.register_member(
            members.NewMember(
                enrolled_at=as_of("2017-02-03T12:00:00Z"), enrolled_local_month=201702
            )
        )
    cells = await insights.retention(as_of("2017-06-01T00:00:00Z"))
    assert [
        (cell.cohort, cell.local_month, cell.cohort_size, cell.active_members, cell.retention)
        for cell in cells
    ] == [
        (201701, 201701, 1, 1, Decimal(1)),
        (201701, 201704, 1, 1, Decimal(1)),
        (201702, 201704, 1, 0, Decimal(0)),
    ]


@pytest.mark.usefixtures("database")
async def test_the_number_of_statements_does_not_grow() -> None:
    document = demo_until("2018-12-31")
    await publish(document)
    at = as_of("2019-01-01T00:00:00Z")

    async def counts() -> tuple[int, int]:
        with sql.counted_statements() as of_months:
            await insights.months(at)
        with sql.counted_statements() as of_retention:
            await insights.retention(at)
        return len(of_months), len(of_retention)

    await record(document, [bought("1", "2017-01-03T12:00:00Z", 200_000)])
    await counts()  # the programme's document is read once
    assert await counts() == (7, 2)
    purchases = [
        bought(str(household), f"2017-{month:02}-03T12:00:00Z", 200_000)
        for month in range(2, 13)
        for household in range(60)
    ]
    for start in range(0, len(purchases), 60):
        await record(document, purchases[start : start + 60])
    assert len(await insights.months(at)) == 12
    assert await counts() == (7, 2)


@pytest.mark.usefixtures("database")
async def test_without_a_programme_there_is_nothing_to_tell() -> None:
    at: Any = as_of("2019-01-01T00:00:00Z")
    assert await insights.months(at) == []
    assert await insights.retention(at) == []
