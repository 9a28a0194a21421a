"""Webhooks of the billing provider: who signed them, by the Standard Webhooks specification.

A request has the headers `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`: one
or more of `v1,<base64>` with spaces between, each the HMAC-SHA-256 of `id.timestamp.body`. Several
signatures, and several secrets here, let a secret be replaced without a gap.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

from server.clock import MICROSECONDS_PER_SECOND, Instant

TOLERANCE_SECONDS: Final = 5 * 60
MAXIMUM_SIGNATURES: Final = 20
MINIMUM_SECRET_BYTES: Final = 24
MAXIMUM_SECRET_BYTES: Final = 64
_PREFIX = "whsec_"
_ID = re.compile(r"[!-~]{1,120}")
_SECONDS = re.compile(r"[0-9]{1,12}")


class SignatureRejected(Exception):
    """Nobody who has a secret has signed this now; it says no more."""


def secret_of(text: str) -> bytes:
    """The bytes of a secret as providers show it: base64, with or without `whsec_` before it.

    Raises ValueError, which does not repeat it, unless it has 24 to 64 bytes.
    """
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not MINIMUM_SECRET_BYTES <= len(secret) <= MAXIMUM_SECRET_BYTES:
        raise ValueError("a webhook secret is base64 of 24 to 64 bytes, such as whsec_...")
    return secret


def signature(secret: bytes, message_id: str, seconds: int, body: bytes) -> str:
    """What the provider writes in `webhook-signature`."""
    return _signature_of(secret, message_id, str(seconds), body).decode()


def verified_id(
    headers: Mapping[str, str], body: bytes, *, secrets: Sequence[bytes], now: Instant
) -> str:
    """The id of a message that is signed with one of the secrets, and now.

    Raises SignatureRejected, without a word of why.
    """
    message_id = headers.get("webhook-id", "")
    stated = headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(message_id) or not _SECONDS.fullmatch(stated):
        raise SignatureRejected
    if abs(now - int(stated) * MICROSECONDS_PER_SECOND) > (
        TOLERANCE_SECONDS * MICROSECONDS_PER_SECOND
    ):
        raise SignatureRejected
    given = headers.get("webhook-signature", "").encode("latin-1", "replace").split()
    right = [
        # The timestamp is signed as it was sent, leading zeros included.
        _signature_of(secret, message_id, stated, body)
        for secret in secrets
    ]
    # Each is compared with each, however early one fits: the time tells nothing.
    fits = [
        hmac.compare_digest(one, other) for one in given[:MAXIMUM_SIGNATURES] for other in right
    ]
    if not any(fits):
        raise SignatureRejected
    return message_id


def _signature_of(secret: bytes, message_id: str, stated: str, body: bytes) -> bytes:
    content = f"{message_id}.{stated}.".encode() + body
    return b"v1," + base64.b64encode(hmac.digest(secret, content, "sha256"))
