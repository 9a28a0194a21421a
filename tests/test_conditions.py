"""Conditions: what holds, what is refused when it is written, and that none can do harm."""

from datetime import UTC, datetime

import pytest

from server.conditions import FactType, InvalidCondition, Vocabulary

VOCABULARY = Vocabulary(
    {
        "count": FactType.WHOLE,
        "tier": FactType.TEXT,
        "is_new": FactType.TRUTH,
        "tags": FactType.TEXTS,
        "spend": FactType.WHOLES_BY_NAME,
        "since": FactType.INSTANT,
    }
)
FACTS = {
    "count": 5,
    "tier": "Gold",
    "is_new": True,
    "tags": ["a", "b"],
    "spend": {"MEAT": 200},
    "since": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("count > 3", True),
        ("count > 5", False),
        ("tier in ['Silver', 'Gold']", True),
        ("is_new && 'a' in tags", True),
        ("'MEAT' in spend && spend['MEAT'] >= 200", True),
        ("spend['FISH'] > 0", False),
        ("since < timestamp('2026-01-01T00:00:01Z')", True),
        ("since.getFullYear('America/New_York') == 2025", True),
        ("count / 0 == 1", False),
        ("count + 9223372036854775807 > 0", False),
        ("[1][3] == 1", False),
    ],
)
def test_what_has_no_answer_does_not_hold(text: str, *, holds: bool) -> None:
    assert VOCABULARY.condition(text).holds(VOCABULARY.facts_of(FACTS)) is holds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("count", "it is a value of type int, and not true or false"),
        ("tier > 3", "line 1, column 6: found no matching overload for '_>_' applied to "),
        ("unknown > 1", "line 1, column 1: undeclared reference to 'unknown'"),
        ("", "line 1, column 1: Syntax error"),
        ("(" * 500, "CANCELLED: Expression recursion limit exceeded"),
        ("x" * 2001, "2001 characters; at most 2000 are taken"),
        ("\ud800", "it is no text in Unicode"),
    ],
)
def test_what_is_no_condition_is_refused_in_a_line(text: str, why: str) -> None:
    with pytest.raises(InvalidCondition) as refused:
        VOCABULARY.condition(text)
    assert str(refused.value).startswith(why)
    assert "\n" not in str(refused.value)


def test_a_condition_that_takes_too_long_is_stopped_and_does_not_hold() -> None:
    facts = VOCABULARY.facts_of({**FACTS, "tags": ["a"] * 1000})
    nested = "tags.all(x, tags.all(y, tags.all(z, x == z)))"
    assert VOCABULARY.condition(nested).holds(facts) is False
    assert VOCABULARY.condition("tags.all(x, x == 'a')").holds(facts) is True


def test_a_condition_knows_its_facts_and_is_made_once() -> None:
    condition = VOCABULARY.condition("count > 3 && tier == 'Gold'")
    assert condition.names == {"count", "tier"}
    assert VOCABULARY.condition("count > 3 && tier == 'Gold'") is condition
