"""Asking for exact fields alone, as of an instant, and what the answer says of its own end."""

import json
from functools import cache
from typing import NamedTuple

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_required_argument,
    parse,
)

from server.clock import Instant
from server.edge.context import Context
from server.edge.executing import schema_of
from server.edge.fields import is_exact
from server.edge.limits import DocumentLimits
from server.edge.planning import OperationPlan, Planner
from server.edge.sizing import sizes_of
from server.principal import Principal, PrincipalKind
from server.schema import schema
from tests.api.prepared_documents import executed


def exact_selection(type_: GraphQLNamedType, above: tuple[str, ...] = ()) -> str:
    """All exact fields of the type that take no argument, each type once on a way."""
    if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    fields = []
    for name, field in type_.fields.items():
        inner = get_named_type(field.type)
        needs = any(map(is_required_argument, field.args.values()))
        if inner.name not in above and is_exact(field) and not needs:
            fields.append(f"{name} {exact_selection(inner, (*above, type_.name))}".rstrip())
    return "{ " + " ".join(fields) + " }"


def exact_fields() -> list[str]:
    """The exact fields of a member."""
    member = schema_of(schema).type_map["Member"]
    assert isinstance(member, GraphQLObjectType)
    return [name for name, field in member.fields.items() if is_exact(field)]


@cache
def everything() -> str:
    """All exact fields of the signed-in member."""
    return f"{{ me {exact_selection(schema_of(schema).type_map['Member'])} }}"


@cache
def alone(name: str) -> str:
    """One exact field of the signed-in member, with all exact fields in it."""
    member = schema_of(schema).type_map["Member"]
    assert isinstance(member, GraphQLObjectType)
    inner = exact_selection(get_named_type(member.fields[name].type), ("Member",))
    return f"{{ me {{ {name} {inner} }} }}"


@cache
def plan_of(document: str) -> OperationPlan:
    """The document's plan."""
    planner = Planner(schema_of(schema), sizes_of(schema_of(schema)))
    [plan] = planner.planned(parse(document), DocumentLimits())
    return plan


class Told(NamedTuple):
    """An answer, and the first instant at which time alone may make it another one."""

    data: str
    changes_at: Instant


async def ask(document: str, member_id: int, at: Instant) -> Told:
    """The answer to the member at the instant, read anew."""
    principal = Principal(PrincipalKind.MEMBER, id=1, member_id=member_id)
    context = Context(principal=principal, at=at, asked=plan_of(document).asked)
    result = await executed(document, context)
    assert result.errors is None, result.errors
    return Told(json.dumps(result.data, default=str), context.next_change_at)
