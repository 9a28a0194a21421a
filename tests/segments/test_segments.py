"""Who is in a segment: live, frozen and listed ones, on both engines."""

from typing import Any

import pytest

from server import clock
from server.clock import Instant
from server.ledger.service import balance_at
from server.money import POINTS
from server.programme.errors import InvalidDocument
from server.segments import listing
from server.segments import service as segments
from server.segments.jobs import JOBS
from server.segments.service import Size
from server.storage import sql
from server.storage.ids import first_id_at
from tests.merging.pairs import join, part
from tests.purchases.baskets import at, draft, line, publish, recorded
from tests.purchases.returns import return_draft, take_back
from tests.segments.shop import enrolled, facts_of, frozen, inside, listed, live, publish_segment

pytestmark = pytest.mark.usefixtures("database")


async def refused(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    with pytest.raises(InvalidDocument) as caught:
        await publish_segment("s", document, "2025-02-01")
    return [(one.path, one.accepted) for one in caught.value.problems]


async def test_a_live_segment_follows_what_members_do() -> None:
    await publish()
    ids = await enrolled("1", "2")
    await publish_segment("regulars", live("visits_30 >= 2"), "2025-01-02")
    await recorded(draft("a", "2025-01-03", 100), draft("b", "2025-01-04", 100, household="2"))
    assert await inside("regulars", [*ids.values()], "2025-01-04") == []
    await recorded(draft("c", "2025-01-05", 100))
    assert await inside("regulars", [*ids.values()], "2025-01-05") == [ids["1"]]
    assert await inside("regulars", [ids["1"]], "2025-02-01T23:59:59") == [ids["1"]]
    assert await inside("regulars", [ids["1"]], "2025-02-02T00:00:00") == []


async def test_what_was_remembered_of_a_member_ends_with_a_purchase_and_with_a_return() -> None:
    await publish()
    [member_id] = (await enrolled("1")).values()
    await publish_segment("meat", live("'MEAT' in departments_90"), "2025-01-02")
    assert await inside("meat", [member_id], "2025-01-03") == []
    await recorded(draft("a", "2025-01-03", line("MEAT", 500)))
    assert await inside("meat", [member_id], "2025-01-03") == [member_id]
    await take_back(return_draft("r", "a", "2025-01-03"))
    assert await inside("meat", [member_id], "2025-01-03") == []


async def test_points_are_told_for_the_instant_though_nothing_is_written() -> None:
    await publish()
    [member_id] = (await enrolled("1")).values()
    await recorded(draft("a", "2025-01-03", 100_00))
    days = ("2025-01-03", "2025-02-03", "2031-01-03", "2025-02-03")
    told = [
        (await facts_of(member_id, day, ["points_available"]))["points_available"] for day in days
    ]
    assert told == [(await balance_at(member_id, POINTS, at(day))).available for day in days]
    assert told[0] < told[1]
    assert told[2] == 0


async def test_a_frozen_segment_keeps_who_was_in_it() -> None:
    await publish()
    ids = await enrolled("1", "2", "3")
    await recorded(draft("a", "2025-01-03", 100), draft("b", "2025-01-03", 100, household="2"))
    await publish_segment("early", frozen("visits >= 1"), "2025-01-04")
    await recorded(draft("c", "2025-01-05", 100, household="3"))
    everybody = [*ids.values()]
    assert await inside("early", everybody, "2025-01-06") == [ids["1"], ids["2"]]
    assert await segments.size("early", at("2025-01-06"), seconds=9) == Size(2, 2, True)
    await publish_segment("early", frozen("visits >= 1 && recency_days <= 1"), "2025-01-06")
    assert await inside("early", everybody, "2025-01-06") == [ids["3"]]
    assert await inside("early", [ids["1"]], "2025-01-05") == [ids["1"]], "as of before"


async def test_freezing_goes_on_in_pages_and_nobody_is_missed_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "MEMBERS_AT_ONCE", 2)
    await publish()
    names = [str(number) for number in range(1, 6)]
    ids = await enrolled(*names)
    await recorded(*(draft(f"p{n}", "2025-01-03", 100, household=n) for n in "1245"))
    await publish_segment("early", frozen("visits == 1"), "2025-01-04")
    everybody = [ids[name] for name in names]
    expected = [ids[name] for name in "1245"]
    assert await inside("early", everybody, "2025-01-04") == expected
    assert await segments.size("early", at("2025-01-04"), seconds=9) == Size(2, 2, False)
    done: list[int] = []
    [job] = JOBS
    async with sql.transaction():
        since = first_id_at(Instant(clock.system_now() - 90_000_000))
        await sql.execute("UPDATE segment_listings SET id = $1", since)
    assert 90 <= await job.lag_seconds(clock.system_now()) < 100
    assert await segments.finish_listings(done.append) == 1
    assert await job.lag_seconds(clock.system_now()) == 0
    assert done == [2, 3]
    assert await segments.size("early", at("2025-01-04"), seconds=9) == Size(4, 4, True)
    assert await inside("early", everybody, "2025-01-04") == expected
    await recorded(draft("again", "2025-01-05", 100, household="5"))
    assert await inside("early", everybody, "2025-01-05") == expected
    assert await inside("early", [ids["5"]], "2025-01-05") == [ids["5"]]
    assert await segments.finish_listings() == 0


async def test_a_list_has_whom_it_names() -> None:
    await publish()
    ids = await enrolled("1", "2", "3")
    await publish_segment("chosen", listed("3", "1"), "2025-01-04", effective="2025-02-01")
    everybody = [*ids.values()]
    assert await inside("chosen", everybody, "2025-01-31T23:59:59") == []
    assert await inside("chosen", everybody, "2025-02-01T12:00:00") == [ids["1"], ids["3"]]
    await publish_segment("chosen", listed("2"), "2025-02-02")
    assert await inside("chosen", everybody, "2025-02-02") == [ids["2"]]
    assert await segments.size("chosen", at("2025-02-02"), seconds=9) == Size(1, 1, True)


async def test_a_list_with_somebody_unknown_is_refused_with_the_place_and_the_count() -> None:
    await publish()
    await enrolled("1")
    unknown = [f"X-{number}" for number in range(12)]
    said = "ids that members have; 12 of 13 are of nobody"
    assert await refused(listed("1", *unknown)) == [
        (("members", "external_ids", place), said) for place in range(1, 11)
    ]
    assert await refused(listed("1", "1")) == [(("members", "external_ids", 1), "each member once")]
    [row] = await sql.fetch("SELECT COUNT(*) FROM segment_members")
    assert row[0] == 0


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("visits_30 >", "line 1, column 12"),
        ("visits_31 > 1", "undeclared reference to 'visits_31'"),
        ("visits_30", "it is a value of type int, and not true or false"),
        ("tier > 3", "found no matching overload"),
    ],
)
async def test_a_condition_is_checked_when_it_is_written(condition: str, said: str) -> None:
    await publish()
    [(path, accepted)] = await refused(live(condition))
    assert path == ("members", "condition")
    assert said in accepted


async def test_a_merged_duplicate_brings_its_lists_along_and_takes_them_back() -> None:
    await publish()
    await recorded(
        draft("a", "2025-01-02", 100, household="1"), draft("b", "2025-01-02", 100, household="2")
    )
    rows = await sql.fetch("SELECT external_id, id FROM members")
    ids = {str(row[0]): int(row[1]) for row in rows}
    await publish_segment("one", listed("1"), "2025-01-03")
    await publish_segment("both", listed("1", "2"), "2025-01-03")
    merged = await join("1", "2", "2025-01-04")
    for key in ("one", "both"):
        assert await inside(key, [ids["2"]], "2025-01-04") == [ids["2"]]
        assert (await segments.size(key, at("2025-01-04"), seconds=9)).members == 1
    await publish_segment("later", listed("1"), "2025-01-05")
    assert await inside("later", [ids["2"]], "2025-01-05") == [ids["2"]]
    await part(merged, "2025-01-06")
    pair = [ids["1"], ids["2"]]
    assert await inside("one", pair, "2025-01-06") == [ids["1"]]
    assert await inside("both", pair, "2025-01-06") == pair


async def test_a_preview_counts_and_shows_some_and_saves_nothing() -> None:
    await publish()
    ids = await enrolled(*(str(number) for number in range(12)))
    with clock.moved_to(at("2025-01-03")):
        found = await segments.preview("external_id != '0'", at("2025-01-03"), seconds=9)
    assert found.size == Size(11, 12, True)
    assert found.sample == tuple(sorted(ids.values())[1:11])
    [row] = await sql.fetch("SELECT COUNT(*) FROM definition_versions")
    assert row[0] == 0


async def test_a_preview_that_takes_too_long_says_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segments, "PAGE_SIZE", 2)
    await publish()
    await enrolled("1", "2", "3")
    found = await segments.preview("visits == 0", at("2025-01-03"), seconds=0)
    assert found.size == Size(2, 2, False)


async def test_keys_that_no_segment_has_are_of_nobody() -> None:
    await publish()
    [member_id] = (await enrolled("1")).values()
    assert await segments.memberships([member_id], ["none"], at("2025-01-03")) == {
        member_id: frozenset()
    }
    assert await segments.memberships([], ["none"], at("2025-01-03")) == {}
