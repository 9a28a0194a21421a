"""What the app refuses for its size or cost, as callers see it; and what it keeps to itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from server.app import create_app
from server.principal import Scope, StaffRole
from server.settings import Settings
from tests.api.calling import NOBODY, SPEC, Api, Caller, Json, coded

INTROSPECTION = "{ __schema { queryType { name } } }"
GUESS = (
    'signIn(input: {idempotencyKey: "k", email: "anna@example.com", password: "wrong"})'
    " { __typename }"
)


@asynccontextmanager
async def asking(settings: Settings) -> AsyncIterator[Api]:
    transport = httpx2.ASGITransport(app=create_app(settings, opens_database=False))
    async with httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as client:
        yield Api(client)


async def test_answers_tell_what_they_cost_and_what_is_left(api: Api) -> None:
    anna = await api.member("anna")
    query = "{ me { activity(first: 5) { nodes { points } } } }"
    response = await api.send(query, caller=anna)
    cost = response.json()["extensions"]["cost"]
    assert cost["requested"] == 1 + 1 + 5
    assert (cost["maximum"], cost["refillPerSecond"]) == (10_000, 500)
    assert 10_000 - 8 <= cost["remaining"] <= 10_000 - 7  # making it ready may have cost 1


async def test_who_has_spent_the_budget_is_told_how_long_to_wait(api: Api) -> None:
    async with asking(Settings(cost_budget_percent=1)) as scarce:
        told = [await scarce.send(f"mutation {{ {GUESS} }}", Accept=SPEC) for _ in range(3)]
    assert [response.status_code for response in told] == [200, 200, 429]
    (error,) = told[2].json()["errors"]
    extensions: Json = error["extensions"]
    assert extensions["code"] == "THROTTLED"
    assert extensions["requested"] == 101
    assert 0 <= extensions["allowed"] < 101
    assert told[2].headers["retry-after"] == str(extensions["retryAfterSeconds"])
    assert 1 <= extensions["retryAfterSeconds"] <= 10


async def test_every_attempt_counts_aliases_included(api: Api) -> None:
    for count in (1, 3):
        document = "mutation { " + " ".join(f"a{n}: {GUESS}" for n in range(count)) + " }"
        cost = (await api.send(document)).json()["extensions"]["cost"]
        assert cost["requested"] == count * 101
    document = "mutation { " + " ".join(f"a{n}: {GUESS}" for n in range(6)) + " }"
    response = await api.send(document, Accept=SPEC)
    assert (response.status_code, coded(response)) == (400, ["TOO_MANY_SECRETS"])


async def test_hostile_documents_run_dry(api: Api) -> None:
    async with asking(Settings(cost_budget_percent=1)) as scarce:
        found = [
            coded(await scarce.send(f"{{ nothing{number} }} # {'x' * 4_000}"))
            for number in range(12)
        ]
    assert found[0] == ["GRAPHQL_VALIDATION_FAILED"]
    assert found[-1] == ["THROTTLED"]


async def test_nothing_is_scarce_where_the_operator_says_so(api: Api) -> None:
    async with asking(Settings(cost_budget_percent=0)) as plenty:
        for _ in range(30):
            response = await plenty.send(f"mutation {{ {GUESS} }}")
            assert response.json()["extensions"]["cost"]["remaining"] == 25_000


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({f"v{number}": 1 for number in range(101)}, "TOO_MANY_VARIABLES"),
        ({"v": [1] * 2_000}, "TOO_MANY_VALUES"),
    ],
)
async def test_variables_are_limited_by_any_method(api: Api, variables: Json, code: str) -> None:
    response = await api.send("{ __typename }", variables)
    assert (response.status_code, coded(response)) == (400, [code])
    encoded = httpx2.Request("POST", "http://x", json=variables).content.decode()
    parameters = {"query": "{ __typename }", "variables": encoded}
    response = await api.client.get("/graphql", params=parameters)
    assert (response.status_code, coded(response)) == (400, [code])


# ---------------------------------------------------------------- the schema


HINTS: list[tuple[str, Json]] = [
    ("{ me { nam } }", {}),
    ("{ programe { version } }", {}),
    ("{ me { activity(frist: 1) { nodes { points } } } }", {}),
    ('{ member(by: {externalIdd: "x"}) { name } }', {}),
    ("{ me { card { barcode(symbology: QRR) { svg } } } }", {}),
    ("{ ... on Membr { name } }", {}),
    (
        "query ($s: BarcodeSymbology!) { me { card { barcode(symbology: $s) { svg } } } }",
        {"s": "QRR"},
    ),
    (
        "query ($by: MemberReference!) { member(by: $by) { name } }",
        {"by": {"externalIdd": "x"}},
    ),
    ("query ($by: MemberReferenc!) { member(by: $by) { name } }", {}),
    ("{ me @inclde(if: true) { name } }", {}),
]


@pytest.mark.parametrize(("document", "variables"), HINTS)
async def test_only_developers_and_staff_are_helped_with_names(
    api: Api, document: str, variables: Json
) -> None:
    async def told(caller: Caller) -> str:
        return (await api.send(document, variables, caller)).text

    for caller in (NOBODY, await api.member("anna"), await api.key(Scope.PURCHASES_WRITE)):
        assert "Did you mean" not in await told(caller)
    helped = [await api.staff(StaffRole.SUPPORT), await api.key(Scope.SCHEMA_READ)]
    if "inclde" not in document:
        assert all(["Did you mean" in await told(caller) for caller in helped])


async def test_only_developers_and_staff_are_shown_the_schema(api: Api) -> None:
    for caller in (NOBODY, await api.member("anna"), await api.key(Scope.PURCHASES_WRITE)):
        response = await api.send(INTROSPECTION, caller=caller)
        assert (response.status_code, coded(response)) == (403, ["INTROSPECTION_NOT_ALLOWED"])
        assert await api.data("{ __typename }", caller=caller) == {"__typename": "Query"}
    for caller in (await api.staff(StaffRole.AUDITOR), await api.key(Scope.SCHEMA_READ)):
        shown = await api.data(INTROSPECTION, caller=caller)
        assert shown == {"__schema": {"queryType": {"name": "Query"}}}
