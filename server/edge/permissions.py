"""Who may call what: stated on each field, visible in the schema, checked before it resolves."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions.field_extension import FieldExtension
from strawberry.schema_directive import Location

from server.edge.context import Info
from server.edge.fields import Field
from server.principal import Principal, PrincipalKind, Scope, StaffRole


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a field: everyone, or members, staff of some roles, keys of some scopes."""

    everyone: bool = False
    members: bool = False
    roles: frozenset[StaffRole] = frozenset()
    scopes: frozenset[Scope] = frozenset()

    def allows(self, principal: Principal) -> bool:
        """Whether the caller may."""
        if self.everyone:
            return True
        if principal.kind is PrincipalKind.MEMBER:
            return self.members
        if principal.kind is PrincipalKind.STAFF:
            return principal.staff_role in self.roles
        return principal.kind is PrincipalKind.KEY and bool(self.scopes & principal.scopes)

    @property
    def shown(self) -> list[str]:
        """The callers as the schema shows them."""
        if self.everyone:
            return ["EVERYONE"]
        return [
            *(["MEMBER"] if self.members else []),
            *(f"STAFF_{role.value}" for role in StaffRole if role in self.roles),
            *(f"KEY_{scope.value}" for scope in Scope if scope in self.scopes),
        ]


EVERYONE = Access(everyone=True)
MEMBER = Access(members=True)
ALL_STAFF = frozenset(StaffRole)


def access(
    *scopes: Scope, members: bool = False, roles: frozenset[StaffRole] = frozenset()
) -> Access:
    """Keys with one of the scopes, and members or staff roles as said."""
    return Access(members=members, roles=roles, scopes=frozenset(scopes))


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="access",
    description="Who may use this field: EVERYONE, MEMBER, STAFF_<role> or KEY_<scope>; "
    "one of them is enough.",
)
class AccessDirective:
    """The access rule of a field, in the schema."""

    who: list[str] = strawberry.directive_field(name="who")


class Guard(FieldExtension):
    """Refuses a field to callers whom its rule does not name, before anything is resolved."""

    def __init__(self, rule: Access) -> None:
        self.rule = rule

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: Info, **arguments: Any
    ) -> Any:
        """Check, then resolve."""
        check(self.rule, info.context.principal)
        answer = next_(source, info, **arguments)
        return await answer if inspect.isawaitable(answer) else answer


def check(rule: Access, principal: Principal) -> None:
    """Raise UNAUTHENTICATED (nobody known) or FORBIDDEN if the rule does not allow the caller."""
    if rule.allows(principal):
        return
    if principal.kind is PrincipalKind.ANONYMOUS:
        raise GraphQLError(
            "Sign in, or send an API key, to use this field.",
            extensions={"code": "UNAUTHENTICATED"},
        )
    raise GraphQLError(
        "Your credentials do not allow this field.", extensions={"code": "FORBIDDEN"}
    )


def query(rule: Access, *, description: str, name: str | None = None) -> Field:
    """A root field that reads, with its access rule."""
    field: Field = strawberry.field(
        description=description,
        name=name,
        extensions=[Guard(rule)],
        directives=[AccessDirective(who=rule.shown)],
    )
    return field


def mutation(rule: Access, *, description: str, name: str | None = None) -> Field:
    """A root field that writes, with its access rule."""
    field: Field = strawberry.mutation(
        description=description,
        name=name,
        extensions=[Guard(rule)],
        directives=[AccessDirective(who=rule.shown)],
    )
    return field
