"""What points take off and what they cost, to the last minor unit; and what comes back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant
from server.errors import InsufficientPoints, InvalidInput, NotAllowed
from server.messages import told
from server.payments import rules
from server.payments.rules import Basket, Bounds, Charge
from server.programme.document import Holds, PointsWorth, Programme
from server.programme.rules import checked, programme_of
from tests.programme.demo import demo_yaml

PLENTY = 2**31 - 1


def programme(
    points: int,
    worth_minor: int,
    *,
    least: int = 1,
    share: int = 10_000,
    currency: str = "USD",
    minor_units: int = 100,
) -> Programme:
    changes: Any = {
        ("programme", "currency"): currency,
        ("programme", "minor_units_per_major"): minor_units,
        ("paying_with_points",): {
            "points": points,
            "worth_minor": worth_minor,
            "minimum_points": least,
            "maximum_share_basis_points": share,
        },
    }
    return programme_of(checked(demo_yaml(changes)).canonical)


JPY = programme(300, 100, currency="JPY", minor_units=1)  # 3 points a yen
TND = programme(10, 35, currency="TND", minor_units=1000)  # 3.5 millimes a point


@pytest.mark.parametrize(
    ("rules_of", "asked", "charge"),
    [
        (JPY, 3, Charge(3, 1)),
        (JPY, 5, Charge(3, 1)),
        (JPY, 6, Charge(6, 2)),
        (JPY, 1000, Charge(999, 333)),
        (TND, 1, Charge(1, 3)),
        (TND, 2, Charge(2, 7)),
        (TND, 3, Charge(3, 10)),
        (TND, 1001, Charge(1001, 3503)),
    ],
)
def test_money_off_is_rounded_down_and_charged_as_it_needs(
    rules_of: Programme, asked: int, charge: Charge
) -> None:
    basket = Basket(10_000, rules_of.programme.currency)
    assert rules.points_charge(asked, basket, rules_of, available=PLENTY) == charge


def test_as_many_as_the_rules_allow() -> None:
    half = programme(100, 1, share=5000)
    # Half of 9.99 is 4.99; that is 49,900 points, and 99 more would take off nothing.
    assert rules.bounds(Basket(999, "USD"), half) == Bounds(100, 49_999)
    basket = Basket(999, "USD")
    assert rules.points_charge(None, basket, half, available=PLENTY) == Charge(49_900, 499)
    assert rules.points_charge(49_999, basket, half, available=49_900) == Charge(49_900, 499)
    assert rules.points_charge(None, basket, half, available=250) == Charge(200, 2)
    with pytest.raises(InsufficientPoints) as short:
        rules.points_charge(None, basket, half, available=99)
    assert (short.value.available, short.value.required, short.value.short_by) == (99, 100, 1)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (499, "payment.below_minimum"),
        (0, "payment.below_minimum"),
        (-5, "payment.below_minimum"),
        (2501, "payment.above_share"),
        (2**31 - 1, "payment.above_share"),
    ],
)
def test_points_outside_the_bounds_are_told_which_would_do(asked: int, reason: str) -> None:
    quarter = programme(1, 1, least=500, share=2500)
    with pytest.raises(InvalidInput) as refusal:
        rules.points_charge(asked, Basket(10_003, "USD"), quarter, available=PLENTY)
    assert (refusal.value.reason, refusal.value.path) == (reason, ("points",))
    # A quarter of 100.03 is 25.00 and three quarters of a cent, which are left out.
    assert told(refusal.value.accepted, "en") == "500 to 2500"


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 500),
    st.integers(1, 10_000),
    st.integers(1, 50_000),
)
def test_the_smallest_basket_that_is_accepted_is_accepted(
    points: int, worth: int, least: int, share: int, net_minor: int
) -> None:
    rules_of = programme(points, worth, least=least, share=share)
    bounds = rules.bounds(Basket(net_minor, "USD"), rules_of)
    if bounds.least <= bounds.most:
        for asked in (*bounds, (bounds.least + bounds.most) // 2):
            charge = rules.points_charge(asked, Basket(net_minor, "USD"), rules_of, available=asked)
            assert 1 <= charge.value_minor <= net_minor * share // 10_000
            assert charge.amount <= asked
            assert charge.value_minor == asked * worth // points
            assert (charge.amount - 1) * worth // points < charge.value_minor
        return
    with pytest.raises(InvalidInput) as refusal:
        rules.points_charge(None, Basket(net_minor, "USD"), rules_of, available=PLENTY)
    assert refusal.value.reason == "payment.basket_too_small"
    smallest = int(told(refusal.value.accepted, "en").removesuffix(" or more"))
    assert smallest > net_minor
    found = rules.bounds(Basket(smallest, "USD"), rules_of)
    assert found.least <= found.most
    below = rules.bounds(Basket(smallest - 1, "USD"), rules_of)
    assert below.least > below.most


@pytest.mark.parametrize(("worth_minor", "share"), [(0, 10_000), (100, 0)])
def test_a_programme_may_not_offer_it(worth_minor: int, share: int) -> None:
    off = programme(100, worth_minor, share=share)
    with pytest.raises(NotAllowed, match=r"payment\.not_offered"):
        rules.points_charge(100, Basket(1000, "USD"), off, available=PLENTY)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_needed_points_are_the_fewest(points: int, worth_minor: int) -> None:
    rate = PointsWorth(points, worth_minor)
    for value_minor in (1, 2, 999):
        needed = rules.points_needed(value_minor, rate)
        assert rules.money_off_minor(needed, rate) >= value_minor
        assert rules.money_off_minor(needed - 1, rate) < value_minor


@given(st.integers(1, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_what_comes_back_in_parts_is_exact_in_the_end(amount: int, parts: list[int]) -> None:
    whole = sum(parts)
    if not whole:
        return
    restored_minor = restored = 0
    for part in parts:
        back = rules.amount_back(
            part,
            amount=amount,
            whole_minor=whole,
            restored_minor=restored_minor,
            restored_amount=restored,
        )
        assert back >= 0
        restored_minor, restored = restored_minor + part, restored + back
        assert restored == amount * restored_minor // whole
    assert restored == amount


def test_a_hold_lasts_as_long_as_the_programme_lets_it() -> None:
    limits, now = Holds(ttl_seconds=60, maximum_ttl_seconds=3600), Instant(5)
    assert rules.hold_ends_at(None, limits, now=now) == 60_000_005
    assert rules.hold_ends_at(1, limits, now=now) == 1_000_005
    assert rules.hold_ends_at(3600, limits, now=now) == 3_600_000_005
    for ttl in (0, -1, 3601):
        with pytest.raises(InvalidInput) as refusal:
            rules.hold_ends_at(ttl, limits, now=now)
        assert (refusal.value.path, told(refusal.value.accepted, "en")) == (
            ("ttlSeconds",),
            "1 to 3600",
        )
