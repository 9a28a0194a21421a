"""Challenges through purchases, on both engines: periods, late arrivals, and how members stand."""

from server import clock
from server.challenges import service as challenges
from server.challenges.service import Standing
from server.clock import start_of_day
from server.programme import service as programme
from server.purchases.service import RecordedPurchase
from server.storage import sql
from server.storage.database import Address
from tests.purchases.baskets import Changes, at, draft, line, publish, recorded

ONE_DAY: Changes = {
    ("challenges", "weekly_visits", "visit_days"): 1,
    ("challenges", "weekly_visits", "streak", "consecutive_weeks"): 3,
}


async def standing(member_id: int, when: str) -> dict[str, Standing]:
    published = (await programme.rulebook()).at(at(when))
    today = clock.local_day(at(when), published.programme.programme.timezone)
    standings = await challenges.standings([member_id], published.programme, today)
    return {each.key: each for each in standings[member_id]}


def completed(answers: list[RecordedPurchase]) -> list[list[tuple[str, str | None]]]:
    return [
        [(one.rule.value, one.challenge) for one in answer.earned if one.challenge]
        for answer in answers
    ]


VISIT = ("CHALLENGE", "weekly_visits")
STREAK = ("STREAK", "weekly_visits")


async def test_the_third_visit_day_of_a_week_completes_it_also_over_the_end_of_the_year(
    database: Address,
) -> None:
    await publish()
    answers = await recorded(
        draft("1", "2016-12-26T00:00", 1),
        draft("2", "2016-12-31", 1),
        draft("3", "2016-12-31", 1),
        draft("4", "2017-01-01T23:59:59", 1),
        draft("5", "2017-01-02T00:00", 1),
    )
    assert completed(answers) == [[], [], [], [VISIT], []]
    shown = (await standing(answers[0].member_id, "2017-01-02"))["weekly_visits"]
    assert (shown.progress, shown.target, shown.completions) == (1, 3, 1)
    assert shown.completed_at is None
    assert start_of_day(shown.next_period_start, "UTC") == at("2017-01-09T00:00")
    last = (await standing(answers[0].member_id, "2017-01-01"))["weekly_visits"]
    assert (last.progress, last.completed_at) == (3, at("2017-01-01T23:59:59"))


async def test_a_week_that_arrives_late_joins_its_neighbours_to_a_streak_once(
    database: Address,
) -> None:
    await publish(ONE_DAY)
    on_time = await recorded(
        draft("1", "2017-01-02", 1), draft("2", "2017-01-16", 1), draft("3", "2017-02-13", 1)
    )
    assert completed(on_time) == [[VISIT], [VISIT], [VISIT]]
    late = await recorded(
        draft("4", "2017-01-10", 1), draft("5", "2017-01-11", 1), now=at("2017-02-13")
    )
    assert completed(late) == [[VISIT, STREAK], []]
    rows = await sql.fetch(
        "SELECT first_period, last_period, streak_count FROM challenge_runs ORDER BY first_period"
    )
    weeks = [clock.local_day(at(day), "UTC") for day in ("2017-01-02", "2017-01-16", "2017-02-13")]
    assert [tuple(row) for row in rows] == [(weeks[0], weeks[1], 1), (weeks[2], weeks[2], 0)]


async def test_one_batch_that_joins_many_weeks_ends_as_one_run(database: Address) -> None:
    await publish(ONE_DAY)
    days = ("01-30", "01-02", "01-16", "01-09", "02-06", "01-23")
    answers = await recorded(*(draft(day, f"2017-{day}", 1) for day in days))
    assert sum(each.count(STREAK) for each in completed(answers)) == 2
    rows = await sql.fetch("SELECT streak_count FROM challenge_runs")
    assert [tuple(row) for row in rows] == [(2,)]
    shown = (await standing(answers[0].member_id, "2017-02-06"))["weekly_visits"]
    assert shown.completions == 6
    assert shown.streak is not None
    assert (shown.streak.current, shown.streak.completions) == (0, 2)


async def test_months_are_counted_in_the_programmes_time_zone(database: Address) -> None:
    await publish({("programme", "timezone"): "America/New_York"})
    answers = await recorded(
        draft("1", "2017-02-01T04:59", 9_999),  # January in New York
        draft("2", "2017-02-01T05:00", 9_999),
        draft("3", "2017-02-28", 1),
        draft("4", "2017-03-01T04:59", 50_000),  # February still, which is complete
        draft("5", "2017-01-31", 1),  # late: completes January
    )
    month_spend = ("CHALLENGE", "month_spend")
    assert [month_spend in each for each in completed(answers)] == [
        False,
        False,
        True,
        False,
        True,
    ]


async def test_departments_of_excluded_lines_returns_and_ignored_ones_do_not_count(
    database: Address,
) -> None:
    await publish({("challenges", "departments", "distinct_departments"): 2})
    answers = await recorded(
        draft(
            "1",
            "2017-02-01",
            line("MEAT", 100),
            line("FUEL", 100),
            line("COUPON", 100),
            line(None, 100),
            line("DELI", 100, 100),
            line("PASTRY", 50, 60),
        ),
        draft("2", "2017-02-28T23:59:59", line("DELI", 1)),
    )
    assert completed(answers) == [[], [("CHALLENGE", "departments")]]


async def test_a_member_without_purchases_stands_at_nothing(database: Address) -> None:
    await publish()
    [answer] = await recorded(draft("1", "2017-02-01", line("FUEL", 1)))
    for shown in (await standing(answer.member_id, "2017-02-01")).values():
        assert (shown.progress, shown.completions, shown.completed_at) == (0, 0, None)


async def test_how_members_stand_takes_one_statement(database: Address) -> None:
    await publish()
    answers = await recorded(
        draft("1", "2017-02-01", 1), draft("2", "2017-02-01", 5, household="2")
    )
    rules = (await programme.rulebook()).at(at("2017-02-01")).programme
    today = clock.local_day(at("2017-02-01"), "UTC")
    with sql.counted_statements() as statements:
        shown = await challenges.standings([each.member_id for each in answers], rules, today)
    assert len(statements) == 1
    assert [[each.progress for each in shown[one.member_id]] for one in answers] == [
        [1, 1, 1],
        [1, 1, 5],
    ]
