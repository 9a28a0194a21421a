"""A member's tier at any instant, on both engines, whether or not anything was booked since."""

from server import clock
from server.clock import Instant
from server.programme import service as programme
from server.storage import sql
from server.storage.database import Address
from server.tiers import service as tiers
from server.tiers.service import TierView
from tests.purchases.baskets import Changes, at, draft, publish, recorded

WINDOW = ("tiers", "window_days")
RULES: Changes = {
    WINDOW: 10,
    ("tiers", "levels"): [
        {"name": "Bronze", "min_spend_minor": 0, "multiplier_percent": 100},
        {"name": "Silver", "min_spend_minor": 100, "multiplier_percent": 125},
        {"name": "Gold", "min_spend_minor": 300, "multiplier_percent": 150},
    ],
}


async def view(member_id: int, when: str | Instant) -> TierView:
    instant = at(when) if isinstance(when, str) else when
    published = (await programme.rulebook()).at(instant)
    return (await tiers.views([member_id], published, instant))[member_id]


async def booked_changes() -> list[tuple[Instant, str, str]]:
    rows = await sql.fetch(
        "SELECT changed_at, level_before, level_after FROM tier_changes ORDER BY id"
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def test_a_view_tells_the_tier_and_what_is_missing_to_the_next(database: Address) -> None:
    await publish(RULES)
    [answer] = await recorded(draft("1", "2017-03-01", 120))
    assert await view(answer.member_id, "2017-03-01") == TierView(
        name="Silver",
        rank=2,
        multiplier_percent=125,
        since=at("2017-03-01"),
        qualifying_spend_minor=120,
        lifetime_spend_minor=120,
        change_count=1,
        next_name="Gold",
        next_min_spend_minor=300,
    )
    await recorded(draft("2", "2017-03-02", 180))
    highest = await view(answer.member_id, "2017-03-02")
    assert (highest.name, highest.rank, highest.since) == ("Gold", 3, at("2017-03-02"))
    assert (highest.next_name, highest.next_min_spend_minor) == (None, None)


async def test_members_without_a_tier_are_left_out(database: Address) -> None:
    await publish(RULES)
    published = (await programme.rulebook()).at(at("2017-03-01"))
    assert await tiers.views([1, 2], published, at("2017-03-01")) == {}


async def test_a_tier_is_lost_day_by_day_before_anything_is_booked(database: Address) -> None:
    await publish(RULES)
    answers = await recorded(
        draft("1", "2017-03-01", 200), draft("2", "2017-03-03", 50), draft("3", "2017-03-05", 60)
    )
    member = answers[0].member_id

    async def seen(when: str | Instant) -> tuple[str, int, int, Instant]:
        shown = await view(member, when)
        return shown.name, shown.qualifying_spend_minor, shown.change_count, shown.since

    first_drop = at("2017-03-11T00:00")
    second_drop = at("2017-03-13T00:00")
    third_drop = at("2017-03-15T00:00")
    for _ in range(2):  # before and after somebody looked
        up = at("2017-03-05")
        assert await seen(Instant(first_drop - 1)) == ("Gold", 310, 2, up)
        assert await seen(first_drop) == ("Silver", 110, 3, first_drop)
        assert await seen(Instant(second_drop - 1)) == ("Silver", 110, 3, first_drop)
        assert await seen(second_drop) == ("Bronze", 60, 4, second_drop)
        assert await seen(third_drop) == ("Bronze", 0, 4, second_drop)
        assert await seen("2019-01-01") == ("Bronze", 0, 4, second_drop)
    assert len(await booked_changes()) == 2


async def test_the_next_purchase_books_the_changes_that_time_made(database: Address) -> None:
    await publish(RULES)
    await recorded(draft("1", "2017-03-01", 200), draft("2", "2017-03-03", 100))
    [answer] = await recorded(draft("3", "2017-03-20", 300))
    assert (answer.tier_before, answer.tier_after) == ("Bronze", "Gold")
    assert await booked_changes() == [
        (at("2017-03-01"), "Bronze", "Silver"),
        (at("2017-03-03"), "Silver", "Gold"),
        (at("2017-03-11T00:00"), "Gold", "Silver"),
        (at("2017-03-13T00:00"), "Silver", "Bronze"),
        (at("2017-03-20"), "Bronze", "Gold"),
    ]
    assert (await view(answer.member_id, "2017-03-20")).change_count == 5


async def test_the_day_of_the_window_is_the_programmes_day(database: Address) -> None:
    await publish(RULES | {("programme", "timezone"): "America/New_York"})
    [answer] = await recorded(draft("1", "2017-03-02T04:59", 100))  # still 03-01 in New York
    local_midnight = clock.start_of_day(clock.day_of(clock.datetime_of(at("2017-03-11")).date()),
                                        "America/New_York")  # fmt: skip
    assert (await view(answer.member_id, Instant(local_midnight - 1))).name == "Silver"
    assert (await view(answer.member_id, local_midnight)).name == "Bronze"


async def test_a_late_purchase_raises_the_tier_for_as_long_as_it_is_in_the_window(
    database: Address,
) -> None:
    await publish(RULES)
    [first] = await recorded(draft("1", "2017-03-08", 60))
    [late] = await recorded(draft("2", "2017-03-02", 50), now=at("2017-03-08"))
    assert (late.tier_before, late.tier_after) == ("Bronze", "Silver")
    assert (await view(first.member_id, Instant(at("2017-03-12T00:00") - 1))).name == "Silver"
    assert (await view(first.member_id, "2017-03-12T00:00")).name == "Bronze"


async def test_a_purchase_that_arrives_after_its_window_counts_only_for_life(
    database: Address,
) -> None:
    await publish(RULES)
    [first] = await recorded(draft("1", "2017-03-20", 60))
    [late] = await recorded(draft("2", "2017-03-10", 500), now=at("2017-03-20"))
    assert (late.tier_before, late.tier_after) == ("Bronze", "Bronze")
    shown = await view(first.member_id, "2017-03-20")
    assert (shown.qualifying_spend_minor, shown.lifetime_spend_minor) == (60, 560)


async def test_many_members_are_viewed_at_once_each_with_their_own_days(
    database: Address,
) -> None:
    await publish(RULES)
    answers = await recorded(
        draft("1", "2017-03-01", 100, household="1"),
        draft("2", "2017-03-02", 300, household="2"),
        draft("3", "2017-03-02", 5, household="3"),
    )
    ids = [answer.member_id for answer in answers]
    published = (await programme.rulebook()).at(at("2017-03-11"))
    views = await tiers.views(ids, published, at("2017-03-11"))
    assert [views[id_].name for id_ in ids] == ["Bronze", "Gold", "Bronze"]
    with sql.counted_statements() as statements:
        await tiers.views(ids, published, at("2017-03-10"))
    assert len(statements) == 1


async def test_a_version_with_other_minimums_counts_from_the_day_after_it_starts(
    database: Address,
) -> None:
    await publish(RULES)
    [answer] = await recorded(draft("1", "2017-03-01", 120))
    await publish(
        RULES | {("tiers", "levels", 1, "min_spend_minor"): 121}, at=at("2017-03-02T06:00")
    )
    assert (await view(answer.member_id, "2017-03-02T05:00")).name == "Silver"
    assert (await view(answer.member_id, "2017-03-03")).name == "Bronze"


async def test_a_tier_that_a_new_version_no_longer_has_becomes_the_one_for_the_spend(
    database: Address,
) -> None:
    await publish(RULES)
    [answer] = await recorded(draft("1", "2017-03-01", 120))
    renamed = RULES | {("tiers", "levels", 1, "name"): "Titanium"}
    await publish(renamed, at=at("2017-03-01T13:00"))
    assert (await view(answer.member_id, "2017-03-01T14:00")).name == "Titanium"


async def test_members_are_counted_by_tier_as_their_views_say(database: Address) -> None:
    await publish(RULES)
    await recorded(
        draft("1", "2017-03-01", 100, household="1"),
        draft("2", "2017-03-02", 300, household="2"),
        draft("3", "2017-03-05", 5, household="3"),
    )
    rules = (await programme.rulebook()).at(at("2017-03-11")).programme
    days = ("2017-03-01", "2017-03-03", "2017-03-06", "2017-03-11", "2017-03-12", "2017-03-13")
    counts = await tiers.members_by_level([(at(f"{day}T00:00"), rules) for day in days])
    assert [tuple(count.values()) for count in counts] == [
        (0, 0, 0),
        (0, 1, 1),
        (1, 1, 1),
        (1, 1, 1),
        (2, 0, 1),
        (3, 0, 0),
    ]


# ---------------------------------------------------------------- versions with another window


async def counted(when: str) -> list[int]:
    """How many members have each tier just before the instant."""
    rules = (await programme.rulebook()).at(at(when)).programme
    [counts] = await tiers.members_by_level([(at(when), rules)])
    return list(counts.values())


async def test_a_shorter_window_drops_what_lies_before_it_at_the_start_of_the_next_day(
    database: Address,
) -> None:
    await publish(RULES)
    answers = await recorded(draft("1", "2017-03-01", 120), draft("2", "2017-03-06", 1))
    member = answers[0].member_id
    await publish(RULES | {WINDOW: 3}, at=at("2017-03-07T00:00"))
    assert (await view(member, "2017-03-06T23:59:59")).name == "Silver"
    shown = await view(member, "2017-03-07T00:00")
    assert (shown.name, shown.qualifying_spend_minor) == ("Bronze", 1)
    assert await counted("2017-03-08T00:00") == [1, 0, 0]
    [later] = await recorded(draft("3", "2017-05-02", 100))
    assert (later.tier_before, later.tier_after) == ("Bronze", "Silver")
    assert (await view(member, "2017-05-05T00:00")).name == "Bronze"


async def test_a_longer_window_takes_back_in_what_had_left_it(database: Address) -> None:
    await publish(RULES | {WINDOW: 3})
    answers = await recorded(draft("1", "2017-03-01", 120), draft("2", "2017-03-06", 1))
    member = answers[0].member_id
    assert (await view(member, "2017-03-06")).name == "Bronze"
    await publish(RULES, at=at("2017-03-07T00:00"))
    shown = await view(member, "2017-03-07")
    assert (shown.name, shown.qualifying_spend_minor) == ("Silver", 121)
    assert await counted("2017-03-08T00:00") == [0, 1, 0]
    assert (await view(member, "2017-03-11T00:00")).name == "Bronze"
    [later] = await recorded(draft("3", "2017-03-08", 1))
    assert (later.tier_before, later.tier_after) == ("Silver", "Silver")
    assert (await view(member, "2017-03-11T00:00")).qualifying_spend_minor == 2
    assert (await view(member, "2017-03-30")).qualifying_spend_minor == 0


async def test_one_batch_may_reach_over_the_start_of_a_version(database: Address) -> None:
    await publish(RULES)
    await recorded(draft("1", "2017-03-01", 100))
    await publish(RULES | {WINDOW: 3}, at=at("2017-03-07T00:00"))
    answers = await recorded(
        draft("2", "2017-03-06", 1), draft("3", "2017-03-07", 1), draft("4", "2017-03-09", 100)
    )
    assert [(each.tier_before, each.tier_after) for each in answers] == [
        ("Silver", "Silver"),
        ("Bronze", "Bronze"),
        ("Bronze", "Silver"),
    ]
    assert (await view(answers[0].member_id, "2017-03-09")).qualifying_spend_minor == 101


async def test_a_late_purchase_of_an_older_version_counts_in_the_present_window(
    database: Address,
) -> None:
    await publish(RULES | {WINDOW: 365})
    await publish(RULES, at=at("2017-03-07T00:00"))
    [answer] = await recorded(draft("1", "2017-03-10", 10))
    [late] = await recorded(draft("2", "2017-02-01", 5000))
    assert (late.tier_before, late.tier_after) == ("Bronze", "Bronze")
    shown = await view(answer.member_id, "2017-03-10")
    assert (shown.name, shown.qualifying_spend_minor) == ("Bronze", 10)
    assert shown.lifetime_spend_minor == 5010
    assert await booked_changes() == []


async def test_a_late_purchase_of_an_older_version_keeps_the_present_tiers(
    database: Address,
) -> None:
    await publish(RULES)
    levels = [
        {"name": "Bronze", "min_spend_minor": 0, "multiplier_percent": 100},
        {"name": "Argent", "min_spend_minor": 20, "multiplier_percent": 200},
    ]
    await publish({**RULES, ("tiers", "levels"): levels}, at=at("2017-03-07T12:00"))
    [answer] = await recorded(draft("1", "2017-03-07T12:01", 20))
    assert (answer.tier_before, answer.tier_after) == ("Bronze", "Argent")
    [late] = await recorded(draft("2", "2017-03-07T11:59", 10))
    assert (late.tier_before, late.tier_after) == ("Bronze", "Argent")
    shown = await view(answer.member_id, "2017-03-08")
    assert (shown.name, shown.qualifying_spend_minor, shown.change_count) == ("Argent", 30, 1)
