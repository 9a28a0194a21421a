"""The schema as a stranger reads it: every part described, every mutation of one shape."""

import difflib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    DirectiveLocation,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLUnionType,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
    print_ast,
)

from server import errors
from server.principal import Scope, StaffRole
from server.schema import schema
from tests.api.contract import FILE, access_of, contract, mutations, root_fields

CONTRACT = contract()
CHOOSING = {
    "affordable",
    "at",
    "category",
    "couponKey",
    "isActivated",
    "key",
    "kind",
    "needsReview",
    "state",
    "status",
    "unreadOnly",
    "webhookId",
}
"""Arguments of connections that say which of the things are listed."""
TYPES = {
    name: type_
    for name, type_ in CONTRACT.type_map.items()
    if not is_introspection_type(type_)
    and not (isinstance(type_, GraphQLScalarType) and is_specified_scalar_type(type_))
}


def described() -> Iterator[tuple[str, str | None]]:
    """Every part of the schema with its description."""
    for directive in CONTRACT.directives:
        if not is_specified_directive(directive):
            yield f"@{directive.name}", directive.description
    for name, type_ in TYPES.items():
        yield name, type_.description
        for part, definition in _parts(type_):
            yield f"{name}.{part}", definition.description
            for argument, given in getattr(definition, "args", {}).items():
                yield f"{name}.{part}({argument})", given.description


def _parts(type_: GraphQLNamedType) -> Iterator[tuple[str, Any]]:
    """The fields or values of a type."""
    if isinstance(type_, GraphQLEnumType):
        yield from type_.values.items()
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        yield from type_.fields.items()


def test_the_contract_is_what_the_code_serves() -> None:
    kept = FILE.read_text(encoding="utf-8")
    served = schema.as_str() + "\n"
    difference = "".join(
        difflib.unified_diff(kept.splitlines(True), served.splitlines(True), "kept", "served")
    )
    assert not difference, f"run scripts/schema if this is meant:\n{difference}"


def test_every_part_is_described_in_a_sentence() -> None:
    # A sentence may end with an example: `An amount, such as 12.50.` ends in a period as well.
    without = {
        place: text
        for place, text in described()
        if not text or not text.endswith(".") or len(text) < 5
    }
    assert not without


def test_no_description_speaks_of_the_code() -> None:
    words = re.compile(r"\b(TODO|FIXME|XXX|None|dict|resolver|Python|SQL|struct)\b")
    assert not {place: text for place, text in described() if text and words.search(text)}


@pytest.mark.parametrize("name", mutations())
def test_a_mutation_takes_one_input_and_answers_a_union_of_one_success_and_problems(
    name: str,
) -> None:
    mutation = mutations()[name]
    capitalised = name[0].upper() + name[1:]
    assert list(mutation.args) == ["input"]
    argument = mutation.args["input"].type
    assert isinstance(argument, GraphQLNonNull)
    assert isinstance(argument.of_type, GraphQLInputObjectType)
    assert argument.of_type.name == f"{capitalised}Input"
    key = argument.of_type.fields["idempotencyKey"].type
    assert str(key) == "String!"
    assert isinstance(mutation.type, GraphQLNonNull)
    result = mutation.type.of_type
    assert isinstance(result, GraphQLUnionType)
    assert result.name == f"{capitalised}Result"
    problems = [
        one.name for one in result.types if "Problem" in {face.name for face in one.interfaces}
    ]
    assert len(result.types) == len(problems) + 1
    assert result.types[0].name not in problems, "the success stands first"
    assert "IdempotencyConflict" in problems
    assert "InvalidInput" in problems, "of a key that can't be one"


def test_every_union_of_the_schema_tells_successes_from_problems() -> None:
    for type_ in TYPES.values():
        if isinstance(type_, GraphQLUnionType):
            kinds = ["Problem" in {face.name for face in one.interfaces} for one in type_.types]
            assert kinds == sorted(kinds)
            assert kinds.count(False) == 1 or not any(kinds), type_.name


def test_every_problem_has_a_code_of_its_own() -> None:
    problem = CONTRACT.type_map["Problem"]
    assert isinstance(problem, GraphQLInterfaceType)
    names = {type_.name for type_ in CONTRACT.get_possible_types(problem)}
    codes = CONTRACT.type_map["ProblemCode"]
    assert isinstance(codes, GraphQLEnumType)
    assert set(codes.values) == {code.value for code in errors.ProblemCode}
    assert {_screaming(name) for name in names} == set(codes.values)


def _screaming(name: str) -> str:
    return "".join(f"_{c}" if c.isupper() else c.upper() for c in name).lstrip("_")


def test_there_are_no_scalars_without_a_form() -> None:
    scalars = {name for name, type_ in TYPES.items() if isinstance(type_, GraphQLScalarType)}
    assert scalars == {"BigInt", "Date", "DateTime", "Decimal"}


@pytest.mark.parametrize(
    ("operation", "name"), [(operation, name) for operation, name, _ in root_fields()]
)
def test_every_root_field_says_who_may_use_it(operation: str, name: str) -> None:
    (field,) = (field for kind, of, field in root_fields() if (kind, of) == (operation, name))
    known = {
        "EVERYONE",
        "MEMBER",
        "STAFF",
        *(f"STAFF_{role.value}" for role in StaffRole),
        *(f"KEY_{scope.value}" for scope in Scope),
    }
    who = access_of(field)
    assert who, "a root field without @access"
    assert set(who) <= known
    assert len(set(who)) == len(who)
    assert "EVERYONE" not in who or who == ["EVERYONE"]


def test_lists_hold_no_nulls_and_are_not_null() -> None:
    nullable = [
        f"{name}.{field}"
        for name, type_ in TYPES.items()
        if isinstance(type_, GraphQLObjectType)
        for field, definition in type_.fields.items()
        if "[" in str(definition.type)
        and not (str(definition.type).startswith("[") and str(definition.type).endswith("!]!"))
    ]
    assert not nullable


def test_connections_are_relays() -> None:
    for name, type_ in TYPES.items():
        if name.endswith("Connection"):
            assert isinstance(type_, GraphQLObjectType)
            node = name.removesuffix("Connection")
            assert {field: str(one.type) for field, one in type_.fields.items()} == {
                "edges": f"[{node}Edge!]!",
                "nodes": f"[{node}!]!",
                "pageInfo": "PageInfo!",
            }
    for type_ in TYPES.values():
        if not isinstance(type_, GraphQLObjectType):
            continue
        for field, definition in type_.fields.items():
            if str(definition.type).endswith("Connection!"):
                arguments = {
                    argument: (str(one.type), print_ast(one.ast_node.default_value))
                    for argument, one in definition.args.items()
                    if one.ast_node is not None and one.ast_node.default_value is not None
                }
                paging = {"first": ("Int!", "20"), "after": ("String", "null")}
                assert arguments.items() >= paging.items(), field
                assert arguments.keys() <= {*paging, *CHOOSING}, field


def test_the_directive_stands_on_fields_alone() -> None:
    directive = CONTRACT.get_directive("access")
    assert directive is not None
    assert list(directive.locations) == [DirectiveLocation.FIELD_DEFINITION]
