"""Sessions and signing keys as an operator sees them: commands beside servers that run."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest

from server.members import service as members
from server.storage import sql
from server.storage.database import Address, opened
from server.storage.errands import Errand, ask
from tests.conftest import run_apart
from tests.members.people import PASSWORD_HASH, SECOND, person
from tests.serving.servers import Server, finished, get, options_of, started

REFRESH = """
    mutation ($input: RefreshSessionInput!) {
        refreshSession(input: $input) {
            __typename ... on Session { accessToken refreshToken } ... on Problem { code }
        }
    }
"""
SIGN_OUT = "mutation ($input: SignOutInput!) { signOut(input: $input) { __typename } }"


def asked(url: str, query: str, token: str | None = None, **input: Any) -> tuple[int, Any]:
    """The status and the body of a request."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"content-type": "application/json", "accept": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    try:
        body = json.dumps({"query": query, "variables": {"input": input} if input else {}})
        connection.request("POST", "/graphql", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def is_let_in(url: str, token: str) -> bool:
    status, body = asked(url, "{ sessions { nodes { isCurrent } } }", token)
    if status == 200:
        assert "errors" not in body, body
        return True
    assert status == 401, body
    return False


def refreshed(url: str, token: str, key: str) -> Any:
    return asked(url, REFRESH, idempotencyKey=key, refreshToken=token)[1]["data"]["refreshSession"]


def published(url: str) -> list[str]:
    status, text = get(f"{url}/.well-known/jwks.json")
    assert status == 200
    return [key["kid"] for key in json.loads(text)["keys"]]


def signed_by(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def signed_in(address: Address, count: int = 1) -> list[members.SessionTokens]:
    """The tokens of so many new members."""
    made: list[members.SessionTokens] = []

    async def sign_in() -> None:
        async with opened(address):
            await members.prepare_keys()
            for number in range(count):
                async with sql.transaction():
                    member_id = await members.register_member(person())
                    account_id = await members.create_account(
                        member_id, f"member{number}@example.com", PASSWORD_HASH
                    )
                    session = await members.open_session(account_id)
                made.append(await members.session_tokens(session))

    run_apart(sign_in())
    return made


@contextmanager
def running(address: Address, cwd: Path) -> Iterator[Server]:
    with started("--port", "0", *options_of(address), cwd=cwd) as server:
        yield server


@pytest.fixture
def postgres_only(engine: str) -> None:
    if engine == "sqlite":
        pytest.skip("a SQLite file has one server")


def test_a_rotation_beside_a_running_server_refuses_no_request(
    database_address: Address, tmp_path: Path
) -> None:
    [tokens] = signed_in(database_address)
    options = options_of(database_address)
    with running(database_address, tmp_path) as server:
        url = server.url
        [first] = published(url)
        has_ended = threading.Event()
        refused: list[Any] = []

        def keep_asking() -> None:
            while not has_ended.is_set():
                if not is_let_in(url, tokens.access_token):
                    refused.append(time.monotonic())

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            rotation = finished("keys", "rotate", *options, cwd=tmp_path)
            assert (rotation.returncode, rotation.stderr) == (0, "")
            [_, second] = published(url)
        finally:
            has_ended.set()
            asking.join()
        assert refused == []
        assert rotation.stdout.startswith(f"{second} is published, and signs from 20")
        session = refreshed(url, tokens.refresh_token, "k1")
        assert signed_by(session["accessToken"]) == first

        listed = finished("keys", "signing", *options, cwd=tmp_path)
        assert [line[:16] for line in listed.stdout.splitlines()] == [first, second]

        stolen = finished("keys", "rotate", "--now", *options, cwd=tmp_path)
        assert (stolen.returncode, stolen.stderr) == (0, "")
        [third] = published(url)
        assert not is_let_in(url, session["accessToken"])
        session = refreshed(url, session["refreshToken"], "k2")
        assert signed_by(session["accessToken"]) == third
        assert is_let_in(url, session["accessToken"])
        assert server.stop() == 0


def test_a_command_that_no_server_does_says_so_in_one_line(
    database_address: Address, tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "postgres":
        pytest.skip("commands write there themselves")
    monkeypatch.setattr("server.storage.errands.PATIENCE_SECONDS", 1)

    async def hold() -> None:
        async with opened(database_address):
            with pytest.raises(Exception, match=r"does not answer; stop it first"):
                await ask(database_address, Errand("rotate_signing_key", {}))

    run_apart(hold())
    folder = Path(f"{database_address.location}.errands")
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o077 == 0


def test_a_session_that_ends_on_one_server_is_refused_by_the_other_at_once(
    postgres_only: None, database_address: Address, tmp_path: Path
) -> None:
    one, other = signed_in(database_address, 2)
    with (
        running(database_address, tmp_path) as first,
        running(database_address, tmp_path) as second,
    ):
        for tokens in (one, other):
            for server in (first, second):
                assert is_let_in(server.url, tokens.access_token)
        asked(first.url, SIGN_OUT, idempotencyKey="k", refreshToken=one.refresh_token)
        assert not is_let_in(second.url, one.access_token)

        session = refreshed(first.url, other.refresh_token, "k1")
        assert refreshed(second.url, other.refresh_token, "k2") == session  # within the grace

        async def let_the_grace_pass() -> None:
            async with opened(database_address), sql.transaction():
                await sql.execute("UPDATE sessions SET rotated_at = rotated_at - $1", 31 * SECOND)

        run_apart(let_the_grace_pass())
        assert refreshed(first.url, other.refresh_token, "k3")["code"] == "SESSION_REJECTED"
        assert not is_let_in(second.url, session["accessToken"])
        assert refreshed(second.url, session["refreshToken"], "k4")["code"] == "SESSION_REJECTED"


def test_servers_change_to_the_new_key_together_and_take_both(
    postgres_only: None, database_address: Address, tmp_path: Path
) -> None:
    tokens = signed_in(database_address, 2)
    options = options_of(database_address)
    with (
        running(database_address, tmp_path) as first,
        running(database_address, tmp_path) as second,
    ):
        servers = (first, second)
        assert finished("keys", "rotate", *options, cwd=tmp_path).returncode == 0
        keys = [published(server.url) for server in servers]
        assert keys[0] == keys[1]
        [old, new] = keys[0]

        async def let_the_overlap_pass() -> None:
            async with opened(database_address), sql.transaction():
                await sql.execute(
                    "UPDATE signing_keys SET signs_from = signs_from - $1,"
                    " retired_at = retired_at - $1",
                    120 * SECOND,
                )

        run_apart(let_the_overlap_pass())
        for server in servers:  # which reads what is to be published, and signs with that
            assert published(server.url) == [old, new]
        for server, shown in zip(servers, tokens, strict=True):
            session = refreshed(server.url, shown.refresh_token, "k")
            assert (signed_by(shown.access_token), signed_by(session["accessToken"])) == (old, new)
            for any_server in servers:
                assert is_let_in(any_server.url, shown.access_token)
                assert is_let_in(any_server.url, session["accessToken"])
