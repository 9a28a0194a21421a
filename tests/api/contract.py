"""The published schema, and documents made from it, so that tests follow the contract."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_required_argument,
)
from graphql.language import ListValueNode, StringValueNode

from server.principal import Scope, StaffRole

FILE = Path(__file__).parents[2] / "schema.graphql"


@cache
def contract() -> GraphQLSchema:
    """The schema as `schema.graphql` has it."""
    return build_schema(FILE.read_text(encoding="utf-8"))


def root_fields() -> Iterator[tuple[str, str, GraphQLField]]:
    """("query" or "mutation", name, field) of all root fields."""
    schema = contract()
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    for operation, root in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        for name, field in root.fields.items():
            yield operation, name, field


@cache
def mutations() -> dict[str, GraphQLField]:
    """The mutations by name."""
    return {name: field for operation, name, field in root_fields() if operation == "mutation"}


def takes_key(mutation: GraphQLField) -> bool:
    """Whether the mutation's input has an idempotency key."""
    input_type = get_named_type(mutation.args["input"].type)
    assert isinstance(input_type, GraphQLInputObjectType)
    return "idempotencyKey" in input_type.fields


def access_of(field: GraphQLField) -> list[str] | None:
    """Who may use the root field, as its directive says; None without one."""
    assert field.ast_node is not None
    for directive in field.ast_node.directives or ():
        if directive.name.value == "access":
            (argument,) = directive.arguments or ()
            assert isinstance(argument.value, ListValueNode)
            return [
                value.value for value in argument.value.values if isinstance(value, StringValueNode)
            ]
    return None


def _callers_of(field: GraphQLField) -> frozenset[str]:
    """The words for who may use the field; of EVERYONE and STAFF also those that they stand for."""
    who = frozenset(access_of(field) or ())
    staff = {f"STAFF_{role.value}" for role in StaffRole}
    if "EVERYONE" in who:
        scopes = {f"KEY_{scope.value}" for scope in Scope}
        return frozenset({"EVERYONE", "STAFF", "MEMBER", *staff, *scopes})
    return who | (staff if "STAFF" in who else frozenset())


def selection(
    type_: GraphQLNamedType,
    above: tuple[str, ...] = (),
    callers: frozenset[str] = frozenset(),
) -> str:
    """Everything of the type that can be asked for without arguments, and by all of the callers;
    each type once on a way."""
    if isinstance(type_, GraphQLUnionType):
        parts = [f"... on {one.name} {selection(one, above, callers)}" for one in type_.types]
        return "{ __typename " + " ".join(parts) + " }"
    if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    fields = []
    for name, field in type_.fields.items():
        inner = get_named_type(field.type)
        if inner.name in above or any(map(is_required_argument, field.args.values())):
            continue
        if callers <= _callers_of(field):
            fields.append(f"{name} {selection(inner, (*above, type_.name), callers)}".rstrip())
    return "{ " + " ".join(fields) + " }"


@cache
def mutation_document(name: str) -> str:
    """The mutation with everything that it can answer to all who may call it."""
    field = mutations()[name]
    shown = selection(get_named_type(field.type), callers=_callers_of(field))
    return (
        f"mutation ($input: {field.args['input'].type}) {{ answer: {name}(input: $input) {shown} }}"
    )
