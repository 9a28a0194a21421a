"""Sections 1 and 2 of the rules: what one basket amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Programme = dict[str, Any]
Basket = dict[str, Any]


@dataclass(frozen=True)
class Amounts:
    """The amounts of one basket in minor units, and the departments it adds to the challenge."""

    net: int  # N
    eligible: int  # E
    bonus: int  # P
    cashback: int  # C
    departments: frozenset[str]


def is_excluded(programme: Programme, line: dict[str, Any]) -> bool:
    """A line is excluded when it matches any one of the programme's exclusions."""
    return any(line[rule["field"]] == rule["equals"] for rule in programme["excluded_lines"])


def net_of(line: dict[str, Any]) -> int:
    """Net spend of a line: sales less the manufacturer's coupon; it may be negative."""
    return int(line["sales_minor"]) - int(line["coupon_minor"])


def amounts_of(programme: Programme, basket: Basket) -> Amounts:
    """N over all lines; E, P and C over the lines that are not excluded, none below 0."""
    [category_bonus] = programme["points"]["category_bonus"]
    ignored = programme["challenges"]["departments"]["ignored_departments"]
    counted = [line for line in basket["lines"] if not is_excluded(programme, line)]

    def spend_in(departments: list[str]) -> int:
        return sum(net_of(line) for line in counted if line["department"] in departments)

    eligible = max(0, sum(net_of(line) for line in counted))
    return Amounts(
        net=sum(net_of(line) for line in basket["lines"]),
        eligible=eligible,
        bonus=min(eligible, max(0, spend_in(category_bonus["departments"]))),
        cashback=min(eligible, max(0, spend_in(programme["cashback"]["departments"]))),
        departments=frozenset(
            line["department"]
            for line in counted
            if net_of(line) > 0 and line["department"] not in ignored
        ),
    )
