"""What holds of every quote."""

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from server.money import floor_basis_points
from server.offers.documents import Amount, BuyGet, FixedPrice, Percent
from server.offers.evaluation import Evaluation, Line
from server.offers.giving import cut, taken
from server.offers.viewing import View
from tests.offers.quoting import basket, quote
from tests.offers.test_engine_choice import lines_drawn, shops

Shop = tuple[dict[str, Any], list[Line], dict[str, Any] | None, int | None]


def quoted(shop: Shop, **changes: Any) -> Evaluation:
    offers, bought, caps, most = shop
    stacking = (caps or {}) | ({} if most is None else {"maximum_offers": most})
    lines = changes.get("lines", bought)
    return quote(
        changes.get("offers", offers), basket(*lines, shipping_minor=300), stacking=stacking
    )


@given(shops)
@settings(max_examples=80, deadline=None)
def test_shares_add_up_and_nothing_costs_less_than_nothing(shop: Shop) -> None:
    _, bought, caps, most = shop
    found = quoted(shop)
    for one in found.applied:
        assert sum(amount for _, amount in one.line_shares) == one.discount_minor
        assert sum(points for _, points in one.point_shares) == one.points
        assert sum(amount for _, amount in one.cashback_shares) == one.cashback_minor
        assert sum(part.amount_minor for part in one.funding) == one.budget_minor
        assert sum(part.points for part in one.funding) == one.budget_points
        shares = (*one.line_shares, *one.point_shares, *one.cashback_shares)
        assert all(amount > 0 for _, amount in shares)
        assert {number for number, _ in one.line_shares} <= set(range(len(bought)))
    assert sum(each.discount_minor for each in found.lines) == found.discount_minor
    assert sum(each.points for each in found.lines) == found.bonus_points
    assert sum(each.cashback_minor for each in found.lines) == found.cashback_minor
    for bought_line, each in zip(bought, found.lines, strict=True):
        assert 0 <= each.discount_minor <= max(0, bought_line.net_minor)
    total = max(0, sum(one.net_minor for one in bought))
    assert found.discount_minor <= total
    if caps is not None and "maximum_share_bps" in caps:
        assert found.discount_minor <= floor_basis_points(total, caps["maximum_share_bps"])
    if caps is not None and "maximum_discount_minor" in caps:
        assert found.discount_minor <= caps["maximum_discount_minor"]
    assert most is None or len(found.applied) <= most
    assert 0 <= found.shipping_discount_minor <= 300


@given(shops, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_the_order_of_offers_and_of_lines_does_not_matter(shop: Shop, random: Random) -> None:
    offers, bought, _, _ = shop
    found = quoted(shop)
    assert quoted(shop, offers=dict(random.sample(list(offers.items()), len(offers)))) == found
    lines = random.sample(bought, len(bought))
    mixed = quoted(shop, lines=lines)

    def told(one: Evaluation, order: list[Line]) -> Any:
        return (
            [(each.offer, each.discount_minor, each.points, each.cashback_minor, each.times)
             for each in one.applied],
            one.not_applied,
            Counter(zip(order, one.lines, strict=True)),
        )  # fmt: skip

    assert told(mixed, lines) == told(found, bought)


@given(st.lists(lines_drawn, min_size=1, max_size=6), st.integers(0, 3000), st.integers(0, 3000))
@settings(max_examples=60, deadline=None)
def test_a_lower_cap_never_gives_a_line_more(
    bought: list[Line], one_cap: int, other_cap: int
) -> None:
    view = View(basket(*bought), ())
    every = tuple(range(len(bought)))
    for discount in (Percent(3333), Amount(777), FixedPrice(120), BuyGet(1, 1)):
        found = taken(discount, every, view.all_lines, view.open_minor, view)
        lower, higher = (cut(found, cap) for cap in sorted((one_cap, other_cap)))
        assert lower.amount_minor <= higher.amount_minor <= found.amount_minor
        whole = dict(found.shares)
        for each in (lower, higher):
            assert sum(amount for _, amount in each.shares) == each.amount_minor
            assert all(amount <= whole[number] for number, amount in each.shares)


@given(shops)
@settings(max_examples=60, deadline=None)
def test_a_quote_is_the_same_whenever_it_is_asked(shop: Shop) -> None:
    assert quoted(shop) == quoted(shop)


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 5)), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 10_000),
)
@settings(max_examples=80, deadline=None)
def test_buy_and_get_frees_the_cheapest_units_one_by_one(
    amounts: list[tuple[int, int]], buy: int, get: int, rate_bps: int
) -> None:
    bought = [
        Line(str(number), "D", "C", "T", "B", units, sales, 0)
        for number, (sales, units) in enumerate(amounts)
    ]
    view = View(basket(*bought), ())
    discount = BuyGet(buy, get, rate_bps)
    found = taken(discount, range(len(bought)), view.all_lines, view.open_minor, view)
    prices = []
    for sales, units in amounts:
        prices += [(sales + place) // units for place in range(units)]
    times = len(prices) // (buy + get)
    free = sum(sorted(prices)[: times * get])
    assert found.amount_minor == free * rate_bps // 10_000
