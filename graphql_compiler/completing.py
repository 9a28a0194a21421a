"""Writes how a value becomes what the response shows: the usual case inline, the rest by a call
of what `Spot` does with any value."""

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLScalarType,
    GraphQLString,
)

from graphql_compiler.bindings import Binder
from graphql_compiler.sites import AbstractSpot, LeafSpot, ListSpot, ObjectSpot, Spot
from graphql_compiler.source import Source

_UNUSUAL = {
    GraphQLBoolean: "{0} is not True and {0} is not False",
    GraphQLFloat: "(type({0}) is not float or {0} - {0} != 0.0)",
    GraphQLID: "type({0}) is not str",
    GraphQLInt: "(type({0}) is not int or not -2147483648 <= {0} <= 2147483647)",
    GraphQLString: "type({0}) is not str",
}
"""When a built-in scalar does not show a value as it is."""


def is_shown_as_found(spot: Spot) -> bool:
    """Whether the usual value is its own result: it needs no variable but the result's."""
    return isinstance(spot, LeafSpot) and spot.type in _UNUSUAL


class Completion:
    """Writes the completion of one value: from the variable `found` to the variable `shown`."""

    def __init__(
        self,
        source: Source,
        binder: Binder,
        spot: Spot,
        *,
        found: str,
        shown: str,
        where: str,
        may_wait: bool,
        is_lookup: bool = False,
    ) -> None:
        self._source = source
        self._binder = binder
        self._spot = spot
        self._name = source.bind(spot)
        self._found = found
        self._shown = shown
        self._where = where
        self._may_wait = may_wait
        self._slow_name = "called" if is_lookup else "slow"

    def write(self, level: int, function: str | None) -> None:
        """Write it; `function` is the compiled function for the list or the object."""
        spot = self._spot
        if isinstance(spot, ListSpot):
            assert function is not None
            self._write_list(level, function)
        elif isinstance(spot, AbstractSpot):
            self._write_abstract(level, spot)
        elif isinstance(spot, ObjectSpot):
            assert function is not None
            self._write_object(level, spot, function)
        elif spot.type in _UNUSUAL:
            self._write_builtin(level)
        elif isinstance(spot.type, GraphQLEnumType):
            self._write_enum(level, spot.type)
        else:
            self._write_scalar(level, spot)

    # ---------------------------------------------------------------- what is written

    def _line(self, level: int, text: str) -> None:
        self._source.line(level, text)

    def _write_slow(self, level: int) -> None:
        if self._may_wait:
            call = f"{self._name}.{self._slow_name}(c, {self._where}, {self._found}, w)"
            self._line(level, f"{self._shown}, w = {call}")
        else:
            call = f"{self._name}.complete(c, {self._found}, {self._where})"
            self._line(level, f"{self._shown} = {call}")

    def _write_rest(self, level: int) -> None:
        """Nulls where they are allowed, and all that is unusual, after an `if`."""
        if not self._spot.is_required:
            self._line(level, f"elif {self._found} is None:")
            self._line(level + 1, f"{self._shown} = None")
        self._line(level, "else:")
        self._write_slow(level + 1)

    def _write_result(self, level: int, function: str) -> None:
        """Call a function that may give a coroutine."""
        call = f"{function}(c, {self._found}, {self._where})"
        self._line(level, f"{self._shown} = {call}")
        if self._may_wait:
            self._line(level, f"if type({self._shown}) is C:")
            later = f"{self._name}.later(c, {self._where}, {self._shown}, w)"
            self._line(level + 1, f"{self._shown}, w = {later}")

    def _write_builtin(self, level: int) -> None:
        if self._found != self._shown:
            self._line(level, f"{self._shown} = {self._found}")
        unusual = _UNUSUAL[self._spot.type].format(self._found)
        if not self._spot.is_required:
            unusual = f"{self._found} is not None and {unusual}"
        self._line(level, f"if {unusual}:")
        self._write_slow(level + 1)

    def _write_enum(self, level: int, enum: GraphQLEnumType) -> None:
        table = self._binder.enum_names(enum)
        key = f"id({self._found})"
        if not table:
            table = _names_by_text(enum)
            key = f"{self._found} if type({self._found}) is str else None"
        self._line(level, f"{self._shown} = {self._source.bind(table)}.get({key})")
        unusual = f"{self._shown} is None"
        if not self._spot.is_required:
            unusual += f" and {self._found} is not None"
        self._line(level, f"if {unusual}:")
        self._write_slow(level + 1)

    def _write_scalar(self, level: int, spot: Spot) -> None:
        scalar = spot.type
        assert isinstance(scalar, GraphQLScalarType)
        assert isinstance(spot, LeafSpot)
        coerce = self._source.bind(spot.coerce)
        self._line(level, f"if type({self._found}) in PLAIN:")
        self._line(level + 1, f"{self._shown} = {coerce}({self._found})")
        self._line(level + 1, f"if type({self._shown}) not in ENCODED:")
        if self._may_wait:
            call = f"{self._name}.odd(c, {self._where}, {self._found}, {self._shown}, w)"
            self._line(level + 2, f"{self._shown}, w = {call}")
        else:
            call = f"{self._name}.checked({self._found}, {self._shown})"
            self._line(level + 2, f"{self._shown} = {call}")
        self._write_rest(level)

    def _write_list(self, level: int, function: str) -> None:
        self._line(level, f"if type({self._found}) in LISTS:")
        self._write_result(level + 1, function)
        self._write_rest(level)

    def _write_object(self, level: int, spot: ObjectSpot, function: str) -> None:
        classes = self._source.bind(spot.site.program.classes.of(spot.type))
        known = f"type({self._found}) in {classes}"
        if spot.type.is_type_of is not None:
            known += self._unmarked()
        self._line(level, f"if {known}:")
        self._write_result(level + 1, function)
        self._write_rest(level)

    def _write_abstract(self, level: int, spot: AbstractSpot) -> None:
        by_class = self._source.bind(spot.by_class)
        self._line(level, f"g = {by_class}.get(type({self._found}))")
        self._line(level, f"if g is not None{self._unmarked()}:")
        self._write_result(level + 1, "g")
        self._write_rest(level)

    def _unmarked(self) -> str:
        mark = self._binder.cast_mark
        if mark is None:
            return ""
        return f" and getattr({self._found}, {self._source.bind(mark)}, None) is None"


def _names_by_text(enum: GraphQLEnumType) -> dict[str, str]:
    if type(enum) is not GraphQLEnumType:
        return {}
    texts = [value.value for value in enum.values.values() if type(value.value) is str]
    return {text: enum.coerce_output_value(text) for text in texts}
