"""Amounts are integers: exact decimals, and roundings that never give more than there is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import money

LARGEST = 10**15

amounts = st.integers(-LARGEST, LARGEST)
positive = st.integers(0, LARGEST)


def test_currencies_of_today_are_known() -> None:
    assert {"USD", "EUR", "JPY", "KWD"} <= money.currency_codes()


@pytest.mark.parametrize("code", [money.POINTS, "DEM", "XXX", "XAU"])
def test_points_and_what_nobody_pays_with_are_no_currency(code: str) -> None:
    assert code not in money.currency_codes()


@pytest.mark.parametrize(
    ("amount", "digits", "text"),
    [(1234, 2, "12.34"), (5, 2, "0.05"), (-5, 2, "-0.05"), (1234, 0, "1234"), (1, 3, "0.001"),
     (100, 2, "1.00"), (0, 2, "0.00")],
)  # fmt: skip
def test_an_amount_is_shown_with_all_its_decimals(amount: int, digits: int, text: str) -> None:
    assert str(money.decimal_of(amount, digits)) == text


@given(amount=amounts, digits=st.integers(0, 4))
def test_a_decimal_is_exact(amount: int, digits: int) -> None:
    shown = money.decimal_of(amount, digits)
    assert shown * 10**digits == amount
    assert Decimal(str(shown)) == shown


@pytest.mark.parametrize(
    ("amount", "numerator", "denominator", "share"),
    [(2355, 10, 100, 235), (9, 10, 100, 0), (10, 10, 100, 1), (-1, 1, 2, -1), (7, 0, 3, 0)],
)
def test_a_share_is_rounded_down(amount: int, numerator: int, denominator: int, share: int) -> None:
    assert money.floor_share(amount, numerator, denominator) == share


@given(amount=amounts, numerator=st.integers(0, 10**6), denominator=st.integers(1, 10**6))
def test_a_share_is_at_most_the_exact_one_and_less_than_one_short_of_it(
    amount: int, numerator: int, denominator: int
) -> None:
    share = money.floor_share(amount, numerator, denominator)
    assert share * denominator <= amount * numerator < (share + 1) * denominator
    if amount >= 0:
        assert share >= 0


@given(parts=st.lists(positive, min_size=1, max_size=8), rate=st.integers(0, 10_000))
def test_shares_of_parts_are_never_more_than_the_share_of_the_whole(
    parts: list[int], rate: int
) -> None:
    whole = money.floor_basis_points(sum(parts), rate)
    of_parts = sum(money.floor_basis_points(part, rate) for part in parts)
    assert 0 <= whole - of_parts < len(parts)
    assert whole <= sum(parts)


@given(amount=st.integers(0, LARGEST), weights=st.lists(st.integers(0, LARGEST), min_size=1))
def test_a_split_adds_up_and_no_part_is_a_unit_off_its_share(
    amount: int, weights: list[int]
) -> None:
    total = sum(weights)
    if not total:
        amount = 0
    parts = money.split_in_proportion(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * total - amount * weight) < max(1, total)


def test_units_left_over_go_where_most_was_lost_of_equals_to_the_first() -> None:
    assert money.split_in_proportion(100, [1, 1, 1]) == [34, 33, 33]
    assert money.split_in_proportion(10, [1, 2, 4]) == [1, 3, 6]
    assert money.split_in_proportion(0, []) == []
