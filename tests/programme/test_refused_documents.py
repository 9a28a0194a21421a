"""Which documents are no programmes, and how each wrong place is reported."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.programme import rules
from server.programme.errors import DocumentProblem, InvalidDocument
from tests.programme.demo import ABSENT, Place, demo, demo_yaml, places, problems_of, yaml_of

LABEL = "text of 1 to 200 characters, in quotes where it looks like a number"
NAME = "text of 1 to 64 characters, in quotes where it looks like a number"
POINTS = "a whole number from 0 to 1000000000"
MONEY = "a whole number from 0 to 1000000000000"
MONEY_FROM_ONE = "a whole number from 1 to 1000000000000"
DAYS = "a whole number from 0 to 36500"
DAYS_FROM_ONE = "a whole number from 1 to 36500"
DAY = "a calendar date, YYYY-MM-DD"
LIST = "a list of 0 to 1000 items"
CURRENCY = "the ISO 4217 code of a currency of today, such as EUR"
CAMPAIGN = "a whole number from 0 to 1000000000000000000"


BAD_VALUES: list[tuple[Place, Any, str]] = [
    (("programme",), "demo", "a mapping with the keys " + ", ".join(demo()["programme"])),
    (("programme", "id"), "", NAME),
    (("programme", "id"), "x" * 65, NAME),
    (("programme", "id"), 7, NAME),
    (("programme", "currency"), "EURO", CURRENCY),
    (("programme", "currency"), "usd", CURRENCY),
    (("programme", "currency"), "LTL", CURRENCY),
    (("programme", "currency"), "POINTS", CURRENCY),
    (("programme", "currency"), ["USD"], CURRENCY),
    (("programme", "minor_units_per_major"), 50, "1, 10, 100, 1000 or 10000"),
    (("programme", "minor_units_per_major"), 100.0, "1, 10, 100, 1000 or 10000"),
    (("programme", "minor_units_per_major"), True, "1, 10, 100, 1000 or 10000"),
    (("programme", "minor_units_per_major"), 100000, "1, 10, 100, 1000 or 10000"),
    *(
        (("programme", "timezone"), name, "the name of an IANA time zone, such as Europe/Vilnius")
        for name in ("Mars/Olympus", "america/new_york", "../etc/passwd", "", None, 1)
    ),
    (("programme", "week_starts_on"), "sunday", "monday"),
    (("programme", "first_local_date"), "2017-02-29", DAY),
    (("programme", "first_local_date"), "20170101", DAY),
    (("programme", "first_local_date"), "2017-W01-1", DAY),
    (("programme", "first_local_date"), "2017-01-01T00:00:00Z", DAY),
    (("programme", "first_local_date"), 20170101, DAY),
    (
        ("programme", "last_local_date"),
        "2016-12-31",
        f"{DAY}, not before first_local_date 2017-01-01",
    ),
    (("data_source", "package"), None, LABEL),
    (("data_source", "version"), 0.1, LABEL),
    (("data_source", "timestamps_are"), "local", "UTC"),
    (("data_source", "unknown_label"), "", LABEL),
    (("data_source", "unknown_label"), "UN\tKNOWN", LABEL),
    (("excluded_lines",), {}, LIST),
    (("excluded_lines",), None, LIST),
    (("excluded_lines", 1), "FUEL", "a mapping with the keys field, equals"),
    (
        ("excluded_lines", 0, "field"),
        "store",
        "department, product_category, product_type or product_id",
    ),
    (("excluded_lines", 0, "equals"), 1095275, LABEL),
    (("points", "base", "points"), -1, POINTS),
    (("points", "base", "points"), 10.5, POINTS),
    (("points", "base", "points"), "10", POINTS),
    (("points", "base", "points"), False, POINTS),
    (("points", "base", "points"), 10**9 + 1, POINTS),
    (
        ("points", "base", "points"),
        100_001,
        "a whole number from 0 to 100000: at most 1000 for one minor unit",
    ),
    (("points", "base", "per_minor"), 0, MONEY_FROM_ONE),
    (("points", "category_bonus"), [], "a list of exactly 1 item"),
    (
        ("points", "category_bonus"),
        demo()["points"]["category_bonus"] * 2,
        "a list of exactly 1 item",
    ),
    (("points", "category_bonus", 0, "departments"), "PRODUCE", LIST),
    (("points", "category_bonus", 0, "departments", 0), 5, LABEL),
    (("points", "category_bonus", 0, "departments", 0), "x" * 201, LABEL),
    (("points", "category_bonus", 0, "per_minor"), -100, MONEY_FROM_ONE),
    (("points", "purchase_pending_days"), -1, DAYS),
    (("points", "expiry_days"), 0, DAYS_FROM_ONE),
    (("points", "expiry_days"), 36501, DAYS_FROM_ONE),
    (("points", "welcome_bonus_points"), None, POINTS),
    (("tiers", "window_days"), 0, DAYS_FROM_ONE),
    (("tiers", "levels"), [], "a list of 1 to 100 items"),
    (("tiers", "levels"), {}, "a list of 1 to 100 items"),
    (
        ("tiers", "levels", 0),
        None,
        "a mapping with the keys name, min_spend_minor, multiplier_percent",
    ),
    (("tiers", "levels", 0, "name"), "", NAME),
    (("tiers", "levels", 0, "name"), True, NAME),
    (
        ("tiers", "levels", 1, "name"),
        "Bronze",
        "a name that no level before it has, in small or capital letters",
    ),
    (
        ("tiers", "levels", 2, "name"),
        "bRONZE",
        "a name that no level before it has, in small or capital letters",
    ),
    (
        ("tiers", "levels", 0, "min_spend_minor"),
        1,
        "0, because everyone has at least the first level",
    ),
    (("tiers", "levels", 1, "min_spend_minor"), "abc", MONEY),
    (("tiers", "levels", 1, "min_spend_minor"), 10**12 + 1, MONEY),
    (
        ("tiers", "levels", 1, "min_spend_minor"),
        0,
        "a whole number from 1 to 1000000000000, more than the level before",
    ),
    (
        ("tiers", "levels", 2, "min_spend_minor"),
        150000,
        "a whole number from 150001 to 1000000000000, more than the level before",
    ),
    (("tiers", "levels", 1, "multiplier_percent"), -1, "a whole number from 0 to 10000"),
    (("tiers", "levels", 1, "multiplier_percent"), 10001, "a whole number from 0 to 10000"),
    (("tiers", "levels", 1, "multiplier_percent"), 1.25, "a whole number from 0 to 10000"),
    (("cashback", "departments"), None, LIST),
    (("cashback", "rate_basis_points"), 10001, "a whole number from 0 to 10000"),
    (("cashback", "monthly_cap_minor"), -1, MONEY),
    (("cashback", "pending_days"), "14", DAYS),
    (("challenges", "weekly_visits", "period"), "calendar_month", "calendar_week"),
    (("challenges", "weekly_visits", "visit_days"), 0, "a whole number from 1 to 7"),
    (("challenges", "weekly_visits", "visit_days"), 8, "a whole number from 1 to 7"),
    (("challenges", "weekly_visits", "reward_points"), -1, POINTS),
    (
        ("challenges", "weekly_visits", "streak"),
        None,
        "a mapping with the keys consecutive_weeks, reward_points",
    ),
    (
        ("challenges", "weekly_visits", "streak", "consecutive_weeks"),
        0,
        "a whole number from 1 to 5200",
    ),
    (("challenges", "departments", "period"), "calendar_week", "calendar_month"),
    (("challenges", "departments", "distinct_departments"), 0, "a whole number from 1 to 1000"),
    (("challenges", "departments", "ignored_departments", 2), None, LABEL),
    (("challenges", "month_spend", "period"), "month", "calendar_month"),
    (("challenges", "month_spend", "spend_minor"), 0, MONEY_FROM_ONE),
    (
        ("redemption_policy", "weekday"),
        "Monday",
        "monday, tuesday, wednesday, thursday, friday, saturday or sunday",
    ),
    (("redemption_policy", "threshold_points"), -1, POINTS),
    (("redemption_policy", "redeem_points"), 0, "a whole number from 1 to 1000000000"),
    (("redemption_policy", "max_redemptions_per_run"), -1, "a whole number from 0 to 10000"),
    (("redemption_policy", "voucher_value_minor"), 0.5, MONEY),
    (("liability", "point_value_minor_per_1000"), "a lot", POINTS),
    (("offers",), "none", LIST),
    (("offers", 1, "id"), "offer-08", "an id that no offer before it has"),
    (("offers", 0, "campaign_id"), "8", CAMPAIGN),
    (("offers", 0, "campaign_type"), 1, LABEL),
    (("offers", 0, "name"), "", LABEL),
    (("offers", 0, "valid_from"), "8 May", DAY),
    (("offers", 0, "valid_to"), "2017-05-07", f"{DAY}, not before valid_from 2017-05-08"),
    (("offers", 0, "segment", "kind"), "query", "member_list"),
    (("offers", 0, "segment", "table"), "", LABEL),
    (("offers", 0, "segment", "campaign_id"), -8, CAMPAIGN),
    (("offers", 0, "coupons", "table"), 1, LABEL),
    (("offers", 0, "coupons", "campaign_id"), 8.0, CAMPAIGN),
    (
        ("offers", 0, "coupons", "issued_per_member"),
        "some",
        "a whole number from 0 to 1000000, or all",
    ),
    (("offers", 0, "max_redemptions_per_coupon_member_day"), 0, "a whole number from 1 to 1000000"),
]


@pytest.mark.parametrize(("place", "value", "accepted"), BAD_VALUES)
def test_a_bad_value_is_reported_at_its_place_with_what_would_be_taken(
    place: Place, value: Any, accepted: str
) -> None:
    (problem,) = problems_of(demo_yaml({place: value}))
    assert problem.path == place
    assert problem.accepted == accepted
    shown = json.dumps(value, ensure_ascii=False)
    assert problem.value == (shown if len(shown) <= 80 else shown[:79] + "…")


def test_every_place_of_the_demo_that_a_bad_value_can_stand_in_is_in_the_table() -> None:
    """The twin of the table: a new key of the document needs a line there."""
    covered = {tuple(step for step in place if isinstance(step, str)) for place, *_ in BAD_VALUES}
    leaves = {
        tuple(step for step in place if isinstance(step, str))
        for place in places(demo())
        if isinstance(place[-1], str)
    }
    assert leaves - covered <= {
        *{(section,) for section in demo()},
        ("programme", "id"),
        ("points", "base"),
        ("points", "category_bonus", "points"),
        ("challenges", "weekly_visits"),
        ("challenges", "weekly_visits", "streak", "reward_points"),
        ("challenges", "departments"),
        ("challenges", "departments", "reward_points"),
        ("challenges", "departments", "ignored_departments"),
        ("challenges", "month_spend"),
        ("challenges", "month_spend", "reward_points"),
        ("offers", "segment"),
        ("offers", "coupons"),
    }


@pytest.mark.parametrize(
    "place", [place for place in places(demo()) if isinstance(place[-1], str)], ids=str
)
def test_a_missing_key_is_reported_and_has_no_default(place: Place) -> None:
    (problem,) = problems_of(demo_yaml({place: ABSENT}))
    assert problem.path == place
    assert problem.value is None
    assert problem.accepted.endswith("; this key has no default")


@pytest.mark.parametrize(
    ("place", "accepted"),
    [
        (
            ("extra",),
            "there is no such key; the keys here are "
            + ", ".join(demo())
            + " (optional: returns, paying_with_points, holds, transfers, households, payouts,"
            " adjustments, approvals)",
        ),
        (("tier",), "there is no such key; the nearest is tiers"),
        (("programme", "time_zone"), "there is no such key; the nearest is timezone"),
        (
            ("tiers", "levels", 0, "multiplier"),
            "there is no such key; the nearest is multiplier_percent",
        ),
        (("excluded_lines", 1, "x"), "there is no such key; the keys here are field, equals"),
    ],
)
def test_an_unknown_key_is_reported_with_the_nearest(place: Place, accepted: str) -> None:
    (problem,) = problems_of(demo_yaml({place: 1}))
    assert problem == DocumentProblem(place, "1", accepted)


def test_all_problems_are_reported_at_once_in_the_order_of_the_document() -> None:
    text = demo_yaml(
        {
            ("programme", "timezone"): "Nowhere",
            ("points", "expiry_days"): ABSENT,
            ("points", "expiry"): 180,
            ("tiers", "levels", 1, "name"): 5,
            ("tiers", "levels", 2, "min_spend_minor"): 7,
            ("offers", 5, "valid_to"): "2017-01-01",
        }
    )
    with pytest.raises(InvalidDocument) as raised:
        rules.checked(text)
    assert raised.value.lines.splitlines() == [
        'programme.timezone: "Nowhere" is not accepted:'
        " the name of an IANA time zone, such as Europe/Vilnius",
        "points.expiry_days: the key is missing: a whole number from 1 to 36500;"
        " this key has no default",
        "points.expiry: 180 is not accepted: there is no such key; the nearest is expiry_days",
        "tiers.levels[1].name: 5 is not accepted:"
        " text of 1 to 64 characters, in quotes where it looks like a number",
        "tiers.levels[2].min_spend_minor: 7 is not accepted:"
        " a whole number from 150001 to 1000000000000, more than the level before",
        'offers[5].valid_to: "2017-01-01" is not accepted:'
        " a calendar date, YYYY-MM-DD, not before valid_from 2017-12-06",
    ]


def test_at_most_a_hundred_problems_are_reported() -> None:
    extra = {f"key{number}": number for number in range(5000)}
    assert len(problems_of(yaml_of(demo() | extra))) == 100


def test_an_unknown_key_with_odd_letters_is_still_shown_in_one_line() -> None:
    (problem,) = problems_of(demo_yaml({("points", "a.b\nc"): 1}))
    assert problem.line.startswith('points["a.b\\nc"]: 1 is not accepted')


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
    | st.sampled_from(["2017-01-01", "2020-02-30", "monday", "all", "USD", "UTC", "Bronze"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=5,
)
PARTNERS = {"first_local_date": "last_local_date", "valid_from": "valid_to", "per_minor": "points"}


def may_be_blamed(place: Place, blamed: Place) -> bool:
    """A value is wrong by itself, or makes one that is compared with it wrong."""
    if blamed[: len(place)] == place:
        return True
    if place[-1] in ("name", "min_spend_minor", "id") and len(place) == len(blamed):
        return (place[0], place[-1]) == (blamed[0], blamed[-1])
    return blamed == (*place[:-1], PARTNERS.get(str(place[-1])))


@given(st.sampled_from(list(places(demo()))), anything)
def test_any_change_of_one_place_is_taken_or_blamed_on_it(place: Place, value: Any) -> None:
    for problem in problems_of(demo_yaml({place: value})):
        assert may_be_blamed(place, problem.path), problem.line
        assert "\n" not in problem.line
