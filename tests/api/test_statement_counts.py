"""How many statements each query of the schema costs, asked for everything that it can answer; what
finds out the caller costs one more, shared by all who ask at the same time."""

import pytest

from server.clock import Instant
from server.edge.context import Context
from server.principal import Principal, PrincipalKind
from server.storage import sql
from tests.api.calling import NOW, SECOND, Api, Caller
from tests.api.exact import alone, everything, exact_fields, plan_of
from tests.api.home import HOME
from tests.api.prepared_documents import executed
from tests.api.shop import QUERIES, opened

AT = Instant(NOW + SECOND)
STATEMENTS = {
    "me": 79,
    "member": 80,
    "members": 84,
    "node": 80,
    "pointBalances": 2,
    "sessions": 1,
    "apiKeys": 1,
    "purchase": 9,
    "programme": 1,
    "programmeVersions": 1,
    "payouts": 2,
    "rewards": 3,
    "drops": 7,
    "rewardOrders": 3,
    "plans": 2,
    "planSubscriptions": 4,
    "adjustments": 2,
    "merges": 1,
    "offers": 4,
    "offerResults": 6,
    "insights": 14,
    "auditStatus": 1,
    "segmentFacts": 0,
    "referrals": 2,
    "surveyResults": 6,
    "segments": 7,
    "segment": 7,
    "previewSegment": 6,
    "campaign": 4,
    "campaignRuns": 3,
    "campaignResults": 8,
    "dryRunCampaign": 17,
    "notificationsOf": 3,
    "definitionKinds": 0,
    "definitions": 2,
    "definition": 3,
    "exportDefinitions": 1,
    "partners": 1,
    "quoteBasket": 9,
    "basket": 2,
    "checkCoupon": 10,
    "couponBatches": 1,
    "settlement": 3,
    "webhooks": 2,
    "webhookDeliveries": 1,
    "webhookEventTypes": 0,
    "orderWebhookSecrets": 1,
    "messageTriggers": 0,
    "previewMessage": 4,
}
"""For members who have something of everything; on SQLite, and where nothing else is said."""
ON_POSTGRES = {
    "me": 77,
    "member": 78,
    "members": 82,
    "node": 78,
    "quoteBasket": 4,
    "dryRunCampaign": 11,
}
"""Where several questions are one exchange."""


async def test_what_each_query_costs(api: Api, engine: str) -> None:
    shop = await opened(api)
    await shop.grow(2)
    expected = STATEMENTS | (ON_POSTGRES if engine == "postgres" else {})
    assert {name: len(await shop.counted(name)) for name in QUERIES} == expected


@pytest.mark.parametrize("document", [HOME, everything(), *map(alone, exact_fields())])
async def test_what_the_home_screen_shows_is_one_statement(api: Api, document: str) -> None:
    anna = await api.member()
    principal = Principal(PrincipalKind.MEMBER, id=1, member_id=anna.member_id)
    context = Context(principal=principal, at=AT, asked=plan_of(document).asked)
    with sql.counted_statements() as statements:
        result = await executed(document, context)
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
            await executed(document, context)
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
