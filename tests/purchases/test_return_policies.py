"""What is taken back of what was used already, under each policy; and what never mints."""

import pytest

from server.ledger.service import Undone
from server.purchases.service import RecordedPurchase
from server.storage import sql
from server.storage.database import Address
from tests.purchases.baskets import Changes, at, draft, line, publish, recorded
from tests.purchases.returns import balance, return_draft, spend, take_back


def policy(name: str) -> Changes:
    return {("returns",): {"policy": name}}


def earned(answer: RecordedPurchase) -> dict[str, int]:
    return {one.rule.value: one.points for one in answer.earned}


@pytest.mark.parametrize(
    ("name", "taken", "available", "kept"),
    [
        ("into_negative", Undone(2150, from_balance=50, owed=2100), -2100, 0),
        ("within_balance", Undone(2150, from_balance=50, not_recovered=2100), 0, 150),
        ("only_pending", Undone(2150, not_recovered=2150), 50, 150),
    ],
)
async def test_what_was_used_is_taken_from_elsewhere_owed_or_let_go(
    database: Address, name: str, taken: Undone, available: int, kept: int
) -> None:
    await publish(policy(name))
    await recorded(draft("1", "2017-03-01", 20_000))
    assert (await balance("1", "2017-03-10")).available == 2250
    await spend("1", 2200, "2017-03-10")
    answer = await take_back(return_draft("r", "1", "2017-03-11"))
    assert answer.points_taken == taken
    assert answer.points_available_after == available
    rows = await sql.fetch(
        "SELECT completion_count, kept_points FROM challenge_totals WHERE challenge = 'month_spend'"
    )
    assert [tuple(row) for row in rows] == [(0, kept)]
    # The month is completed once more: what was kept of the first reward is not given again.
    [again] = await recorded(draft("2", "2017-03-12", 10_000))
    assert earned(again) == {"BASE": 1000, "CHALLENGE": 150 - kept}
    has = await balance("1", "2017-03-20")
    assert (has.available, has.owed) == (available + 1150 - kept, max(0, -available - 1150))
    # And withdrawn once more: the next one would be less by the same.
    await take_back(return_draft("r2", "2", "2017-03-21"))
    [row] = await sql.fetch(
        "SELECT completion_count, kept_points FROM challenge_totals WHERE challenge = 'month_spend'"
    )
    assert row[0] == 0
    assert row[1] >= kept


async def test_what_is_still_pending_is_taken_whatever_the_policy(database: Address) -> None:
    await publish(policy("only_pending"))
    await recorded(draft("1", "2017-03-01", 5_000))
    answer = await take_back(return_draft("r", "1", "2017-03-02"))
    assert answer.points_taken == Undone(500, from_lot=500)


async def test_what_lapsed_unused_is_not_taken_again(database: Address) -> None:
    await publish()
    await recorded(draft("1", "2017-03-01", 5_000))
    await recorded(draft("2", "2017-08-01", 5_000))
    answer = await take_back(return_draft("r", "1", "2017-09-30"))
    assert answer.points_taken == Undone(500, lapsed=500)
    assert answer.points_available_after == 500


async def test_the_policy_is_that_of_the_version_in_effect_at_the_return(
    database: Address,
) -> None:
    await publish(policy("only_pending"))
    await recorded(draft("1", "2017-03-01", 20_000))
    await publish(policy("into_negative"), at=at("2017-03-05"))
    answer = await take_back(return_draft("r", "1", "2017-03-10"))
    assert answer.points_taken == Undone(2150, from_lot=2150)


async def test_a_purchase_is_undone_by_the_rules_of_its_own_version(database: Address) -> None:
    await publish()
    await recorded(draft("1", "2017-03-01", 5_000))
    doubled: Changes = {("points", "base"): {"points": 20, "per_minor": 100}}
    await publish(doubled, at=at("2017-03-05"))
    await recorded(draft("2", "2017-03-06", 1_000))
    half = await take_back(return_draft("r", "1", "2017-03-10", (0, 2_500, "minor")))
    assert half.points_taken == Undone(250, from_lot=250)
    other = await take_back(return_draft("r2", "2", "2017-03-10"))
    assert other.points_taken == Undone(200, from_lot=200)


VISITS: Changes = {
    ("challenges", "weekly_visits", "visit_days"): 1,
    ("challenges", "weekly_visits", "streak", "consecutive_weeks"): 2,
    ("challenges", "departments", "distinct_departments"): 50,
    ("challenges", "month_spend", "spend_minor"): 10**9,
}
WEEKS = ("2017-03-01", "2017-03-08", "2017-03-15", "2017-03-22", "2017-03-29")


async def runs() -> list[tuple[int, int, int]]:
    """First and last week of each run, by their numbers in WEEKS, and its streaks."""
    first_monday = at("2017-02-27") // 86_400_000_000
    return [
        ((row[0] - first_monday) // 7, (row[1] - first_monday) // 7, row[2])
        for row in await sql.fetch(
            "SELECT first_period, last_period, streak_count FROM challenge_runs"
            " ORDER BY first_period"
        )
    ]


async def test_a_week_that_no_longer_counts_splits_its_run_and_takes_streaks(
    database: Address,
) -> None:
    await publish(VISITS)
    answers = await recorded(*(draft(day, day, 100) for day in WEEKS))
    assert [earned(answer).get("STREAK", 0) for answer in answers] == [0, 200, 0, 200, 0]
    assert await runs() == [(0, 4, 2)]
    answer = await take_back(return_draft("r1", WEEKS[1], "2017-04-01"))
    assert [(one.is_streak, one.points) for one in answer.withdrawn] == [(False, 50), (True, 200)]
    assert await runs() == [(0, 0, 0), (2, 4, 1)]
    answer = await take_back(return_draft("r2", WEEKS[3], "2017-04-01"))
    assert [(one.is_streak, one.points) for one in answer.withdrawn] == [(False, 50), (True, 200)]
    assert await runs() == [(0, 0, 0), (2, 2, 0), (4, 4, 0)]
    # Two late visits join the weeks again.
    [late] = await recorded(draft("late", "2017-03-09", 100), now=at("2017-04-02"))
    assert earned(late) == {"BASE": 10, "CHALLENGE": 50, "STREAK": 200}
    assert await runs() == [(0, 2, 1), (4, 4, 0)]
    answer = await take_back(return_draft("r3", WEEKS[0], "2017-04-03"))
    assert [one.is_streak for one in answer.withdrawn] == [False]
    assert await runs() == [(1, 2, 1), (4, 4, 0)]
    for number, name in enumerate(("late", WEEKS[2], WEEKS[4])):
        await take_back(return_draft(f"s{number}", name, "2017-04-04"))
    assert await runs() == []
    has = await balance("1", "2017-04-05")
    assert (has.available, has.pending) == (100, 0)


async def test_a_department_counts_as_long_as_something_of_it_is_kept(database: Address) -> None:
    await publish({("challenges", "departments", "distinct_departments"): 2})
    [bought] = await recorded(
        draft("1", "2017-03-01", line("MEAT", 100), line("MEAT", 100), line("GROCERY", 100))
    )
    assert earned(bought)["CHALLENGE"] == 100
    assert not (await take_back(return_draft("r1", "1", "2017-03-02", (0, 1)))).withdrawn
    assert not (await take_back(return_draft("r2", "1", "2017-03-02", (1, 99, "minor")))).withdrawn
    answer = await take_back(return_draft("r3", "1", "2017-03-02", (1, 1, "minor")))
    assert [one.challenge for one in answer.withdrawn] == ["departments"]
