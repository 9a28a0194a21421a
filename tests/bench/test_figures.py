"""The figures of a measurement say what the rounds gave."""

import pytest

from bench.figures import Spread, in_order, quantile, ratios


def test_a_spread_is_the_median_between_the_least_and_the_most() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(median=2.0, least=1.0, most=3.0)
    assert Spread.of([1.0, 2.0]) == Spread(median=1.5, least=1.0, most=2.0)
    with pytest.raises(ValueError, match="no round"):
        Spread.of([])


def test_a_quantile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert quantile(values, 500) == 50
    assert quantile(values, 990) == 99
    assert quantile(values, 1000) == 100
    assert quantile(values, 1) == 1
    assert quantile([7.0], 500) == 7


@pytest.mark.parametrize(("values", "per_mille"), [([], 500), ([1.0], 0), ([1.0], 1001)])
def test_a_quantile_needs_values_and_a_share(values: list[float], per_mille: int) -> None:
    with pytest.raises(ValueError, match="quantile"):
        quantile(values, per_mille)


def test_ratios_compare_what_stood_in_the_same_round() -> None:
    assert ratios([6.0, 9.0], [2.0, 9.0]) == [3.0, 1.0]
    with pytest.raises(ValueError, match="did nothing"):
        ratios([6.0], [0.0])
    with pytest.raises(ValueError, match="shorter"):
        ratios([6.0, 1.0], [1.0])


def test_rounds_go_forwards_and_backwards_in_turn() -> None:
    assert [in_order(["a", "b"], number) for number in range(3)] == [
        ["a", "b"],
        ["b", "a"],
        ["a", "b"],
    ]
