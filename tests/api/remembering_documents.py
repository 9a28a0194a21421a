"""Operations that may be answered from memory, made from the schema: whatever is exact in it."""

from dataclasses import dataclass, field
from functools import cache

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from server.edge.executing import schema_of
from server.edge.fields import is_exact
from server.schema import schema
from tests.api.calling import Json
from tests.api.home import HOME

FIRST = 3


@dataclass(frozen=True)
class Asked:
    """An operation with its variables."""

    document: str
    variables: Json = field(default_factory=dict)


def _exact(type_: GraphQLNamedType, above: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(name, the field as it is asked for) of all of the type that is exact and takes no arguments
    but how much is wanted; each type once on a way."""
    if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        return []
    found = []
    for name, definition in type_.fields.items():
        inner = get_named_type(definition.type)
        needs = any(map(is_required_argument, definition.args.values()))
        if inner.name in above or needs or not is_exact(definition):
            continue
        given = f"{name}(first: {FIRST})" if "first" in definition.args else name
        if is_leaf_type(inner):
            found.append((name, given))
        elif below := _exact(inner, (*above, type_.name)):
            found.append((name, f"{given} {{ {' '.join(text for _, text in below)} }}"))
    return found


def _type(name: str) -> GraphQLNamedType:
    return schema_of(schema).type_map[name]


@cache
def by_field() -> dict[str, Asked]:
    """For each exact field of a member, an operation that asks for nothing else: no other field's
    instants hide that it forgets to state its own."""
    return {
        name: Asked(f"query Narrow {{ me {{ {text} }} }}") for name, text in _exact(_type("Member"))
    }


@cache
def everything() -> Asked:
    """All of a member that is exact."""
    fields = " ".join(text for _, text in _exact(_type("Member")))
    return Asked(f"query Everything {{ me {{ {fields} }} }}")


@cache
def whole() -> tuple[Asked, ...]:
    """Operations as phones send them."""
    some = "query Some($first: Int!) { me { name activity(first: $first) { nodes { title } } } }"
    roots = [text for name, text in _exact(_type("Query")) if name not in ("me", "node")]
    catalogue = [Asked(f"query Catalogue {{ {' '.join(roots)} }}")] if roots else []
    return (
        Asked(HOME),
        everything(),
        Asked(some, {"first": 1}),
        Asked(some, {"first": 2}),
        *catalogue,
    )
