"""What is known of a member, worked by hand."""

from datetime import UTC, datetime

import pytest

from server import clock
from server.clock import LocalDay
from server.conditions import FactType
from server.members import consents
from server.members.consents import ConsentPurpose, ConsentSource
from server.segments import rules
from server.segments import service as segments
from server.segments.rules import StoreVisits
from server.storage import sql
from tests.purchases.baskets import at, draft, line, publish, recorded
from tests.purchases.returns import return_draft, take_back
from tests.segments.shop import enrolled, facts_of

MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC)


def day(text: str) -> LocalDay:
    return clock.day_of(datetime.fromisoformat(text).date())


@pytest.mark.usefixtures("database")
async def test_a_new_member_has_every_fact() -> None:
    await publish()
    ids = await enrolled("M-1", locale="lt-LT", time_zone="Europe/Vilnius", birthday="1990-03-10")
    assert await facts_of(ids["M-1"], "2025-01-31") == {
        "recency_days": -1,
        "last_visit": MIDNIGHT,
        "visits": 0,
        "visits_30": 0,
        "visits_90": 0,
        "visits_365": 0,
        "spend_30_minor": 0,
        "spend_90_minor": 0,
        "spend_365_minor": 0,
        "average_basket_minor": 0,
        "departments_90": [],
        "departments_365": [],
        "spend_by_department_365": {},
        "store_ids": [],
        "favourite_store": "",
        "tier": "Bronze",
        "points_available": 100,  # for joining
        "member_for_days": 30,
        "has_birthday_today": False,
        "birthday_in_days": 38,
        "birthday_month": 3,
        "age": 34,
        "language": "lt",
        "time_zone": "Europe/Vilnius",
        "external_id": "M-1",
        "consent_email": False,
        "consent_push": False,
        "consent_sms": False,
        "consent_profiling": False,
        "household": False,
        "churn_risk_bps": -1,
    }


@pytest.mark.usefixtures("database")
async def test_windows_begin_and_end_with_local_days_and_returns_count_less() -> None:
    await publish({("programme", "timezone"): "Europe/Vilnius"})
    # In Vilnius 2025-06-01 is the first of the 30 days that end with 2025-06-30.
    await recorded(
        draft("a", "2025-05-31T20:59:59.999999", line("PRODUCE", 1000), line("MEAT", 500, 100))
    )
    await recorded(draft("b", "2025-05-31T21:00:00", line("PRODUCE", 700), line("DELI", 300)))
    await take_back(return_draft("r", "b", "2025-06-02", (1, 1)))
    [row] = await sql.fetch("SELECT id FROM members")
    names = [
        "recency_days", "visits", "visits_30", "visits_90", "spend_30_minor", "spend_90_minor",
        "average_basket_minor", "departments_90", "spend_by_department_365", "last_visit",
        "store_ids", "favourite_store", "tier",
    ]  # fmt: skip
    assert await facts_of(row[0], "2025-06-30T20:59:59.999999", names) == {
        "recency_days": 29,
        "visits": 2,
        "visits_30": 1,
        "visits_90": 2,
        "spend_30_minor": 700,
        "spend_90_minor": 2100,
        "average_basket_minor": 1050,
        "departments_90": ["MEAT", "PRODUCE"],
        "spend_by_department_365": {"MEAT": 400, "PRODUCE": 1700},
        "last_visit": datetime(2025, 5, 31, 21, tzinfo=UTC),
        "store_ids": ["1"],
        "favourite_store": "1",
        "tier": "Bronze",
    }
    later = await facts_of(row[0], "2025-06-30T21:00:00", ["recency_days", "visits_30"])
    assert later == {"recency_days": 30, "visits_30": 0}


def test_of_stores_with_equally_many_visits_the_one_with_more_spend_is_the_favourite() -> None:
    told = rules.store_facts(
        [
            StoreVisits("b", (0, 1, 2), (0, 5, 90)),
            StoreVisits("a", (0, 0, 2), (0, 0, 80)),
            StoreVisits("c", (1, 1, 1), (7, 7, 501)),
        ]
    )
    assert told == {
        "visits_30": 1,
        "spend_30_minor": 7,
        "visits_90": 2,
        "spend_90_minor": 12,
        "visits_365": 5,
        "spend_365_minor": 671,
        "average_basket_minor": 134,
        "store_ids": ["a", "b", "c"],
        "favourite_store": "b",
    }


def test_what_was_given_back_entirely_is_no_department() -> None:
    assert rules.department_facts([("B", 0, 10), ("A", 5, 5), ("C", -1, 0)]) == {
        "departments_90": ["A"],
        "departments_365": ["A", "B"],
        "spend_by_department_365": {"A": 5, "B": 10},
    }


@pytest.mark.parametrize(
    ("born", "today", "days", "age"),
    [
        ("1990-03-10", "2025-03-10", 0, 35),
        ("1990-03-10", "2025-03-09", 1, 34),
        ("1990-03-10", "2025-03-11", 364, 35),
        ("1990-03-10", "2023-03-11", 365, 33),
        ("2000-02-29", "2025-02-28", 0, 25),
        ("2000-02-29", "2025-02-27", 1, 24),
        ("2000-02-29", "2025-03-01", 364, 25),
        ("2000-02-29", "2024-02-28", 1, 23),
        ("2000-02-29", "2024-02-29", 0, 24),
        ("2025-12-31", "2025-12-31", 0, 0),
    ],
)
def test_birthdays(born: str, today: str, days: int, age: int) -> None:
    birthday = datetime.fromisoformat(born).date()
    assert rules.days_until_birthday(birthday, day(today)) == days
    assert rules.age_on(birthday, day(today)) == age


@pytest.mark.usefixtures("database")
async def test_a_consent_is_a_fact_at_once() -> None:
    await publish()
    [member_id] = (await enrolled("M-1")).values()
    for is_given in (True, False, True):
        async with sql.transaction():
            await consents.set_consent(
                member_id,
                ConsentPurpose.EMAIL,
                is_given=is_given,
                source=ConsentSource.MEMBER,
                by="member:1",
                note=None,
                now=at("2025-02-01"),
            )
        told = await facts_of(member_id, "2025-02-01", ["consent_email", "consent_sms"])
        assert told == {"consent_email": is_given, "consent_sms": False}
    kept = await consents.evidence_of_members([member_id], before=clock.NEVER, limit=10)
    assert [one.is_given for one in kept[member_id]] == [True, False, True]


def test_every_fact_can_be_asked_for_in_a_condition() -> None:
    asking = {
        FactType.WHOLE: "{} >= -1",
        FactType.TEXT: "{} != 'x'",
        FactType.TRUTH: "!{}",
        FactType.TEXTS: "!('x' in {})",
        FactType.WHOLES_BY_NAME: "!('x' in {})",
        FactType.INSTANT: "{} < timestamp('2030-01-01T00:00:00Z')",
    }
    for fact in segments.FACTS:
        condition = segments.sample_condition(asking[fact.type].format(fact.name))
        assert condition.names == {fact.name}
