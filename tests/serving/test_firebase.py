"""Signing in through Firebase at a real server: what it takes, and what it does not start with."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integrations.firebase_google import (
    PROJECT,
    KeyServer,
    id_token,
    serving_keys,
    unsigned,
    with_email,
)
from tests.serving.dumps import files
from tests.serving.servers import ask, finished, started

SIGN_IN = """
    mutation ($input: SignInWithFirebaseInput!) {
        signInWithFirebase(input: $input) { __typename ... on Session { accessToken } }
    }
"""
EMULATOR = {"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099"}


@pytest.fixture
def google() -> Iterator[KeyServer]:
    with serving_keys() as server:
        yield server


def posted(url: str, token: str) -> Any:
    """The whole answer to a sign-in."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        given = {"idempotencyKey": "k", "idToken": token}
        body = json.dumps({"query": SIGN_IN, "variables": {"input": given}})
        connection.request("POST", "/graphql", body, {"content-type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_production_does_not_start_with_the_emulator(tmp_path: Path) -> None:
    settings = {"LAUREL_MODE": "production", "LAUREL_ISSUER": "https://loyalty.example.com"}
    result = finished("serve", "--migrate", cwd=tmp_path, settings={**settings, **EMULATOR})
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "laurel: FIREBASE_AUTH_EMULATOR_HOST is refused in production: with the emulator anybody"
        " could sign in as anybody\n"
    )
    assert files(tmp_path) == {}


def test_elsewhere_the_emulators_variable_alone_opens_nothing(
    tmp_path: Path, google: KeyServer
) -> None:
    settings = {
        "LAUREL_FIREBASE_PROJECT": PROJECT,
        "LAUREL_FIREBASE_CERTIFICATES_URL": google.url,
        **EMULATOR,
    }
    words = ("--demo", "--port", "0", "--data", str(tmp_path / "data"))
    with started(*words, cwd=tmp_path, settings=settings) as server:
        google.status = 500
        answer = posted(server.url, id_token())
        assert answer["data"] is None
        [error] = answer["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfterSeconds": 5}
        assert posted(server.url, unsigned())["data"] == {
            "signInWithFirebase": {"__typename": "CredentialsRejected"}
        }
        assert server.stop() == 0
    google.status = 200
    with started(*words, cwd=tmp_path, settings=settings) as server:
        token = with_email("firebase.user@example.com")
        session = posted(server.url, token)["data"]["signInWithFirebase"]
        assert session["__typename"] == "Session"
        assert ask(server.url, "{ me { name } }", token=session["accessToken"]) == {
            "me": {"name": None}
        }
        assert server.stop() == 0
    said = server.text + server.errors
    assert "FIREBASE_AUTH_EMULATOR_HOST is ignored: LAUREL_FIREBASE_EMULATOR decides" in said
    for part in (*token.split("."), "firebase.user@example.com"):
        assert part not in said
