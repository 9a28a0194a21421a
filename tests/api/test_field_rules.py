"""The rule of each field: stated, as wide as what leads to it, and no wider."""

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType

from server.edge.permissions import NOBODY, rules_of
from server.schema import schema
from tests.api.contract import access_of, contract
from tests.api.ways import WORDS, Coordinate, fields, rules, ways

NARROWED: dict[Coordinate, set[str]] = {
    # A till greets by name; it needs to know nothing of other people.
    ("Member", "birthday"): {"KEY_MEMBERS_READ"},
    ("Member", "consents"): {"KEY_MEMBERS_READ"},
    ("Member", "consentChanges"): {"KEY_MEMBERS_READ"},
    ("Member", "gifts"): {"KEY_MEMBERS_READ"},
    ("Member", "household"): {"KEY_MEMBERS_READ"},
    ("Member", "referral"): {"KEY_MEMBERS_READ"},
    # What the shop writes to somebody, where and when they want it, is between the two.
    ("Member", "devices"): {"KEY_MEMBERS_READ"},
    ("Member", "inbox"): {"KEY_MEMBERS_READ"},
    ("Member", "messageChoiceChanges"): {"KEY_MEMBERS_READ"},
    ("Member", "messageChoices"): {"KEY_MEMBERS_READ"},
    ("Member", "quietHours"): {"KEY_MEMBERS_READ"},
    ("Member", "unreadCount"): {"KEY_MEMBERS_READ"},
    # Who of the staff noted it is the shop's own knowledge.
    ("MessageChoiceChange", "statedBy"): {"MEMBER"},
    ("ConsentChange", "statedBy"): {"MEMBER"},
    ("ConsentChange", "note"): {"MEMBER"},
    # Which segments somebody is in is the shop's own knowledge.
    ("Member", "segments"): {"MEMBER", "KEY_MEMBERS_READ"},
    # A voucher's code is all that one needs to spend it.
    ("Voucher", "code"): {"STAFF_MARKETER", "STAFF_AUDITOR", "KEY_MEMBERS_READ"},
    # The same of an order's.
    ("RewardOrder", "code"): {"STAFF_MARKETER", "STAFF_AUDITOR", "KEY_MEMBERS_READ"},
    ("RewardOrder", "barcode"): {"STAFF_MARKETER", "STAFF_AUDITOR", "KEY_MEMBERS_READ"},
}
"""Whom a field refuses though what leads to its type is theirs, each for a reason."""


def every_field() -> dict[Coordinate, GraphQLField]:
    """All fields, those of the roots included."""
    return {
        (name, field_name): field
        for name, type_ in contract().type_map.items()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__")
        for field_name, field in type_.fields.items()
    }


def test_every_field_states_who_may_use_it() -> None:
    known = {"EVERYONE", "STAFF", *WORDS}
    for coordinate, field in every_field().items():
        who = access_of(field)
        assert who, f"{coordinate} has no @access: put @shown_to above its type"
        assert set(who) <= known, coordinate
        assert len(set(who)) == len(who), coordinate
        assert "EVERYONE" not in who or who == ["EVERYONE"], coordinate
        assert "STAFF" not in who or not any(word.startswith("STAFF_") for word in who), coordinate


def test_the_server_enforces_what_the_contract_says() -> None:
    enforced = rules_of(schema._schema)
    assert NOBODY not in enforced.values()
    assert {one: rule.shown for one, rule in enforced.items()} == {
        one: access_of(field) for one, field in fields().items()
    }


def test_whoever_reaches_a_type_may_use_its_fields_but_for_stated_exceptions() -> None:
    refused: dict[Coordinate, set[str]] = {}
    for word in (*WORDS, "NOBODY"):
        reached = ways(frozenset({word}))
        for coordinate, who in rules().items():
            if coordinate[0] in reached and word not in who:
                refused.setdefault(coordinate, set()).add(word)
    assert refused == NARROWED


def test_no_rule_names_who_can_reach_nothing_of_its_type() -> None:
    everyone = {*WORDS, "NOBODY"}
    unreachable = {
        (coordinate, word)
        for word in WORDS
        for coordinate, who in rules().items()
        if word in who and who != everyone and coordinate[0] not in ways(frozenset({word}))
    }
    assert not unreachable


def test_everyones_types_are_those_that_hold_nobodys_data() -> None:
    everyone = {*WORDS, "NOBODY"}
    shared = {name for (name, _), who in rules().items() if who == everyone}
    terms = {name for name in shared if name.endswith("Terms")}
    problems = {
        name
        for name, type_ in contract().type_map.items()
        if isinstance(type_, GraphQLObjectType)
        and any(face.name == "Problem" for face in type_.interfaces)
    }
    assert shared - terms - problems == {
        "CategoryBonus",
        "DefinitionProblem",
        "Drop",
        "ExcludedLines",
        "MembershipPlan",
        "Money",
        "Node",
        "PageInfo",
        "Partner",
        "PasswordResetRequested",
        "PasswordWasReset",
        "PlanPrice",
        "PointsRate",
        "Problem",
        "Programme",
        "ProgrammeProblem",
        "Reward",
        "RewardConnection",
        "RewardEdge",
        "Session",
        "SignedOut",
        "SignedOutEverywhere",
        "TierCashbackRate",
    }
