"""A shop that tells of its orders by webhooks of its own."""

import itertools
from typing import Any

import httpx2
import msgspec
from standardwebhooks import Webhook

from server.clock import Instant, datetime_of, system_now
from server.storage import sql
from server.webhooks import order_secrets, signing
from tests.api.calling import NOW, PARTNER, Api, Json

_numbers = itertools.count(1)


async def new_secret(partner: str = PARTNER) -> str:
    """A new secret for the partner's orders."""
    async with sql.transaction():
        made = await order_secrets.create(partner)
    return await signing.derived_secret(made.id)


def body_of(kind: str, data: Any, **changes: Any) -> bytes:
    """A message."""
    return msgspec.json.encode({"type": kind, "version": 1, "data": data, **changes})


async def send(
    api: Api,
    secret: str,
    body: bytes,
    *,
    message_id: str | None = None,
    at: Instant | None = None,
    query: str = "",
    **headers: str,
) -> httpx2.Response:
    """Post a message, signed by the library that senders use."""
    message_id = message_id or f"msg_{next(_numbers)}"
    moment = datetime_of(system_now() if at is None else at).replace(microsecond=0)
    signed = Webhook(secret).sign(message_id, moment, body.decode("latin-1"))
    if not body.isascii():
        raise AssertionError("the library signs text")
    return await api.client.post(
        f"/webhooks/orders{query}",
        content=body,
        headers={
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": signed,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )


def problem(response: httpx2.Response) -> tuple[int, str, list[str]]:
    """Status, code and path of a refusal."""
    said: Json = response.json()
    assert said["message"]
    return response.status_code, said["code"], said.get("path", [])


__all__ = ["NOW", "body_of", "new_secret", "problem", "send"]
