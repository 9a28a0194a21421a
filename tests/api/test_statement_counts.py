"""How many statements each query of the schema costs, asked for everything that it can answer; what
finds out the caller costs one more, shared by all who ask at the same time."""

import pytest

from server.clock import Instant
from server.edge.context import Context
from server.principal import Principal, PrincipalKind
from server.schema import schema
from server.storage import sql
from tests.api.calling import NOW, SECOND, Api, Caller
from tests.api.exact import alone, everything, exact_fields, plan_of
from tests.api.home import HOME
from tests.api.shop import QUERIES, opened

AT = Instant(NOW + SECOND)
STATEMENTS = {
    "me": 20,
    "member": 21,
    "members": 21,
    "node": 21,
    "pointBalances": 2,
    "sessions": 1,
    "apiKeys": 1,
    "purchase": 9,
    "programme": 1,
    "programmeVersions": 1,
    "payouts": 2,
    "adjustments": 2,
    "merges": 1,
    "insights": 9,
    "auditStatus": 1,
}
"""For members who have something of everything; the same on both engines."""


async def test_what_each_query_costs(api: Api) -> None:
    shop = await opened(api)
    await shop.grow(2)
    assert {name: len(await shop.counted(name)) for name in QUERIES} == STATEMENTS


@pytest.mark.parametrize("document", [HOME, everything(), *map(alone, exact_fields())])
async def test_what_the_home_screen_shows_is_one_statement(api: Api, document: str) -> None:
    anna = await api.member()
    principal = Principal(PrincipalKind.MEMBER, id=1, member_id=anna.member_id)
    context = Context(principal=principal, at=AT, asked=plan_of(document).asked)
    with sql.counted_statements() as statements:
        result = await schema.execute(document, context_value=context)
    assert result.errors is None
    assert len(statements) == 1, statements


async def test_what_is_not_asked_for_is_not_read(api: Api) -> None:
    anna = await api.member()
    tables = {
        "{ me { name } }": {"members"},
        "{ me { card { number } } }": {"members", "cards"},
        "{ me { points { available } } }": {"members", "ledger_accounts", "lots", "held_portions"},
        "{ me { vouchersIssued } }": {"members", "vouchers"},
        "{ me { tier { name } } }": {"members", "programme_versions", "tier_states", "tier_days"},
    }
    known = set().union(*tables.values(), {"postings", "challenge_progress", "cashback_months"})
    for document, expected in tables.items():
        principal = Principal(PrincipalKind.MEMBER, id=1, member_id=anna.member_id)
        context = Context(principal=principal, at=AT, asked=plan_of(document).asked)
        with sql.counted_statements() as statements:
            await schema.execute(document, context_value=context)
        [statement] = statements
        assert {table for table in known if f" {table} " in f"{statement} "} == expected


async def test_the_home_screen_over_http_is_two_statements_and_one_from_memory(
    api: Api, household: Caller
) -> None:
    await api.data(HOME, caller=household)
    await api.mutate("updateProfile", {"name": "Anna"}, household, at=None)
    await api.data("{ me { name } }", caller=household)
    for expected in (2, 1):
        with sql.counted_statements() as statements:
            await api.data(HOME, caller=household)
        assert len(statements) == expected, statements
