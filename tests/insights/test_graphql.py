"""The reports through the schema."""

from typing import Any

import pytest
import strawberry
from graphql.utilities import build_schema
from strawberry.schema.config import StrawberryConfig

from server import clock
from server.edge.context import Context
from server.edge.scalars import SCALARS
from server.insights.graphql import InsightsQueries
from server.principal import ANONYMOUS, Principal, PrincipalKind, Scope, StaffRole
from server.storage import sql
from tests.insights.test_service import as_of, bought
from tests.playing import publish, record
from tests.programme.demo import demo

schema = strawberry.Schema(query=InsightsQueries, config=StrawberryConfig(scalar_map=SCALARS))

KEY = Principal(PrincipalKind.KEY, id=1, scopes=frozenset({Scope.INSIGHTS_READ}))
OTHER_KEY = Principal(PrincipalKind.KEY, id=2, scopes=frozenset(Scope) - {Scope.INSIGHTS_READ})
MEMBER = Principal(PrincipalKind.MEMBER, id=3, member_id=4)

EVERYTHING = """{
  insights {
    months {
      month newMembers activeMembers repeatMembers purchases netMinor eligibleMinor
      repeatPurchaseRate purchaseFrequency averageBasketMinor
      pointsEarned pointsRedeemed pointsExpired pointsOutstanding vouchersIssued
      cashbackAccruedMinor cashbackCappedMinor cashbackOutstandingMinor liabilityMinor
      redemptionRate breakageRate
      membersByTier { tier members }
    }
    retention { cohort month cohortSize activeMembers retention }
  }
}"""


async def run(operation: str, principal: Principal) -> Any:
    result = await schema.execute(operation, context_value=Context(principal=principal))
    if result.errors:
        return [(error.extensions or {}).get("code") for error in result.errors]
    return result.data


@pytest.mark.usefixtures("database")
async def test_all_fields() -> None:
    await publish(demo())
    await record(demo(), [bought("1", "2017-02-03T12:00:00Z", 10_001)])
    with clock.moved_to(as_of("2017-02-03T13:00:00Z")):
        answer = await run(EVERYTHING, KEY)
    assert answer["insights"] == {
        "months": [
            {
                "month": "2017-02",
                "newMembers": 1,
                "activeMembers": 1,
                "repeatMembers": 0,
                "purchases": 1,
                "netMinor": "10001",
                "eligibleMinor": "10001",
                "repeatPurchaseRate": "0.0000000000",
                "purchaseFrequency": "1.0000000000",
                "averageBasketMinor": "10001.0000000000",
                "pointsEarned": "1250",
                "pointsRedeemed": "0",
                "pointsExpired": "0",
                "pointsOutstanding": "1250",
                "vouchersIssued": 0,
                "cashbackAccruedMinor": "0",
                "cashbackCappedMinor": "0",
                "cashbackOutstandingMinor": "0",
                "liabilityMinor": "1250",
                "redemptionRate": "0.0000000000",
                "breakageRate": "0.0000000000",
                "membersByTier": [
                    {"tier": "Bronze", "members": 1},
                    {"tier": "Silver", "members": 0},
                    {"tier": "Gold", "members": 0},
                ],
            }
        ],
        "retention": [
            {
                "cohort": "2017-02",
                "month": "2017-02",
                "cohortSize": 1,
                "activeMembers": 1,
                "retention": "1.0000000000",
            }
        ],
    }


@pytest.mark.usefixtures("database")
async def test_only_what_is_asked_for_is_reckoned() -> None:
    for operation, number in (
        ("{ insights { __typename } }", 0),
        ("{ insights { retention { cohort } } }", 2),
        ("{ insights { months { month } } }", 1),  # no purchase: the first statement says so
    ):
        with sql.counted_statements() as statements:
            assert await run(operation, KEY)
        assert len(statements) == number


async def test_who_may_read_reports() -> None:
    ask = "{ insights { __typename } }"
    readers = {StaffRole.MARKETER, StaffRole.MANAGER, StaffRole.AUDITOR}
    for role in StaffRole:
        answer = await run(ask, Principal(PrincipalKind.STAFF, id=7, staff_role=role))
        expected: Any = {"insights": {"__typename": "Insights"}}
        assert answer == (expected if role in readers else ["FORBIDDEN"])
    for principal in (MEMBER, OTHER_KEY):
        assert await run(ask, principal) == ["FORBIDDEN"]
    assert await run(ask, ANONYMOUS) == ["UNAUTHENTICATED"]


def test_everything_is_described() -> None:
    described = build_schema(schema.as_str()).type_map
    for name in ("Insights", "ProgrammeMonth", "TierCount", "RetentionCell"):
        kind: Any = described[name]
        assert kind.description, name
        for field_name, field in kind.fields.items():
            assert field.description, f"{name}.{field_name}"
