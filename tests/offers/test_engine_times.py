"""When offers count: to the microsecond, on days of 23 and 25 hours, over midnight and new year."""

from typing import Any

import pytest

from server.clock import Instant
from server.offers.documents import Schedule, Season
from server.offers.evaluation import NotApplied, WhyNot
from server.offers.schedules import Phase, Timetable
from tests.offers.quoting import at, line, live, offer, quote, quote_one, shopper

BERLIN = "Europe/Berlin"


def found_at(text: str, schedule: dict[str, Any], **fields: Any) -> Any:
    return quote_one(offer(schedule=schedule), line(), now=at(text), **fields)


def is_open(text: str, schedule: dict[str, Any]) -> bool:
    return not isinstance(found_at(text, schedule), NotApplied)


def test_days_begin_and_end_at_local_midnight_of_the_programme() -> None:
    days = {"starts_on": "2017-05-08", "ends_on": "2017-06-25"}
    start = at("2017-05-08T00:00:00-04:00")
    assert found_at("2017-05-07T23:59:59.999999-04:00", days) == NotApplied(
        "one", 1, WhyNot.NOT_STARTED, available_at=start
    )
    assert is_open("2017-05-08T00:00:00-04:00", days)
    assert is_open("2017-06-25T23:59:59.999999-04:00", days)
    assert found_at("2017-06-26T00:00:00-04:00", days) == NotApplied("one", 1, WhyNot.ENDED)


def test_days_may_be_those_of_another_time_zone() -> None:
    days = {"starts_on": "2017-05-08", "ends_on": "2017-05-08", "time_zone": BERLIN}
    assert not is_open("2017-05-07T21:59:59.999999+00:00", days)
    assert is_open("2017-05-07T22:00:00+00:00", days)
    assert is_open("2017-05-08T21:59:59.999999+00:00", days)
    assert not is_open("2017-05-08T22:00:00+00:00", days)


def test_instants_count_to_the_microsecond_and_the_end_is_excluded() -> None:
    instants = {"starts_at": "2017-05-08T10:00:00+02:00", "ends_at": "2017-05-08T12:00:00Z"}
    assert not is_open("2017-05-08T07:59:59.999999+00:00", instants)
    assert is_open("2017-05-08T08:00:00+00:00", instants)
    assert is_open("2017-05-08T11:59:59.999999+00:00", instants)
    assert not is_open("2017-05-08T12:00:00+00:00", instants)


def test_a_tier_with_early_access_has_it_hours_before() -> None:
    early = {"starts_on": "2017-06-15", "early_access": {"Gold": 48, "Silver": 1}}
    when = "2017-06-13T00:00:00-04:00"
    assert not isinstance(found_at(when, early, member=shopper(tier="Gold")), NotApplied)
    before = found_at("2017-06-12T23:59:59.999999-04:00", early, member=shopper(tier="Gold"))
    assert before == NotApplied("one", 1, WhyNot.NOT_STARTED, available_at=at(when))
    assert found_at(when, early, member=shopper(tier="Silver")) == NotApplied(
        "one", 1, WhyNot.NOT_STARTED, available_at=at("2017-06-14T23:00:00-04:00")
    )
    assert found_at(when, early) == NotApplied(
        "one", 1, WhyNot.NOT_STARTED, available_at=at("2017-06-15T00:00:00-04:00")
    )


def test_hours_of_weekdays() -> None:
    happy = {"weekdays": ["wednesday", "friday"], "from_time": "16:00", "to_time": "18:30"}
    assert is_open("2017-06-14T16:00:00-04:00", happy)
    assert is_open("2017-06-14T18:29:59.999999-04:00", happy)
    assert found_at("2017-06-14T15:59:59.999999-04:00", happy) == NotApplied(
        "one", 1, WhyNot.NOT_AT_THIS_TIME, available_at=at("2017-06-14T16:00:00-04:00")
    )
    assert found_at("2017-06-14T18:30:00-04:00", happy) == NotApplied(
        "one", 1, WhyNot.NOT_AT_THIS_TIME, available_at=at("2017-06-16T16:00:00-04:00")
    )
    assert not is_open("2017-06-15T17:00:00-04:00", happy)


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    night = {"weekdays": ["friday"], "from_time": "22:00", "to_time": "06:00"}
    assert not is_open("2017-06-16T05:59:59-04:00", night)  # Friday morning is Thursday's night
    assert is_open("2017-06-16T22:00:00-04:00", night)
    assert is_open("2017-06-17T05:59:59.999999-04:00", night)
    assert not is_open("2017-06-17T06:00:00-04:00", night)
    assert not is_open("2017-06-17T22:00:00-04:00", night)


def test_hours_from_a_time_on_last_until_midnight_and_those_until_a_time_begin_there() -> None:
    assert is_open("2017-06-14T23:59:59.999999-04:00", {"from_time": "16:00"})
    assert not is_open("2017-06-15T00:00:00-04:00", {"from_time": "16:00"})
    assert is_open("2017-06-14T00:00:00-04:00", {"to_time": "16:00"})
    assert not is_open("2017-06-14T16:00:00-04:00", {"to_time": "16:00"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2017-11-30T23:59:59.999999-05:00", False),
        ("2017-12-01T00:00:00-05:00", True),
        ("2017-12-31T23:59:59.999999-05:00", True),
        ("2018-01-06T23:59:59.999999-05:00", True),
        ("2018-01-07T00:00:00-05:00", False),
        ("2020-02-29T12:00:00-05:00", True),
        ("2019-02-28T12:00:00-05:00", False),
    ],
)
def test_seasons_pass_new_year_and_know_leap_days(text: str, expected: bool) -> None:
    seasons = [{"from": "12-01", "to": "01-06"}, {"from": "02-29", "to": "02-29"}]
    assert is_open(text, {"seasons": seasons}) is expected


def test_the_next_season_is_named_even_if_it_is_years_away() -> None:
    leap = {"seasons": [{"from": "02-29", "to": "02-29"}]}
    assert found_at("2017-06-14T12:00:00-04:00", leap) == NotApplied(
        "one", 1, WhyNot.NOT_AT_THIS_TIME, available_at=at("2020-02-29T00:00:00-05:00")
    )
    over = leap | {"ends_on": "2019-01-01"}
    assert found_at("2017-06-14T12:00:00-04:00", over) == NotApplied(
        "one", 1, WhyNot.NOT_AT_THIS_TIME
    )


def hours(first: str, last: str) -> Timetable:
    return Timetable(Schedule(from_time=first, to_time=last), BERLIN)


def test_a_time_that_summer_time_skips_begins_at_the_end_of_the_gap() -> None:
    # on 2017-03-26 the clocks of Berlin go from 02:00 to 03:00, at 01:00 in UTC
    early = hours("02:30", "04:00")
    assert early.phase(at("2017-03-26T00:59:59.999999+00:00")) is Phase.PAUSED
    assert early.phase(at("2017-03-26T01:00:00+00:00")) is Phase.OPEN
    assert early.phase(at("2017-03-26T01:59:59.999999+00:00")) is Phase.OPEN
    assert early.phase(at("2017-03-26T02:00:00+00:00")) is Phase.PAUSED
    skipped = hours("02:00", "03:00")
    assert skipped.phase(at("2017-03-26T01:00:00+00:00")) is Phase.PAUSED
    assert skipped.opens_at(at("2017-03-26T00:00:00+00:00")) == at("2017-03-27T00:00:00+00:00")


def test_of_a_time_that_comes_twice_the_first_counts() -> None:
    # on 2017-10-29 the clocks of Berlin go back from 03:00 to 02:00, at 01:00 in UTC
    late = hours("01:30", "02:30")
    assert late.phase(at("2017-10-28T23:30:00+00:00")) is Phase.OPEN
    assert late.phase(at("2017-10-29T00:29:59.999999+00:00")) is Phase.OPEN
    assert late.phase(at("2017-10-29T00:30:00+00:00")) is Phase.PAUSED
    assert late.phase(at("2017-10-29T01:15:00+00:00")) is Phase.PAUSED
    long = hours("02:30", "04:00")
    assert long.phase(at("2017-10-29T00:30:00+00:00")) is Phase.OPEN
    assert long.phase(at("2017-10-29T02:59:59.999999+00:00")) is Phase.OPEN


def test_days_of_23_and_25_hours_are_whole() -> None:
    for day, hours_long in (("2017-03-26", 23), ("2017-10-29", 25)):
        timetable = Timetable(Schedule(seasons=(Season(day[5:], day[5:]),)), BERLIN)
        stretch = timetable.stretch(at(f"{day}T12:00:00+00:00"))
        assert stretch.is_open
        assert stretch.until - stretch.since == hours_long * 3600 * 1_000_000


def test_what_a_timetable_remembers_never_answers_for_another_instant() -> None:
    happy = hours("16:00", "18:00")
    instants = [
        Instant(at("2017-03-25T00:00:00+00:00") + step * 1_800_000_000) for step in range(200)
    ]
    fresh = [hours("16:00", "18:00").phase(instant) for instant in instants]
    assert [happy.phase(instant) for instant in instants] == fresh
    assert [happy.phase(instant) for instant in reversed(instants)] == fresh[::-1]


def test_the_next_change_is_told_from_within_early_access_and_hours() -> None:
    schedule = {"starts_on": "2017-06-15", "ends_on": "2017-06-16", "early_access": {"Gold": 2}}
    timetable = live({"one": offer(schedule=schedule)}).timetable("one")
    steps = ["2017-06-14T22:00:00-04:00", "2017-06-15T00:00:00-04:00", "2017-06-17T00:00:00-04:00"]
    instant = at("2017-06-01T00:00:00-04:00")
    for step in steps:
        instant = timetable.next_change(instant)
        assert instant == at(step)


def test_the_same_offers_are_asked_at_instants_before_and_after() -> None:
    offers = live({"one": offer(schedule={"starts_on": "2017-06-15", "ends_on": "2017-06-15"})})
    for text, number in (
        ("2017-06-15T12:00:00-04:00", 1),
        ("2017-06-14T12:00:00-04:00", 0),
        ("2017-06-15T13:00:00-04:00", 1),
        ("2017-06-16T00:00:00-04:00", 0),
    ):
        assert len(quote(offers, [line()], now=at(text)).applied) == number
