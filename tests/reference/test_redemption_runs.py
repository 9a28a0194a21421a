"""The reference's redemption runs, against cases worked by hand."""

from __future__ import annotations

import pytest

from tests.reference.cases import at, bought, only, plain
from tests.reference.programme_reference import play


@pytest.mark.parametrize(
    ("points", "most", "vouchers"),
    [(999, 1, 0), (1_000, 1, 1), (3_500, 3, 3), (2_999, 3, 2), (5_000, 3, 3), (5_000, 0, 0)],
)
def test_redemptions_of_one_run(points: int, most: int, vouchers: int) -> None:
    programme = plain(
        redemption_policy={"max_redemptions_per_run": most},
        programme={"last_local_date": "2017-01-09"},
    )
    member = only(play(programme, [at("2017-01-05", points * 10)]))
    assert member["vouchers_issued"] == vouchers
    assert member["points_available"] == points - 1_000 * vouchers


def test_points_that_become_available_on_the_day_of_the_run_count() -> None:
    programme = plain(programme={"last_local_date": "2017-01-09"})
    assert only(play(programme, [at("2017-01-06", 10_000)]))["vouchers_issued"] == 1
    assert only(play(programme, [at("2017-01-07", 10_000)]))["vouchers_issued"] == 0


@pytest.mark.parametrize(("days", "vouchers"), [(7, 0), (8, 1)])
def test_points_that_expire_on_the_day_of_the_run_are_lost(days: int, vouchers: int) -> None:
    # Monday 01-02 plus 7 days is the Monday of the next run.
    programme = plain(points={"expiry_days": days})
    member = only(play(programme, [at("2017-01-02", 10_000)]))
    assert (member["vouchers_issued"], member["points_expired"]) == (
        vouchers,
        1_000 * (not vouchers),
    )


def test_the_run_spends_what_expires_first_and_skips_what_is_pending() -> None:
    programme = plain(
        points={"expiry_days": 8, "purchase_pending_days": 3},
        programme={"last_local_date": "2017-01-10"},
    )
    played = [
        at("2017-01-02", 6_000),  # 600, until 01-10
        at("2017-01-05", 6_000),  # 600, until 01-13
        at("2017-01-08", 7_000),  # 700, pending until 01-11
    ]
    member = only(play(programme, played))
    # All of the first lot and 400 of the second are redeemed, so nothing is left to expire.
    assert (member["points_redeemed"], member["points_expired"]) == (1_000, 0)
    assert (member["points_available"], member["points_pending"]) == (200, 700)


def test_the_run_takes_nothing_pending_even_if_it_was_made_first() -> None:
    programme = plain(programme={"last_local_date": "2017-01-09"})
    programme["challenges"]["month_spend"]["reward_points"] = 1_200
    # The purchase's 1500 and then the challenge's 1200, which alone are available on the Monday.
    member = only(play(programme, [at("2017-01-08", 15_000)]))
    assert (member["points_available"], member["points_pending"]) == (200, 1_500)


def test_there_is_no_run_on_the_day_of_enrolment() -> None:
    programme = plain(
        points={"welcome_bonus_points": 1_000}, programme={"last_local_date": "2017-01-02"}
    )
    assert only(play(programme, [at("2017-01-02")]))["vouchers_issued"] == 0
    programme["programme"]["last_local_date"] = "2017-01-09"
    assert only(play(programme, [at("2017-01-02")]))["vouchers_issued"] == 1


def test_the_run_after_the_last_date_does_not_happen() -> None:
    programme = plain(programme={"last_local_date": "2017-01-08"})
    assert only(play(programme, [at("2017-01-02", 10_000)]))["vouchers_issued"] == 0


def test_a_basket_at_midnight_comes_after_the_start_of_its_day() -> None:
    programme = plain(
        points={"purchase_pending_days": 0}, programme={"last_local_date": "2017-01-09"}
    )
    enrolled, small = at("2017-01-05"), bought("2017-01-08T23:59:59Z", 10_000)
    assert only(play(programme, [enrolled, small]))["vouchers_issued"] == 1
    late = bought("2017-01-09T00:00:00Z", 10_000)
    assert only(play(programme, [enrolled, late]))["vouchers_issued"] == 0
