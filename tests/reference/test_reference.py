"""The reference against the worked example of the rules, and against cases worked by hand."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference.programme_reference import Outcome, play
from tests.reference.strategies import baskets, first_instant, programmes

DATA = Path(__file__).parent / "data"
DEMO: dict[str, Any] = yaml.safe_load((DATA / "demo-programme.yaml").read_text())


def plain(**sections: dict[str, Any]) -> dict[str, Any]:
    """The demo programme in UTC without welcome and challenge points, with these changes."""
    programme = deepcopy(DEMO)
    programme["programme"]["timezone"] = "UTC"
    programme["points"]["welcome_bonus_points"] = 0
    challenges = programme["challenges"]
    for rules in (*challenges.values(), challenges["weekly_visits"]["streak"]):
        rules["reward_points"] = 0
    for name, changes in sections.items():
        programme[name] |= changes
    return programme


def bought(
    timestamp: str, sales: int = 0, department: str = "GROCERY", **more: int
) -> dict[str, Any]:
    """A basket with one line, and one more line for each further department and its sales."""
    amounts = {department: sales} | {name.upper(): amount for name, amount in more.items()}
    return {
        "basket_id": timestamp.translate(str.maketrans("", "", "-:TZ")),
        "household_id": "1",
        "store_id": "1",
        "timestamp": timestamp,
        "lines": [
            {
                "product_id": str(number),
                "department": name,
                "product_category": "A",
                "product_type": "A",
                "quantity": 1,
                "sales_minor": max(0, amount),
                "coupon_minor": max(0, -amount),
            }
            for number, (name, amount) in enumerate(amounts.items(), start=1)
        ],
    }


def at(day: str, sales: int = 0, department: str = "GROCERY", **more: int) -> dict[str, Any]:
    """`bought` at noon."""
    return bought(f"{day}T12:00:00Z", sales, department, **more)


def only(outcome: Outcome) -> dict[str, Any]:
    """The one member."""
    [member] = outcome.members
    return member


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


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_always_holds(data: st.DataObject) -> None:
    programme = data.draw(programmes())
    played = data.draw(baskets(programme))
    outcome = play(programme, played)
    assert sum(month["baskets"] for month in outcome.months) == len(played)
    assert len({basket["household_id"] for basket in played}) == len(outcome.members)
    for member in outcome.members:
        cashback = member["cashback_available_minor"] + member["cashback_pending_minor"]
        assert member["cashback_earned_minor"] == cashback
        assert min(value for value in member.values() if isinstance(value, int)) >= 0
        redeemed = programme["redemption_policy"]["redeem_points"] * member["vouchers_issued"]
        assert member["points_redeemed"] == redeemed
    for field in ("points_earned", "cashback_accrued_minor", "cashback_capped_minor"):
        of_member = field.replace("accrued", "earned")
        by_month = sum(month[field] for month in outcome.months)
        assert by_month == sum(member[of_member] for member in outcome.members)
    for month in outcome.months:
        tiers = sum(count for name, count in month.items() if name in tier_fields(programme))
        enrolled = sum(m["new_members"] for m in outcome.months if m["month"] <= month["month"])
        assert tiers == enrolled


def tier_fields(programme: dict[str, Any]) -> set[str]:
    """The names of the counts of members by tier."""
    return {f"members_{level['name'].lower()}" for level in programme["tiers"]["levels"]}


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_order_of_the_file_and_other_members_do_not_matter(data: st.DataObject) -> None:
    programme = data.draw(programmes())
    played = data.draw(baskets(programme, outside=True))
    outcome = play(programme, played)
    assert play(programme, reversed(played)) == outcome
    alone = [
        only(play(programme, [b for b in played if b["household_id"] == member["household_id"]]))
        for member in outcome.members
    ]
    assert alone == outcome.members
