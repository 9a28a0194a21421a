"""How the value of a field is had: told once for each field, when an operation is compiled."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from graphql import (
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
)
from graphql.pyutils import is_awaitable

if TYPE_CHECKING:
    from graphql_compiler.running import Run, Where
    from graphql_compiler.sites import Site


@dataclass(frozen=True, slots=True)
class Attribute:
    """The attribute of the source, or what `getter(source, name)` gives; arguments are ignored."""

    name: str
    getter: Callable[[Any, str], object] | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """As graphql-core does without a resolver: a mapping's key or an attribute, None if there is
    none; called with the info and the arguments if it can be called."""

    name: str


@dataclass(frozen=True, slots=True)
class Direct:
    """A function to call as it is, without the resolver around it.

    `convert` makes the keyword arguments from the coerced ones, and `info` what the parameter
    `info_name` gets. An asynchronous function converts when it is awaited, as a resolver that is
    a coroutine does.
    """

    function: Callable[..., Any]
    is_async: bool = False
    takes_source_first: bool = False
    source_names: tuple[str, ...] = ()
    info_name: str | None = None
    info: "Callable[[Run, Site, Where], object] | None" = None
    convert: Callable[[dict[str, Any], Any], dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """A resolver called as graphql-core calls it: `function(source, info, **arguments)`."""

    function: Callable[..., Any]


Binding = Attribute | Lookup | Direct | Resolve
Bind = Callable[[GraphQLObjectType, str, GraphQLField], Binding]


_names: WeakKeyDictionary[GraphQLEnumType, dict[Any, str]] = WeakKeyDictionary()
"""What a hundred currencies take milliseconds to put together is not put together twice."""


class Binder:
    """What the compiler asks about a schema; the answers here hold for every schema.

    Override `__call__` to bind fields cheaper than graphql-core calls them, and the rest where the
    schema's maker knows more.
    """

    cast_mark: str | None = None
    """An attribute of single objects that overrules what their class says of their type."""

    def __call__(
        self, parent_type: GraphQLObjectType, field_name: str, field: GraphQLField
    ) -> Binding:
        """How the field is had."""
        return Lookup(field_name) if field.resolve is None else Resolve(field.resolve)

    def is_decided_by_class(
        self, type_: GraphQLObjectType | GraphQLAbstractType, cls: type
    ) -> bool:
        """Whether all objects of the class have the same type where `type_` is expected, except
        those with the `cast_mark`. Said of an object type, that `is_type_of` agrees for all."""
        return False

    def enum_members(self, enum: GraphQLEnumType) -> Iterable[object]:
        """Objects that live as long as the enum and may be told by their identity."""
        return [
            value.value
            for value in enum.values.values()
            if isinstance(value.value, Enum) and not callable(value.value)
        ]

    def enum_names(self, enum: GraphQLEnumType) -> dict[Any, str]:
        """The names of these members by their `id`, put together once for an enum."""
        names = _names.get(enum)
        if names is None:
            members = self.enum_members(enum)
            names = _names[enum] = {id(one): enum.coerce_output_value(one) for one in members}
        return names

    def resolve_info(self, run: "Run", site: "Site", where: "Where") -> GraphQLResolveInfo[Any]:
        """What a resolver is told, as graphql-core's executor builds it."""
        return GraphQLResolveInfo(
            site.name,
            list(site.nodes),
            site.definition.type,
            site.parent_type,
            run.path(where),
            run.program.schema,
            run.program.fragments,
            run.root,
            run.program.operation,
            run.values,
            run.context,
            is_awaitable,
            None,
            run.helpers,
        )


class _FunctionBinder(Binder):
    """A binder that asks a function about fields."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def __call__(
        self, parent_type: GraphQLObjectType, field_name: str, field: GraphQLField
    ) -> Binding:
        return self._bind(parent_type, field_name, field)


def binder_of(bind: Bind) -> Binder:
    """The binder that a function is, or is made into."""
    return bind if isinstance(bind, Binder) else _FunctionBinder(bind)


default_bind = Binder()
"""Binds the fields of any schema."""


def get_default(source: object, name: str, is_mapping: bool) -> object:
    """What `Lookup` finds."""
    if is_mapping:
        assert isinstance(source, Mapping)
        return source.get(name)
    return getattr(source, name, None)
