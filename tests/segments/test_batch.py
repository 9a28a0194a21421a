"""One by one, all at once and by an independent reckoning: the facts and memberships agree."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.members import service as members
from server.members.service import NewMember
from server.segments import reading
from server.segments import service as segments
from server.segments.reading import Asked
from server.storage import changes, sql
from server.storage.ids import new_id
from tests.playing import undone
from tests.properties import trying
from tests.purchases.baskets import publish
from tests.segments import reference
from tests.segments.reference import Bought, Person
from tests.segments.shop import enrolled, frozen, listed, live, publish_segment

ZONES = ("UTC", "Europe/Vilnius", "America/Havana", "Pacific/Chatham")
NOW = datetime(2025, 4, 2, 12, tzinfo=UTC)
DEPARTMENTS = ("MEAT", "PRODUCE", "DELI")
CONDITIONS = {
    "regulars": "visits_90 >= 2",
    "meat": "'MEAT' in departments_90 && spend_by_department_365['MEAT'] > 100",
    "lost": "recency_days > 30 || recency_days == -1",
    "young": "age >= 0 && age < 30 || birthday_in_days == 0",
    "near": "favourite_store == 's1' && average_basket_minor >= 50",
}
# Near the edges of the windows and of local days, mostly.
moments = st.one_of(
    st.builds(
        lambda days, minutes: NOW - timedelta(days=days, minutes=minutes),
        st.sampled_from([0, 1, 28, 29, 30, 89, 90, 364, 365, 366]),
        st.integers(-600, 1500),
    ),
    st.builds(lambda minutes: NOW - timedelta(minutes=minutes), st.integers(0, 960_000)),
).filter(lambda at: at <= NOW)
lines = st.lists(
    st.tuples(st.sampled_from(DEPARTMENTS), st.integers(0, 300), st.integers(0, 100)),
    min_size=1,
    max_size=3,
)
purchases = st.tuples(moments, st.sampled_from(["s1", "s2"]), lines)
birthdays = st.none() | st.sampled_from(
    [date(1996, 2, 29), date(2000, 4, 2), date(1995, 4, 3), date(1960, 12, 31)]
)
people = st.lists(st.tuples(birthdays, st.lists(purchases, max_size=5)), min_size=1, max_size=4)


async def recorded(member_id: int, at: datetime, store: str, bought: list[Any]) -> Bought:
    """A purchase of (department, sales, returned) as it stands in the tables."""
    left = [(department, sales - min(sales, back)) for department, sales, back in bought]
    sales, returned = sum(one[1] for one in bought), sum(min(one[1], one[2]) for one in bought)
    number = new_id()
    await sql.execute(
        "INSERT INTO purchases (id, member_id, partner, external_id, content_hash, store_id,"
        " occurred_at, recorded_at, local_month, currency, net_minor, eligible_minor,"
        " programme_version, outcome, paid_minor, returned_net_minor, returned_eligible_minor)"
        " VALUES ($1, $2, 'shop', $3, '', $4, $5, $5, 202501, 'USD', $6, 0, 1, '{}', 0, $7, 0)",
        number,
        member_id,
        str(number),
        store,
        clock.instant_of(at),
        sales,
        returned,
    )
    await sql.execute_many(
        "INSERT INTO purchase_lines (id, member_id, purchase_id, number, product_id, department,"
        " product_category, product_type, quantity, sales_minor, coupon_minor, paid_minor,"
        " returned_quantity, returned_minor)"
        " VALUES ($1, $2, $3, $4, 'p', $5, 'c', 't', 1, $6, 0, 0, 0, $7)",
        [
            (new_id(), member_id, number, place, department, sales, min(sales, back))
            for place, (department, sales, back) in enumerate(bought)
        ],
    )
    return Bought(at, store, left, sales - returned)


async def settled(drawn: list[Any]) -> dict[int, Person]:
    """The people as members with their purchases."""
    found: dict[int, Person] = {}
    for place, (born, bought) in enumerate(drawn):
        joined = NOW - timedelta(days=400 + place, hours=7)
        person = Person(f"M-{place}", joined, born)
        new = NewMember(
            enrolled_at=clock.instant_of(joined),
            enrolled_local_month=202401,
            external_id=person.external_id,
            birthday=None if born is None else born.isoformat(),
        )
        member_id = await members.register_member(new)
        person.bought = [await recorded(member_id, *one) for one in bought]
        found[member_id] = person
    return found


def holds(key: str, told: dict[str, Any]) -> bool:
    """The conditions, said in Python."""
    spends = told["spend_by_department_365"]
    answers: dict[str, bool] = {
        "regulars": told["visits_90"] >= 2,
        "meat": "MEAT" in told["departments_90"] and spends.get("MEAT", 0) > 100,
        "lost": told["recency_days"] > 30 or told["recency_days"] == -1,
        "young": 0 <= told["age"] < 30 or told["birthday_in_days"] == 0,
        "near": told["favourite_store"] == "s1" and told["average_basket_minor"] >= 50,
    }
    return answers[key]


@trying(50)
@given(drawn=people, zone=st.sampled_from(ZONES))
async def test_facts_and_memberships_agree(database: object, drawn: list[Any], zone: str) -> None:
    at = clock.instant_of(NOW)
    async with undone():
        await publish({("programme", "timezone"): zone})
        known = await settled(drawn)
        for key, condition in CONDITIONS.items():
            await publish_segment(key, live(condition), at)
            await publish_segment(f"frozen-{key}", frozen(condition), at)
        await publish_segment("listed", listed("M-0"), at)
        keys = [*CONDITIONS, *(f"frozen-{key}" for key in CONDITIONS), "listed"]
        at_once = await segments.memberships(known, keys, at)
        sizes = await segments.sizes(keys, at, seconds=60)
        for member_id, person in known.items():
            expected = reference.facts(person, NOW, zone)
            assert await segments.shopper_facts(member_id, expected, at) == expected
            alone = await segments.memberships([member_id], keys, at)
            held = {key for key in CONDITIONS if holds(key, expected)}
            held |= {f"frozen-{key}" for key in held}
            held |= {"listed"} if person.external_id == "M-0" else set()
            assert alone[member_id] == at_once[member_id] == held
        for key in keys:
            paged = [one async for _count, page in segments.members_of(key, at) for one in page]
            assert paged == sorted(one for one in known if key in at_once[one])
            assert sizes[key].members == len(paged)


@pytest.mark.usefixtures("database")
async def test_no_statement_about_one_member_reads_a_table_from_end_to_end() -> None:
    await publish()
    [member_id] = (await enrolled("1")).values()
    await publish_segment("listed", live("visits >= 0"), clock.instant_of(NOW))
    names = frozenset(fact.name for fact in segments.FACTS)
    with sql.counted_statements() as statements:
        await reading.read([member_id], Asked(names, frozenset({7})), clock.instant_of(NOW))
    assert len(statements) == 2
    asked = statements[-1]
    explain = "EXPLAIN QUERY PLAN " if sql.engine() == "sqlite" else "EXPLAIN "
    values = (1,) * (max(int(one) for one in _numbers(asked)))
    async with sql.transaction():
        if sql.engine() == "postgres":
            await sql.execute("SET LOCAL enable_seqscan = off")
        plan = [str(row[-1]) for row in await sql.fetch(explain + asked, *_typed(asked, values))]
    scans = [step for step in plan if _is_scan(step)]
    assert scans == []
    assert any("SEARCH l USING INDEX" in step or "purchase_lines" in step for step in plan)


def _numbers(statement: str) -> set[str]:
    return {part.split(")")[0].split(",")[0].split()[0] for part in statement.split("$")[1:]}


def _typed(statement: str, values: tuple[int, ...]) -> list[Any]:
    """Values for the placeholders; those of assets are texts."""
    typed: list[Any] = list(values)
    for text in statement.split("a.asset IN (")[1:]:
        for part in text.split(")")[0].split(","):
            typed[int(part.strip().removeprefix("$")) - 1] = "POINTS"
    return typed


def _is_scan(step: str) -> bool:
    if sql.engine() == "postgres":
        return "Seq Scan" in step
    return step.startswith("SCAN")


@pytest.mark.usefixtures("database")
async def test_one_member_costs_few_statements_and_then_hardly_any() -> None:
    await publish()
    at = clock.instant_of(NOW)
    async with sql.transaction():
        known = await settled([(None, [(NOW, "s1", [("MEAT", 200, 0)])]), (None, [])])
    [member_id, other] = known
    for key, condition in CONDITIONS.items():
        await publish_segment(key, live(condition), at)
    await publish_segment("frozen", frozen("visits == 1"), at)
    await publish_segment("listed", listed("M-1"), at)
    keys = [*CONDITIONS, "frozen", "listed"]
    await segments.memberships([other], keys, at)
    expected = frozenset({"meat", "near", "frozen"})

    async def cost() -> int:
        with sql.counted_statements() as statements:
            standing = await segments.shopper(member_id, names=["tier"], segments=keys, now=at)
        assert standing.segments == expected
        return len(statements)

    assert [await cost(), await cost()] == [3, 1]
    current = await reading.current_versions(member_id)
    with sql.counted_statements() as statements:
        await segments.shopper(member_id, names=["tier"], segments=keys, now=at, versions=current)
    assert statements == []
    async with sql.transaction():
        changes.note(changes.MEMBER, member_id)
    assert await cost() == 3


async def test_only_what_a_condition_mentions_is_read(database: object) -> None:
    await publish()
    [member_id] = (await enrolled("1")).values()
    tables = {
        "language": {"members"},
        "recency_days": {"members", "purchases"},
        "spend_30_minor": {"purchases"},
        "departments_90": {"purchases", "purchase_lines"},
        "consent_sms": {"member_consents"},
        "household": {"household_members"},
        "churn_risk_bps": set(),
    }
    every = {"members", "purchases", "purchase_lines", "member_consents", "household_members"}
    for name, expected in tables.items():
        with sql.counted_statements() as statements:
            await reading.read([member_id], Asked(frozenset({name})), clock.instant_of(NOW))
        words = set(" ".join(statements[1:]).replace("(", " ").split())
        assert words & every == expected, name
