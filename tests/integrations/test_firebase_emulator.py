"""A real server, and users who sign in at Firebase's own Auth emulator."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from tests.integrations.emulator import Emulator, emulating, why_not
from tests.integrations.firebase_google import PROJECT
from tests.serving.servers import Server, ask, started

pytestmark = pytest.mark.firebase

SIGN_IN = """
    mutation ($input: SignInWithFirebaseInput!) {
        signInWithFirebase(input: $input) {
            __typename
            ... on Session { accessToken memberId }
            ... on Problem { message }
        }
    }
"""
SIGN_UP = """
    mutation ($input: SignUpInput!) {
        signUp(input: $input) { __typename ... on Session { accessToken memberId } }
    }
"""
ME = "{ me { id name points { available } card { number } } }"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator, once for all tests, since it takes its time to start."""
    if reason := why_not():
        pytest.skip(reason)
    with emulating(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@dataclass(frozen=True)
class Laurel:
    """A real server, as an app sees it."""

    server: Server
    keys: Iterator[int]

    def sign_in(self, token: str, **input: str) -> dict[str, Any]:
        """What signInWithFirebase answers."""
        given = {"idempotencyKey": f"k{next(self.keys)}", "idToken": token, **input}
        answer: dict[str, Any] = ask(self.server.url, SIGN_IN, {"input": given})
        told: dict[str, Any] = answer["signInWithFirebase"]
        return told

    def me(self, session: dict[str, Any]) -> dict[str, Any]:
        """Who has signed in."""
        assert session["__typename"] == "Session", session
        who: dict[str, Any] = ask(self.server.url, ME, token=session["accessToken"])["me"]
        assert who["id"] == session["memberId"]
        return who


@pytest.fixture(scope="module")
def laurel(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laurel]:
    """The server of the demonstration, which takes the emulator's ID tokens."""
    folder = tmp_path_factory.mktemp("server")
    settings = {"LAUREL_FIREBASE_PROJECT": PROJECT, "LAUREL_FIREBASE_EMULATOR": emulator.place}
    words = ("--demo", "--port", "0", "--data", str(folder / "data"))
    with started(*words, cwd=folder, settings=settings) as server:
        yield Laurel(server, count())
        assert server.stop() == 0


def test_by_e_mail(emulator: Emulator, laurel: Laurel) -> None:
    first = laurel.me(laurel.sign_in(emulator.signed_up("ada@example.com"), name="Ada"))
    assert first["name"] == "Ada"
    assert first["points"]["available"] > 0
    assert first["card"]["number"]
    assert laurel.me(laurel.sign_in(emulator.verified("ada@example.com"))) == first


def test_by_phone(emulator: Emulator, laurel: Laurel) -> None:
    first = laurel.me(laurel.sign_in(emulator.by_phone("+15555550100"), name="Phyllis"))
    assert first["name"] == "Phyllis"
    assert laurel.me(laurel.sign_in(emulator.by_phone("+15555550100"))) == first
    assert laurel.me(laurel.sign_in(emulator.by_phone("+15555550101")))["id"] != first["id"]


def test_by_google(emulator: Emulator, laurel: Laurel) -> None:
    token = emulator.by_google("grace@gmail.com", name="Grace")
    first = laurel.me(laurel.sign_in(token, name="Another"))
    assert first["name"] == "Grace"
    again = emulator.by_google("grace@gmail.com", name="Grace")
    assert laurel.me(laurel.sign_in(again)) == first


def test_to_the_account_with_the_address_once_it_is_verified(
    emulator: Emulator, laurel: Laurel
) -> None:
    email = "eva@example.com"
    given = {"idempotencyKey": "k", "email": email, "password": "correct horse", "name": "Eva"}
    member = ask(laurel.server.url, SIGN_UP, {"input": given})["signUp"]["memberId"]
    refused = laurel.sign_in(emulator.signed_up(email))
    assert refused["__typename"] == "NotAllowed"
    assert refused["message"].startswith("There is an account with this e-mail address.")
    assert laurel.sign_in(emulator.verified(email))["memberId"] == member


def test_nobody_in_particular(emulator: Emulator, laurel: Laurel) -> None:
    assert laurel.sign_in(emulator.anonymous())["__typename"] == "NotAllowed"


def test_a_user_of_another_project(emulator: Emulator, laurel: Laurel) -> None:
    header, _, _ = emulator.anonymous().partition(".")
    assert laurel.sign_in(f"{header}.e30.")["__typename"] == "CredentialsRejected"
