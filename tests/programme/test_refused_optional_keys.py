"""Which values of optional sections and keys are refused, and how."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.programme.errors import DocumentProblem
from tests.programme.demo import OPTIONAL, Place, demo, demo_yaml, places, problems_of

SECTIONS = [place[0] for place in OPTIONAL if len(place) == 1]
POINTS = "a whole number from 0 to 1000000000"
POINTS_FROM_ONE = "a whole number from 1 to 1000000000"
MONEY = "a whole number from 0 to 1000000000000"
MONEY_FROM_ONE = "a whole number from 1 to 1000000000000"
DAYS = "a whole number from 0 to 36500"
BASIS_POINTS = "a whole number from 0 to 10000"
SECONDS = "a whole number from 1 to 2592000"
PERIODS = "calendar_day, calendar_week, calendar_month, calendar_year or lifetime"

BOUNDS: list[tuple[Place, int, int, str]] = [
    (("returns", "grace_days"), 0, 36_500, DAYS),
    (("paying_with_points", "points"), 1, 10**9, POINTS_FROM_ONE),
    (("paying_with_points", "worth_minor"), 0, 10**12, MONEY),
    (("paying_with_points", "minimum_points"), 1, 10**9, POINTS_FROM_ONE),
    (("paying_with_points", "maximum_share_basis_points"), 0, 10_000, BASIS_POINTS),
    (("holds", "maximum_ttl_seconds"), 60, 2_592_000, SECONDS),
    (("transfers", "minimum_points"), 1, 10**9, POINTS_FROM_ONE),
    (("transfers", "daily_limit_points"), 0, 10**9, POINTS),
    (("transfers", "minimum_account_age_days"), 0, 36_500, DAYS),
    (("households", "maximum_members"), 2, 50, "a whole number from 2 to 50"),
    (("households", "rejoin_wait_days"), 0, 36_500, DAYS),
    (("households", "minimum_account_age_days"), 0, 36_500, DAYS),
    (("payouts", "minimum_minor"), 1, 10**12, MONEY_FROM_ONE),
    (("payouts", "daily_limit_minor"), 0, 10**12, MONEY),
    (("adjustments", "second_person_above_points"), 0, 10**9, POINTS),
    (("adjustments", "second_person_above_minor"), 0, 10**12, MONEY),
    (("approvals", "second_person_above_budget_minor"), 0, 10**12, MONEY),
    (("cashback", "tier_rates_basis_points", "Gold"), 0, 10_000, BASIS_POINTS),
    (("cashback", "caps", 0, "minor"), 0, 10**12, MONEY),
]


def refused(place: Place, value: Any, accepted: str) -> None:
    shown = json.dumps(value)
    assert problems_of(demo_yaml({**OPTIONAL, place: value})) == [
        DocumentProblem(place, shown, accepted)
    ]


@pytest.mark.parametrize(("place", "minimum", "maximum", "accepted"), BOUNDS)
def test_bounds_are_taken_and_what_is_beyond_them_is_refused_at_its_place(
    place: Place, minimum: int, maximum: int, accepted: str
) -> None:
    for taken in (minimum, maximum):
        assert problems_of(demo_yaml({**OPTIONAL, place: taken})) == []
    beyond = 0 if accepted == SECONDS else minimum - 1
    values: list[Any] = [beyond, maximum + 1, None, True, "1", 1.0]
    for value in values:
        refused(place, value, accepted)


@pytest.mark.parametrize(
    ("place", "value", "accepted"),
    [
        (("returns", "policy"), "all", "only_pending, within_balance or into_negative"),
        (("returns", "policy"), None, "only_pending, within_balance or into_negative"),
        (("paying_with_points", "earns_on_value"), "true", "true or false"),
        (("paying_with_points", "earns_on_value"), 1, "true or false"),
        (("paying_with_points", "earns_on_value"), None, "true or false"),
        (("holds", "ttl_seconds"), 0, SECONDS),
        (("cashback", "caps"), None, "a list of 0 to 5 items"),
        (("cashback", "caps"), {}, "a list of 0 to 5 items"),
        (("cashback", "caps", 1), None, "a mapping with the keys period, minor"),
        (("cashback", "caps", 0, "period"), "month", PERIODS),
        (("cashback", "caps", 1, "period"), "lifetime", "a period that no cap before it has"),
        (
            ("cashback", "tier_rates_basis_points"),
            [],
            "a mapping of at most 100 keys, each the name of a tier",
        ),
        (
            ("cashback", "tier_rates_basis_points", "gold"),
            300,
            "the name of a tier of tiers.levels: Bronze, Silver or Gold",
        ),
        *(
            (
                (section,),
                value,
                f"a mapping with the keys {', '.join(OPTIONAL[(section,)])} (all optional)",
            )
            for section in SECTIONS
            for value in (None, "", True)
        ),
    ],
)
def test_another_value_is_refused_at_its_place(place: Place, value: Any, accepted: str) -> None:
    refused(place, value, accepted)


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_key_of_an_optional_section_is_refused_with_the_nearest(section: str) -> None:
    key = next(iter(OPTIONAL[(section,)]))
    refused((section, f"{key}s_"), 1, f"there is no such key; the nearest is {key}")
    keys = f"{', '.join(OPTIONAL[(section,)])} (all optional)"
    refused((section, "?"), 1, f"there is no such key; the keys here are {keys}")


def test_optional_keys_are_named_as_such_and_suggested() -> None:
    required = ", ".join(demo()["cashback"])
    keys = f"{required} (optional: tier_rates_basis_points, caps)"
    refused(("cashback", "?"), 1, f"there is no such key; the keys here are {keys}")
    refused(("cashback", "cap"), 1, "there is no such key; the nearest is caps")
    refused(("return",), {}, "there is no such key; the nearest is returns")
    (problem,) = problems_of(demo_yaml({("cashback",): 7}))
    assert problem.accepted == f"a mapping with the keys {keys}"


def test_a_key_of_an_item_of_an_optional_list_can_be_required() -> None:
    (problem,) = problems_of(demo_yaml({("cashback", "caps"): [{"period": "lifetime"}]}))
    assert problem == DocumentProblem(
        ("cashback", "caps", 0, "minor"), None, f"{MONEY}; this key has no default"
    )


@pytest.mark.parametrize(
    ("holds", "place", "accepted"),
    [
        (
            {"ttl_seconds": 61, "maximum_ttl_seconds": 60},
            ("holds", "ttl_seconds"),
            "a whole number from 1 to 60: at most maximum_ttl_seconds, which is 60",
        ),
        (
            {"ttl_seconds": 86_401},
            ("holds", "ttl_seconds"),
            "a whole number from 1 to 86400: at most maximum_ttl_seconds, which is 86400",
        ),
        (
            {"maximum_ttl_seconds": 899},
            ("holds", "maximum_ttl_seconds"),
            "a whole number from 900 to 2592000: at least ttl_seconds, which is 900 where it is"
            " left out",
        ),
    ],
)
def test_a_hold_lasts_no_longer_than_the_most(
    holds: dict[str, int], place: Place, accepted: str
) -> None:
    (problem,) = problems_of(demo_yaml({("holds",): holds}))
    assert (problem.path, problem.accepted) == (place, accepted)
    assert problem.value == str(holds[str(place[-1])])


@pytest.mark.parametrize(
    "holds", [{"ttl_seconds": 86_400}, {"maximum_ttl_seconds": 900}, {"ttl_seconds": 1}]
)
def test_a_hold_that_lasts_exactly_the_most_is_taken(holds: dict[str, int]) -> None:
    assert problems_of(demo_yaml({("holds",): holds})) == []


def test_an_invalid_value_is_not_taken_for_a_missing_one() -> None:
    """A default stands in for what is missing only, so one mistake is one problem."""
    changes: dict[Place, Any] = {("holds",): {"ttl_seconds": 90_000, "maximum_ttl_seconds": -1}}
    (problem,) = problems_of(demo_yaml(changes))
    assert problem.path == ("holds", "maximum_ttl_seconds")
    (problem,) = problems_of(demo_yaml({**OPTIONAL, ("tiers", "levels", 2, "name"): 7}))
    assert problem.path == ("tiers", "levels", 2, "name")


def test_a_tier_that_goes_leaves_its_rate_behind_as_a_problem() -> None:
    (problem,) = problems_of(demo_yaml({**OPTIONAL, ("tiers", "levels", 2, "name"): "Platinum"}))
    assert problem.path == ("cashback", "tier_rates_basis_points", "Gold")
    assert problem.accepted.endswith(": Bronze, Silver or Platinum")


def test_of_many_tiers_none_is_named() -> None:
    levels = [
        {"name": f"T{number}", "min_spend_minor": number, "multiplier_percent": 100}
        for number in range(11)
    ]
    rates = {"T10": 1, "T11": 1}
    (problem,) = problems_of(
        demo_yaml({("tiers", "levels"): levels, ("cashback", "tier_rates_basis_points"): rates})
    )
    assert problem.path == ("cashback", "tier_rates_basis_points", "T11")
    assert problem.accepted == "the name of a tier of tiers.levels: any of them"


EVERY_PLACE = [place for place in places(demo(OPTIONAL)) if place not in places(demo())]


@given(
    st.sampled_from(EVERY_PLACE),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab") | st.just([None]),
)
def test_any_change_of_one_place_is_taken_or_blamed_on_it(place: Place, value: Any) -> None:
    for problem in problems_of(demo_yaml({**OPTIONAL, place: value})):
        is_partner = place[0] == "holds" and problem.path[0] == "holds"
        is_later_cap = place[-1] == "period" and problem.path[:2] == place[:2]
        assert problem.path[: len(place)] == place or is_partner or is_later_cap, problem.line
