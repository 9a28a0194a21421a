"""Where shops' own webhooks arrive: POST /webhooks/orders.

Who a message is of, its signature says: it is compared with the secrets of the partner that the
URL names (`?partner=KEY`), or of all partners.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server import clock, messages
from server.cards import graphql as cards  # noqa: F401 - it tells of cards that can't be used
from server.clock import system_now
from server.edge.nodes import global_id
from server.edge.problems import problem_of
from server.errors import (
    DomainError,
    ExternalIdConflict,
    IdempotencyConflict,
    InvalidInput,
    ProblemCode,
)
from server.integrations.billing_webhooks import SignatureRejected, verified_id
from server.money import decimal_of
from server.storage import sql
from server.webhooks import order_secrets, orders
from server.webhooks.orders import Ignored, NotTaken, Recorded, RefundTooEarly, Returned

ORDERS_PATH: Final = "/webhooks/orders"
MAXIMUM_BODY_BYTES: Final = 512 * 1024
RETRY_SECONDS: Final = 60
_MAXIMUM_PARTNER_LENGTH = 64

_log = structlog.get_logger("webhooks")


def orders_route() -> Route:
    """The route."""
    return Route(ORDERS_PATH, _receive, methods=["POST"])


async def _receive(request: Request) -> Response:
    language = messages.preferred_language(request.headers.get("accept-language"))
    try:
        return await _answered(request, language)
    except DomainError as error:
        if error.is_of_request:
            return _refused(error, language)
        return _told(503, {"code": "UNAVAILABLE"}, retries=True)
    except ClientDisconnect:
        return _told(400, {"code": "INCOMPLETE"})
    except Exception as error:
        if not sql.is_unavailable(error):
            raise
        return _told(503, {"code": "UNAVAILABLE"}, retries=True)


async def _answered(request: Request, language: str) -> Response:
    body = await _body(request)
    if body is None:
        return _told(413, {"code": "BODY_TOO_LARGE", "allowed": MAXIMUM_BODY_BYTES})
    signed = await _signed(request, body)
    if signed is None:
        text = messages.text("webhook.unsigned", language)
        return _told(401, {"code": "SIGNATURE_REJECTED", "message": text})
    message_id, partner = signed
    answer = await orders.take(message_id, body, partner=partner, now=clock.now())
    return _told(200, _shown(answer, language))


async def _signed(request: Request, body: bytes) -> tuple[str, str] | None:
    """The message's id and whose it is; None if nobody has signed it, now."""
    partner = request.query_params.get("partner")
    if partner is not None and not (
        partner.isprintable() and 1 <= len(partner) <= _MAXIMUM_PARTNER_LENGTH
    ):
        return None
    now = system_now()
    for owner, secrets in (await order_secrets.accepted(partner, now)).items():
        try:
            return verified_id(request.headers, body, secrets=secrets, now=now), owner
        except SignatureRejected:
            continue
    return None


async def _body(request: Request) -> bytes | None:
    """What was sent; None if it is more than is read."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAXIMUM_BODY_BYTES:
            return None
    return bytes(data)


# ---------------------------------------------------------------- answers


def _shown(answer: orders.Answer, language: str) -> Mapping[str, Any]:
    if isinstance(answer, Ignored):
        return {"status": "ignored"}
    if isinstance(answer, NotTaken):
        return {"status": "acknowledged", "note": _problem(answer.refusal.error(), language)}
    if isinstance(answer, Recorded):
        return _recorded(answer)
    return _returned(answer)


def _recorded(answer: Recorded) -> Mapping[str, Any]:
    done = answer.outcome
    return {
        "status": "recorded",
        "purchaseId": global_id("Purchase", done.purchase_id),
        "externalId": done.external_id,
        "memberId": global_id("Member", done.member_id),
        "enrolled": done.enrolled,
        "points": done.points,
        "cashback": _money(done.cashback.accrued_minor, done.currency, done.digits),
        "tier": done.tier_after,
    }


def _returned(answer: Returned) -> Mapping[str, Any]:
    done = answer.outcome
    return {
        "status": "returned",
        "returnId": global_id("PurchaseReturn", done.return_id),
        "externalId": done.external_id,
        "purchaseId": global_id("Purchase", done.purchase_id),
        "memberId": global_id("Member", done.member_id),
        "points": done.points_taken.amount,
        "cashback": _money(done.cashback_taken.amount, done.currency, done.digits),
        "refund": _money(done.refund.money_minor, done.currency, done.digits),
        "tier": done.tier_after,
    }


def _money(amount_minor: int, currency: str, digits: int) -> Mapping[str, str]:
    return {"amount": format(decimal_of(amount_minor, digits), "f"), "currencyCode": currency}


def _refused(error: DomainError, language: str) -> Response:
    _log.info("webhook refused", code=error.code.value)
    retries = isinstance(error, RefundTooEarly)
    if retries or isinstance(error, ExternalIdConflict | IdempotencyConflict):
        status = 409
    else:
        status = 400 if isinstance(error, InvalidInput) else 422
    return _told(status, _problem(error, language), retries=retries)


def _problem(error: DomainError, language: str) -> Mapping[str, Any]:
    """The problem as the GraphQL API has it; without what it is called there."""
    shown = {
        _camel(name): value
        for name, value in vars(problem_of(error, language)).items()
        if value is not None
    }
    if error.code is ProblemCode.IDEMPOTENCY_CONFLICT:
        shown["message"] = messages.text("webhook.conflict", language)
    plain: Mapping[str, Any] = msgspec.to_builtins(shown, enc_hook=str)
    return plain


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _told(status: int, content: Mapping[str, Any], *, retries: bool = False) -> Response:
    headers = {"Cache-Control": "no-store"}
    if retries:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return JSONResponse(content, status, headers)
