"""The demo's programme document, whole or with changes, for tests."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from server.programme import rules
from server.programme.errors import DocumentProblem, InvalidDocument

Place = tuple[str | int, ...]

DEMO_FILE = Path(__file__).parents[2] / "server" / "programme" / "demo-programme.yaml"
DEMO_DIGEST = "f4140515a9ec12e2e1409bfbd54651f0eec5255ea460de3d3043c09ea0e3ebe6"
"""Databases hold it: no new key of the document may change it."""

OPTIONAL: dict[Place, Any] = {
    ("cashback", "tier_rates_basis_points"): {"Gold": 500, "Silver": 0},
    ("cashback", "caps"): [
        {"period": "lifetime", "minor": 100_000},
        {"period": "calendar_day", "minor": 0},
    ],
    ("returns",): {"policy": "only_pending", "grace_days": 7},
    ("paying_with_points",): {
        "points": 200,
        "worth_minor": 100,
        "minimum_points": 400,
        "maximum_share_basis_points": 5000,
        "earns_on_value": True,
    },
    ("holds",): {"ttl_seconds": 60, "maximum_ttl_seconds": 3600},
    ("transfers",): {
        "minimum_points": 10,
        "daily_limit_points": 500,
        "minimum_account_age_days": 14,
    },
    ("households",): {
        "maximum_members": 4,
        "rejoin_wait_days": 90,
        "minimum_account_age_days": 3,
    },
    ("payouts",): {"minimum_minor": 100, "daily_limit_minor": 5000},
    ("adjustments",): {"second_person_above_points": 0, "second_person_above_minor": 200},
    ("approvals",): {"second_person_above_budget_minor": 50_000},
}
"""All optional keys, none of them at its default, in reading order."""

ABSENT: Any = object()
"""As a value: the key is left out."""


@cache
def demo_text() -> str:
    return DEMO_FILE.read_text(encoding="utf-8")


@cache
def _demo() -> Any:
    return yaml.safe_load(demo_text())


def demo(changes: dict[Place, Any] | None = None) -> Any:
    """The demo document as plain data, with the values of some places changed or left out."""
    document = copy.deepcopy(_demo())
    for place, value in (changes or {}).items():
        *way, last = place
        inner = document
        for step in way:
            inner = inner[step]
        if value is ABSENT:
            del inner[last]
        else:
            inner[last] = copy.deepcopy(value)
    return document


def yaml_of(document: Any) -> str:
    """The document as text; JSON is YAML."""
    return json.dumps(document, ensure_ascii=False)


def demo_yaml(changes: dict[Place, Any] | None = None) -> str:
    return yaml_of(demo(changes))


def places(document: Any, above: Place = ()) -> Iterator[Place]:
    """Every place of the document: of mappings, lists and values."""
    steps: Any = ()
    if isinstance(document, dict):
        steps = document.items()
    elif isinstance(document, list):
        steps = enumerate(document)
    for step, value in steps:
        yield (*above, step)
        yield from places(value, (*above, step))


def problems_of(text: str) -> list[DocumentProblem]:
    """What is wrong with the document; nothing if it is taken."""
    try:
        rules.checked(text)
    except InvalidDocument as error:
        return list(error.problems)
    return []
