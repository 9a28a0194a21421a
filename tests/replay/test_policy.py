from datetime import date

import pytest

from server import clock
from server.programme.document import RedemptionPolicy, Weekday
from server.replay.policy import WEEKDAYS, chunks, policy_days, redeeming, redeems


def policy(
    *, weekday: Weekday = "monday", threshold: int = 1000, redeem: int = 1000, most: int = 1
) -> RedemptionPolicy:
    return RedemptionPolicy(weekday, threshold, redeem, most, 1000)


@pytest.mark.parametrize(
    ("threshold", "redeem", "available", "once_more"),
    [
        (1000, 1000, 999, False),
        (1000, 1000, 1000, True),
        (1000, 500, 999, False),
        (500, 1000, 999, False),  # the threshold is reached, but it is too little
        (500, 1000, 1000, True),
        (0, 1, 0, False),
        (0, 1, -5, False),
    ],
)
def test_members_redeem_from_the_threshold_on_and_never_more_than_they_have(
    threshold: int, redeem: int, available: int, once_more: bool
) -> None:
    assert redeems(policy(threshold=threshold, redeem=redeem), available) is once_more


def test_weekdays_are_numbered_as_dates_number_them() -> None:
    monday = date(2017, 1, 2)
    assert WEEKDAYS[monday.weekday()] == "monday"
    assert WEEKDAYS[date(2017, 1, 8).weekday()] == "sunday"
    assert len(WEEKDAYS) == 7


def test_redeeming_keeps_the_order_and_leaves_out_the_unknown() -> None:
    balances = [("10", 1500), ("2", None), ("3", 999), ("1", 1000)]
    assert redeeming(policy(), balances) == ("10", "1")


def test_policy_days_are_the_weekdays_between_the_dates_with_both_ends() -> None:
    days = policy_days(
        policy(), first=date(2017, 1, 2), last=date(2017, 1, 16), zone_name="America/New_York"
    )
    assert [str(day.date) for day in days] == ["2017-01-02", "2017-01-09", "2017-01-16"]
    assert [clock.datetime_of(day.at).isoformat() for day in days] == [
        f"2017-01-{day}T05:00:00+00:00" for day in ("02", "09", "16")
    ]


def test_a_policy_day_without_a_midnight_starts_when_the_gap_ends() -> None:
    days = policy_days(
        policy(weekday="sunday"),
        first=date(2017, 10, 15),
        last=date(2017, 10, 15),
        zone_name="America/Sao_Paulo",
    )
    [day] = days
    assert clock.datetime_of(day.at).isoformat() == "2017-10-15T03:00:00+00:00"
    assert clock.local_datetime(day.at, "America/Sao_Paulo").hour == 1


def test_there_are_no_policy_days_when_nobody_may_redeem() -> None:
    assert (
        policy_days(
            policy(most=0), first=date(2017, 1, 1), last=date(2017, 12, 31), zone_name="UTC"
        )
        == []
    )


def test_chunks_hold_all_in_order() -> None:
    assert list(chunks("abcde", size=2)) == ["ab", "cd", "e"]
    assert list(chunks("", size=2)) == []
