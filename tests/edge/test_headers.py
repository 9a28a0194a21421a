"""No cache on the way keeps an answer, and no browser guesses what it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from structlog.testing import capture_logs

from server.app import create_app
from server.edge.executing import Operations, Policy
from server.edge.http import GraphQLEndpoint, Unauthenticated
from server.members import service as members
from server.principal import ANONYMOUS, Principal
from server.schema import schema
from server.settings import Mode, Settings


async def authenticate(authorization: str | None) -> Principal:
    if authorization is not None:
        raise Unauthenticated
    return ANONYMOUS


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"query": "{ __typename }"}, 200),
        ({"Accept": "application/graphql-response+json"}, {"query": "{ nothing }"}, 422),
        ({"Authorization": "Bearer x"}, {"query": "{ __typename }"}, 401),
        ({"Laurel-Simulated-Time": "2026-01-01T00:00:00Z"}, {"query": "{ __typename }"}, 400),
        ({}, [], 422),
    ],
    ids=["answer", "invalid", "unauthenticated", "simulated", "batch"],
)
async def test_answers_are_kept_by_nobody(
    headers: dict[str, str], body: object, status: int
) -> None:
    operations = Operations(schema, policy=Policy())
    endpoint = GraphQLEndpoint(operations, authenticate=authenticate, accepts_simulated_time=False)
    app = Starlette(routes=[Route("/graphql", endpoint)])
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://laurel.example"
    ) as client:
        response = await client.post("/graphql", json=body, headers=headers)
    assert response.status_code == status
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "Accept" in response.headers["vary"].split(", ")


SECURE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
PRODUCTION = Settings(mode=Mode.PRODUCTION, issuer="https://loyalty.example.com")


@asynccontextmanager
async def asking(settings: Settings, host: str) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings, opens_database=False)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/graphql?query={__typename}", 200),
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("POST", "/healthz", 405),
        ("GET", "/nothing", 404),
        ("GET", "/", 307),
        ("DELETE", "/graphql", 405),
    ],
)
async def test_every_answer_tells_browsers_what_not_to_do(
    method: str, path: str, status: int
) -> None:
    async with asking(Settings(), "localhost") as client:
        response = await client.request(method, path)
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in SECURE} == SECURE
    assert "server" not in response.headers
    assert "strict-transport-security" not in response.headers


async def test_the_page_keeps_its_own_policy() -> None:
    async with asking(Settings(), "localhost") as client:
        response = await client.get("/graphql", headers={"Accept": "text/html"})
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert response.headers.get_list("x-frame-options") == ["DENY"]


async def test_production_is_reached_by_https_only() -> None:
    async with asking(PRODUCTION, "loyalty.example.com") as client:
        response = await client.get("/healthz")
    assert response.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "NOT_FOUND"), ("POST", "/readyz", 405, "METHOD_NOT_ALLOWED")],
)
async def test_what_is_not_there_is_told_as_json(
    method: str, path: str, status: int, code: str
) -> None:
    async with asking(Settings(), "localhost") as client:
        response = await client.request(method, path)
    assert response.status_code == status
    [error] = response.json()["errors"]
    assert error["extensions"] == {"code": code}


async def test_a_defect_outside_of_graphql_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> object:
        raise ValueError("secret")

    monkeypatch.setattr(members, "jwks", broken)
    async with asking(Settings(), "localhost") as client:
        with capture_logs() as logs:
            response = await client.get("/.well-known/jwks.json")
    assert response.status_code == 500
    [error] = response.json()["errors"]
    assert error["extensions"] == {"code": "INTERNAL", "errorId": logs[0]["error_id"]}
    assert "secret" not in response.text
    assert response.headers["x-frame-options"] == "DENY"
