"""Which ID tokens are believed: those that Google signed for this project, now, for a user."""

import base64
import hmac
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from server.integrations import firebase
from server.integrations.firebase import (
    Firebase,
    FirebaseUnavailable,
    IdTokenRejected,
    NoFirebase,
    NotConfigured,
    VerifiedIdentity,
    provider_name,
)
from tests.integrations.firebase_google import (
    KEY_ID,
    PROJECT,
    claims,
    id_token,
    part,
    signing_key,
    unsigned,
    with_email,
)

HOUR = 3600


async def refused(tokens: Firebase, token: str) -> bool:
    """The token is not believed; whether because it has expired."""
    with pytest.raises(IdTokenRejected) as refusal:
        await tokens.identity(token)
    assert token == "" or token not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    return refusal.value.is_expired


# ---------------------------------------------------------------- whom they stand for


@pytest.mark.parametrize(
    ("token", "identity"),
    [
        (
            lambda: with_email("ada@example.com", name="Ada"),
            {
                "signed_in_by": "password",
                "email": "ada@example.com",
                "email_is_verified": True,
                "name": "Ada",
            },
        ),
        (
            lambda: with_email("ada@example.com", is_verified=False),
            {"signed_in_by": "password", "email": "ada@example.com"},
        ),
        (
            lambda: id_token(email="ada@example.com", email_verified="true"),
            {"signed_in_by": "password", "email": "ada@example.com"},
        ),
        (lambda: id_token(by="phone", phone_number="+37060000000"), {"signed_in_by": "phone"}),
        (
            lambda: with_email("ada@gmail.com", by="google.com", picture="https://x.example/a"),
            {"signed_in_by": "google.com", "email": "ada@gmail.com", "email_is_verified": True},
        ),
        (lambda: id_token(by="anonymous", provider_id="anonymous"), {"signed_in_by": "anonymous"}),
        (lambda: id_token(name=7, email=[], email_verified=1), {"signed_in_by": "password"}),
    ],
    ids=["e-mail", "unverified", "verified in words", "phone", "google", "anonymous", "no texts"],
)
async def test_what_a_token_tells_of_its_user(
    tokens: Firebase, token: Callable[[], str], identity: dict[str, Any]
) -> None:
    told = await tokens.identity(token())
    assert told == VerifiedIdentity(f"firebase/{PROJECT}", "uid-1", **identity)
    assert told.is_anonymous == (identity["signed_in_by"] == "anonymous")


async def test_the_ends_of_what_is_believed(tokens: Firebase) -> None:
    longest = "u" * 128
    assert (await tokens.identity(id_token(uid=longest))).subject == longest
    now = time.time()
    skewed: dict[str, Any] = {"auth_time": now + 8, "iat": int(now) + 8}
    assert (await tokens.identity(id_token(**skewed))).subject == "uid-1"
    expired = id_token(exp=int(now) - 5, iat=int(now) - HOUR, auth_time=int(now) - HOUR)
    assert (await tokens.identity(expired)).subject == "uid-1"


# ---------------------------------------------------------------- what is not believed


def changed(**changes: Any) -> Callable[[], str]:
    """A token that Google has signed, with other claims."""
    return lambda: id_token(**changes)


def in_seconds(**seconds: int) -> Callable[[], str]:
    """A token with times so many seconds from now."""

    def make() -> str:
        now = int(time.time())
        times: dict[str, Any] = {name: now + value for name, value in seconds.items()}
        return id_token(**times)

    return make


def headed(header: dict[str, Any]) -> Callable[[], str]:
    """A token whose header says something else; the signature is of the key."""

    def make() -> str:
        signed = f"{part({'alg': 'RS256', 'kid': KEY_ID, **header})}.{part(claims())}"
        signature = signing_key().private.sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    return make


def confused() -> str:
    """HMAC with the certificate, which everybody has, as the secret."""
    signed = f"{part({'alg': 'HS256', 'kid': KEY_ID})}.{part(claims())}"
    secret = signing_key().certificate.encode()
    signature = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def tampered() -> str:
    header, _, signature = id_token().split(".")
    return f"{header}.{part(claims(uid='uid-2'))}.{signature}"


def deep() -> str:
    header, _, signature = id_token().split(".")
    nested = base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode()
    return f"{header}.{nested}.{signature}"


def another_signed_it() -> str:
    return jwt.encode(
        claims(), signing_key("other").private, algorithm="RS256", headers={"kid": KEY_ID}
    )


BAD: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "no token": lambda: "token",
    "three dots": lambda: "a.b.c",
    "not ASCII": lambda: id_token() + "é",
    "a control": lambda: id_token() + "\x00",
    "too long": lambda: "a" * 8193,
    "two parts": lambda: id_token().rsplit(".", 1)[0],
    "no signature": lambda: id_token().rsplit(".", 1)[0] + ".",
    "other project": changed(aud="other"),
    "several projects": changed(aud=[PROJECT]),
    "other issuer": changed(iss="https://securetoken.google.com/other"),
    "no issuer": changed(iss=None),
    "no subject": changed(sub=None),
    "empty subject": changed(uid=""),
    "subject of a number": changed(uid=7),
    "subject of 129": changed(uid="u" * 129),
    "subject with a control": changed(uid="u\x00"),
    "subject with half a character": changed(uid="u\ud800"),
    "no sign-in time": changed(auth_time=None),
    "sign-in time in words": changed(auth_time="now"),
    "sign-in time true": changed(auth_time=True),
    "endless sign-in time": changed(auth_time=float("-inf")),
    "signed in later": in_seconds(auth_time=20),
    "issued later": in_seconds(iat=20),
    "no issue": changed(iat=None),
    "issued in words": changed(iat="now"),
    "no expiry": changed(exp=None),
    "expiry in words": changed(exp="never"),
    "endless expiry": changed(exp=float("inf")),
    "no way of signing in": changed(firebase={}),
    "nothing of Firebase": changed(firebase=None),
    "of a tenant": changed(firebase={"sign_in_provider": "password", "tenant": "t-1"}),
    "a custom token": changed(
        aud="https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1."
        "IdentityToolkit"
    ),
    "unsigned": unsigned,
    "unsigned with a key": lambda: f"{part({'alg': 'none', 'kid': KEY_ID})}.{part(claims())}.",
    "confused": confused,
    "other algorithm": headed({"alg": "RS384"}),
    "algorithm none": headed({"alg": "none"}),
    "no key": headed({"kid": ""}),
    "unknown key": lambda: id_token(key="other"),
    "key of a number": lambda: f"{part({'alg': 'RS256', 'kid': 7})}.{part(claims())}.AAAA",
    "other key": another_signed_it,
    "tampered": tampered,
    "deep": deep,
    "payload of a list": lambda: f"{part({'alg': 'RS256', 'kid': KEY_ID})}.{part([])}.AAAA",
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
async def test_a_token_that_is_not_believed(tokens: Firebase, token: Callable[[], str]) -> None:
    assert not await refused(tokens, token())


async def test_a_token_that_has_expired_is_told_as_such(tokens: Firebase) -> None:
    assert await refused(tokens, in_seconds(exp=-15, iat=-HOUR, auth_time=-HOUR)())
    header, payload, signature = in_seconds(exp=-15, iat=-HOUR)().split(".")
    assert not await refused(tokens, f"{header}.{payload}.{signature[:-4]}AAAA")


async def test_without_a_project_nothing_is_believed() -> None:
    with pytest.raises(NotConfigured):
        await NoFirebase().identity(id_token())


def test_a_project_has_one_name_that_can_be_stored_and_the_emulator_another() -> None:
    assert provider_name("demo-laurel") == "firebase/demo-laurel"
    longest = "a-project-id-of-thirty-letters"
    assert provider_name(longest) == "firebase/a-project-~1204a0f22d12"
    names = {
        provider_name(project, is_emulated=is_emulated)
        for project in ("demo-laurel", longest, longest[:-1] + "z")
        for is_emulated in (True, False)
    }
    assert len(names) == 6
    assert max(map(len, names)) <= 32


async def test_who_would_wait_too_long_is_refused(
    tokens: Firebase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tokens.identity(id_token())
    taken = [firebase._places.acquire(blocking=False) for _ in range(66)]
    try:
        assert all(taken)
        with pytest.raises(FirebaseUnavailable) as refusal:
            await tokens.identity(id_token())
        assert refusal.value.retry_after_seconds == 1
    finally:
        for _ in taken:
            firebase._places.release()
    assert (await tokens.identity(id_token())).subject == "uid-1"


# ---------------------------------------------------------------- the emulator


async def test_a_library_that_takes_anybodys_tokens_by_accident_is_not_used(
    tokens: Firebase, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await tokens.identity(id_token())).subject == "uid-1"
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9099")
    with pytest.raises(RuntimeError, match="emulator"):
        await tokens.identity(id_token())
    monkeypatch.delenv("FIREBASE_AUTH_EMULATOR_HOST")
    with pytest.raises(RuntimeError, match="emulator"):
        await Firebase(PROJECT, is_emulated=True).identity(unsigned())


async def test_the_emulators_tokens_are_taken_if_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9099")
    tokens = Firebase(PROJECT, is_emulated=True)
    told = await tokens.identity(unsigned())
    assert told == VerifiedIdentity("firebase-emulator/demo-laurel", "uid-1", "password")
    for said in (
        claims(aud="other"),
        claims(auth_time=None),
        claims(uid="u\ud800"),
    ):
        assert not await refused(tokens, unsigned(said=said))
    now = int(time.time())
    old = claims(exp=now - 15, iat=now - HOUR, auth_time=now - HOUR)
    assert await refused(tokens, unsigned(said=old))
