"""Rules of fields: who they let in, how they are stated, and how an operation is checked."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import strawberry
from graphql import GraphQLSchema

from server.edge.context import Context
from server.edge.fields import computed
from server.edge.permissions import (
    ALL_STAFF,
    EVERYONE,
    MEMBER,
    MEMBER_DATA,
    NOBODY,
    STAFF,
    Access,
    access,
    deciding,
    first_denied,
    query,
    rules_of,
    shown_to,
    subscription,
)
from server.principal import ANONYMOUS, Principal, PrincipalKind, Scope, StaffRole

ANNA = Principal(PrincipalKind.MEMBER, 1, member_id=1)
TILL = Principal(PrincipalKind.KEY, 2, scopes=frozenset({Scope.MEMBERS_READ}))
AUDITOR = Principal(PrincipalKind.STAFF, 3, staff_role=StaffRole.AUDITOR)
MANAGER = Principal(PrincipalKind.STAFF, 4, staff_role=StaffRole.MANAGER)
MANAGERS = access(roles=frozenset({StaffRole.MANAGER}))


@shown_to(EVERYONE)
@strawberry.interface
class Thing:
    id: str


@shown_to(MEMBER_DATA)
@strawberry.type
class Purse(Thing):
    coins: int
    secret: str = strawberry.field(directives=[MEMBER.directive])

    @computed(description="What only managers count.", rule=MANAGERS)
    def counted(self) -> int:
        return self.coins


@strawberry.type
class Forgotten:
    said: str


@strawberry.type
class Query:
    @query(EVERYONE, description="A purse.")
    def purse(self) -> Purse:
        return Purse(id="1", coins=3, secret="x")

    @query(EVERYONE, description="What nobody thought of.")
    def forgotten(self) -> Forgotten:
        return Forgotten(said="x")


@strawberry.type
class Subscription:
    @subscription(MEMBER, description="Coins, one by one.")
    async def coins(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number


SCHEMA = strawberry.Schema(Query, subscription=Subscription)


def graphql_schema() -> GraphQLSchema:
    return SCHEMA._schema


RULES = rules_of(graphql_schema())


def test_a_rule_lets_in_whom_it_names() -> None:
    callers = {"nobody": ANONYMOUS, "anna": ANNA, "till": TILL, "auditor": AUDITOR}
    for rule, allowed in (
        (EVERYONE, {"nobody", "anna", "till", "auditor"}),
        (NOBODY, set()),
        (MEMBER, {"anna"}),
        (STAFF, {"auditor"}),
        (MANAGERS, set()),
        (access(Scope.MEMBERS_READ), {"till"}),
        (access(Scope.MEMBERS_ENROL), set()),
        (MEMBER_DATA, {"anna", "till", "auditor"}),
    ):
        assert {name for name, caller in callers.items() if rule.allows(caller)} == allowed


def test_two_rules_together_let_in_whom_either_names() -> None:
    both = MEMBER | MANAGERS | access(Scope.CARDS_WRITE)
    assert both == access(Scope.CARDS_WRITE, members=True, roles=frozenset({StaffRole.MANAGER}))
    assert (MEMBER | EVERYONE).everyone


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        (EVERYONE, ["EVERYONE"]),
        (EVERYONE | MEMBER, ["EVERYONE"]),
        (STAFF, ["STAFF"]),
        (access(roles=ALL_STAFF - {StaffRole.AUDITOR}),
         ["STAFF_SUPPORT", "STAFF_MARKETER", "STAFF_MANAGER"]),
        (MEMBER_DATA, ["MEMBER", "STAFF", "KEY_MEMBERS_READ"]),
        (NOBODY, []),
    ],
    ids=["everyone", "everyone and more", "staff", "some roles", "all kinds", "nobody"],
)  # fmt: skip
def test_the_schema_shows_a_rule_in_few_words(rule: Access, shown: list[str]) -> None:
    assert rule.shown == shown


def test_fields_have_their_types_rule_or_their_own_and_none_is_anybodys_by_accident() -> None:
    assert RULES == {
        ("Thing", "id"): EVERYONE,
        ("Purse", "id"): MEMBER_DATA,
        ("Purse", "coins"): MEMBER_DATA,
        ("Purse", "secret"): MEMBER,
        ("Purse", "counted"): MANAGERS,
        ("Forgotten", "said"): NOBODY,
    }


def test_the_schema_shows_the_rule_of_every_field() -> None:
    shown = SCHEMA.as_str()
    assert 'coins: Int! @access(who: ["MEMBER", "STAFF", "KEY_MEMBERS_READ"])' in shown
    assert 'secret: String! @access(who: ["MEMBER"])' in shown
    assert 'counted: Int! @access(who: ["STAFF_MANAGER"])' in shown
    assert 'purse: Purse! @access(who: ["EVERYONE"])' in shown
    assert 'coins: Int! @access(who: ["MEMBER"])' in shown.partition("type Subscription")[2]


def test_the_first_field_that_a_caller_may_not_use_is_named() -> None:
    used = [("Query", "purse"), ("Purse", "coins"), ("Purse", "secret"), ("Purse", "counted")]
    assert first_denied(RULES, used, ANNA) == ("Purse", "counted")
    assert first_denied(RULES, used, TILL) == ("Purse", "secret")
    assert first_denied(RULES, used, ANONYMOUS) == ("Purse", "coins")
    assert first_denied(RULES, used[:3], ANNA) is None
    assert first_denied(RULES, [("__Type", "name")], ANONYMOUS) is None


def test_what_is_kept_of_a_document_decides_the_same() -> None:
    used = [("Thing", "id"), ("Purse", "id"), ("Purse", "coins"), ("Purse", "secret")]
    kept = deciding(RULES, used)
    assert kept == (("Purse", "id"), ("Purse", "secret"))
    for caller in (ANONYMOUS, ANNA, TILL, MANAGER):
        assert first_denied(RULES, kept, caller) == first_denied(RULES, used, caller)


async def test_a_subscription_begins_only_for_whom_it_names() -> None:
    async def received(principal: Principal) -> list[Any]:
        begun = await SCHEMA.subscribe(
            "subscription { coins }", context_value=Context(principal=principal)
        )
        return [(one.data, one.errors) async for one in begun]

    assert await received(ANNA) == [({"coins": number}, None) for number in range(3)]
    for principal, code in ((ANONYMOUS, "UNAUTHENTICATED"), (AUDITOR, "FORBIDDEN")):
        ((data, errors),) = await received(principal)
        assert data is None
        assert [error.extensions["code"] for error in errors] == [code]
