"""The sections and keys that a document may leave out: defaults, canonical form, differences."""

import json
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.clock import Instant
from server.ledger.rules import ReturnPolicy
from server.programme import commands, rules, service
from server.programme.checking import Section
from server.programme.comparing import Difference, diff
from server.programme.document import (
    Adjustments,
    Approvals,
    CashbackCap,
    Holds,
    Households,
    PayingWithPoints,
    Payouts,
    PointsWorth,
    Programme,
    Returns,
    Transfers,
)
from server.storage import sql
from tests.programme.demo import (
    DEMO_DIGEST,
    DEMO_FILE,
    OPTIONAL,
    Place,
    demo,
    demo_text,
    demo_yaml,
)

SECTIONS = [place[0] for place in OPTIONAL if len(place) == 1]


def programme_with(changes: dict[Place, Any]) -> Programme:
    return rules.checked(demo_yaml(changes)).programme


def shaped(section: str) -> Section:
    shape = rules.DOCUMENT.optional[section]
    assert isinstance(shape, Section)
    return shape


# ---------------------------------------------------------------- what is left out


def test_the_demo_has_the_digest_that_it_always_had() -> None:
    checked = rules.checked(demo_text())
    assert checked.digest == DEMO_DIGEST
    assert checked.plain == demo()


def test_without_the_sections_the_defaults_count() -> None:
    programme = rules.checked(demo_text()).programme
    assert programme.returns == Returns(ReturnPolicy.INTO_NEGATIVE, grace_days=30)
    assert programme.paying_with_points == PayingWithPoints(None, None, 1, 10_000, False)
    assert programme.money_off_rate == PointsWorth(1000, 1000)
    assert programme.holds == Holds(ttl_seconds=900, maximum_ttl_seconds=86_400)
    assert programme.transfers == Transfers(1, 10_000, 0)
    assert programme.transfers.is_offered
    assert programme.households == Households(6, 30, 0)
    assert programme.payouts == Payouts(minimum_minor=1, daily_limit_minor=0)
    assert programme.adjustments == Adjustments(1000, 1000)
    assert programme.approvals == Approvals(second_person_above_budget_minor=100_000)
    assert programme.cashback.tier_rates_basis_points == {}
    assert programme.cashback.rate_for_tier_basis_points("Gold") == 200
    assert programme.cashback.caps == ()


@pytest.mark.parametrize("section", SECTIONS)
def test_an_empty_section_means_the_same_as_none_but_is_another_document(section: str) -> None:
    empty = rules.checked(demo_yaml({(section,): {}}))
    assert empty.programme == rules.checked(demo_text()).programme
    assert empty.digest != DEMO_DIGEST
    assert json.loads(empty.canonical)[section] == {}


@pytest.mark.parametrize("section", SECTIONS)
def test_each_key_of_a_section_can_stand_alone(section: str) -> None:
    written = OPTIONAL[(section,)]
    assert list(written) == list(shaped(section).optional)
    for key, value in written.items():
        programme = programme_with({(section,): {key: value}})
        read = msgspec.to_builtins(getattr(programme, section))
        default = msgspec.to_builtins(getattr(rules.checked(demo_text()).programme, section))
        assert read == default | {key: value}
        assert default[key] != value


def test_half_a_rate_of_points_has_its_other_half_from_the_voucher() -> None:
    voucher: dict[Place, Any] = {
        ("redemption_policy", "redeem_points"): 300,
        ("redemption_policy", "voucher_value_minor"): 70,
    }
    for written, rate in (
        ({}, PointsWorth(300, 70)),
        ({"points": 5}, PointsWorth(5, 70)),
        ({"worth_minor": 0}, PointsWorth(300, 0)),
        ({"points": 5, "worth_minor": 4}, PointsWorth(5, 4)),
    ):
        programme = programme_with({**voucher, ("paying_with_points",): written})
        assert programme.money_off_rate == rate
        assert rate.is_offered == (rate.worth_minor > 0)


# ---------------------------------------------------------------- what is written


def test_everything_is_read_with_the_types_of_the_document() -> None:
    programme = programme_with(OPTIONAL)
    assert programme.returns.policy is ReturnPolicy.ONLY_PENDING
    assert programme.paying_with_points.earns_on_value is True
    assert programme.cashback.caps == (
        CashbackCap("lifetime", 100_000),
        CashbackCap("calendar_day", 0),
    )
    rates = [programme.cashback.rate_for_tier_basis_points(name) for name in ("Bronze", "Silver")]
    assert rates == [200, 0]
    assert programme.cashback.rate_for_tier_basis_points("Gold") == 500
    assert hash(programme) == hash(programme_with(OPTIONAL))
    assert programme != rules.checked(demo_text()).programme


def test_no_more_gifts() -> None:
    assert not programme_with({("transfers",): {"daily_limit_points": 0}}).transfers.is_offered


@pytest.mark.parametrize("policy", ReturnPolicy)
def test_each_policy_of_returns_is_taken(policy: ReturnPolicy) -> None:
    assert programme_with({("returns",): {"policy": policy.value}}).returns.policy is policy


@given(st.sets(st.sampled_from(sorted(OPTIONAL))))
def test_the_canonical_form_has_what_is_written_and_nothing_else(chosen: set[Place]) -> None:
    changes = {place: OPTIONAL[place] for place in chosen}
    checked = rules.checked(demo_yaml(changes))
    assert json.loads(checked.canonical) == demo(changes)
    assert rules.checked(checked.canonical) == checked
    assert rules.programme_of(checked.canonical) == checked.programme
    assert (checked.digest == DEMO_DIGEST) == (not chosen)
    ordered = rules.in_reading_order(json.loads(checked.canonical))
    assert ordered == checked.plain
    assert [key for key in ordered if (key,) in OPTIONAL] == [
        place[0] for place in OPTIONAL if place in chosen and len(place) == 1
    ]


def test_a_stored_programme_without_the_new_keys_is_read_with_their_defaults() -> None:
    programme = rules.checked(demo_text()).programme
    stored = msgspec.json.decode(msgspec.json.encode(programme))
    for section in SECTIONS:
        del stored[section]
    del stored["cashback"]["caps"], stored["cashback"]["tier_rates_basis_points"]
    assert msgspec.convert(stored, Programme) == programme


# ---------------------------------------------------------------- differences


def test_a_new_section_is_one_change_and_so_is_a_section_that_goes() -> None:
    for place, value in OPTIONAL.items():
        path = ".".join(map(str, place))
        with_it = demo({place: value})
        assert diff(demo(), with_it) == [Difference(path, None, value)]
        assert diff(with_it, demo()) == [Difference(path, value, None)]


def test_a_section_without_keys_differs_from_none() -> None:
    (change,) = diff(demo(), demo({("returns",): {}}))
    assert change.line == "returns: (none) -> {}"


def test_changes_inside_go_by_keys_tiers_and_periods() -> None:
    after: dict[Place, Any] = {
        **OPTIONAL,
        ("cashback", "tier_rates_basis_points"): {"Bronze": 100, "Gold": 600},
        ("cashback", "caps"): [{"period": "calendar_day", "minor": 50}],
        ("returns",): {"policy": "within_balance"},
    }
    assert {change.line for change in diff(demo(OPTIONAL), demo(after))} == {
        "cashback.tier_rates_basis_points[Gold]: 500 -> 600",
        "cashback.tier_rates_basis_points[Silver]: 0 -> (none)",
        "cashback.tier_rates_basis_points[Bronze]: (none) -> 100",
        'cashback.caps[lifetime]: {"period": "lifetime", "minor": 100000} -> (none)',
        "cashback.caps[calendar_day].minor: 0 -> 50",
        'returns.policy: "only_pending" -> "within_balance"',
        "returns.grace_days: 7 -> (none)",
    }


# ---------------------------------------------------------------- published and read back


@pytest.mark.usefixtures("database")
async def test_what_is_published_is_read_back_and_shown() -> None:
    text = demo_yaml(OPTIONAL)
    checked = rules.checked(text)
    with clock.moved_to(Instant(1_600_000_000_000_000)):
        await commands.publish(DEMO_FILE)
        async with sql.transaction():
            await service.publish(text, published_by="staff:1")
        shown = await commands.show()
    second = (await service.rulebook()).numbered(2)
    assert (second.programme, second.digest) == (checked.programme, checked.digest)
    assert second.canonical == checked.canonical
    assert msgspec.json.decode(msgspec.json.encode(second), type=type(second)) == second
    assert rules.checked(shown).digest == checked.digest
    assert list(yaml.safe_load(shown)) == [*demo(), *SECTIONS]
    assert list(yaml.safe_load(shown)["cashback"])[-2:] == ["tier_rates_basis_points", "caps"]
    assert "earns_on_value: true\n" in shown
    assert await commands.diff("1", str(DEMO_FILE)) == "(no difference)"
    changes = (await commands.diff("1", "2")).splitlines()
    assert len(changes) == len(OPTIONAL)
    assert 'payouts: (none) -> {"daily_limit_minor": 5000, "minimum_minor": 100}' in changes
