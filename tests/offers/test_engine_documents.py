"""What an offer's document may say, and what it may cost."""

from typing import Any

import msgspec
import pytest

from server.definitions import checking
from server.definitions.rules import canonical
from server.definitions.service import Surroundings
from server.offers import fitting, kinds
from server.offers.documents import BasketStacking, Discount, Offer
from server.programme.errors import InvalidDocument
from server.segments import kinds as segments
from tests.offers.quoting import NOW, demo_programme, misfits_of, offer, shelves

FULL: dict[str, Any] = {
    "default_language": "en",
    "texts": {
        "en": {"title": "Fruit", "description": "Ripe.", "terms": "While stocks last."},
        "pt-BR": {"title": "Frutas"},
        "zh-Hant": {"title": "水果"},
    },
    "image_url": "https://shop.example/fruit.png",
    "discount": {"kind": "percent", "rate_bps": 1000, "maximum_minor": 500},
    "scope": {
        "departments": ["PRODUCE"],
        "excluded_products": ["1"],
        "stores": ["330"],
        "channels": ["web"],
    },
    "requires": {
        "minimum_spend_minor": 500,
        "minimum_quantity": 2,
        "of": {"brands": ["A"]},
        "condition": "visits_30 > 2 && basket_total_minor > 100",
    },
    "audience": {
        "tiers": ["Gold"],
        "new_within_days": 30,
        "birthday": {"days_before": 3},
        "name_day": {"calendar": {"Anna": ["07-26"]}},
    },
    "schedule": {
        "starts_on": "2017-05-08",
        "ends_at": "2017-06-26T00:00:00+02:00",
        "time_zone": "Europe/Berlin",
        "weekdays": ["monday"],
        "from_time": "22:00",
        "to_time": "02:00",
        "seasons": [{"from": "12-01", "to": "02-29"}],
        "early_access": {"Gold": 24},
    },
    "activation": "clip",
    "needs_coupon": True,
    "limits": {"per_member": 1, "total": 10, "budget_minor": 1000},
    "stacking": {"group": "fruit", "priority": 3, "maximum_share_bps": 5000},
    "funding": [{"partner": "mill", "share_bps": 5000}],
}


def test_a_document_that_says_everything_fits_and_comes_back_as_it_was() -> None:
    document = checking.checked(FULL, Offer)
    assert misfits_of(FULL) == {}
    text = canonical(document)
    assert msgspec.json.decode(text, type=Offer) == document
    assert canonical(msgspec.json.decode(text, type=Offer)) == text


def test_every_field_says_what_it_is() -> None:
    schema = msgspec.json.schema(Offer)
    for name, definition in schema["$defs"].items():
        assert definition.get("description"), name
        for field, described in definition.get("properties", {}).items():
            assert field == "kind" or described.get("description"), (name, field)


def test_the_examples_fit() -> None:
    assert misfits_of(dict(kinds.OFFER.example or {})) == {}
    checking.checked(dict(kinds.STACKING.example or {}), BasketStacking)


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"default_language": "de"}, "default_language"),
    ({"texts": {"en": {"title": "A"}, "xx": {"title": "B"}}}, "texts.xx"),
    ({"texts": {"en": {"title": "A"}, "en_GB": {"title": "B"}}}, "texts.en_GB"),
    ({"image_url": "http://shop.example/fruit.png"}, "image_url"),
    ({"image_url": "https://"}, "image_url"),
    ({"schedule": {"starts_on": "2017-05-08", "ends_on": "2017-05-07"}}, "schedule.ends_on"),
    (
        {"schedule": {"starts_on": "2017-05-08", "starts_at": "2017-05-08T00:00:00Z"}},
        "schedule.starts_at",
    ),
    (
        {"schedule": {"starts_at": "2017-05-08T00:00:00Z", "ends_at": "2017-05-08T00:00:00Z"}},
        "schedule.ends_at",
    ),
    (
        {"schedule": {"ends_on": "2017-05-08", "ends_at": "2017-05-08T00:00:00Z"}},
        "schedule.ends_at",
    ),
    ({"schedule": {"ends_on": "9999-12-31"}}, "schedule.ends_on"),
    ({"schedule": {"time_zone": "Europe/Nowhere"}}, "schedule.time_zone"),
    ({"schedule": {"time_zone": "Europe"}}, "schedule.time_zone"),
    ({"schedule": {"time_zone": "../passwd"}}, "schedule.time_zone"),
    ({"schedule": {"from_time": "10:00", "to_time": "10:00"}}, "schedule.to_time"),
    ({"schedule": {"weekdays": ["monday", "monday"]}}, "schedule.weekdays"),
    ({"schedule": {"seasons": [{"from": "02-30", "to": "03-01"}]}}, "schedule.seasons.0.from"),
    ({"schedule": {"seasons": [{"from": "02-01", "to": "04-31"}]}}, "schedule.seasons.0.to"),
    ({"schedule": {"early_access": {"Gold": 1}}}, "schedule.early_access"),
    (
        {"schedule": {"starts_on": "2017-05-08", "early_access": {"Tin": 1}}},
        "schedule.early_access.Tin",
    ),
    ({"audience": {"tiers": ["Gold", "Tin"]}}, "audience.tiers.1"),
    ({"audience": {"birthday": {"days_before": 200, "days_after": 200}}}, "audience.birthday"),
    (
        {"audience": {"name_day": {"calendar": {"Anna": ["01-01", "02-31"]}}}},
        "audience.name_day.calendar.Anna.1",
    ),
    ({"requires": {"of": {"brands": ["A"]}}}, "requires.of"),
    ({"requires": {"condition": "basket_total_minor >"}}, "requires.condition"),
    ({"requires": {"condition": "no_such_fact > 1"}}, "requires.condition"),
    ({"requires": {"condition": "basket_total_minor"}}, "requires.condition"),
    ({"limits": {"budget_points": 5}}, "limits.budget_points"),
    (
        {"funding": [{"partner": "a", "share_bps": 6000}, {"partner": "b", "share_bps": 4001}]},
        "funding",
    ),
    (
        {"funding": [{"partner": "a", "share_bps": 1}, {"partner": "a", "share_bps": 1}]},
        "funding.1.partner",
    ),
]


@pytest.mark.parametrize(("changes", "place"), MISFITS, ids=range(len(MISFITS)))
def test_what_does_not_fit_is_named_by_its_place(changes: dict[str, Any], place: str) -> None:
    found = misfits_of(offer(**changes))
    assert place in found
    assert all(place.startswith("funding") or one == place for one in found)


def test_the_place_of_a_mistake_in_a_condition_is_told() -> None:
    found = misfits_of(offer(requires={"condition": "basket_quantity > 1 &&"}))
    assert "line 1, column 23" in found["requires.condition"]


def test_segments_have_to_be_published() -> None:
    assert segments.SEGMENT.name == "segment"
    audience = {"segments": ["regulars", "strangers"], "excluded_segments": ["nobody"]}
    assert misfits_of(offer(audience=audience)) == {
        "audience.segments.1": "the key of a published segment",
        "audience.excluded_segments.0": "the key of a published segment",
    }


def test_budgets_fit_what_is_given() -> None:
    points = offer("bonus_points", gives={"points": 5}, limits={"budget_minor": 5})
    assert list(misfits_of(points)) == ["limits.budget_minor"]
    gift = {"product_id": "9", "name": "A cup"}
    cup = offer("gift", gives=gift, limits={"budget_minor": 5})
    assert list(misfits_of(cup)) == ["limits.budget_minor"]
    worth = offer("gift", gives=gift | {"value_minor": 5}, limits={"budget_minor": 5})
    assert misfits_of(worth) == {}
    share = offer("free_shipping", stacking={"maximum_share_bps": 5})
    assert list(misfits_of(share)) == ["stacking.maximum_share_bps"]


@pytest.mark.parametrize(
    "changes",
    [
        {"discount": {"kind": "percent", "rate_bps": 0}},
        {"discount": {"kind": "percent", "rate_bps": 10_001}},
        {"discount": {"kind": "points_multiplier", "percent": 100}},
        {"discount": {"kind": "lottery"}},
        {"schedule": {"from_time": "24:00"}},
        {"schedule": {"starts_at": "2017-05-08T00:00:00"}},
        {"limits": {"total": 0}},
        {"texts": {}},
    ],
    ids=range(8),
)
def test_values_out_of_bounds_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument):
        checking.checked(offer() | changes, Offer)


def test_there_is_one_document_about_stacking() -> None:
    def misfits(key: str) -> list[Any]:
        surroundings = Surroundings(demo_programme(), shelves({}), NOW, key)
        return list(kinds.STACKING.misfits(BasketStacking(), surroundings))

    assert misfits("basket") == []
    assert misfits("other") == [
        ((), "a document under the key basket; there is only this one"),
    ]


@pytest.mark.parametrize(
    ("kind", "gives", "limits", "cost"),
    [
        ("percent", {"rate_bps": 1000}, {}, None),
        ("percent", {"rate_bps": 1000}, {"total": 10}, None),
        ("percent", {"rate_bps": 1000, "maximum_minor": 50}, {"total": 10}, 500),
        ("percent", {"rate_bps": 1000, "maximum_minor": 50}, {"total": 10, "budget_minor": 99}, 99),
        ("amount", {"amount_minor": 50}, {"total": 10}, 500),
        ("amount", {"amount_minor": 50, "per": "unit"}, {"total": 10}, None),
        ("fixed_price", {"price_minor": 50}, {"budget_minor": 99}, 99),
        ("buy_get", {"buy": 1, "get": 1}, {"total": 10}, None),
        ("free_shipping", {"maximum_minor": 50}, {"total": 10}, 500),
        ("cashback", {"rate_bps": 100, "maximum_minor": 50}, {"total": 10}, 500),
        ("bonus_points", {"points": 3}, {"total": 10}, 20),
        ("bonus_points", {"points": 3}, {"total": 10, "budget_points": 16}, 11),
        ("points_multiplier", {"percent": 200}, {"total": 10}, None),
        ("points_multiplier", {"percent": 200}, {"budget_points": 16}, 11),
        ("gift", {"product_id": "9", "name": "A cup"}, {"total": 10}, None),
        ("gift", {"product_id": "9", "name": "A cup", "value_minor": 7}, {"total": 10}, 70),
        ("till", {}, {}, 0),
    ],
)
def test_what_an_offer_may_cost_is_what_bounds_it(
    kind: str, gives: dict[str, Any], limits: dict[str, Any], cost: int | None
) -> None:
    document = checking.checked(offer(kind, gives=gives, limits=limits), Offer)
    assert fitting.highest_cost_minor(document, 666) == cost


def test_each_discount_has_a_kind_of_its_own() -> None:
    tags = [str(one.__struct_config__.tag) for one in Discount.__args__]
    assert sorted(set(tags)) == sorted(tags)
