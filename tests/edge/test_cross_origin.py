"""Pages of other sites: which may call, what their browsers are told, and who is refused."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from server.app import create_app
from server.edge.cross_origin import is_allowed
from server.edge.origins import Origins, normal_origin
from server.settings import Mode, Settings

APP = "https://app.example.com"
LISTED = Settings(origins=(APP, "capacitor://localhost", "http://localhost:3000"))


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(LISTED, opens_database=False)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000") as found:
        yield found


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("HTTPS://App.Example.com:443", "https://app.example.com"),
        ("http://a.example:8080", "http://a.example:8080"),
        ("http://a.example:80", "http://a.example"),
        ("https://a.example:80", "https://a.example:80"),
        ("capacitor://localhost", "capacitor://localhost"),
        *((wrong, None) for wrong in ("null", "", "*", "https://", "https://a/", "a.example")),
        *((wrong, None) for wrong in ("https://u@a", "https://a b", "https://a:x", "//a")),
    ],
)
def test_an_origin_is_read_strictly(text: str, origin: str | None) -> None:
    assert normal_origin(text) == origin


@pytest.mark.parametrize(
    ("origin", "scheme", "host", "may"),
    [
        (None, "http", "localhost:8000", True),
        ("http://localhost:8000", "http", "localhost:8000", True),
        ("http://localhost:8000", "ws", "localhost:8000", True),
        ("https://a.example", "wss", "a.example:443", True),
        ("http://localhost:8001", "http", "localhost:8000", False),
        ("https://localhost:8000", "http", "localhost:8000", False),
        ("http://localhost:3000", "http", "localhost:8000", True),
        (APP, "http", "localhost:8000", True),
        ("https://app.example.com.attacker.example", "http", "localhost:8000", False),
        ("https://sub.app.example.com", "http", "localhost:8000", False),
        ("http://app.example.com", "http", "localhost:8000", False),
        ("null", "http", "localhost:8000", False),
        ("null", "http", "null", False),
        ("", "http", "", False),
        ("*", "http", "localhost:8000", False),
    ],
)
def test_who_may_call(origin: str | None, scheme: str, host: str, may: bool) -> None:
    assert LISTED.answers_pages_of.allow(origin, scheme=scheme, host=host) is may


def test_two_origins_are_none() -> None:
    headers = [(b"host", b"localhost"), (b"origin", APP.encode()), (b"origin", APP.encode())]
    scope: dict[str, Any] = {"type": "websocket", "scheme": "ws", "headers": headers}
    assert not is_allowed(scope, LISTED.answers_pages_of)
    assert is_allowed({**scope, "headers": headers[:2]}, LISTED.answers_pages_of)


def test_the_public_origin_may_call_behind_a_proxy_that_ends_tls() -> None:
    origins = Settings(mode=Mode.PRODUCTION, issuer="https://loyalty.example.com").answers_pages_of
    assert origins.allow("https://loyalty.example.com", scheme="http", host="loyalty.example.com")
    assert not origins.allow(APP, scheme="http", host="loyalty.example.com")


def test_any_origin_may_call_where_that_is_said() -> None:
    anyone = Origins.of(["*"])
    assert anyone.allow("https://x.example", scheme="http", host="a")
    assert not anyone.allow("null", scheme="http", host="a")


@pytest.mark.parametrize("origin", ["https://attacker.example", "null"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_a_foreign_page_is_refused_before_anything_runs(
    client: httpx2.AsyncClient, origin: str, method: str
) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST", "Authorization": "x"}
    response = await client.request(method, "/graphql?query={__typename}", headers=headers)
    assert response.status_code == 403
    [error] = response.json()["errors"]
    assert error["extensions"] == {"code": "ORIGIN_NOT_ALLOWED"}
    assert response.headers["vary"] == "Origin"
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", [APP, "http://localhost:3000", "capacitor://localhost"])
async def test_a_listed_page_may_ask_and_read(client: httpx2.AsyncClient, origin: str) -> None:
    preflight = await client.options(
        "/graphql",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["access-control-allow-origin"] == origin
    assert preflight.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    allowed = preflight.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "accept-language"} <= set(allowed)
    assert preflight.headers["access-control-max-age"] == "7200"
    assert "Origin" in preflight.headers["vary"]

    answer = await client.get("/graphql?query={__typename}", headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    assert {"Accept", "Origin"} <= set(answer.headers["vary"].replace(" ", "").split(","))


async def test_a_program_says_no_origin_and_may_call(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/graphql?query={__typename}")
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


async def test_probes_do_not_look_at_origins(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/healthz", headers={"Origin": "null"})).status_code == 200
