"""Tokens: what is in them, that the same facts make the same, and every forgery that is refused."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.clock import Instant, instant_of
from server.errors import SessionRejected
from server.members import tokens
from server.members.errors import AuthenticationFailed
from server.members.keys import KeyPair, KeyRing
from server.members.tokens import OpenedSession, ShownRefreshToken
from tests.members.people import DAY, SECOND, START

NOW = instant_of(START)
IAT = 1_772_600_767
SESSION = OpenedSession(11, 22, 3, NOW, 44, None)


def pair(key_id: str, created_at: int = NOW, seed: bytes = b"k" * 32) -> KeyPair:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return KeyPair(key_id, key, key.public_key(), Instant(created_at))


def ring_of(*pairs: KeyPair, issuer: str = "laurel", audience: str = "laurel") -> KeyRing:
    return KeyRing(pairs, b"s" * 32, issuer, audience, NOW)


RING = ring_of(pair("one"))


def signed(
    changes: dict[str, Any] | None = None,
    *,
    without: str = "",
    headers: dict[str, Any] | None = None,
    key: Any = None,
    algorithm: str = "EdDSA",
) -> str:
    """A token that is good but for the changes."""
    claims = {
        "iss": "laurel",
        "aud": "laurel",
        "sub": "11",
        "sid": "22",
        "kind": "member",
        "iat": IAT,
        "exp": IAT + 600,
        "jti": "22.3",
        **(changes or {}),
    }
    claims.pop(without, None)
    return jwt.encode(
        claims,
        RING.pairs[0].private_key if key is None else key,
        algorithm=algorithm,
        headers={"typ": "at+jwt", **({"kid": "one"} if headers is None else headers)},
    )


def refused(token: str, *, ring: KeyRing = RING, at: int = NOW) -> str:
    with (
        time_machine.travel(at / SECOND, tick=False),
        pytest.raises(AuthenticationFailed) as caught,
    ):
        tokens.read_access_token(ring, token)
    return caught.value.reason


def read(token: str, *, ring: KeyRing = RING, at: int = NOW) -> tokens.AccessClaims:
    with time_machine.travel(at / SECOND, tick=False):
        return tokens.read_access_token(ring, token)


def test_an_access_token_says_who_and_until_when() -> None:
    token = tokens.access_token(RING, SESSION)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": "one", "typ": "at+jwt"}
    assert jwt.decode(token, options={"verify_signature": False}) == {
        "iss": "laurel",
        "aud": "laurel",
        "sub": "11",
        "sid": "22",
        "kind": "member",
        "member": "44",
        "iat": IAT,
        "exp": IAT + 600,
        "jti": "22.3",
    }
    assert read(token) == tokens.AccessClaims(account_id=11, session_id=22, key_id="one")


def test_a_token_of_staff_says_the_role() -> None:
    staff = OpenedSession(11, 22, 3, NOW, None, "MANAGER")
    claims = jwt.decode(tokens.access_token(RING, staff), options={"verify_signature": False})
    assert (claims["kind"], claims["role"], "member" in claims) == ("staff", "MANAGER", False)


def test_the_same_facts_make_the_same_tokens_to_the_byte() -> None:
    again = OpenedSession(11, 22, 3, Instant(int(NOW)), 44, None)
    rebuilt = ring_of(pair("one"))
    assert tokens.tokens_of(rebuilt, again) == tokens.tokens_of(RING, SESSION)


def test_tokens_expire_after_10_minutes_and_30_days() -> None:
    made = tokens.tokens_of(RING, SESSION)
    assert made.access_token_expires_at == (IAT + 600) * SECOND
    assert made.refresh_token_expires_at == NOW + 30 * DAY


def test_an_access_token_is_good_until_its_last_second() -> None:
    token = tokens.access_token(RING, SESSION)
    assert read(token, at=(IAT + 599) * SECOND).session_id == 22
    assert refused(token, at=(IAT + 600) * SECOND) == "expired"


def test_a_clock_that_runs_behind_takes_a_fresh_token() -> None:
    assert read(tokens.access_token(RING, SESSION), at=NOW - 5 * SECOND).session_id == 22


def test_an_older_key_still_counts_and_the_newer_signs() -> None:
    both = ring_of(pair("one"), pair("two", created_at=NOW + 1, seed=b"j" * 32))
    old = tokens.access_token(RING, SESSION)
    assert read(old, ring=both).key_id == "one"
    assert tokens.access_token(both, SESSION) == old  # issued before the newer key was made
    later = OpenedSession(11, 22, 3, Instant(NOW + 1), 44, None)
    assert jwt.get_unverified_header(tokens.access_token(both, later))["kid"] == "two"


def test_an_unknown_key_is_refused() -> None:
    assert refused(tokens.access_token(RING, SESSION), ring=ring_of(pair("other"))) == "unknown"
    assert refused(signed(headers={})) == "unknown"
    assert refused(signed(headers={"kid": "two"})) == "unknown"


def test_a_key_of_the_same_name_of_another_deployment_is_refused() -> None:
    assert refused(signed(key=Ed25519PrivateKey.generate())) == "malformed"


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", "https://other.example"),
        ("aud", "other"),
        ("aud", ["laurel", "other"]),
        ("sub", "eleven"),
        ("sid", "x"),
        ("sid", None),
        ("exp", "soon"),
    ],
)
def test_a_claim_of_another_value_is_refused(claim: str, value: object) -> None:
    assert refused(signed({claim: value})) == "malformed"


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "kind", "iat", "exp", "jti"])
def test_every_claim_is_required(claim: str) -> None:
    assert refused(signed(without=claim)) == "malformed"


@pytest.mark.parametrize("type_", ["JWT", "AT+JWT", "rt+jwt", "application/at+jwt", None])
def test_a_token_of_another_type_is_refused(type_: str | None) -> None:
    assert refused(signed(headers={"kid": "one", "typ": type_})) == "malformed"


def test_another_algorithm_is_refused() -> None:
    public = RING.pairs[0].public_key.public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    assert refused(signed(key=public, algorithm="HS256")) == "malformed"
    assert refused(signed(key="", algorithm="none")) == "malformed"


def test_a_header_that_claims_our_algorithm_over_another_signature_is_refused() -> None:
    head, body, _ = signed().split(".")
    public = RING.pairs[0].public_key.public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    mac = hmac.digest(public, f"{head}.{body}".encode(), hashlib.sha256)
    forged = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    assert refused(f"{head}.{body}.{forged}") == "malformed"
    assert refused(f"{head}.{body}.") == "malformed"


def test_a_tampered_token_is_refused() -> None:
    head, body, signature = tokens.access_token(RING, SESSION).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = "12"
    other = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert refused(f"{head}.{other}.{signature}") == "malformed"


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "x", "é.é.é", "e30.e30.e30"])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert refused(token) == "malformed"


def test_an_access_token_of_another_issuer_or_for_another_audience_is_refused() -> None:
    token = tokens.access_token(RING, SESSION)
    assert refused(token, ring=ring_of(pair("one"), issuer="other")) == "malformed"
    assert refused(token, ring=ring_of(pair("one"), audience="other")) == "malformed"


def test_a_refresh_token_tells_its_session_and_generation() -> None:
    token = tokens.refresh_token(RING, session_id=22, generation=3)
    assert len(token) == 59
    assert tokens.read_refresh_token(RING, token) == ShownRefreshToken(22, 3)
    largest = tokens.refresh_token(RING, session_id=2**63 - 1, generation=2**31 - 1)
    assert tokens.read_refresh_token(RING, largest) == ShownRefreshToken(2**63 - 1, 2**31 - 1)


def test_a_refresh_token_changed_in_any_character_is_refused() -> None:
    token = tokens.refresh_token(RING, session_id=22, generation=3)
    for place, character in enumerate(token):
        for other in "AQgw-_":  # the last character's spare bits included
            if other != character:
                with pytest.raises(SessionRejected):
                    tokens.read_refresh_token(RING, token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize("token", ["", "x", "A" * 59, "A" * 58, "é" * 59, "=" * 59, "A" * 5000])
def test_what_is_no_refresh_token_is_refused(token: str) -> None:
    with pytest.raises(SessionRejected) as caught:
        tokens.read_refresh_token(RING, token)
    assert caught.value.reason == "session.rejected"


def test_a_refresh_token_of_another_deployment_is_refused() -> None:
    other = KeyRing(RING.pairs, b"t" * 32, "laurel", "laurel", NOW)
    with pytest.raises(SessionRejected):
        tokens.read_refresh_token(RING, tokens.refresh_token(other, session_id=22, generation=3))


def test_neither_token_passes_for_the_other() -> None:
    made = tokens.tokens_of(RING, SESSION)
    assert refused(made.refresh_token) == "malformed"
    with pytest.raises(SessionRejected):
        tokens.read_refresh_token(RING, made.access_token)
