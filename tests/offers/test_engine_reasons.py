"""Why an offer does not apply, with the exact shortfall."""

from typing import Any

import pytest
from msgspec.structs import replace

from server.offers.documents import Goods
from server.offers.engine import facts_wanted, segments_wanted, wanted
from server.offers.evaluation import Coupon, NotApplied, Shopper, Standing, WhyNot
from tests.offers.quoting import (
    NOW,
    SHOPPER,
    at,
    basket,
    line,
    live,
    offer,
    quote,
    quote_one,
    shopper,
)

PRODUCE = Goods(departments=("PRODUCE",))


def refused(reason: WhyNot, **facts: Any) -> NotApplied:
    return NotApplied("one", 1, reason, **facts)


def test_spend_that_is_short_by_a_little_says_by_how_much_and_of_what() -> None:
    document = offer(scope={"departments": ["PRODUCE"]}, requires={"minimum_spend_minor": 500})
    bought = [line("1", 9999), line("2", 400, department="PRODUCE", coupon_minor=20)]
    assert quote_one(document, *bought) == refused(
        WhyNot.SPEND_TOO_LOW, shortfall_minor=120, shortfall_of=PRODUCE
    )
    enough = quote_one(document, *bought, line("3", 120, department="PRODUCE"))
    assert not isinstance(enough, NotApplied)


def test_spend_may_be_asked_of_other_goods_than_those_that_get_cheaper() -> None:
    requires = {"minimum_spend_minor": 500, "of": {"departments": ["PRODUCE"]}}
    assert quote_one(offer(requires=requires), line("1", 9999)) == refused(
        WhyNot.SPEND_TOO_LOW, shortfall_minor=500, shortfall_of=PRODUCE
    )


def test_spend_counts_coupon_lines_and_is_never_below_nothing() -> None:
    document = offer(requires={"minimum_spend_minor": 500})
    bought = [line("1", 700), line("2", 0, coupon_minor=300), line("3", 0, coupon_minor=900)]
    assert quote_one(document, *bought[:2]) == refused(
        WhyNot.SPEND_TOO_LOW, shortfall_minor=100, shortfall_of=Goods()
    )
    assert quote_one(document, *bought) == refused(
        WhyNot.SPEND_TOO_LOW, shortfall_minor=500, shortfall_of=Goods()
    )


def test_units_that_are_missing_are_counted() -> None:
    document = offer(requires={"minimum_quantity": 4})
    assert quote_one(document, line("1", 500, 2), line("2", 100)) == refused(
        WhyNot.QUANTITY_TOO_LOW, shortfall_quantity=1, shortfall_of=Goods()
    )


@pytest.mark.parametrize(
    ("quantities", "missing"), [((1,), 2), ((1, 1), 1), ((2,), 1)], ids=["one", "two", "a pair"]
)
def test_buy_two_get_one_needs_three_units(quantities: tuple[int, ...], missing: int) -> None:
    bought = [line(str(number), 500, number) for number in quantities]
    assert quote_one(offer("buy_get", gives={"buy": 2, "get": 1}), *bought) == refused(
        WhyNot.QUANTITY_TOO_LOW, shortfall_quantity=missing, shortfall_of=Goods()
    )


def test_buy_and_get_of_other_goods_says_which_are_missing() -> None:
    document = offer(
        "buy_get",
        gives={"buy": 2, "get": 1, "get_from": {"brands": ["A"]}},
        scope={"departments": ["PRODUCE"]},
    )
    one, two = line("1", 500, department="PRODUCE"), line("1", 500, 2, department="PRODUCE")
    other, both = line("2", 300, brand="A"), line("3", 300, department="PRODUCE", brand="A")
    few = refused(WhyNot.QUANTITY_TOO_LOW, shortfall_quantity=1, shortfall_of=PRODUCE)
    assert quote_one(document, one, other) == few
    assert quote_one(document, two) == refused(
        WhyNot.QUANTITY_TOO_LOW, shortfall_quantity=1, shortfall_of=Goods(brands=("A",))
    )
    assert quote_one(document, one, both) == few  # it is either bought or got
    assert not isinstance(quote_one(document, two, both), NotApplied)


def test_nothing_that_it_is_for_says_all_that_is_needed() -> None:
    document = offer(
        scope={"departments": ["PRODUCE"]},
        requires={"minimum_spend_minor": 500, "minimum_quantity": 3},
    )
    expected = refused(
        WhyNot.NO_MATCHING_PRODUCT,
        shortfall_minor=500,
        shortfall_quantity=3,
        shortfall_of=PRODUCE,
    )
    assert quote_one(document, line("1", 500)) == expected
    assert quote_one(document) == expected


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ({"stores": ["331", "332"]}, WhyNot.WRONG_STORE),
        ({"channels": ["web"]}, WhyNot.WRONG_CHANNEL),
        ({"partners": ["mill"]}, WhyNot.WRONG_PARTNER),
    ],
    ids=["store", "channel", "partner"],
)
def test_it_does_not_count_elsewhere(scope: dict[str, Any], reason: WhyNot) -> None:
    assert quote_one(offer(scope=scope), line()) == refused(reason)
    there = basket(line(), store_id="332", channel="web", partner="mill")
    assert not isinstance(quote_one(offer(scope=scope), basket=there), NotApplied)


def test_a_coupon_is_needed_and_has_to_be_for_what_is_bought() -> None:
    document = offer(needs_coupon=True)
    assert quote_one(document, line()) == refused(WhyNot.COUPON_NEEDED)
    other = quote_one(document, line(), coupons=[Coupon("one", frozenset({"77"}))])
    assert other == refused(WhyNot.NO_MATCHING_PRODUCT, shortfall_of=Goods())
    assert not isinstance(quote_one(document, line(), coupons=[Coupon("one")]), NotApplied)


def test_it_has_to_be_activated() -> None:
    document = offer(activation="clip")
    assert quote_one(document, line()) == refused(WhyNot.NOT_ACTIVATED)
    standings = {"one": Standing(is_activated=True)}
    assert not isinstance(quote_one(document, line(), standings=standings), NotApplied)


@pytest.mark.parametrize(
    ("limits", "standing", "reason"),
    [
        ({"per_member": 3}, {"uses_by_member": 3}, WhyNot.MEMBER_LIMIT),
        ({"per_member_per_day": 3}, {"uses_by_member_today": 3}, WhyNot.DAY_LIMIT),
        ({"per_day": 3}, {"uses_today": 3}, WhyNot.DAY_LIMIT),
        ({"total": 3}, {"uses_total": 3}, WhyNot.TOTAL_LIMIT),
    ],
    ids=["member", "member and day", "day", "total"],
)
def test_a_limit_that_is_reached_is_named(
    limits: dict[str, int], standing: dict[str, Any], reason: WhyNot
) -> None:
    document = offer(limits=limits)
    full, (name, uses) = Standing(**standing), next(iter(standing.items()))
    assert quote_one(document, line(), standings={"one": full}) == refused(reason, limit=3)
    almost = replace(full, **{name: uses - 1})
    assert not isinstance(quote_one(document, line(), standings={"one": almost}), NotApplied)


def test_a_budget_gives_all_or_nothing_and_says_what_is_left() -> None:
    document = offer(gives={"amount_minor": 100}, limits={"budget_minor": 1000})

    def spent(minor: int) -> Any:
        return quote_one(document, line(), standings={"one": Standing(budget_spent_minor=minor)})

    assert spent(900).discount_minor == 100
    assert spent(901) == refused(WhyNot.BUDGET_EXHAUSTED, limit=1000, left=99)
    assert spent(1000) == refused(WhyNot.BUDGET_EXHAUSTED, limit=1000, left=0)
    assert spent(1001) == refused(WhyNot.BUDGET_EXHAUSTED, limit=1000, left=0)


def test_a_budget_of_points_counts_points() -> None:
    document = offer("bonus_points", gives={"points": 30}, limits={"budget_points": 50})
    spent = {"one": Standing(budget_spent_points=21)}
    assert quote_one(document, line(), standings=spent) == refused(
        WhyNot.BUDGET_EXHAUSTED, limit=50, left=29
    )


def test_what_is_free_already_is_nothing_to_discount() -> None:
    assert quote_one(offer(), line("1", 0)) == refused(WhyNot.NOTHING_TO_DISCOUNT)
    assert quote_one(offer("free_shipping"), line()) == refused(WhyNot.NOTHING_TO_DISCOUNT)
    few = offer("points_multiplier", gives={"percent": 110})
    assert quote_one(few, line("1", 99)) == refused(WhyNot.NOTHING_TO_DISCOUNT)  # 9 base points


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("basket_total_minor == 950 && basket_quantity == 3", True),
        ("spend_by_department['PRODUCE'] == 450", True),
        ("spend_by_department['MEAT'] == 450", False),  # there is none: not true
        ("basket_departments == ['GROCERY', 'PRODUCE'] && '2' in basket_products", True),
        ("store == '330' && channel == 'store' && partner == '' && tier == 'Bronze'", True),
        ("visits_30 > 3", True),
        ("visits_90 > 3", False),  # not told
    ],
    ids=["totals", "department", "no department", "lists", "place", "member", "unknown"],
)
def test_a_condition_looks_at_basket_and_member(condition: str, holds: bool) -> None:
    bought = [line("1", 500), line("2", 480, 2, department="PRODUCE", coupon_minor=30)]
    document = offer(requires={"condition": condition})
    found = quote_one(document, *bought, member=shopper(facts={"visits_30": 4}))
    assert (found == refused(WhyNot.CONDITION_NOT_MET)) is not holds


AUDIENCES: list[tuple[dict[str, Any], Shopper, Shopper]] = [
    ({"segments": ["a", "b"]}, shopper(segments=frozenset({"b", "c"})), SHOPPER),
    ({"excluded_segments": ["a"]}, SHOPPER, shopper(segments=frozenset({"a"}))),
    ({"members": ["900"]}, SHOPPER, shopper(external_id="901")),
    ({"tiers": ["Silver", "Gold"]}, shopper(tier="Gold"), SHOPPER),
    ({"plans": ["plus"]}, shopper(plans=frozenset({"plus"})), SHOPPER),
    (
        {"new_within_days": 3},
        shopper(enrolled_at=at("2017-06-11T00:00:00-04:00")),
        shopper(enrolled_at=at("2017-06-10T23:59:59.999999-04:00")),
    ),
    (
        {"lapsed_after_days": 30},
        shopper(last_visit_at=at("2017-05-15T23:59:59.999999-04:00")),
        shopper(last_visit_at=at("2017-05-16T00:00:00-04:00")),
    ),
    (
        {"lapsed_after_days": 30},
        shopper(last_visit_at=None, enrolled_at=at("2017-05-15T12:00:00-04:00")),
        shopper(last_visit_at=None, enrolled_at=at("2017-05-16T12:00:00-04:00")),
    ),
    ({"birthday": {}}, shopper(birthday="1990-06-14"), shopper(birthday="1990-06-15")),
    (
        {"birthday": {"days_before": 2, "days_after": 1}},
        shopper(birthday="1990-06-16"),
        shopper(birthday="1990-06-17"),
    ),
    (
        {"birthday": {"days_before": 2, "days_after": 1}},
        shopper(birthday="1990-06-13"),
        shopper(birthday="1990-06-12"),
    ),
    ({"birthday": {}}, shopper(birthday="1990-06-14"), shopper(birthday=None)),
    (
        {"name_day": {"calendar": {"Ánna": ["06-14"], "anna": ["01-01", "06-14"]}}},
        shopper(name="ANNA Example"),
        shopper(name="Annalena Example"),
    ),
    (
        {"name_day": {"calendar": {"Anna": ["06-12"]}, "days_after": 2}},
        SHOPPER,
        shopper(name=" "),
    ),
    (
        {"tiers": ["Bronze"], "segments": ["a"]},
        shopper(segments=frozenset({"a"})),
        shopper(segments=frozenset({"a"}), tier="Gold"),
    ),
]


@pytest.mark.parametrize(("audience", "inside", "outside"), AUDIENCES, ids=range(len(AUDIENCES)))
def test_it_is_for_its_audience_alone(
    audience: dict[str, Any], inside: Shopper, outside: Shopper
) -> None:
    document = offer(audience=audience)
    assert not isinstance(quote_one(document, line(), member=inside), NotApplied)
    assert quote_one(document, line(), member=outside) == refused(WhyNot.NOT_IN_AUDIENCE)


@pytest.mark.parametrize(
    ("today", "born", "is_theirs"),
    [
        ("2017-02-28", "1992-02-29", True),
        ("2017-03-01", "1992-02-29", False),
        ("2020-02-29", "1992-02-29", True),
        ("2020-02-28", "1992-02-29", False),
        ("2017-12-31", "1992-01-01", True),  # the day before
        ("2018-01-02", "1992-12-31", False),
        ("2018-01-01", "1992-12-31", True),  # the day after
    ],
)
def test_birthdays_on_leap_days_and_around_new_year(today: str, born: str, is_theirs: bool) -> None:
    around = {"days_before": 1 if born.endswith("01-01") else 0, "days_after": 0}
    around["days_after"] = 1 if born.endswith("12-31") else 0
    found = quote_one(
        offer(audience={"birthday": around}),
        line(),
        member=shopper(birthday=born),
        now=at(f"{today}T23:59:59.999999-05:00"),
    )
    assert (not isinstance(found, NotApplied)) is is_theirs


def test_the_nearest_offer_comes_first() -> None:
    found = quote(
        {
            "a": offer(scope={"departments": ["MEAT"]}),
            "b": offer(audience={"tiers": ["Gold"]}),
            "c": offer(activation="clip"),
            "d": offer(requires={"minimum_spend_minor": 1001}),
            "e": offer(schedule={"starts_on": "2018-01-01"}),
        },
        [line("1", 1000)],
    )
    assert [one.reason for one in found.not_applied] == [
        WhyNot.SPEND_TOO_LOW,
        WhyNot.NOT_ACTIVATED,
        WhyNot.NOT_STARTED,
        WhyNot.NO_MATCHING_PRODUCT,
        WhyNot.NOT_IN_AUDIENCE,
    ]


def test_only_offers_that_could_apply_have_their_standing_read() -> None:
    offers = live(
        {
            "z": offer(activation="clip", audience={"segments": ["b"]}),
            "a": offer(
                audience={"segments": ["a"], "excluded_segments": ["c"]},
                requires={"condition": "visits_30 > 3 && basket_total_minor > 1 && tier == 'Gold'"},
            ),
            "coupon": offer(needs_coupon=True, audience={"segments": ["x"]}),
            "meat": offer(scope={"departments": ["MEAT"]}),
            "elsewhere": offer(scope={"stores": ["331"]}),
            "later": offer(schedule={"starts_on": "2017-06-15"}),
            "early": offer(schedule={"starts_on": "2017-06-15", "early_access": {"Gold": 12}}),
            "too early": offer(schedule={"starts_on": "2017-06-15", "early_access": {"Gold": 11}}),
        }
    )
    bought = basket(line())
    keys = wanted(offers, bought, [], NOW)
    assert keys == ("a", "early", "z")
    assert wanted(offers, bought, [Coupon("coupon")], NOW) == ("a", "coupon", "early", "z")
    assert segments_wanted(offers, keys) == {"a", "b", "c"}
    assert facts_wanted(offers, keys) == {"visits_30", "tier"}


def test_as_many_refused_offers_are_told_as_are_asked_for_the_nearest_first() -> None:
    offers = {
        "elsewhere": offer(scope={"stores": ["9"]}),
        "other-goods": offer(scope={"products": ["none"]}),
        "other-goods-too": offer(scope={"products": ["neither"]}),
        "to-activate": offer(activation="clip"),
    }
    told = [one.offer for one in quote(offers, [line()]).not_applied]
    assert told == ["to-activate", "other-goods", "other-goods-too", "elsewhere"]
    for most in range(5):
        found = quote(offers, [line()], most_refused=most).not_applied
        assert [one.offer for one in found] == told[:most]
