"""The arithmetic of cashback: rounding down once, and the cap of a calendar month."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.cashback.rules import Accrual, Month, accrue


@pytest.mark.parametrize(
    ("accrued", "spend", "expected"),
    [
        (0, 0, Accrual(0, 0)),
        (0, 49, Accrual(0, 0)),  # 0.98
        (0, 50, Accrual(1, 0)),
        (0, 99, Accrual(1, 0)),
        (0, 24_999, Accrual(499, 0)),
        (0, 25_000, Accrual(500, 0)),  # exactly the cap
        (0, 25_050, Accrual(500, 1)),
        (0, 140_000, Accrual(500, 2300)),
        (499, 50, Accrual(1, 0)),
        (499, 100, Accrual(1, 1)),  # in part
        (500, 1000, Accrual(0, 20)),
    ],
)
def test_cashback_is_rounded_down_and_ends_with_the_cap(
    accrued: int, spend: int, expected: Accrual
) -> None:
    month = Month(accrued, 7)
    assert accrue(month, spend, rate_bps=200, monthly_cap_minor=500) == expected
    assert month.accrued_minor == accrued + expected.accrued_minor
    assert month.capped_minor == 7 + expected.capped_minor


def test_a_cap_that_was_lowered_takes_nothing_back() -> None:
    month = Month(400)
    assert accrue(month, 1000, rate_bps=200, monthly_cap_minor=300) == Accrual(0, 20)
    assert month.accrued_minor == 400


@given(
    spends=st.lists(st.integers(0, 10_000), max_size=20),
    rate=st.integers(0, 10_000),
    cap=st.integers(0, 2_000),
)
def test_a_month_never_exceeds_its_cap_and_loses_nothing_else(
    spends: list[int], rate: int, cap: int
) -> None:
    month = Month()
    accruals = [accrue(month, spend, rate_bps=rate, monthly_cap_minor=cap) for spend in spends]
    assert min([0, *(min(a.accrued_minor, a.capped_minor) for a in accruals)]) == 0
    earned = [spend * rate // 10_000 for spend in spends]
    assert [a.accrued_minor + a.capped_minor for a in accruals] == earned
    assert month.accrued_minor == min(sum(earned), cap)
    assert month.capped_minor == max(0, sum(earned) - cap)
