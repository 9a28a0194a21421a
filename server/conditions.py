"""Conditions: expressions in CEL that say yes or no of some facts.

The language is the Common Expression Language (https://cel.dev), checked against the types of the
facts when a condition is written, not when it is asked. A condition has no loops but over lists it
is given, and the runtime bounds those; it can neither read nor change anything but its facts.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any

MAXIMUM_LENGTH = 2000
_CONDITIONS_KEPT = 4096
_PLACE = re.compile(r"<input>:(\d+):(\d+): ([^\n]*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class FactType(StrEnum):
    """What a fact is; the value is CEL's name for it."""

    WHOLE = "int"  # a whole number of 64 bits
    TEXT = "string"
    TRUTH = "bool"
    TEXTS = "list(string)"
    WHOLES_BY_NAME = "map(string, int)"
    INSTANT = "timestamp"  # a datetime with a zone


class InvalidCondition(Exception):
    """A text is no condition over the facts; the message says where and why, in one line."""


class Facts:
    """The facts that conditions of one vocabulary are asked of, handed over once for all."""

    __slots__ = ("activation", "values")

    def __init__(self, activation: Any, values: Mapping[str, Any]) -> None:
        self.activation = activation
        self.values = values


class Condition:
    """A checked expression; `names` are the facts that it mentions."""

    __slots__ = ("_expression", "names", "text")

    def __init__(self, expression: Any, text: str, names: frozenset[str]) -> None:
        self._expression = expression
        self.text = text
        self.names = names

    def holds(self, facts: Facts) -> bool:
        """Whether it is true of the facts. What has no answer, such as a division by zero, a name
        that a map lacks, or too much work, does not hold."""
        try:
            answer: object = self._expression.eval(facts.activation).value()
        except RuntimeError:  # more steps than the runtime's budget
            return False
        return answer is True


class Vocabulary:
    """The names and types of the facts that some conditions may mention."""

    def __init__(self, facts: Mapping[str, FactType]) -> None:
        self.facts = dict(facts)
        self._condition = lru_cache(_CONDITIONS_KEPT)(self._compiled)

    @cached_property
    def _environment(self) -> Any:
        from cel_expr_python import cel  # noqa: PLC0415 - slow to load, and not always needed

        types = {
            FactType.WHOLE: cel.Type.INT,
            FactType.TEXT: cel.Type.STRING,
            FactType.TRUTH: cel.Type.BOOL,
            FactType.TEXTS: cel.Type.List(cel.Type.STRING),
            FactType.WHOLES_BY_NAME: cel.Type.Map(cel.Type.STRING, cel.Type.INT),
            FactType.INSTANT: cel.Type.TIMESTAMP,
        }
        return cel.NewEnv(variables={name: types[kind] for name, kind in self.facts.items()})

    def condition(self, text: str) -> Condition:
        """The condition that the text says; the same object each time. Raises InvalidCondition."""
        return self._condition(text)

    def _compiled(self, text: str) -> Condition:
        if len(text) > MAXIMUM_LENGTH:
            raise InvalidCondition(f"{len(text)} characters; at most {MAXIMUM_LENGTH} are taken")
        try:
            expression = self._environment.compile(text)
        except (RuntimeError, ValueError) as error:
            raise InvalidCondition(_one_line(str(error))) from None
        except TypeError:  # half of a surrogate pair
            raise InvalidCondition("it is no text in Unicode") from None
        kind = expression.return_type().name()
        if kind.lower() != "bool":
            raise InvalidCondition(f"it is a value of type {kind.lower()}, and not true or false")
        named = frozenset(_NAME.findall(text)) & self.facts.keys()
        return Condition(expression, text, named)

    def facts_of(self, values: Mapping[str, Any]) -> Facts:
        """The facts with these values: one for each name of the vocabulary."""
        return Facts(self._environment.Activation(dict(values)), values)


def _one_line(error: str) -> str:
    found = _PLACE.search(error)
    if found is None:
        return error.partition("\n")[0][:300]
    line, column, what = found.groups()
    return f"line {line}, column {column}: {what[:300]}"
