"""When jobs run."""

from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.edge.metrics import Metrics
from server.settings import Settings
from server.work import registry
from server.work.cron import cron

NOON = clock.instant_of(datetime(2027, 3, 14, 12, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "latest"),
    [
        ("* * * * * *", "2027-03-14T12:00:00"),
        ("30 7 * * * *", "2027-03-14T11:07:30"),
        ("0 23 3 * * *", "2027-03-14T03:23:00"),
        ("5/10 * * * * *", "2027-03-14T11:59:55"),
        ("0 0 18-20 * * 1", "2027-03-08T20:00:00"),
        ("0 0 0 29 2 *", None),  # not within a year
    ],
)
def test_the_latest_tick_is_not_after_now(text: str, latest: str | None) -> None:
    found = cron(text).latest(NOON)
    assert (None if found is None else f"{clock.datetime_of(found):%FT%T}") == latest


_FIELDS = (
    ("0", "*", "*/10", "7,37", "20-40"),
    ("0", "*", "7/10", "59"),
    ("*", "3", "0-5", "23"),
    ("*", "1", "28"),
    ("*", "2,11"),
)


@given(st.tuples(*(st.sampled_from(field) for field in _FIELDS)), st.integers(0, 400 * 86_400))
def test_it_agrees_with_the_library_of_cron(fields: tuple[str, ...], seconds: int) -> None:
    until = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    before = croniter(
        " ".join([*fields, "*"]), until + timedelta(seconds=1), second_at_beginning=True
    ).get_prev(datetime)
    found = cron(" ".join([*fields, "*"])).latest(clock.instant_of(until))
    assert found == clock.instant_of(before)
    after = croniter(" ".join([*fields, "*"]), until, second_at_beginning=True).get_next(datetime)
    assert cron(" ".join([*fields, "*"])).next(clock.instant_of(until)) == clock.instant_of(after)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("* * * * *", "six fields"),
        ("60 * * * * *", "not within 0 and 59"),
        ("x * * * * *", "invalid literal"),
        ("5-1 * * * * *", "not within"),
        ("", "six fields"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        cron(text)


def test_every_job_has_a_name_and_a_schedule_of_its_own() -> None:
    jobs = registry.all_jobs(Settings(), Metrics())
    names = [job.name for job in jobs]
    assert sorted(set(names)) == sorted(names)
    assert all(cron(job.cron).latest(NOON) is not None for job in jobs)
    assert {"relay", "send", "send_email", "webhooks", "audit", "retention"} <= set(names)
