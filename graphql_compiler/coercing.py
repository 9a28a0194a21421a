"""Input values, coerced by a Python function made once for each input object type.

A function takes values that are right, as JSON has them, and gives what `coerce_input_value` gives.
Of any other value it says `Unusual`, or raises what a type raises: graphql-core then tells.
"""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any
from weakref import WeakKeyDictionary

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLString,
)
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_default_value

from graphql_compiler.constants import is_immutable
from graphql_compiler.source import Source

Coerce = Callable[[Any], Any]

_DEEPEST = 32
"""How many types may be inside one another: far less than graphql-core takes of values."""
_USUAL = {
    GraphQLBoolean: "x is True or x is False",
    GraphQLFloat: "type(x) is float and x - x == 0.0",
    GraphQLID: "type(x) is str",
    GraphQLInt: "type(x) is int and -2147483648 <= x <= 2147483647",
    GraphQLString: "type(x) is str",
}
"""When a built-in scalar takes a value as it is."""


class Unusual(Exception):
    """The value is for graphql-core to judge."""


class _Endless(Exception):
    """The type contains itself, or is too deep to be followed."""


_coercions: WeakKeyDictionary[GraphQLInputObjectType, Coerce | None] = WeakKeyDictionary()


def coercion_of(type_: GraphQLInputType) -> Coerce | None:
    """What coerces values of the type, null among them if it may be; None if it can't be told
    ahead, as of a type that contains itself."""
    try:
        writer = _Writer()
        name = writer.function(type_, 0)
        return writer.made(name)
    except _Endless:
        return None


def _of_object(type_: GraphQLInputObjectType, depth: int) -> Coerce:
    """What coerces objects of the type, made once."""
    if type_ in _coercions:
        known = _coercions[type_]
        if known is None:
            raise _Endless
        return known
    _coercions[type_] = None  # what is found here again while it is made contains itself
    writer = _Writer()
    made = writer.made(writer.object(type_, depth))
    _coercions[type_] = made
    return made


class _Writer:
    """Writes the functions for one type; those of objects inside are made by writers of their
    own."""

    def __init__(self) -> None:
        self._source = Source()
        self._undefined = self._source.bind(Undefined)
        self._unusual = self._source.bind(Unusual)
        self._names: Iterator[str] = (f"f{number}" for number in range(1_000_000))

    def made(self, name: str) -> Coerce:
        """The function of the name."""
        made: Coerce = self._source.run()[name]
        return made

    def function(self, type_: GraphQLInputType, depth: int) -> str:
        """Write a function that coerces one value; its name."""
        body: list[str] = []
        self._value(body, 1, type_, depth)
        name = next(self._names)
        self._source.function([f"def {name}(x):", *body, " return x"])
        return name

    def object(self, type_: GraphQLInputObjectType, depth: int) -> str:
        """Write a function that coerces one object; its name."""
        body = [
            f" if type(v) is not dict: raise {self._unusual}",
            " r = {}",
            " n = 0",
        ]
        for name, field in type_.fields.items():
            self._field(body, name, field, depth)
        body.append(f" if n != len(v): raise {self._unusual}")
        if type_.is_one_of:
            body.append(f" if n != 1 or len(r) != 1: raise {self._unusual}")
            body.append(f" for x in r.values():\n  if x is None: raise {self._unusual}")
        made = "r"
        if type_.out_type is not GraphQLInputObjectType.out_type:
            made = f"{self._source.bind(type_.out_type)}(r)"
        name = next(self._names)
        self._source.function([f"def {name}(v):", *body, f" return {made}"])
        return name

    def _field(self, body: list[str], name: str, field: GraphQLInputField, depth: int) -> None:
        key = self._source.text(field.out_name or name)
        default = coerce_default_value(field)
        body.append(f" x = v.get({self._source.text(name)}, {self._undefined})")
        body.append(f" if x is not {self._undefined}:")
        body.append("  n += 1")
        self._value(body, 2, field.type, depth + 1)
        body.append(f"  r[{key}] = x")
        if default is not Undefined:
            shown = self._source.bind(default)
            if not is_immutable(default):
                shown = f"{self._source.bind(coerce_default_value)}({self._source.bind(field)})"
            body.append(f" else: r[{key}] = {shown}")
        elif isinstance(field.type, GraphQLNonNull):
            body.append(f" else: raise {self._unusual}")

    def _value(self, body: list[str], level: int, type_: GraphQLInputType, depth: int) -> None:
        """Write what coerces the variable `x`."""
        if depth > _DEEPEST:
            raise _Endless
        indent = " " * level
        if isinstance(type_, GraphQLNonNull):
            body.append(f"{indent}if x is None: raise {self._unusual}")
            self._present(body, indent, type_.of_type, depth)
        else:
            body.append(f"{indent}if x is not None:")
            self._present(body, indent + " ", type_, depth)

    def _present(self, body: list[str], indent: str, type_: Any, depth: int) -> None:
        """Write what coerces the variable `x`, which is not None."""
        if isinstance(type_, GraphQLList):
            body.append(f"{indent}if type(x) is not list: raise {self._unusual}")
            body.append(f"{indent}x = [{self._item(type_.of_type, depth + 1)}(x) for x in x]")
        elif isinstance(type_, GraphQLInputObjectType):
            body.append(f"{indent}x = {self._source.bind(_of_object(type_, depth))}(x)")
        elif isinstance(type_, GraphQLEnumType):
            self._leaf(body, indent, _Members(type_))
        elif type_ in _USUAL:
            body.append(f"{indent}if not ({_USUAL[type_]}):")
            self._leaf(body, indent + " ", type_.coerce_input_value)
        else:
            self._leaf(body, indent, type_.coerce_input_value)

    def _item(self, type_: GraphQLInputType, depth: int) -> str:
        of = type_.of_type if isinstance(type_, GraphQLNonNull) else None
        if isinstance(of, GraphQLInputObjectType):  # which refuses null itself
            return self._source.bind(_of_object(of, depth))
        return self.function(type_, depth)

    def _leaf(self, body: list[str], indent: str, coerce: Coerce) -> None:
        body.append(f"{indent}x = {self._source.bind(coerce)}(x)")
        body.append(f"{indent}if x is {self._undefined}: raise {self._unusual}")


class _Members:
    """The values of an enum by their names, kept where they are members of Python's enums."""

    __slots__ = ("_enum", "_known")

    def __init__(self, enum: GraphQLEnumType) -> None:
        self._enum = enum
        self._known: dict[str, Enum] = {}

    def __call__(self, name: Any) -> Any:
        """The value of the name."""
        known = self._known.get(name) if type(name) is str else None
        if known is not None:
            return known
        value = self._enum.coerce_input_value(name)
        if isinstance(value, Enum) and type(name) is str:
            self._known[name] = value
        return value
