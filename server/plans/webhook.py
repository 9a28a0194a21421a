"""Where the billing provider's webhooks arrive: POST /webhooks/billing."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from server.clock import system_now
from server.integrations.billing_webhooks import SignatureRejected, verified_id
from server.plans.hooks import Taken, take
from server.storage import sql

BILLING_PATH = "/webhooks/billing"
MAXIMUM_BODY_BYTES = 64 * 1024
_STATUS = {Taken.MALFORMED: 400}


def billing_route(secrets: Sequence[bytes]) -> Route:
    """The route; without a secret nobody is believed."""

    async def receive(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _answer(413)
        now = system_now()
        try:
            message_id = verified_id(request.headers, body, secrets=secrets, now=now)
        except SignatureRejected:
            return _answer(401)
        try:
            return _answer(_STATUS.get(await take(message_id, body, now=now), 200))
        except Exception as error:
            if not sql.is_unavailable(error):
                raise
            return _answer(503)

    return Route(BILLING_PATH, receive, methods=["POST"])


async def _body(request: Request) -> bytes | None:
    """What was sent; None if it is more than is read."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAXIMUM_BODY_BYTES:
            return None
    return bytes(data)


def _answer(status: int) -> Response:
    return PlainTextResponse("", status, {"Cache-Control": "no-store"})
