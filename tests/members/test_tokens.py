"""Tokens: what is in them, that the same facts make the same, and every forgery that is refused."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import msgspec
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
SESSION = OpenedSession(11, 22, 3, NOW, 44, None, opened_at=NOW)


ONE, TWO, OTHER = "0123456789abcdef", "00000000000000ff", "ffffffffffffffff"


def pair(key_id: str, signs_from: int = NOW, seed: bytes = b"k" * 32) -> KeyPair:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return KeyPair(key_id, key, key.public_key(), Instant(signs_from))


def ring_of(*pairs: KeyPair, issuer: str = "laurel", audience: str = "laurel") -> KeyRing:
    return KeyRing(pairs, b"s" * 32, issuer, audience, NOW)


RING = ring_of(pair(ONE))


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
        headers={"typ": "at+jwt", **({"kid": ONE} if headers is None else headers)},
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
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": ONE, "typ": "at+jwt"}
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
    assert read(token) == tokens.AccessClaims(
        account_id=11, session_id=22, key_id=ONE, expires_at=Instant((IAT + 600) * SECOND)
    )


def test_a_token_of_staff_says_the_role() -> None:
    staff = OpenedSession(11, 22, 3, NOW, None, "MANAGER", opened_at=NOW)
    claims = jwt.decode(tokens.access_token(RING, staff), options={"verify_signature": False})
    assert (claims["kind"], claims["role"], "member" in claims) == ("staff", "MANAGER", False)


def test_the_same_facts_make_the_same_tokens_to_the_byte() -> None:
    again = OpenedSession(11, 22, 3, Instant(int(NOW)), 44, None, Instant(int(NOW)))
    rebuilt = ring_of(pair(ONE))
    assert tokens.tokens_of(rebuilt, again) == tokens.tokens_of(RING, SESSION)


def test_tokens_expire_after_10_minutes_and_30_days() -> None:
    made = tokens.tokens_of(RING, SESSION)
    assert made.access_token_expires_at == (IAT + 600) * SECOND
    assert made.refresh_token_expires_at == NOW + 30 * DAY


def opened_days_ago(days: int, *, more: int = 0) -> OpenedSession:
    return OpenedSession(11, 22, 3, NOW, 44, None, opened_at=Instant(NOW - days * DAY - more))


def test_no_token_outlives_the_180_days_of_its_session() -> None:
    assert tokens.tokens_of(RING, opened_days_ago(150)).refresh_token_expires_at == NOW + 30 * DAY
    late = tokens.tokens_of(RING, opened_days_ago(150, more=1))
    assert late.refresh_token_expires_at == NOW + 30 * DAY - 1
    assert late.access_token_expires_at == (IAT + 600) * SECOND
    last = tokens.tokens_of(RING, opened_days_ago(180, more=-300 * SECOND))
    assert last.refresh_token_expires_at == NOW + 300 * SECOND
    assert last.access_token_expires_at == (IAT + 300) * SECOND
    assert read(last.access_token).expires_at == (IAT + 300) * SECOND


def test_what_an_older_version_kept_makes_tokens_still() -> None:
    kept = msgspec.json.decode(
        b'{"type":"session","account_id":11,"session_id":22,"generation":3,"issued_at":%d,'
        b'"member_id":44,"staff_role":null}' % NOW,
        type=OpenedSession,
    )
    assert tokens.tokens_of(RING, kept) == tokens.tokens_of(RING, SESSION)


def test_an_access_token_is_good_until_its_last_second() -> None:
    token = tokens.access_token(RING, SESSION)
    assert read(token, at=(IAT + 599) * SECOND).session_id == 22
    assert refused(token, at=(IAT + 600) * SECOND) == "expired"


def test_a_clock_that_runs_behind_takes_a_fresh_token() -> None:
    token = tokens.access_token(RING, SESSION)
    assert read(token, at=(IAT - 30) * SECOND).session_id == 22
    assert refused(token, at=(IAT - 30) * SECOND - 1) == "malformed"  # too far to be a mistake


def test_an_older_key_still_counts_and_the_newer_signs() -> None:
    both = ring_of(pair(ONE), pair(TWO, signs_from=NOW + 1, seed=b"j" * 32))
    old = tokens.access_token(RING, SESSION)
    assert read(old, ring=both).key_id == ONE
    assert tokens.access_token(both, SESSION) == old  # issued before the newer key was made
    later = OpenedSession(11, 22, 3, Instant(NOW + 1), 44, None, opened_at=NOW)
    assert jwt.get_unverified_header(tokens.access_token(both, later))["kid"] == TWO


def test_an_unknown_key_is_refused() -> None:
    assert refused(tokens.access_token(RING, SESSION), ring=ring_of(pair(OTHER))) == "unknown"
    assert refused(signed(headers={"kid": TWO})) == "unknown"


def test_a_key_of_the_same_name_of_another_deployment_is_refused() -> None:
    assert refused(signed(key=Ed25519PrivateKey.generate())) == "malformed"


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("iss", None),
        ("iss", ["laurel"]),
        ("aud", []),
        ("sub", 11),
        ("sub", "011"),
        ("sub", "+11"),
        ("sub", "1_1"),
        ("sub", "0"),
        ("sub", "1" * 20),
        ("sub", "\u0661"),
        ("sid", 22),
        ("kind", "key"),
        ("kind", ["member"]),
        ("jti", "23.3"),
        ("jti", "22"),
        ("jti", 22.3),
        ("iat", "1772600767"),
        ("iat", float(IAT)),
        ("iat", True),
        ("exp", float(IAT + 600)),
        ("exp", True),
        ("exp", None),
        ("exp", 10**400),
        ("nbf", IAT),
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
    payload = jwt.decode(signed(), options={"verify_signature": False})
    assert refused(raw(HEADER, json.dumps({**payload, claim: value}).encode())) == "malformed"


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "kind", "iat", "exp", "jti"])
def test_every_claim_is_required(claim: str) -> None:
    assert refused(signed(without=claim)) == "malformed"


@pytest.mark.parametrize("type_", ["JWT", "AT+JWT", "rt+jwt", "application/at+jwt", None])
def test_a_token_of_another_type_is_refused(type_: str | None) -> None:
    assert refused(signed(headers={"kid": ONE, "typ": type_})) == "malformed"


# ---------------------------------------------------------------- RFC 8725


def test_an_expiry_further_than_10_minutes_from_the_issue_is_refused() -> None:
    assert read(signed({"exp": IAT + 600})).expires_at == (IAT + 600) * SECOND
    assert refused(signed({"exp": IAT + 601})) == "malformed"
    assert refused(signed({"exp": IAT - 1})) == "malformed"
    assert refused(signed({"iat": IAT - 1})) == "malformed"


def test_a_token_of_the_future_is_refused() -> None:
    assert read(signed({"iat": IAT + 30, "exp": IAT + 630})).session_id == 22
    assert refused(signed({"iat": IAT + 31, "exp": IAT + 631})) == "malformed"


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
        {"crit": ["exp"]},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"b64": False, "crit": ["b64"]},
        {"cty": "JWT"},
        {"unheard-of": 1},
    ],
    ids=lambda header: next(iter(header)),
)
def test_a_header_with_anything_else_in_it_is_refused(header: dict[str, Any]) -> None:
    assert refused(signed(headers={"kid": ONE, **header})) == "malformed"


@pytest.mark.parametrize(
    "key_id",
    ["", "one", ONE.upper(), ONE + "0", "../../etc/passwd", "' OR 1=1 --", "x" * 1000, None, 1, []],
)
def test_a_key_name_that_we_never_gave_is_refused_unread(key_id: object) -> None:
    assert refused(raw({"alg": "EdDSA", "kid": key_id, "typ": "at+jwt"})) == "malformed"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def raw(header: dict[str, Any] | bytes, payload: bytes | None = None) -> str:
    """A token with these very bytes, rightly signed."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = base64.urlsafe_b64decode(signed().split(".")[1] + "==") if payload is None else payload
    text = f"{encoded(head)}.{encoded(body)}"
    return f"{text}.{encoded(RING.pairs[0].private_key.sign(text.encode()))}"


HEADER = {"alg": "EdDSA", "kid": ONE, "typ": "at+jwt"}


def test_names_in_any_order_and_claims_that_this_version_does_not_know_are_taken() -> None:
    assert read(raw(dict(reversed(HEADER.items())))).session_id == 22
    assert read(signed({"later": ["x"]})).session_id == 22


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","alg":"EdDSA","kid":"%b","typ":"at+jwt"}' % ONE.encode(),
        b'{"alg":"EdDSA","kid":"ffffffffffffffff","kid":"%b","typ":"at+jwt"}' % ONE.encode(),
        b'["alg","kid","typ"]',
        b'"EdDSA"',
        b"null",
        b"{",
        b"",
        b"\xff",
        b'{"alg":"EdDSA"}',
        b"[" * 1500,
        b'{"alg":"EdDSA","kid":' + b"[" * 1200,
        b'{"alg":NaN,"kid":"%b","typ":"at+jwt"}' % ONE.encode(),
    ],
    ids=str,
)
def test_a_header_that_is_not_one_plain_object_is_refused(header: bytes) -> None:
    assert refused(raw(header)) == "malformed"


def test_a_payload_that_is_not_one_plain_object_is_refused() -> None:
    payload = base64.urlsafe_b64decode(signed().split(".")[1] + "==")
    assert read(raw(HEADER, payload)).account_id == 11
    twice = payload[:-1] + b',"sub":"12"}'
    infinite = payload[:-1] + b',"x":Infinity}'
    for other in (twice, infinite, b"[]", b"x", payload + b"{}", b"[" * 1000, payload + b"\x00"):
        assert refused(raw(HEADER, other)) == "malformed"


def test_an_encrypted_or_unsigned_or_oversized_token_is_refused() -> None:
    head, body, signature = signed().split(".")
    assert refused(f"{head}.{body}.{body}.{body}.{signature}") == "malformed"  # a JWE has five
    assert refused(f"{head}.{body}") == "malformed"
    assert refused(json.dumps({"payload": body, "protected": head, "signature": signature})) == (
        "malformed"
    )
    long = signed({"x": "x" * 1200})
    assert len(long) <= tokens.MAXIMUM_ACCESS_TOKEN_LENGTH
    assert read(long).session_id == 22
    assert refused(signed({"x": "x" * 1400})) == "malformed"


def test_one_token_has_one_form() -> None:
    token = signed()
    head, body, signature = token.split(".")
    order = 2**252 + 27742317777372353535851937790883648493
    decoded = base64.urlsafe_b64decode(signature + "==")
    larger = int.from_bytes(decoded[32:], "little") + order
    malleated = encoded(decoded[:32] + larger.to_bytes(32, "little"))
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = signature[:-1] + last[last.index(signature[-1]) + 1]  # another unused bit
    for other in (
        f"{token}=",
        f"{token}==",
        f"{token}.",
        f"{token}x",
        f"{token}\n",
        f" {token}",
        f"{head}=.{body}.{signature}",
        f"{head}.{body}.{spare}",
        f"{head}.{body}.{malleated}",
        f"{head}.{body}.{'A' * 86}",
        token.replace(".", "\u3002"),
    ):
        assert refused(other) == "malformed"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES256", "RS256", "eddsa", "Ed448"])
def test_an_algorithm_that_is_only_claimed_is_refused(algorithm: str) -> None:
    assert refused(raw({**HEADER, "alg": algorithm})) == "malformed"


def test_a_refusal_says_nothing_of_the_token(caplog: pytest.LogCaptureFixture) -> None:
    token = signed({"exp": IAT + 601})
    with time_machine.travel(START, tick=False), pytest.raises(AuthenticationFailed) as caught:
        tokens.read_access_token(RING, token)
    assert caught.value.args == ("malformed",)
    assert caught.value.__cause__ is None
    assert caplog.records == []


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
    assert refused(token, ring=ring_of(pair(ONE), issuer="other")) == "malformed"
    assert refused(token, ring=ring_of(pair(ONE), audience="other")) == "malformed"


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
