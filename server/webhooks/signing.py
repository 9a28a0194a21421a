"""The secrets that webhooks are signed with, and the headers of Standard Webhooks.

A secret is derived from its row's id and a secret of the deployment: a repeated request is answered
with the same one, and nothing stores it.
"""

import base64
import hmac
import struct
from collections.abc import Sequence
from typing import Final

from server.clock import MICROSECONDS_PER_SECOND, Instant, datetime_of
from server.storage.secrets import shared_secret

PREFIX: Final = "whsec_"
_NAME = "webhooks"
_CONTEXT = b"laurel webhook secret 1:"
_CONTENT_CONTEXT = b"laurel webhook content 1:"
_FACTS = struct.Struct(">Q")  # the row's id


async def derived_secret(secret_id: int) -> str:
    """The secret of the row with that id, as it is shown: `whsec_` and base64 of 32 bytes."""
    made = await secret_bytes(secret_id)
    return PREFIX + base64.b64encode(made).decode()


async def secret_bytes(secret_id: int) -> bytes:
    """The same secret as the bytes that sign."""
    return hmac.digest(await shared_secret(_NAME), _CONTEXT + _FACTS.pack(secret_id), "sha256")


async def content_hash(content: bytes) -> str:
    """What stands for what a shop sent: HMAC-SHA-256, hexadecimal."""
    return hmac.digest(await shared_secret(_NAME), _CONTENT_CONTEXT + content, "sha256").hex()


def signed_headers(
    secrets: Sequence[bytes], message_id: str, at: Instant, body: str
) -> dict[str, str]:
    """The headers of a message: one signature for each of the secrets, with spaces between."""
    from standardwebhooks import Webhook  # noqa: PLC0415 - only who sends needs it

    moment = datetime_of(at).replace(microsecond=0)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at // MICROSECONDS_PER_SECOND),
        "webhook-signature": " ".join(
            Webhook(secret).sign(message_id, moment, body) for secret in secrets
        ),
    }
