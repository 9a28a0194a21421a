"""A worked basket for each kind of offer, with every cent."""

from typing import Any

from server.offers.documents import Gift
from server.offers.evaluation import Applied, Coupon, Funded, NotApplied, WhyNot
from tests.offers.quoting import basket, discounts, line, offer, quote, quote_one


def only(found: Applied | NotApplied) -> Applied:
    assert isinstance(found, Applied), found
    return found


def test_a_percentage_is_rounded_down_once_and_split_by_the_largest_remainder() -> None:
    found = quote(
        {"ten": offer("percent", gives={"rate_bps": 1000})},
        [line("1", 333), line("2", 333), line("3", 335), line("4", 380)],
    )
    # 10 % of 13.81 is 1.381; of 0.333, 0.333, 0.335 and 0.380 two cents go to the largest rests
    (one,) = found.applied
    assert (one.discount_minor, found.discount_minor) == (138, 138)
    assert one.line_shares == ((0, 33), (1, 33), (2, 34), (3, 38))
    assert discounts(found) == [33, 33, 34, 38]
    assert (one.times, one.lines, one.budget_minor, one.budget_points) == (1, (0, 1, 2, 3), 138, 0)
    assert one.funding == (Funded(None, 138, 0),)


def test_a_percentage_stops_at_its_maximum() -> None:
    ten = offer("percent", gives={"rate_bps": 1000, "maximum_minor": 100})
    found = only(quote_one(ten, line("1", 999), line("2", 2000)))
    assert (found.discount_minor, found.line_shares) == (100, ((0, 33), (1, 67)))


def test_an_amount_comes_off_the_lines_it_is_for_in_proportion() -> None:
    three = offer(gives={"amount_minor": 300}, scope={"departments": ["PRODUCE"]})
    found = quote(
        {"three": three},
        [
            line("1", 999),
            line("2", 401, department="PRODUCE"),
            line("3", 600, department="PRODUCE"),
        ],
    )
    assert discounts(found) == [0, 120, 180]  # 300 * 401 / 1001 is 120.18, 300 * 600 / 1001 179.82


def test_an_amount_takes_no_more_than_the_lines_cost() -> None:
    three = offer(gives={"amount_minor": 300}, scope={"products": ["2"]})
    found = quote({"three": three}, [line("1", 999), line("2", 250, coupon_minor=30)])
    assert (found.discount_minor, discounts(found)) == (220, [0, 220])


def test_an_amount_for_each_unit_takes_no_more_than_its_line_costs() -> None:
    each = offer(gives={"amount_minor": 50, "per": "unit"})
    found = quote({"each": each}, [line("1", 500, 3), line("2", 120, 4), line("3", 700, 0)])
    assert discounts(found) == [150, 120, 0]


def test_a_fixed_price_holds_for_each_unit_and_is_never_dearer_than_before() -> None:
    fixed = offer("fixed_price", gives={"price_minor": 99})
    found = quote(
        {"fixed": fixed},
        [line("1", 447, 3), line("2", 80), line("3", 200, 2, coupon_minor=1), line("4", 5, 0)],
    )
    assert discounts(found) == [150, 0, 1, 0]  # 4.47 - 3 * 0.99; already cheaper; 1.99 - 1.98


def test_a_fixed_price_of_nothing_makes_a_product_free() -> None:
    found = only(quote_one(offer("fixed_price", gives={"price_minor": 0}), line("1", 447, 3)))
    assert found.discount_minor == 447


def test_of_buy_two_get_one_the_cheapest_units_are_free() -> None:
    found = only(
        quote_one(
            offer("buy_get", gives={"buy": 2, "get": 1}),
            *[line("1", 1000, 4), line("2", 99), line("3", 301, 2)],
        )
    )
    # seven units: 2.50 four times, 0.99, 1.50 and 1.51; two are free
    assert (found.times, found.discount_minor) == (2, 249)
    assert found.line_shares == ((1, 99), (2, 150))


def test_buy_and_get_stops_at_its_maximum_and_takes_its_share_of_the_price() -> None:
    half = offer("buy_get", gives={"buy": 1, "get": 1, "rate_bps": 5000, "maximum_times": 2})
    found = only(quote_one(half, line("1", 1000, 4), line("2", 303, 3)))
    # of 1.01, 1.01, 1.01 and four of 2.50: half of the two cheapest, 2.02, is 1.01
    assert (found.times, found.discount_minor, found.line_shares) == (2, 101, ((1, 101),))


def test_buy_and_get_of_other_goods() -> None:
    dip = offer(
        "buy_get",
        gives={"buy": 2, "get": 1, "get_from": {"departments": ["DIPS"]}},
        scope={"departments": ["CHIPS"]},
    )
    chips: dict[str, Any] = {"department": "CHIPS"}
    dips: dict[str, Any] = {"department": "DIPS"}
    found = only(
        quote_one(dip, line("1", 600, 5, **chips), line("2", 150, **dips), line("3", 90, **dips))
    )
    assert (found.times, found.discount_minor) == (2, 240)
    assert found.line_shares == ((1, 150), (2, 90))


def test_a_unit_that_is_bought_is_not_got_as_well() -> None:
    mixed = offer(
        "buy_get",
        gives={"buy": 2, "get": 1, "get_from": {"brands": ["A"]}},
        scope={"departments": ["CHIPS"]},
    )
    # two units of CHIPS, one of them of brand A too, and one more of brand A: the cheapest of
    # brand A is needed among the two that are bought
    found = only(
        quote_one(
            mixed,
            line("1", 500, department="CHIPS"),
            line("2", 100, department="CHIPS", brand="A"),
            line("3", 300, brand="A"),
        )
    )
    assert (found.discount_minor, found.line_shares) == (300, ((2, 300),))


def test_huge_quantities_are_not_counted_one_by_one() -> None:
    found = only(
        quote_one(offer("buy_get", gives={"buy": 2, "get": 1}), line("1", 2**31 - 1, 2**31 - 1))
    )
    assert found.discount_minor == (2**31 - 1) // 3


def test_free_shipping_up_to_its_maximum() -> None:
    bought = basket(line("1", 500), shipping_minor=499)
    free = quote({"free": offer("free_shipping")}, bought)
    assert (free.shipping_discount_minor, free.discount_minor) == (499, 0)
    assert free.applied[0].shipping_minor == free.applied[0].budget_minor == 499
    partly = quote({"free": offer("free_shipping", gives={"maximum_minor": 300})}, bought)
    assert partly.shipping_discount_minor == 300


def test_two_offers_of_free_shipping_do_not_take_more_than_it_costs() -> None:
    some = offer("free_shipping", gives={"maximum_minor": 300})
    found = quote({"a": some, "b": some}, basket(line("1", 500), shipping_minor=499))
    assert [one.shipping_minor for one in found.applied] == [300, 199]


def test_bonus_points_fall_on_the_lines_by_what_they_cost() -> None:
    found = quote(
        {"bonus": offer("bonus_points", gives={"points": 100}, scope={"departments": ["PRODUCE"]})},
        [
            line("1", 500),
            line("2", 200, department="PRODUCE"),
            line("3", 100, department="PRODUCE"),
        ],
    )
    (one,) = found.applied
    assert (one.points, one.budget_points, one.budget_minor) == (100, 100, 0)
    assert one.point_shares == ((1, 67), (2, 33))
    assert (found.bonus_points, [each.points for each in found.lines]) == (100, [0, 67, 33])


def test_bonus_points_for_what_costs_nothing_are_spread_evenly() -> None:
    found = only(quote_one(offer("bonus_points", gives={"points": 5}), line("1", 0), line("2", 0)))
    assert found.point_shares == ((0, 3), (1, 2))


def test_a_multiplier_adds_to_the_base_points_of_its_lines() -> None:
    # base: 10 points for 1.00; 13.90 in PRODUCE are 139, half of them 69
    found = quote(
        {
            "half more": offer(
                "points_multiplier", gives={"percent": 150}, scope={"departments": ["PRODUCE"]}
            )
        },
        [
            line("1", 5000),
            line("2", 1000, department="PRODUCE"),
            line("3", 390, department="PRODUCE"),
        ],
    )
    assert found.bonus_points == 69
    assert found.applied[0].point_shares == ((1, 50), (2, 19))


def test_a_multiplier_goes_by_what_is_paid_after_discounts() -> None:
    found = quote(
        {
            "double": offer("points_multiplier", gives={"percent": 200}),
            "off": offer(gives={"amount_minor": 250}),
        },
        [line("1", 1000)],
    )
    assert (found.discount_minor, found.bonus_points) == (250, 75)


def test_what_the_programme_excludes_multiplies_nothing_and_gives_no_cashback() -> None:
    found = quote(
        {
            "double": offer("points_multiplier", gives={"percent": 200}),
            "back": offer("cashback", gives={"rate_bps": 1000}),
        },
        [line("1", 1000), line("2", 9000, department="FUEL")],
    )
    assert (found.bonus_points, found.cashback_minor) == (100, 100)
    assert [one.lines for one in found.applied] == [(0, 1), (0, 1)]
    assert found.applied[0].cashback_shares == ((0, 100),)


def test_coupon_lines_lower_what_is_multiplied() -> None:
    # the till books a coupon as a line of its own that costs less than nothing
    found = quote(
        {"double": offer("points_multiplier", gives={"percent": 200}, scope={"products": ["1"]})},
        [line("1", 1000), line("2", 0, coupon_minor=400, department="UNKNOWN")],
    )
    assert found.bonus_points == 60


def test_cashback_is_rounded_down_and_stops_at_its_maximum() -> None:
    back = offer("cashback", gives={"rate_bps": 333, "maximum_minor": 40})
    small = quote({"back": back}, [line("1", 999), line("2", 100)])
    assert small.cashback_minor == 36  # 3.33 % of 10.99 is 0.3659
    assert small.applied[0].cashback_shares == ((0, 33), (1, 3))
    large = quote({"back": back}, [line("1", 9999)])
    assert (large.cashback_minor, large.applied[0].budget_minor) == (40, 40)


def test_a_gift_costs_nothing_and_takes_its_value_of_the_budget() -> None:
    gift = {"product_id": "42", "name": "A cup", "quantity": 2, "value_minor": 150}
    found = quote({"cup": offer("gift", gives=gift)}, [line("1", 999)])
    assert found.gifts == (Gift("42", "A cup", 2, 150),)
    assert (found.discount_minor, found.applied[0].budget_minor) == (0, 300)


def test_what_the_till_has_taken_off_counts_as_a_use_and_gives_nothing_more() -> None:
    found = quote(
        {"till": offer("till", needs_coupon=True)},
        [line("1", 999), line("2", 100)],
        coupons=[Coupon("till", frozenset({"2"}))],
    )
    (one,) = found.applied
    assert (one.offer, one.lines, one.coupons) == ("till", (1,), (0,))
    assert (found.discount_minor, one.budget_minor, one.funding) == (0, 0, ())


def test_a_coupon_narrows_an_offer_to_its_products_and_only_what_adds_to_it_is_taken() -> None:
    found = quote(
        {"ten": offer("percent", gives={"rate_bps": 1000}, needs_coupon=True)},
        [line("1", 1000), line("2", 2000), line("3", 4000)],
        coupons=[
            Coupon("another"),
            Coupon("ten", frozenset({"2", "9"})),
            Coupon("ten", frozenset({"2"})),
            Coupon("ten", frozenset({"1", "2"})),
        ],
    )
    assert discounts(found) == [100, 200, 0]
    assert found.applied[0].coupons == (1, 3)


def test_the_partners_named_pay_their_shares_and_the_operator_the_rest() -> None:
    funding = [{"partner": "mill", "share_bps": 3333}, {"partner": "dairy", "share_bps": 3333}]
    found = only(quote_one(offer(gives={"amount_minor": 100}, funding=funding), line("1", 500)))
    assert found.funding == (
        Funded("mill", 33, 0),
        Funded("dairy", 33, 0),
        Funded(None, 34, 0),
    )
    points = offer(
        "bonus_points", gives={"points": 10}, funding=[{"partner": "mill", "share_bps": 10_000}]
    )
    assert only(quote_one(points, line("1", 500))).funding == (Funded("mill", 0, 10),)


def test_offers_take_theirs_one_after_the_other_the_highest_priority_first() -> None:
    half = offer("percent", gives={"rate_bps": 5000}, stacking={"priority": 1})
    one_off = offer(gives={"amount_minor": 100})
    found = quote({"a": one_off, "half": half}, [line("1", 1000)])
    assert [(one.offer, one.discount_minor) for one in found.applied] == [("half", 500), ("a", 100)]
    found = quote({"a": one_off, "half": half | {"stacking": {"priority": -1}}}, [line("1", 1000)])
    assert [(one.offer, one.discount_minor) for one in found.applied] == [("a", 100), ("half", 450)]


def test_lines_match_by_each_list_that_is_stated_and_never_if_excluded() -> None:
    scope = {
        "departments": ["PRODUCE", "DAIRY"],
        "brands": ["A", "B"],
        "product_categories": ["C"],
        "product_types": ["T"],
        "products": ["1", "2", "3", "4", "5", "6", "7"],
        "excluded_products": ["3"],
        "excluded_departments": ["DAIRY"],
    }
    bought = [
        line("1", 100, department="PRODUCE", brand="A"),
        line("2", 100, department="PRODUCE", brand="Z"),
        line("3", 100, department="PRODUCE", brand="A"),
        line("4", 100, department="DAIRY", brand="A"),
        line("5", 100, department="PRODUCE", brand="B", product_type="U"),
        line("6", 100, department="PRODUCE", brand="B", product_category="D"),
        line("7", 100, department="PRODUCE", brand="B"),
        line("8", 100, department="PRODUCE", brand="B"),
    ]
    assert only(quote_one(offer(scope=scope), *bought)).lines == (0, 6)
    found = quote_one(offer(scope={"excluded_products": ["1"]}), bought[0])
    assert isinstance(found, NotApplied)
    assert found.reason is WhyNot.NO_MATCHING_PRODUCT
