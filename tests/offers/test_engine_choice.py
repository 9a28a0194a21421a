"""Which offers stand together: groups, offers that stand alone, caps, and the best set of them."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from server.offers import choosing
from server.offers.evaluation import Evaluation, Line, NotApplied, WhyNot
from tests.offers.quoting import basket, demo_programme, discounts, line, offer, quote

GROUPED = {"group": "fruit"}


def keys(found: Evaluation) -> list[str]:
    return [one.offer for one in found.applied]


def reasons(found: Evaluation) -> dict[str, NotApplied]:
    return {one.offer: one for one in found.not_applied}


def worth(found: Evaluation) -> int:
    """In thousandths of a minor unit; a point of the demo programme is worth one unit."""
    return 1000 * (
        found.discount_minor
        + found.shipping_discount_minor
        + found.bonus_points
        + found.cashback_minor
        + sum(gift.quantity * gift.value_minor for gift in found.gifts)
    )


def test_of_a_group_the_offer_that_saves_most_applies_and_is_named_to_the_others() -> None:
    found = quote(
        {
            "a": offer(gives={"amount_minor": 100}, stacking=GROUPED | {"priority": 9}),
            "b": offer("percent", gives={"rate_bps": 2000}, stacking=GROUPED),
            "c": offer(gives={"amount_minor": 10}),
        },
        [line("1", 1000)],
    )
    assert keys(found) == ["b", "c"]
    assert found.not_applied == (NotApplied("a", 1, WhyNot.BETTER_OFFER_APPLIED, winner="b"),)


def test_of_equals_the_higher_priority_applies_and_then_the_first_key() -> None:
    same = offer(gives={"amount_minor": 100}, stacking=GROUPED)
    assert keys(quote({"b": same, "a": same}, [line()])) == ["a"]
    higher = same | {"stacking": GROUPED | {"priority": 1}}
    assert keys(quote({"a": same, "b": higher}, [line()])) == ["b"]


def test_the_best_set_is_found_where_each_best_offer_alone_is_not_in_it() -> None:
    # alone the offer of 6.00 is the best of its group; but the other group's 90 % takes that line
    found = quote(
        {
            "a": offer(
                gives={"amount_minor": 600},
                scope={"products": ["1"]},
                stacking={"group": "x", "priority": 1},
            ),
            "b": offer(
                gives={"amount_minor": 500},
                scope={"products": ["2"]},
                stacking={"group": "x", "priority": 1},
            ),
            "c": offer("percent", gives={"rate_bps": 9000}, scope={"products": ["1"]}),
        },
        [line("1", 1000), line("2", 1000)],
    )
    assert keys(found) == ["b", "c"]
    assert found.discount_minor == 1400  # and not 6.00 and 90 % of the other 4.00


def test_an_offer_that_does_not_combine_stands_alone_or_not_at_all() -> None:
    alone = offer(gives={"amount_minor": 300}, stacking={"combines": False})
    some = {"a": offer(gives={"amount_minor": 150}), "b": offer(gives={"amount_minor": 160})}
    found = quote(some | {"alone": alone}, [line()])
    assert keys(found) == ["a", "b"]
    assert reasons(found)["alone"] == NotApplied("alone", 1, WhyNot.NOT_COMBINABLE, winner="a")
    better = offer(gives={"amount_minor": 311}, stacking={"combines": False})
    found = quote(some | {"alone": better}, [line()])
    assert keys(found) == ["alone"]
    assert reasons(found)["b"] == NotApplied("b", 1, WhyNot.NOT_COMBINABLE, winner="alone")


def test_where_both_save_as_much_the_set_with_the_first_offer_applies() -> None:
    stacking = {"combines": False, "priority": 1}
    alone = offer(gives={"amount_minor": 300}, stacking=stacking)
    both = {"a": offer(gives={"amount_minor": 150}), "b": offer(gives={"amount_minor": 150})}
    assert keys(quote(both | {"z": alone}, [line()])) == ["z"]
    lower = alone | {"stacking": stacking | {"priority": 0}}
    assert keys(quote(both | {"z": lower}, [line()])) == ["a", "b"]


def test_points_are_worth_what_the_books_say() -> None:
    offers = {
        "money": offer(gives={"amount_minor": 100}, stacking=GROUPED),
        "points": offer("bonus_points", gives={"points": 150}, stacking=GROUPED),
    }
    rules = demo_programme()
    assert keys(quote(offers, [line()], rules=rules)) == ["points"]
    cheap = replace(rules, liability=replace(rules.liability, point_value_minor_per_1000=666))
    assert keys(quote(offers, [line()], rules=cheap)) == ["money"]  # 99.9 against 100
    even = replace(rules, liability=replace(rules.liability, point_value_minor_per_1000=667))
    assert keys(quote(offers, [line()], rules=even)) == ["points"]


def test_an_offer_takes_at_most_its_share_of_the_basket() -> None:
    found = quote(
        {"a": offer(gives={"amount_minor": 900}, stacking={"maximum_share_bps": 3333})},
        [line("1", 1000), line("2", 501)],
    )
    assert (found.discount_minor, discounts(found)) == (500, [333, 167])


def test_all_offers_together_take_at_most_their_share_and_the_last_are_cut() -> None:
    offers = {key: offer(gives={"amount_minor": 400}) for key in "abc"}
    found = quote(offers, [line("1", 1000)], stacking={"maximum_share_bps": 5000})
    assert [(one.offer, one.discount_minor) for one in found.applied] == [("a", 400), ("b", 100)]
    assert reasons(found)["c"] == NotApplied("c", 1, WhyNot.CAP_REACHED)
    found = quote(offers, [line("1", 1000)], stacking={"maximum_discount_minor": 300})
    assert (keys(found), found.discount_minor) == (["a"], 300)


def test_a_basket_has_at_most_so_many_offers_the_best_of_them() -> None:
    offers = {
        "a": offer(gives={"amount_minor": 100}),
        "b": offer(gives={"amount_minor": 300}),
        "c": offer("bonus_points", gives={"points": 200}),
    }
    found = quote(offers, [line()], stacking={"maximum_offers": 2})
    assert keys(found) == ["b", "c"]
    assert reasons(found)["a"].reason is WhyNot.CAP_REACHED
    assert keys(quote(offers, [line()], stacking={"maximum_offers": 0})) == []


def test_discounts_never_exceed_what_the_whole_basket_costs() -> None:
    found = quote(
        {"a": offer(gives={"amount_minor": 5000})},
        [line("1", 1000), line("2", 0, coupon_minor=700, department="UNKNOWN")],
    )
    assert discounts(found) == [300, 0]


def test_a_budget_that_others_make_enough_for_is_used() -> None:
    found = quote(
        {
            "a": offer(gives={"amount_minor": 400}, stacking={"priority": 1}),
            "b": offer("percent", gives={"rate_bps": 5000}, limits={"budget_minor": 300}),
        },
        [line("1", 1000)],
    )
    assert [one.discount_minor for one in found.applied] == [400, 300]


def test_an_offer_that_would_give_nothing_takes_no_place_from_another() -> None:
    found = quote(
        {
            "a": offer("free_shipping", stacking=GROUPED | {"priority": 5}),
            "b": offer(gives={"amount_minor": 10}, stacking=GROUPED),
        },
        [line()],
    )
    assert keys(found) == ["b"]
    assert reasons(found)["a"].reason is WhyNot.NOTHING_TO_DISCOUNT


def test_beyond_its_bound_the_search_keeps_its_first_choice_or_something_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offers = {
        f"{group}{place}": offer(
            "percent",
            gives={"rate_bps": 500 + 37 * place + 11 * group},
            scope={"products": [str((group + place) % 5), str(group % 3)]},
            stacking={"group": f"g{group}"},
        )
        for group in range(6)
        for place in range(5)
    }
    bought = [line(str(number), 1000 + 77 * number) for number in range(5)]
    exact = quote(offers, bought)
    monkeypatch.setattr(choosing, "MAXIMUM_STEPS", 0)
    first = quote(offers, bought)
    assert len(first.applied) == 6
    assert worth(first) <= worth(exact)
    assert first == quote(dict(reversed(offers.items())), bought)


# ---------------------------------------------------------------- against trying all sets


def _discount(kind: str, number: int) -> dict[str, Any]:
    gives: dict[str, dict[str, Any]] = {
        "percent": {"rate_bps": 500 + number * 700},
        "amount": {"amount_minor": 50 + number * 90, "per": "unit" if number % 2 else "basket"},
        "fixed_price": {"price_minor": number * 40},
        "buy_get": {"buy": 1 + number % 2, "get": 1},
        "free_shipping": {},
        "bonus_points": {"points": 20 + number * 30},
        "points_multiplier": {"percent": 150 + number * 100},
        "cashback": {"rate_bps": 300 + 400 * number},
        "gift": {"product_id": "9", "name": "A cup", "value_minor": 30 * number},
    }
    return gives[kind]


KINDS = (
    "percent",
    "amount",
    "fixed_price",
    "buy_get",
    "free_shipping",
    "bonus_points",
    "points_multiplier",
    "cashback",
    "gift",
)
PRODUCTS = ("1", "2", "3")


@st.composite
def offers_drawn(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(KINDS))
    stacking: dict[str, Any] = {"priority": draw(st.integers(0, 2))}
    if group := draw(st.sampled_from(["", "x", "x", "y"])):
        stacking["group"] = group
    if draw(st.integers(0, 5)) == 0:
        stacking["combines"] = False
    document = offer(kind, gives=_discount(kind, draw(st.integers(0, 9))))
    if kind in KINDS[:4] and draw(st.integers(0, 4)) == 0:
        stacking["maximum_share_bps"] = draw(st.integers(1, 10_000))
    if products := draw(st.lists(st.sampled_from(PRODUCTS), unique=True, max_size=2)):
        document["scope"] = {"products": sorted(products)}
    if kind in KINDS[:4] and draw(st.integers(0, 3)) == 0:
        document["limits"] = {"budget_minor": draw(st.integers(1, 900))}
    return document | {"stacking": stacking}


lines_drawn = st.builds(
    line,
    st.sampled_from(PRODUCTS),
    st.integers(0, 1500),
    st.integers(0, 4),
    department=st.sampled_from(["GROCERY", "FUEL"]),
    coupon_minor=st.sampled_from([0, 0, 0, 70, 900]),
)
shops = st.tuples(
    st.lists(offers_drawn(), min_size=1, max_size=6).map(
        lambda many: {f"{number}": one for number, one in enumerate(many)}
    ),
    st.lists(lines_drawn, min_size=1, max_size=5),
    st.sampled_from([None, None, {"maximum_share_bps": 3000}, {"maximum_discount_minor": 500}]),
    st.sampled_from([None, None, None, 1, 2, 3]),
)


def allowed(offers: dict[str, Any], most: int | None) -> list[tuple[str, ...]]:
    """All sets that may apply together and that no further offer can join, the first ones first."""

    def is_allowed(chosen: tuple[str, ...]) -> bool:
        stackings = [offers[key]["stacking"] for key in chosen]
        groups = [one["group"] for one in stackings if "group" in one]
        is_alone = any(not one.get("combines", True) for one in stackings)
        return (
            len(groups) == len(set(groups))
            and not (is_alone and len(chosen) > 1)
            and (most is None or len(chosen) <= most)
        )

    def order(key: str) -> tuple[bool, int, str]:
        is_money = offers[key]["discount"]["kind"] in KINDS[:4]
        return (not is_money, -offers[key]["stacking"]["priority"], key)

    ranked = sorted(offers, key=order)
    sets = [
        chosen
        for size in range(len(ranked) + 1)
        for chosen in combinations(ranked, size)
        if is_allowed(chosen)
    ]
    full = [
        one
        for one in sets
        if not any(len(other) > len(one) and set(one) < set(other) for other in sets)
    ]
    return sorted(full, key=lambda chosen: [ranked.index(key) for key in chosen])


def could_give(found: Evaluation) -> bool:
    """Whether the offer of a quote would give something, if only it had a larger budget."""
    return bool(found.applied) or found.not_applied[0].reason is WhyNot.BUDGET_EXHAUSTED


@given(shops)
@settings(max_examples=80, deadline=None)
def test_the_set_that_applies_is_the_best_of_all_that_may(
    shop: tuple[dict[str, Any], list[Line], dict[str, Any] | None, int | None],
) -> None:
    offers, bought, caps, most = shop
    bought_there = basket(*bought, shipping_minor=300)
    stacking = (caps or {}) | ({} if most is None else {"maximum_offers": most})
    found = quote(offers, bought_there, stacking=stacking)
    tried: list[tuple[int, tuple[str, ...]]] = []
    giving = {
        key: one for key, one in offers.items() if could_give(quote({key: one}, bought_there))
    }
    for chosen in allowed(giving, most):
        plain = {
            key: offers[key]
            | {
                "stacking": {
                    name: value
                    for name, value in offers[key]["stacking"].items()
                    if name not in ("group", "combines")
                }
            }
            for key in chosen
        }
        one = quote(plain, bought_there, stacking=caps)
        tried.append((worth(one), tuple(keys(one))))
    best = max(value for value, _ in tried)
    assert worth(found) == best
    first = next(chosen for value, chosen in tried if value == best)
    assert tuple(keys(found)) == first
    assert {*keys(found), *reasons(found)} == set(offers)
