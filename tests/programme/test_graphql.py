"""The programme through the schema."""

from typing import Any

import pytest
import strawberry
from graphql import GraphQLEnumType, GraphQLInputObjectType
from graphql.utilities import build_schema
from strawberry.schema.config import StrawberryConfig

from server.edge import nodes
from server.edge.context import Context
from server.edge.scalars import SCALARS
from server.money import currency_codes
from server.principal import ANONYMOUS, Principal, PrincipalKind, Scope, StaffRole
from server.programme import rules, service
from server.programme.graphql import ProgrammeMutations, ProgrammeQueries
from server.storage import sql
from tests.programme.demo import OPTIONAL, demo_text, demo_yaml

pytestmark = pytest.mark.usefixtures("database")

schema = strawberry.Schema(
    query=ProgrammeQueries, mutation=ProgrammeMutations, config=StrawberryConfig(scalar_map=SCALARS)
)

MANAGER = Principal(PrincipalKind.STAFF, id=7, staff_role=StaffRole.MANAGER)
MEMBER = Principal(PrincipalKind.MEMBER, id=8, member_id=9)
KEY = Principal(PrincipalKind.KEY, id=10, scopes=frozenset(Scope))

PUBLISH = """
mutation ($input: PublishProgrammeInput!) {
  publishProgramme(input: $input) {
    __typename
    ... on PublishedProgramme {
      programme { version digest effectiveAt }
      version { version digest effectiveAt publishedAt publishedBy }
    }
    ... on Problem { code message }
    ... on InvalidProgramme { problems { path value accepted } }
    ... on InvalidInput { path value accepted }
  }
}
"""


def staff(role: StaffRole) -> Principal:
    return Principal(PrincipalKind.STAFF, id=7, staff_role=role)


async def run(operation: str, principal: Principal = ANONYMOUS, **variables: Any) -> Any:
    result = await schema.execute(
        operation, variable_values=variables, context_value=Context(principal=principal)
    )
    if result.errors:
        return [(error.extensions or {}).get("code") for error in result.errors]
    return result.data


async def published(document: str, *, key: str = "1", effective_at: str | None = None) -> Any:
    given = {"idempotencyKey": key, "document": document, "effectiveAt": effective_at}
    return (await run(PUBLISH, MANAGER, input=given))["publishProgramme"]


async def test_everyone_sees_the_terms() -> None:
    await published(demo_text())
    answer = await run(
        """{ programme {
          version digest effectiveAt currencyCode timeZone tierWindowDays
          tiers { name minSpend { amount currencyCode } multiplierPercent }
          earning {
            base { points perSpend { amount } }
            categoryBonus { departments points perSpend { amount } }
            pendingDays expiryDays welcomePoints
            excludedLines { field equals }
          }
          cashback { departments rateBasisPoints monthlyCap { amount } pendingDays }
          challenges {
            weeklyVisits { visitDays rewardPoints streak { consecutiveWeeks rewardPoints } }
            departments { distinctDepartments ignoredDepartments rewardPoints }
            monthSpend { spend { amount } rewardPoints }
          }
          redemption { stepPoints voucherValue { amount currencyCode } }
        } }"""
    )
    assert answer["programme"] == {
        "version": 1,
        "digest": rules.checked(demo_text()).digest,
        "effectiveAt": None,
        "currencyCode": "USD",
        "timeZone": "America/New_York",
        "tierWindowDays": 365,
        "tiers": [
            {
                "name": "Bronze",
                "minSpend": {"amount": "0.00", "currencyCode": "USD"},
                "multiplierPercent": 100,
            },
            {
                "name": "Silver",
                "minSpend": {"amount": "1500.00", "currencyCode": "USD"},
                "multiplierPercent": 125,
            },
            {
                "name": "Gold",
                "minSpend": {"amount": "4000.00", "currencyCode": "USD"},
                "multiplierPercent": 150,
            },
        ],
        "earning": {
            "base": {"points": 10, "perSpend": {"amount": "1.00"}},
            "categoryBonus": {
                "departments": ["PRODUCE"],
                "points": 10,
                "perSpend": {"amount": "1.00"},
            },
            "pendingDays": 3,
            "expiryDays": 180,
            "welcomePoints": 100,
            "excludedLines": [
                {"field": "DEPARTMENT", "equals": "FUEL"},
                {"field": "PRODUCT_TYPE", "equals": "GASOLINE-REG UNLEADED"},
            ],
        },
        "cashback": {
            "departments": [
                *("DRUG GM", "MEAT", "MEAT-PCKGD"),
                *("PRODUCE", "SEAFOOD", "SEAFOOD-PCKGD"),
            ],
            "rateBasisPoints": 200,
            "monthlyCap": {"amount": "5.00"},
            "pendingDays": 14,
        },
        "challenges": {
            "weeklyVisits": {
                "visitDays": 3,
                "rewardPoints": 50,
                "streak": {"consecutiveWeeks": 4, "rewardPoints": 200},
            },
            "departments": {
                "distinctDepartments": 5,
                "ignoredDepartments": ["COUPON", "MISCELLANEOUS", "UNKNOWN"],
                "rewardPoints": 100,
            },
            "monthSpend": {"spend": {"amount": "100.00"}, "rewardPoints": 150},
        },
        "redemption": {
            "stepPoints": 1000,
            "voucherValue": {"amount": "10.00", "currencyCode": "USD"},
        },
    }


OPTIONAL_TERMS = """{ programme {
  cashback { tierRates { tier rateBasisPoints } caps { period amount { amount } } }
  returns { policy graceDays }
  payingWithPoints {
    isOffered points worth { amount } minimumPoints maximumShareBasisPoints earnsOnValue
  }
  holds { ttlSeconds maximumTtlSeconds }
  transfers { isOffered minimumPoints dailyLimitPoints minimumAccountAgeDays }
  households { maximumMembers rejoinWaitDays minimumAccountAgeDays }
  payouts { minimum { amount } dailyLimit { amount currencyCode } }
  adjustments { secondPersonAbovePoints secondPersonAbove { amount } }
  approvals { secondPersonAboveBudget { amount } }
} }"""


async def test_everyone_sees_the_defaults_of_what_a_document_leaves_out() -> None:
    await published(demo_text())
    assert (await run(OPTIONAL_TERMS))["programme"] == {
        "cashback": {
            "tierRates": [
                {"tier": "Bronze", "rateBasisPoints": 200},
                {"tier": "Silver", "rateBasisPoints": 200},
                {"tier": "Gold", "rateBasisPoints": 200},
            ],
            "caps": [],
        },
        "returns": {"policy": "INTO_NEGATIVE", "graceDays": 30},
        "payingWithPoints": {
            "isOffered": True,
            "points": 1000,
            "worth": {"amount": "10.00"},
            "minimumPoints": 1,
            "maximumShareBasisPoints": 10000,
            "earnsOnValue": False,
        },
        "holds": {"ttlSeconds": 900, "maximumTtlSeconds": 86400},
        "transfers": {
            "isOffered": True,
            "minimumPoints": 1,
            "dailyLimitPoints": 10000,
            "minimumAccountAgeDays": 0,
        },
        "households": {"maximumMembers": 6, "rejoinWaitDays": 30, "minimumAccountAgeDays": 0},
        "payouts": {"minimum": {"amount": "0.01"}, "dailyLimit": None},
        "adjustments": {
            "secondPersonAbovePoints": 1000,
            "secondPersonAbove": {"amount": "10.00"},
        },
        "approvals": {"secondPersonAboveBudget": {"amount": "1000.00"}},
    }


async def test_everyone_sees_what_a_document_says_in_its_optional_keys() -> None:
    await published(demo_yaml(OPTIONAL))
    assert (await run(OPTIONAL_TERMS))["programme"] == {
        "cashback": {
            "tierRates": [
                {"tier": "Bronze", "rateBasisPoints": 200},
                {"tier": "Silver", "rateBasisPoints": 0},
                {"tier": "Gold", "rateBasisPoints": 500},
            ],
            "caps": [
                {"period": "LIFETIME", "amount": {"amount": "1000.00"}},
                {"period": "CALENDAR_DAY", "amount": {"amount": "0.00"}},
            ],
        },
        "returns": {"policy": "ONLY_PENDING", "graceDays": 7},
        "payingWithPoints": {
            "isOffered": True,
            "points": 200,
            "worth": {"amount": "1.00"},
            "minimumPoints": 400,
            "maximumShareBasisPoints": 5000,
            "earnsOnValue": True,
        },
        "holds": {"ttlSeconds": 60, "maximumTtlSeconds": 3600},
        "transfers": {
            "isOffered": True,
            "minimumPoints": 10,
            "dailyLimitPoints": 500,
            "minimumAccountAgeDays": 14,
        },
        "households": {"maximumMembers": 4, "rejoinWaitDays": 90, "minimumAccountAgeDays": 3},
        "payouts": {
            "minimum": {"amount": "1.00"},
            "dailyLimit": {"amount": "50.00", "currencyCode": "USD"},
        },
        "adjustments": {"secondPersonAbovePoints": 0, "secondPersonAbove": {"amount": "2.00"}},
        "approvals": {"secondPersonAboveBudget": {"amount": "500.00"}},
    }


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        ("only_pending", "ONLY_PENDING"),
        ("within_balance", "WITHIN_BALANCE"),
        ("into_negative", "INTO_NEGATIVE"),
    ],
)
async def test_policies_and_what_is_switched_off_are_shown(policy: str, shown: str) -> None:
    document = demo_yaml(
        {
            ("returns",): {"policy": policy},
            ("paying_with_points",): {"worth_minor": 0},
            ("transfers",): {"daily_limit_points": 0},
        }
    )
    await published(document)
    asked = (
        "{ programme {"
        " returns { policy } payingWithPoints { isOffered } transfers { isOffered } } }"
    )
    assert (await run(asked))["programme"] == {
        "returns": {"policy": shown},
        "payingWithPoints": {"isOffered": False},
        "transfers": {"isOffered": False},
    }


async def test_the_terms_at_an_instant_are_those_of_its_version() -> None:
    await published(demo_text())
    later = demo_yaml({("programme", "currency"): "JPY", ("programme", "minor_units_per_major"): 1})
    await published(later, key="2", effective_at="2999-07-01T02:00:00+02:00")
    ask = (
        "query ($at: DateTime) { programme(at: $at)"
        " { version effectiveAt cashback { monthlyCap { amount } } } }"
    )
    for at, version in ((None, 1), ("2999-06-30T23:59:59.999999Z", 1), ("1000-01-01T00:00Z", 1)):
        assert (await run(ask, at=at))["programme"]["version"] == version
    assert (await run(ask, at="2999-07-01T00:00:00Z"))["programme"] == {
        "version": 2,
        "effectiveAt": "2999-07-01T00:00:00Z",
        "cashback": {"monthlyCap": {"amount": "500"}},
    }


async def test_without_a_programme_the_terms_are_not_found() -> None:
    assert await run("{ programme { version } }") == ["NOT_FOUND"]


async def test_publishing_makes_a_version_that_staff_see() -> None:
    first = await published(demo_text())
    digest = rules.checked(demo_text()).digest
    assert first["__typename"] == "PublishedProgramme"
    assert first["programme"] == {"version": 1, "digest": digest, "effectiveAt": None}
    assert first["version"]["publishedBy"] == "staff:7"
    second = await published(demo_yaml({("points", "expiry_days"): 365}), key="2")
    ask = "{ programmeVersions { version digest effectiveAt publishedAt publishedBy } }"
    for role in StaffRole:
        answer = await run(ask, staff(role))
        assert answer["programmeVersions"] == [second["version"], first["version"]]


async def test_the_same_request_again_gets_the_first_answer() -> None:
    first = await published(demo_text())
    await published(demo_yaml({("points", "expiry_days"): 365}), key="2")
    assert await published(demo_text()) == first
    assert len(await service.history()) == 2
    conflict = await published(demo_yaml())
    assert conflict["code"] == "IDEMPOTENCY_CONFLICT"


async def test_an_invalid_document_is_refused_with_all_its_problems_and_its_key_stays_free() -> (
    None
):
    bad = demo_yaml({("points", "expiry_days"): "soon", ("tiers", "levels", 1, "name"): "bronze"})
    answer = await published(bad)
    assert answer == {
        "__typename": "InvalidProgramme",
        "code": "INVALID_PROGRAMME",
        "message": "The document is not a programme: 2 places in it are not accepted.",
        "problems": [
            {
                "path": ["points", "expiry_days"],
                "value": '"soon"',
                "accepted": "a whole number from 1 to 36500",
            },
            {
                "path": ["tiers", "levels", "1", "name"],
                "value": '"bronze"',
                "accepted": "a name that no level before it has, in small or capital letters",
            },
        ],
    }
    assert await service.history() == []
    assert (await published(demo_text()))["__typename"] == "PublishedProgramme"


async def test_a_version_in_the_past_is_refused() -> None:
    await published(demo_text())
    other = demo_yaml({("points", "expiry_days"): 365})
    answer = await published(other, key="2", effective_at="2001-01-01T00:00:00Z")
    assert answer["__typename"] == "InvalidInput"
    assert answer["path"] == ["input", "effectiveAt"]
    assert answer["value"] == "2001-01-01T00:00:00+00:00"
    assert len(await service.history()) == 1


async def test_only_managers_publish() -> None:
    given = {"idempotencyKey": "1", "document": demo_text()}
    assert await run(PUBLISH, input=given) == ["UNAUTHENTICATED"]
    others = [staff(role) for role in StaffRole if role is not StaffRole.MANAGER]
    for principal in (MEMBER, KEY, *others):
        assert await run(PUBLISH, principal, input=given) == ["FORBIDDEN"]
    assert await sql.fetch("SELECT 1 FROM programme_versions") == []
    assert await sql.fetch("SELECT 1 FROM idempotency_records") == []


async def test_only_staff_see_versions() -> None:
    ask = "{ programmeVersions { version } }"
    assert await run(ask) == ["UNAUTHENTICATED"]
    for principal in (MEMBER, KEY):
        assert await run(ask, principal) == ["FORBIDDEN"]


async def test_a_version_is_a_node() -> None:
    await published(demo_text())
    opaque = (await run("{ programme { id } }"))["programme"]["id"]
    info: Any = None
    found = await nodes.find(info, opaque)
    assert found is not None
    assert found.version == 1
    assert await nodes.find(info, nodes.global_id("Programme", 2)) is None


async def test_every_currency_that_a_programme_may_have_can_be_shown() -> None:
    shown = build_schema(schema.as_str()).type_map["CurrencyCode"]
    assert isinstance(shown, GraphQLEnumType)
    assert frozenset(shown.values) == currency_codes()


async def test_everything_is_described() -> None:
    described = build_schema(schema.as_str())
    for name, kind in described.type_map.items():
        if name.startswith("__") or name in ("Int", "String", "Boolean", "ID"):
            continue
        if name not in ("ProgrammeQueries", "ProgrammeMutations"):
            assert kind.description, name
        for field_name, field in getattr(kind, "fields", {}).items():
            assert field.description, f"{name}.{field_name}"
            if not isinstance(kind, GraphQLInputObjectType):
                for argument_name, argument in field.args.items():
                    assert argument.description, f"{name}.{field_name}({argument_name})"
        if isinstance(kind, GraphQLEnumType):
            assert all(value.description for value in kind.values.values()), name
