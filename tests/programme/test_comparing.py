"""What is different between two documents."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from server.programme.comparing import Difference, diff
from tests.programme.demo import ABSENT, Place, demo
from tests.reference import strategies


def lines(changes: dict[Place, Any]) -> list[str]:
    return [difference.line for difference in diff(demo(), demo(changes))]


def test_equal_documents_have_no_difference() -> None:
    assert diff(demo(), demo()) == []


def test_a_value_of_a_tier_goes_by_the_name_of_the_tier() -> None:
    place = ("tiers", "levels", 1, "min_spend_minor")
    assert diff(demo(), demo({place: 160000})) == [
        Difference("tiers.levels[Silver].min_spend_minor", 150000, 160000)
    ]
    assert lines({place: 160000}) == ["tiers.levels[Silver].min_spend_minor: 150000 -> 160000"]


def test_a_tier_between_others_is_one_change() -> None:
    levels = demo()["tiers"]["levels"]
    platinum = {"name": "Platinum", "min_spend_minor": 200000, "multiplier_percent": 130}
    levels.insert(2, platinum)
    assert diff(demo(), demo({("tiers", "levels"): levels})) == [
        Difference("tiers.levels[Platinum]", None, platinum)
    ]


def test_a_renamed_tier_is_one_gone_and_one_new() -> None:
    assert lines({("tiers", "levels", 0, "name"): "Basic"}) == [
        'tiers.levels[Bronze]: {"name": "Bronze", "min_spend_minor": 0, "multiplier_percent": 100}'
        " -> (none)",
        "tiers.levels[Basic]: (none) ->"
        ' {"name": "Basic", "min_spend_minor": 0, "multiplier_percent": 100}',
    ]


def test_offers_go_by_their_id_and_their_order_is_told_apart() -> None:
    offers = demo()["offers"]
    offers[0]["name"] = "Spring"
    offers.reverse()
    differences = diff(demo(), demo({("offers",): offers}))
    ids = [offer["id"] for offer in demo()["offers"]]
    assert differences == [
        Difference("offers[offer-08].name", "Spring personal coupons", "Spring"),
        Difference("offers (order)", ids, ids[::-1]),
    ]


def test_other_changes_in_the_order_of_the_document() -> None:
    assert lines(
        {
            ("excluded_lines", 1): ABSENT,
            ("points", "base", "points"): 20,
            ("cashback", "departments"): ["PRODUCE"],
            ("redemption_policy", "weekday"): "friday",
        }
    ) == [
        'excluded_lines[1]: {"field": "product_type", "equals": "GASOLINE-REG UNLEADED"} -> (none)',
        "points.base.points: 10 -> 20",
        'cashback.departments: ["PRODUCE", "MEAT", "MEAT-PCKGD", "SEAFOOD", "SEAFOOD-PCKGD",'
        ' "DRUG GM"] -> ["PRODUCE"]',
        'redemption_policy.weekday: "monday" -> "friday"',
    ]


def test_an_empty_list_of_mappings_is_compared_by_items() -> None:
    (first, *_) = differences = diff(demo({("offers",): []}), demo())
    assert len(differences) == 6
    assert first == Difference("offers[offer-08]", None, demo()["offers"][0])


@given(strategies.programmes(), strategies.programmes())
def test_no_difference_means_equal_and_the_way_back_mirrors_it(old: Any, new: Any) -> None:
    there = diff(old, new)
    assert (there == []) == (old == new)
    back = {(each.path, str(each.after), str(each.before)) for each in diff(new, old)}
    assert {(each.path, str(each.before), str(each.after)) for each in there} == back


@given(strategies.programmes(), st.data())
def test_one_changed_number_is_exactly_one_difference(document: Any, data: st.DataObject) -> None:
    section = data.draw(st.sampled_from(["points", "cashback", "redemption_policy"]))
    keys = [key for key, value in document[section].items() if isinstance(value, int)]
    key = data.draw(st.sampled_from(keys))
    other = copy.deepcopy(document)
    other[section][key] += 1
    before = document[section][key]
    assert diff(document, other) == [Difference(f"{section}.{key}", before, before + 1)]
