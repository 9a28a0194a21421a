"""Small programmes and baskets, to work by hand."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from tests.reference.programme_reference import Outcome

DATA = Path(__file__).parent / "data"
DEMO: dict[str, Any] = yaml.safe_load((DATA / "demo-programme.yaml").read_text())


def plain(**sections: dict[str, Any]) -> dict[str, Any]:
    """The demo programme in UTC without welcome and challenge points, with these changes."""
    programme = deepcopy(DEMO)
    programme["programme"]["timezone"] = "UTC"
    programme["points"]["welcome_bonus_points"] = 0
    challenges = programme["challenges"]
    for rules in (*challenges.values(), challenges["weekly_visits"]["streak"]):
        rules["reward_points"] = 0
    for name, changes in sections.items():
        programme[name] |= changes
    return programme


def bought(
    timestamp: str, sales: int = 0, department: str = "GROCERY", **more: int
) -> dict[str, Any]:
    """A basket with one line, and one more line for each further department and its sales."""
    amounts = {department: sales} | {name.upper(): amount for name, amount in more.items()}
    return {
        "basket_id": timestamp.translate(str.maketrans("", "", "-:TZ")),
        "household_id": "1",
        "store_id": "1",
        "timestamp": timestamp,
        "lines": [
            {
                "product_id": str(number),
                "department": name,
                "product_category": "A",
                "product_type": "A",
                "quantity": 1,
                "sales_minor": max(0, amount),
                "coupon_minor": max(0, -amount),
            }
            for number, (name, amount) in enumerate(amounts.items(), start=1)
        ],
    }


def at(day: str, sales: int = 0, department: str = "GROCERY", **more: int) -> dict[str, Any]:
    """`bought` at noon."""
    return bought(f"{day}T12:00:00Z", sales, department, **more)


def only(outcome: Outcome) -> dict[str, Any]:
    """The one member."""
    [member] = outcome.members
    return member
