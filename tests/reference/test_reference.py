"""The reference against the worked example of the rules, and against cases worked by hand."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from tests.reference.cases import DATA, DEMO, at, bought, only, plain
from tests.reference.programme_reference import Outcome, play
from tests.reference.strategies import first_instant


def test_the_worked_example() -> None:
    lines = (DATA / "demo-example.jsonl").read_text().splitlines()
    outcome = play(DEMO, [json.loads(line) for line in lines])
    expected = (
        '{"household_id":"1","points_earned":16017,"points_redeemed":15000,"points_expired":593,'
        '"points_available":199,"points_pending":225,"vouchers_issued":15,'
        '"cashback_earned_minor":635,"cashback_available_minor":615,"cashback_pending_minor":20,'
        '"cashback_capped_minor":2300,"eligible_spend_minor":152333,"tier":"Silver",'
        '"tier_changes":1,"weekly_visits_completed":1,"streaks_completed":0,'
        '"departments_completed":1,"month_spend_completed":2}'
    )
    assert outcome.members == [json.loads(expected)]
    january, march, september, december = outcome.months
    # January: 280 + 699 + 64 of purchases, 100 + 100 + 50 + 150 of grants, less the one voucher.
    assert january["points_earned"] == 1443
    assert january["points_outstanding"] == 443
    assert january["liability_minor"] == 443 + 109
    assert january["net_minor"] == 2355 + 3000 + 6999 + 646
    assert (march["members_silver"], march["cashback_capped_minor"]) == (1, 2300)
    # Of April's to June's ten vouchers nothing shows but the rates: those months had no basket.
    assert september["redemption_rate"] == pytest.approx(15000 / 15792)
    assert (september["points_expired"], september["points_outstanding"]) == (593, 199)
    assert (december["active_members"], december["baskets"]) == (1, 2)
    assert [row["month"] for row in outcome.retention] == [
        "2017-01",
        "2017-03",
        "2017-09",
        "2017-12",
    ]


def test_a_tier_is_lost_when_spend_leaves_the_window() -> None:
    programme = plain()
    programme["tiers"]["window_days"] = 28
    outcome = play(
        programme,
        [
            at("2017-01-02", 150_000),  # Bronze still: 15000 points; Silver afterwards
            at("2017-01-29", 10_000),  # the window is 01-02 to 01-29: Silver, 1000 + 250
            at("2017-01-30", 99),  # the window starts on 01-03: Bronze, 9
        ],
    )
    member = only(outcome)
    assert member["points_earned"] == 15_000 + 1_250 + 9
    assert (member["tier"], member["tier_changes"]) == ("Bronze", 2)
    assert outcome.months[0]["members_bronze"] == 1


def test_tier_limits_are_met_exactly() -> None:
    assert only(play(plain(), [at("2017-01-02", 149_999)]))["tier"] == "Bronze"
    assert only(play(plain(), [at("2017-01-02", 150_000)]))["tier"] == "Silver"
    two_steps = only(play(plain(), [at("2017-01-02", 400_000)]))
    assert (two_steps["tier"], two_steps["tier_changes"]) == ("Gold", 1)


def test_each_part_of_the_points_is_floored_and_only_the_base_is_multiplied() -> None:
    # Silver: base = 199 * 10 // 100 = 19, tier = 19 * 25 // 100 = 4, category = 109 // 10 = 10.
    member = only(
        play(plain(), [at("2017-01-02", 150_000), at("2017-01-03", 90, "GROCERY", produce=109)])
    )
    assert member["points_earned"] == 15_000 + 19 + 4 + 10


def test_the_monthly_cashback_cap_starts_anew_with_the_month() -> None:
    outcome = play(
        plain(),
        [
            at("2017-01-30", 20_000, "MEAT"),  # 400
            at("2017-01-31", 10_000, "MEAT"),  # 200, of which 100 fit
            at("2017-02-01", 10_000, "MEAT"),  # 200
        ],
    )
    accrued = [(m["cashback_accrued_minor"], m["cashback_capped_minor"]) for m in outcome.months]
    assert accrued == [(500, 100), (200, 0)]
    assert only(outcome)["cashback_earned_minor"] == 700


@pytest.mark.parametrize(("last", "available"), [("2017-01-15", 0), ("2017-01-16", 20)])
def test_cashback_becomes_available_after_its_days(last: str, available: int) -> None:
    programme = plain(programme={"last_local_date": last})
    member = only(play(programme, [at("2017-01-02", 1_000, "MEAT")]))
    assert member["cashback_available_minor"] == available
    assert member["cashback_pending_minor"] == 20 - available


def week(number: int, days: int = 3) -> list[dict[str, Any]]:
    """A small purchase on the first days of a week; week 1 starts on Monday 2017-01-02."""
    monday = date(2017, 1, 2).toordinal() + 7 * (number - 1)
    return [at(date.fromordinal(monday + day).isoformat(), 100) for day in range(days)]


@pytest.mark.parametrize(
    ("weeks", "streaks"),
    [
        ([1, 2, 3], 0),
        ([1, 2, 3, 4], 1),
        ([1, 2, 3, 5, 6, 7], 0),
        ([1, 2, 3, 5, 6, 7, 8], 1),
        ([1, 2, 3, 4, 5, 6, 7], 1),
        ([1, 2, 3, 4, 5, 6, 7, 8], 2),
        ([1, 2, 3, 4, 6, 7, 8], 1),
    ],
)
def test_streaks_count_weeks_in_a_row_and_start_anew(weeks: list[int], streaks: int) -> None:
    member = only(play(plain(), [basket for number in weeks for basket in week(number)]))
    assert member["weekly_visits_completed"] == len(weeks)
    assert member["streaks_completed"] == streaks


def test_a_week_needs_different_days_with_eligible_spend() -> None:
    same_day = [bought("2017-01-04T10:00:00Z", 100), bought("2017-01-04T11:00:00Z", 100)]
    nothing = [at("2017-01-05", 0)]
    next_week = [at("2017-01-09", 100)]
    member = only(play(plain(), [at("2017-01-03", 100), *same_day, *nothing, *next_week]))
    assert member["weekly_visits_completed"] == 0
    assert only(play(plain(), week(1, days=7)))["weekly_visits_completed"] == 1


def test_departments_need_positive_lines_that_are_not_excluded_or_ignored() -> None:
    four = at("2017-01-02", 1, "A", b=1, c=1, d=1)
    no_fifth = at("2017-01-03", 0, "E", f=-5, fuel=100, unknown=1, coupon=1, miscellaneous=1)
    fifth, later = at("2017-01-31", 1, "G"), at("2017-02-01", 1, "E")
    assert only(play(plain(), [four, no_fifth, later]))["departments_completed"] == 0
    assert only(play(plain(), [four, fifth, later]))["departments_completed"] == 1


def test_departments_count_even_if_the_basket_has_no_eligible_spend() -> None:
    basket = at("2017-01-02", 1, "A", b=1, c=1, d=1, e=1, unknown=-50)
    member = only(play(plain(), [basket]))
    assert (member["departments_completed"], member["eligible_spend_minor"]) == (1, 0)


@pytest.mark.parametrize(("amounts", "times"), [([9_999], 0), ([9_999, 1], 1), ([10_000] * 3, 1)])
def test_month_spend_completes_once_at_its_limit(amounts: list[int], times: int) -> None:
    played = [at(f"2017-01-0{day}", amount) for day, amount in enumerate(amounts, start=1)]
    assert only(play(plain(), played))["month_spend_completed"] == times


def test_points_that_expire_while_pending_are_never_available() -> None:
    programme = plain(
        points={"purchase_pending_days": 10, "expiry_days": 5},
        programme={"last_local_date": "2017-01-06"},
    )
    basket = at("2017-01-02", 20_000)
    before = only(play(programme, [basket]))
    assert (before["points_pending"], before["points_expired"]) == (2_000, 0)
    programme["programme"]["last_local_date"] = "2017-12-31"
    after = only(play(programme, [basket]))
    assert (after["points_expired"], after["vouchers_issued"]) == (2_000, 0)
    assert (after["points_available"], after["points_pending"]) == (0, 0)


def test_negative_lines_count_in_the_sum_but_no_amount_is_below_zero() -> None:
    outcome = play(plain(), [at("2017-01-02", 500, "PRODUCE", unknown=-300)])
    # E = 200, P = C = min(200, 500): base 20, category 20, cashback 4.
    assert (only(outcome)["points_earned"], only(outcome)["cashback_earned_minor"]) == (40, 4)
    outcome = play(plain(), [at("2017-01-02", 100, "PRODUCE", unknown=-300)])
    assert (only(outcome)["points_earned"], only(outcome)["eligible_spend_minor"]) == (0, 0)
    assert outcome.months[0]["net_minor"] == -200
    # A coupon on produce takes from P and C, but never below 0; the rest is eligible.
    outcome = play(plain(), [at("2017-01-02", -100, "PRODUCE", grocery=1_100)])
    assert (only(outcome)["points_earned"], only(outcome)["cashback_earned_minor"]) == (100, 0)


def test_baskets_outside_the_dates_are_not_played() -> None:
    outside = [at("2016-12-31", 5_000), bought("2018-01-01T00:00:00Z", 5_000)]
    assert play(plain(), outside) == Outcome([], [], [], [])
    assert only(play(plain(), [*outside, at("2017-12-31", 100)]))["points_earned"] == 10


@pytest.mark.parametrize(
    ("timezone", "day", "instant"),
    [
        ("America/Havana", "2017-03-12", "2017-03-12T05:00:00"),  # starts at 01:00
        ("America/Havana", "2017-11-05", "2017-11-05T04:00:00"),  # 00:00 comes twice
        ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00"),  # 23:00 comes twice
        ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00:00"),  # starts at 01:00
        ("Africa/Cairo", "2023-04-28", "2023-04-27T22:00:00"),  # starts at 01:00
        ("Asia/Beirut", "2017-10-29", "2017-10-28T22:00:00"),  # 23:00 comes twice
    ],
)
def test_a_day_starts_with_its_first_instant(timezone: str, day: str, instant: str) -> None:
    assert first_instant(timezone, date.fromisoformat(day)).isoformat() == f"{instant}+00:00"
    # A basket at that instant is of that day, a second earlier of the day before.
    programme = plain(
        programme={"timezone": timezone, "first_local_date": day, "last_local_date": day}
    )
    assert len(play(programme, [bought(f"{instant}Z")]).members) == 1
    before = f"{instant[:11]}{int(instant[11:13]) - 1:02d}:59:59Z"
    assert play(programme, [bought(before)]).members == []


def test_visit_days_around_a_midnight_that_comes_twice() -> None:
    programme = plain(programme={"timezone": "America/Havana"})
    programme["challenges"]["weekly_visits"]["visit_days"] = 2
    twice = [bought("2017-11-05T04:00:00Z", 1), bought("2017-11-05T05:59:59Z", 1)]
    assert only(play(programme, twice))["weekly_visits_completed"] == 0
    saturday = bought("2017-11-05T03:59:59Z", 1)
    assert only(play(programme, [saturday, *twice]))["weekly_visits_completed"] == 1


def test_equal_timestamps_go_by_basket_number() -> None:
    large, small = at("2017-01-02", 150_000), at("2017-01-02", 10_000)
    large["basket_id"], small["basket_id"] = "9", "10"
    # The large one first, though "10" sorts before "9": the small one is Silver already.
    assert only(play(plain(), [small, large]))["points_earned"] == 15_000 + 1_250


def test_retention_has_the_months_with_a_basket() -> None:
    other = at("2017-02-03")
    other["household_id"] = "2"
    outcome = play(plain(), [at("2017-01-02"), at("2017-04-02"), other])
    rows = [tuple(row.values()) for row in outcome.retention]
    assert rows == [
        ("2017-01", "2017-01", 1, 1, 1.0),
        ("2017-01", "2017-02", 1, 0, 0.0),
        ("2017-01", "2017-04", 1, 1, 1.0),
        ("2017-02", "2017-02", 1, 1, 1.0),
        ("2017-02", "2017-04", 1, 0, 0.0),
    ]


def test_offers_count_redemptions_by_their_segment() -> None:
    def redeemed(household: int, coupon: int, day: str) -> dict[str, Any]:
        return {
            "household_id": household,
            "coupon_upc": coupon,
            "campaign_id": 14,
            "redemption_date": day,
        }

    tables = {
        "campaigns": [{"campaign_id": 14, "household_id": n} for n in (1, 2, 3)],
        "coupons": [{"coupon_upc": 7, "product_id": n, "campaign_id": 14} for n in (1, 1, 2)],
        "coupon_redemptions": [
            redeemed(1, 7, "2017-09-04"),
            redeemed(1, 7, "2017-09-05"),
            redeemed(1, 7, "2017-09-05"),  # the same day again
            redeemed(2, 7, "2017-11-09"),  # too late
            redeemed(4, 7, "2017-09-05"),  # not in the segment
            redeemed(3, 8, "2017-09-05"),  # not a coupon of it
        ],
    }
    [row] = [r for r in play(DEMO, [], offers_tables=tables).offers if r["offer_id"] == "offer-14"]
    assert (row["targeted_members"], row["redemptions"], row["redeeming_members"]) == (3, 2, 1)
    assert (row["coupons_redeemed"], row["conversion_rate"]) == (1, 0.333333333)
