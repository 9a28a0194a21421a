"""What the billing provider tells by webhooks: each message once for ever, by its own instant.

The body is `{"type", "timestamp", "data"}`: the timestamp, in ISO 8601 with its zone, is when it
happened. `data` names the `subscription` as a checkout did; payments have `payment` (an id of the
provider's), and paid and refunded ones `amount_minor` and `currency`, which are compared with what
was asked for.
"""

from datetime import datetime
from enum import Enum
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta, Struct

from server import clock
from server.clock import Instant
from server.integrations.billing import BillingUnavailable
from server.members.profiles import MAXIMUM_ID
from server.plans import models, rules
from server.plans.asking import Asked, ask
from server.plans.rules import EventKind, ReviewReason
from server.plans.views import PlanView, events_of, happen, view_of
from server.storage import sql

RECORDED_BY = "billing"
_EARLIEST = clock.instant_of(datetime.fromisoformat("2000-01-01T00:00:00+00:00"))
_TOLERANCE = 5 * 60 * clock.MICROSECONDS_PER_SECOND  # of the provider's clock
_TOLD = {
    kind.value: kind
    for kind in (
        EventKind.PAYMENT_SUCCEEDED,
        EventKind.PAYMENT_FAILED,
        EventKind.PAYMENT_REFUNDED,
        EventKind.PROVIDER_CANCELLED,
    )
}
_WITH_AMOUNT = (EventKind.PAYMENT_SUCCEEDED, EventKind.PAYMENT_REFUNDED)

_log = structlog.get_logger("billing")


_ID_DIGITS = len(str(MAXIMUM_ID))


class Taken(Enum):
    """What became of a message."""

    DONE = "done"
    KNOWN = "known"
    IGNORED = "ignored"  # of a type, or about a plan, that is not known here
    MALFORMED = "malformed"


class _Envelope(Struct):
    type: Annotated[str, Meta(max_length=120)]
    timestamp: Annotated[datetime, Meta(tz=True)]
    data: msgspec.Raw


class _Data(Struct):
    subscription: Annotated[str, Meta(max_length=40)]
    payment: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    amount_minor: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None


class _Message(Struct, frozen=True):
    message_id: str
    kind: EventKind
    occurred_at: Instant
    subscription_id: int
    payment: tuple[str | None, int | None, str | None]


async def take(message_id: str, body: bytes, *, now: Instant) -> Taken:
    """Take in what a signed message says. The provider is answered when it is committed."""
    try:
        message = _message(message_id, body, now)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        _log.warning("webhook malformed", id=message_id)
        return Taken.MALFORMED
    if message is None:
        return Taken.IGNORED

    async def attempt() -> tuple[Taken, PlanView | None]:
        async with sql.transaction():
            return await _take(message, now)

    taken, changed = await sql.retried(attempt)
    if changed is not None and changed.review_count:
        await _look_again(changed, message)
    return taken


def _message(message_id: str, body: bytes, now: Instant) -> _Message | None:
    """What a message says; None for a type that is not known. Raises ValueError."""
    envelope = msgspec.json.decode(body, type=_Envelope)
    kind = _TOLD.get(envelope.type)
    if kind is None:
        return None
    data = msgspec.json.decode(envelope.data, type=_Data)
    occurred_at = clock.instant_of(envelope.timestamp)
    if not _EARLIEST <= occurred_at <= now + _TOLERANCE:
        raise ValueError("it is yet to happen")
    payment = (data.payment, data.amount_minor, data.currency)
    if kind is EventKind.PROVIDER_CANCELLED:
        payment = (None, None, None)
    elif data.payment is None or "\x00" in data.payment:
        raise ValueError("a payment without an id")
    elif kind in _WITH_AMOUNT and None in payment:
        raise ValueError("a payment without its amount")
    known = data.subscription
    number = int(known) if known.isascii() and known.isdigit() and len(known) <= _ID_DIGITS else 0
    if number > MAXIMUM_ID:
        number = 0
    return _Message(message_id, kind, occurred_at, number, payment)


async def _take(message: _Message, now: Instant) -> tuple[Taken, PlanView | None]:
    row = await models.subscription_for_writing(message.subscription_id)
    if row is None:
        _log.warning("webhook about an unknown plan", id=message.message_id)
        return Taken.IGNORED, None
    view = view_of(row)
    changed = await happen(
        view,
        message.kind,
        at=message.occurred_at,
        by=RECORDED_BY,
        recorded_at=now,
        event_id=f"billing:{message.message_id}",
        payment=message.payment,
    )
    return (Taken.KNOWN, None) if changed is None else (Taken.DONE, changed)


async def _look_again(view: PlanView, message: _Message) -> None:
    """Where the provider has charged for what had ended, tell it again to charge no more."""
    events = [one.event for one in (await events_of([view.id]))[view.id]]
    reviews = dict(rules.facts_of(view.terms, events).reviews)
    reason = reviews.get(f"billing:{message.message_id}")
    if reason is None:
        return
    _log.warning("webhook held for review", id=message.message_id, reason=reason.value)
    if reason is ReviewReason.AFTER_END:
        key = f"again-{message.message_id}"
        try:
            await ask((Asked("cancel", view.id, at_once=True, key=key),))
        except BillingUnavailable as error:
            _log.warning("billing not told", reason=error.reason)
