"""Who may use what: stated on each field, visible in the schema, checked before anything resolves.

A root field states its rule itself (`query`, `mutation`, `subscription`) and checks it when it is
called. The fields of types have the rule that `shown_to` states for their type, or their own. An
operation is checked for all of them once, before it runs, so that no row costs a check: the rules
of the whole schema are `rules_of`, and `first_denied` finds what a caller may not ask for.
"""

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

import strawberry
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from strawberry.extensions.field_extension import FieldExtension
from strawberry.schema_directive import Location
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField

from server.edge.context import Info
from server.edge.refusing import RequestRefused
from server.principal import Principal, PrincipalKind, Scope, StaffRole

Field = Callable[[Callable[..., Any]], Any]
Alike = tuple[PrincipalKind, StaffRole | None, frozenset[Scope]]
"""What rules tell callers apart by."""
Coordinate = tuple[str, str]
"""A field of a type: both names as the schema has them."""
_Type = TypeVar("_Type", bound=type)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a field: everyone, or members, staff of some roles, keys of some scopes."""

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

    def __or__(self, other: "Access") -> "Access":
        """Whom either of the two rules allows."""
        return Access(
            everyone=self.everyone or other.everyone,
            members=self.members or other.members,
            roles=self.roles | other.roles,
            scopes=self.scopes | other.scopes,
        )

    @property
    def shown(self) -> list[str]:
        """The callers as the schema shows them; STAFF are all roles of the staff."""
        if self.everyone:
            return ["EVERYONE"]
        roles = [f"STAFF_{role.value}" for role in StaffRole if role in self.roles]
        return [
            *(["MEMBER"] if self.members else []),
            *(["STAFF"] if self.roles == ALL_STAFF else roles),
            *(f"KEY_{scope.value}" for scope in Scope if scope in self.scopes),
        ]

    @property
    def directive(self) -> "AccessDirective":
        """What states the rule on one field: `strawberry.field(directives=[RULE.directive])`."""
        return AccessDirective(who=self.shown, rule=self)


ALL_STAFF = frozenset(StaffRole)
OPERATORS = frozenset({StaffRole.SUPPORT, StaffRole.MANAGER})
"""Staff who do for members what members and tills could do."""
EVERYONE = Access(everyone=True)
NOBODY = Access()
MEMBER = Access(members=True)
STAFF = Access(roles=ALL_STAFF)
MEMBER_DATA = Access(members=True, roles=ALL_STAFF, scopes=frozenset({Scope.MEMBERS_READ}))
"""What is a member's own: for them, for all staff and for keys that may look members up."""
PURCHASE_DATA = MEMBER_DATA | Access(scopes=frozenset({Scope.PURCHASES_WRITE}))
"""What a till tells of a member's purchase, and may see of it again."""


def access(
    *scopes: Scope, members: bool = False, roles: frozenset[StaffRole] = frozenset()
) -> Access:
    """Keys with one of the scopes, and members or staff roles as said."""
    return Access(members=members, roles=roles, scopes=frozenset(scopes))


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="access",
    description="Who may use this field: EVERYONE, MEMBER, STAFF (all roles), STAFF_<role> or "
    "KEY_<scope>; one of them is enough.",
)
class AccessDirective:
    """The access rule of a field, in the schema."""

    who: list[str] = strawberry.directive_field(name="who")
    rule: strawberry.Private[Access] = field(default=NOBODY)


# ---------------------------------------------------------------- fields of types


def shown_to(rule: Access) -> Callable[[_Type], _Type]:
    """State who may use the fields of the type that state nothing themselves; above
    `@strawberry.type` or `@strawberry.interface`. Inherited fields get the type's rule too."""

    def state(cls: _Type) -> _Type:
        definition = get_object_definition(cls, strict=True)
        inherited = {
            id(one)
            for base in cls.__mro__[1:]
            if (above := get_object_definition(base)) is not None
            for one in above.fields
        }
        definition.fields[:] = [
            _ruled(one, rule) if id(one) in inherited or _rule_of(one) is None else one
            for one in definition.fields
        ]
        return cls

    return state


def _ruled(one: StrawberryField, rule: Access) -> StrawberryField:
    ruled = copy.copy(one)  # what is inherited belongs to the other type as well
    others = [each for each in one.directives if not isinstance(each, AccessDirective)]
    ruled.directives = [*others, rule.directive]
    return ruled


def _rule_of(one: StrawberryField) -> Access | None:
    stated = [each.rule for each in one.directives if isinstance(each, AccessDirective)]
    return stated[0] if stated else None


# ---------------------------------------------------------------- operations


def alike(principal: Principal) -> Alike:
    """Callers for whom this is the same may use the same."""
    return principal.kind, principal.staff_role, principal.scopes


@lru_cache(maxsize=8)
def rules_of(schema: GraphQLSchema) -> Mapping[Coordinate, Access]:
    """The rule of each field of each object type and interface of the schema.

    The root types are left out: their fields check their own rules when they are called, so that
    one that is refused spoils no other. A field for which nothing is stated is nobody's.
    """
    roots = {schema.query_type, schema.mutation_type, schema.subscription_type}
    return {
        (name, field_name): stated(definition)
        for name, type_ in schema.type_map.items()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        and type_ not in roots
        and not name.startswith("__")
        for field_name, definition in type_.fields.items()
    }


def stated(definition: Any) -> Access:
    """The rule of a field of the schema; nobody's if there is none."""
    ours = (definition.extensions or {}).get("strawberry-definition")
    return (_rule_of(ours) if isinstance(ours, StrawberryField) else None) or NOBODY


def deciding(
    rules: Mapping[Coordinate, Access], used: Iterable[Coordinate]
) -> tuple[Coordinate, ...]:
    """Of the fields that a document uses, those that can make a difference: the first with each
    rule, without what is everyone's. What to keep with a document for `first_denied`."""
    firsts: dict[Access, Coordinate] = {}
    for one in used:
        rule = rules.get(one, EVERYONE)
        if not rule.everyone:
            firsts.setdefault(rule, one)
    return tuple(firsts.values())


def first_denied(
    rules: Mapping[Coordinate, Access], used: Iterable[Coordinate], principal: Principal
) -> Coordinate | None:
    """The first of the fields that the caller may not use, or None; root fields and introspection
    have no rules there and are passed over."""
    return next(
        (one for one in used if one in rules and not rules[one].allows(principal)),
        None,
    )


# ---------------------------------------------------------------- root fields


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
        raise RequestRefused("UNAUTHENTICATED", "request.sign_in", status=401)
    raise RequestRefused("FORBIDDEN", "request.forbidden", status=403)


def query(rule: Access, *, description: str, name: str | None = None) -> Field:
    """A root field that reads, with its access rule."""
    return _root(strawberry.field, rule, description, name)


def mutation(rule: Access, *, description: str, name: str | None = None) -> Field:
    """A root field that writes, with its access rule."""
    return _root(strawberry.mutation, rule, description, name)


def subscription(rule: Access, *, description: str, name: str | None = None) -> Field:
    """A root field that goes on answering, with its access rule, checked when it begins."""
    return _root(strawberry.subscription, rule, description, name)


def _root(declare: Callable[..., Any], rule: Access, description: str, name: str | None) -> Field:
    declared: Field = declare(
        description=description,
        name=name,
        extensions=[Guard(rule)],
        directives=[rule.directive],
    )
    return declared
