"""Which documents are programmes, and their canonical form."""

import hashlib
import json
import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.programme import rules
from server.programme.document import Programme, TierLevel
from tests.programme.demo import Place, demo, demo_text, demo_yaml, problems_of, yaml_of
from tests.reference import strategies


def programme_with(changes: dict[Place, Any]) -> Programme:
    return rules.checked(demo_yaml(changes)).programme


# ---------------------------------------------------------------- what is taken


def test_the_demo_is_read_with_the_types_of_the_document() -> None:
    programme = rules.checked(demo_text()).programme
    assert programme.programme.first_local_date == date(2017, 1, 1)
    assert programme.points.category_bonus[0].departments == frozenset({"PRODUCE"})
    assert programme.tiers.levels[1] == TierLevel("Silver", 150000, 125)
    assert "DRUG GM" in programme.cashback.departments
    assert programme.challenges.weekly_visits.streak.consecutive_weeks == 4
    assert [offer.coupons.issued_per_member for offer in programme.offers] == [
        *(16, 16, 16),
        *("all", "all", "all"),
    ]
    hash(programme)


SENSIBLE: dict[str, dict[Place, Any]] = {
    "no exclusion": {("excluded_lines",): []},
    "exclusion by product": {("excluded_lines", 0): {"field": "product_id", "equals": "1095275"}},
    "no offer": {("offers",): []},
    "no bonus department": {("points", "category_bonus", 0, "departments"): []},
    "no cashback department": {("cashback", "departments"): []},
    "no ignored department": {("challenges", "departments", "ignored_departments"): []},
    "a department twice": {("cashback", "departments"): ["MEAT", "MEAT"]},
    "one tier": {("tiers", "levels"): [demo()["tiers"]["levels"][0]]},
    "tiers by other names": {("tiers", "levels", 0, "name"): "Ąžuolas ir Ko."},
    "another zone": {("programme", "timezone"): "Asia/Kathmandu"},
    "yen": {("programme", "currency"): "JPY", ("programme", "minor_units_per_major"): 1},
    "dollars in tenths of a cent": {("programme", "minor_units_per_major"): 1000},
    "one day": {("programme", "last_local_date"): "2017-01-01"},
    "redeem more than the threshold": {("redemption_policy", "redeem_points"): 5000},
    "no threshold": {("redemption_policy", "threshold_points"): 0},
    "no reward": {("challenges", "month_spend", "reward_points"): 0},
    "no points": {("points", "base", "points"): 0},
    "pending until after expiry": {
        ("points", "purchase_pending_days"): 20,
        ("points", "expiry_days"): 1,
    },
    "no welcome": {("points", "welcome_bonus_points"): 0},
    "no cashback": {("cashback", "rate_basis_points"): 0, ("cashback", "monthly_cap_minor"): 0},
    "thursday": {("redemption_policy", "weekday"): "thursday"},
    "never redeem": {("redemption_policy", "max_redemptions_per_run"): 0},
    "worthless points": {("liability", "point_value_minor_per_1000"): 0},
    "a streak of one": {("challenges", "weekly_visits", "streak", "consecutive_weeks"): 1},
    "every day": {("challenges", "weekly_visits", "visit_days"): 7},
}


@pytest.mark.parametrize("changes", SENSIBLE.values(), ids=SENSIBLE)
def test_other_sensible_programmes_are_taken(changes: dict[Place, Any]) -> None:
    assert problems_of(demo_yaml(changes)) == []


@given(strategies.programmes())
def test_every_programme_of_the_reference_is_taken(document: dict[str, Any]) -> None:
    assert problems_of(yaml_of(document)) == []


# ---------------------------------------------------------------- canonical form


@given(st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_the_order_of_keys(chance: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if not isinstance(value, dict):
            return value
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    text = yaml_of(shuffled(demo()))
    assert rules.checked(text).digest == rules.checked(demo_text()).digest


def test_the_digest_is_that_of_the_canonical_document_as_plain_data() -> None:
    checked = rules.checked(demo_text())
    plain = json.dumps(demo(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert checked.canonical == plain
    assert checked.digest == hashlib.sha256(plain.encode()).hexdigest()
    assert rules.checked(checked.canonical) == checked
    assert rules.programme_of(checked.canonical) == checked.programme


def test_dates_with_and_without_quotes_are_the_same() -> None:
    bare = re.sub(r'"(\d{4}-\d{2}-\d{2})"', r"\1", demo_text())
    assert "first_local_date: 2017-01-01\n" in bare
    assert rules.checked(bare) == rules.checked(demo_text())


def test_one_other_value_gives_another_digest() -> None:
    other = rules.checked(demo_yaml({("points", "expiry_days"): 181}))
    assert other.digest != rules.checked(demo_text()).digest
    assert other.programme.points.expiry_days == 181
