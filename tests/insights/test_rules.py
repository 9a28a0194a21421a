"""The arithmetic of reports."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.clock import Instant
from server.insights import rules

WHOLE = st.integers(-(10**15), 10**15)


@given(WHOLE, st.integers(1, 10**15))
def test_a_rate_is_the_quotient_within_half_a_step(dividend: int, divisor: int) -> None:
    shown = rules.rate(dividend, divisor)
    error = abs(Fraction(shown) - Fraction(dividend, divisor))
    assert error <= Fraction(1, 2 * 10**10)
    assert shown.as_tuple().exponent == -10


@pytest.mark.parametrize(
    ("dividend", "divisor", "shown"),
    [
        (0, 0, "0.0000000000"),
        (7, 0, "0.0000000000"),
        (1, 3, "0.3333333333"),
        (2, 3, "0.6666666667"),
        (-2, 3, "-0.6666666667"),
        (1, 2 * 10**10, "0.0000000000"),
        (3, 2 * 10**10, "0.0000000002"),
        (-13000, 3, "-4333.3333333333"),
    ],
)
def test_rates_are_rounded_half_even(dividend: int, divisor: int, shown: str) -> None:
    assert format(rules.rate(dividend, divisor), "f") == shown
    assert rules.rate(dividend, divisor) == Decimal(shown)


def test_a_month_is_a_span_from_local_midnight_to_local_midnight() -> None:
    far = clock.NEVER
    december = rules.span_of(201712, "America/New_York", Instant(far - 1))
    assert clock.datetime_of(december.start).isoformat() == "2017-12-01T05:00:00+00:00"
    assert clock.datetime_of(december.end).isoformat() == "2018-01-01T05:00:00+00:00"
    january = rules.span_of(201801, "America/New_York", Instant(december.end + 10))
    assert january == rules.Span(december.end, Instant(december.end + 11))
    april = rules.span_of(201804, "America/New_York", Instant(far - 1))
    assert clock.datetime_of(april.start).isoformat() == "2018-04-01T04:00:00+00:00"
    assert rules.edges_of([december, january]) == [december.start, december.end, january.end]


def test_points_are_worth_their_value_rounded_down_once() -> None:
    assert rules.liability_minor(1999, 5, point_value_minor_per_1000=1) == 6
    assert rules.liability_minor(2000, 5, point_value_minor_per_1000=1) == 7
    assert rules.liability_minor(7, 0, point_value_minor_per_1000=1000) == 7


@given(
    st.dictionaries(st.integers(201701, 201712), st.integers(1, 9)),
    st.dictionaries(st.tuples(*[st.integers(201701, 201712)] * 2), st.integers(1, 9)),
)
def test_the_retention_table_has_every_month_from_the_cohorts_on(
    enrolled: dict[int, int], active: dict[tuple[int, int], int]
) -> None:
    cells = rules.retention(enrolled, active)
    keys = [(cell.cohort, cell.local_month) for cell in cells]
    months = {month for _, month in active}
    assert keys == sorted((c, m) for c in enrolled for m in months if m >= c)
    for cell in cells:
        assert cell.cohort_size == enrolled[cell.cohort]
        assert cell.active_members == active.get((cell.cohort, cell.local_month), 0)
        assert cell.retention == rules.rate(cell.active_members, cell.cohort_size)
