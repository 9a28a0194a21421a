"""What the server's log tells of each operation, and what it tells of nobody."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server import demo_credentials
from tests.serving.servers import Server, started

PASSWORD = "planted-Password-7391"
EMAIL = "planted.person@secret.example"
CARD = "9012345678901239"
KEY = "laurel_planted_key_that_nobody_may_read"
TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJwbGFudGVkIn0.cGxhbnRlZC1zaWduYXR1cmU"
NAME = "Planted Personname"
SECRETS = (PASSWORD, EMAIL, CARD, KEY, TOKEN, NAME, "planted", "Planted")

SIGN_UP = """
    mutation Join($input: SignUpInput!) {
      signUp(input: $input) { ... on Session { accessToken refreshToken } }
    }
"""


def lines_of(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.errors.splitlines()]


def send(url: str, query: str, token: str | None = None, **variables: object) -> httpx2.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = {"query": query, "variables": variables}
    return httpx2.post(f"{url}/graphql", json=body, headers=headers, timeout=30)


def test_the_log_tells_each_operation_and_no_secret(tmp_path: Path) -> None:
    with started("--demo", "--port", "0", "--data", str(tmp_path / "d"), cwd=tmp_path) as server:
        url = server.url
        given = {"email": EMAIL, "password": PASSWORD, "name": NAME, "idempotencyKey": "k"}
        joined = send(url, SIGN_UP, input=given)
        assert joined.status_code == 200, joined.text
        session = joined.json()["data"]["signUp"]
        own = session["accessToken"]
        send(url, "query Mine { me { name card { number } } }", own)
        send(url, "{ programme { version } }", TOKEN)
        send(url, "{ programme { version } }", KEY)
        send(url, SIGN_UP, input={**given, "password": PASSWORD + "x", "idempotencyKey": "l"})
        literal = f'{{ member(by: {{cardNumber: "{CARD}"}}) {{ id }} }}'
        send(url, literal, demo_credentials.TILL_KEY)
        send(url, f'{{ nothing(email: "{EMAIL}", card: "{CARD}", password: "{PASSWORD}") }}')
        send(url, f'{{ programme(at: "{PASSWORD}") {{ version }} }}')
        send(url, f"{{ {EMAIL} {TOKEN}")
        httpx2.get(f"{url}/graphql", params={"query": literal, "variables": PASSWORD})
        httpx2.get(f"{url}/{EMAIL}/{TOKEN}?password={PASSWORD}")
        named = httpx2.post(
            f"{url}/graphql",
            json={"query": "query Named { programme { version } }"},
            headers={"X-Request-Id": "request-4711"},
        )
        assert named.headers["x-request-id"] == "request-4711"
        assert server.stop() == 0
    shown = server.errors + server.text
    for secret in (*SECRETS, own, session["refreshToken"]):
        assert secret not in shown
    operations = [line for line in lines_of(server) if line["event"] == "operation"]
    [line] = [one for one in operations if one["request_id"] == "request-4711"]
    assert line.pop("duration_microseconds") > 0
    assert line.pop("timestamp")
    assert line == {
        "event": "operation",
        "level": "info",
        "request_id": "request-4711",
        "transport": "http",
        "kind": "query",
        "field": "programme",
        "operation": "Named",
        "cost": line["cost"],
        "outcome": "answered",
        "codes": [],
        "caller": "anonymous:0",
        "status": 200,
    }
    assert line["cost"] > 0
    assert [one["operation"] for one in operations].count("Join") == 2
    assert len({one["request_id"] for one in operations}) == len(operations) == 11


@pytest.mark.parametrize(
    "given", ["short", "x" * 65, "with space", "eyJhbGciOiJFZERTQSJ9", "é" * 9]
)
def test_a_request_id_that_may_be_a_secret_or_a_trick_is_replaced(given: str) -> None:
    from server.edge.request_log import request_id  # noqa: PLC0415 - shown beside the real server

    made = request_id(given)
    assert made != given
    assert len(made) == 32
    assert request_id("abc-DEF_1.2") == "abc-DEF_1.2"


def test_the_log_may_be_kept_to_what_is_unexpected(tmp_path: Path) -> None:
    with started(
        *("--demo", "--port", "0", "--data", str(tmp_path / "d")),
        cwd=tmp_path,
        settings={"LAUREL_OPERATION_LOG": "none"},
    ) as server:
        assert send(server.url, "{ programme { version } }").status_code == 200
        assert server.stop() == 0
    assert server.complaints == []
