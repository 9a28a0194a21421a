"""What an operation will cost, as a function of its variables: sums and products of whole numbers.

Every figure stops at CEILING, so that none grows beyond a machine's word, whatever is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
)

CEILING = 10**12
_MOST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is asked for."""

    nodes: int  # objects of the answer
    cost: int


@dataclass(frozen=True, slots=True)
class Length:
    """The length of a list that a variable decides."""

    variable: str
    path: tuple[str, ...]  # the fields of its value down to what says the length
    otherwise: int  # without the variable

    def of(self, variables: Mapping[str, Any]) -> int:
        """The length with these variables."""
        value: Any = variables.get(self.variable)
        for name in self.path:
            value = value.get(name) if isinstance(value, dict) else None
        return self.otherwise if value is None else _length(value)


Size = int | Length


def _length(value: object) -> int:
    """As GraphQL takes it: one value for a list is a list of one."""
    if isinstance(value, list):
        return len(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(max(0, min(value, CEILING)))
    return 1


def size_of(
    value: ValueNode,
    path: tuple[str, ...],
    *,
    declared: Mapping[str, VariableDefinitionNode],
    otherwise: int,
) -> Size:
    """The length of the list that an argument's value says; `otherwise` where it says none."""
    if isinstance(value, VariableNode):
        name = value.name.value
        if name in declared and (default := declared[name].default_value) is not None:
            found = size_of(default, path, declared={}, otherwise=otherwise)
            otherwise = found if isinstance(found, int) else otherwise
        return Length(name, path, otherwise)
    if path:
        inner = _field(value, path[0])
        if inner is None:
            return otherwise
        return size_of(inner, path[1:], declared=declared, otherwise=otherwise)
    if isinstance(value, ListValueNode):
        return len(value.values)
    if isinstance(value, IntValueNode):
        digits = value.value
        return max(0, int(digits)) if len(digits) <= _MOST_DIGITS else CEILING
    return otherwise


def _field(value: ValueNode, name: str) -> ValueNode | None:
    if not isinstance(value, ObjectValueNode):
        return None
    return next((one.value for one in value.fields or () if one.name.value == name), None)


@dataclass(slots=True)
class Sum:
    """What is known without the variables, and what they multiply."""

    nodes: int = 0
    cost: int = 0
    parts: list[tuple[Length, "Sum"]] = field(default_factory=list)

    def add(self, other: "Sum", times: Size) -> None:
        """Add the other as many times."""
        if isinstance(times, Length):
            self.parts.append((times, other))
            return
        self.nodes = min(CEILING, self.nodes + other.nodes * times)
        self.cost = min(CEILING, self.cost + other.cost * times)
        if times == 1:
            self.parts += other.parts
        elif other.parts and times > 1:
            self.parts += [(length, part.times(times)) for length, part in other.parts]

    def times(self, factor: int) -> "Sum":
        """As many times this."""
        product = Sum()
        product.add(self, factor)
        return product

    def estimated(self, variables: Mapping[str, Any]) -> Estimate:
        """All of it with these variables."""
        nodes, cost = self.nodes, self.cost
        for length, part in self.parts:
            times = length.of(variables)
            inner = part.estimated(variables)
            nodes = min(CEILING, nodes + times * inner.nodes)
            cost = min(CEILING, cost + times * inner.cost)
        return Estimate(nodes, cost)
