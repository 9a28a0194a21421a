"""Orders of shops, as their webhooks tell them: paid ones are recorded as purchases, refunded ones
taken back as returns.

Each message counts once for ever, by its id. The bodies are those of `recordPurchase` and
`returnPurchase`, and what is done is the same to the minor unit.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant
from server.edge.nodes import number_of
from server.errors import DomainError, IdempotencyConflict, InvalidInput, NotFound, phrase
from server.members.rules import email_key, is_email
from server.purchases import service as purchases
from server.purchases.service import Draft, Line, LineReturn, PurchaseReference, ReturnDraft
from server.refusals import Refusal
from server.storage import sql
from server.storage.ids import new_id
from server.webhooks import order_queries
from server.webhooks.signing import content_hash

PAID, REFUNDED = "order.paid", "order.refunded"
_MAXIMUM_ID_LENGTH = 64
_MARK = "order not taken: "
"""With an order's id after it, stands for a webhook's: which has no space in it."""


class RefundTooEarly(NotFound):
    """A refund of an order that is not known yet: it may be, when it is told again."""


# ---------------------------------------------------------------- what shops say

_Data = TypeVar("_Data", bound=Struct)
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
_Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Moment = Annotated[datetime, Meta(tz=True)]


class _Member(Struct, frozen=True, rename="camel"):
    id: str | None = None
    external_id: str | None = None
    card_number: str | None = None
    email: str | None = None


class _Line(Struct, frozen=True, rename="camel"):
    product_id: str
    quantity: _Whole
    sales_minor: _Whole
    coupon_minor: _Whole = 0
    department: str | None = None
    product_category: str | None = None
    product_type: str | None = None


class _Paid(Struct, frozen=True, rename="camel"):
    external_id: str
    member: _Member
    occurred_at: _Moment
    store_id: str
    currency_code: str
    lines: tuple[_Line, ...]
    payment_ids: tuple[str, ...] = ()
    enrol_if_unknown: bool = False


class _Purchase(Struct, frozen=True, rename="camel"):
    external_id: str | None = None
    id: str | None = None


class _ReturnLine(Struct, frozen=True, rename="camel"):
    number: _Whole
    quantity: _Whole | None = None
    amount_minor: _Whole | None = None


class _Refunded(Struct, frozen=True, rename="camel"):
    external_id: str
    purchase: _Purchase
    occurred_at: _Moment
    lines: tuple[_ReturnLine, ...] | None = None


class _Envelope(Struct, frozen=True):
    type: Annotated[str, Meta(max_length=120)]
    version: int = 1
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Version(Struct, frozen=True):
    version: Literal[1] = 1


# ---------------------------------------------------------------- what they are told


class Recorded(Struct, frozen=True, tag="recorded"):
    """A paid order is a purchase now."""

    outcome: purchases.RecordedPurchase


class Returned(Struct, frozen=True, tag="returned"):
    """A refunded order, or a part of it, was taken back."""

    outcome: purchases.ReturnedPurchase


class NotTaken(Struct, frozen=True, tag="acknowledged"):
    """There is nothing to do: the buyer is no member."""

    refusal: Refusal


class Ignored(Struct, frozen=True, tag="ignored"):
    """Messages of that type are not for this server."""


Answer = Recorded | Returned | NotTaken | Ignored


async def take(message_id: str, body: bytes, *, partner: str, now: Instant) -> Answer:
    """Take in what a signed message of the partner says; the shop is answered when it is committed.

    The same message again is answered as the first time. Raises DomainError, with paths from the
    message's root: IdempotencyConflict for another message with the same id, RefundTooEarly for a
    refund of an order that was not told yet, and what the verbs of purchases raise.
    """
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
        if envelope.type not in (PAID, REFUNDED):
            return Ignored()
        msgspec.json.decode(body, type=_Version)
    except _UNREADABLE as error:
        raise _malformed(error) from None
    told, work = _work(envelope, partner, now)
    hashed = await content_hash(msgspec.json.encode((envelope.type, told)))

    async def attempt() -> Answer:
        async with sql.transaction():
            return await _once(message_id, hashed, partner, work)

    return await sql.retried(attempt)


def _malformed(error: Exception, *prefix: str) -> InvalidInput:
    """What the decoder says: `Expected ... - at `$.data.lines[0]`."""
    text, _, place = str(error).partition(" - at `$")
    steps = place.rstrip("`").replace("[", ".").replace("]", "").split(".")
    path = tuple(int(step) if step.isdecimal() else step for step in steps if step)
    return InvalidInput("webhook.body", path=(*prefix, *path), accepted=text)


Work = Callable[[], Awaitable[Answer]]


def _work(envelope: _Envelope, partner: str, now: Instant) -> tuple[Struct, Work]:
    """What is told, and what is to be done. Raises InvalidInput for data of another form."""
    if envelope.type == PAID:
        paid = _data(envelope, _Paid)
        return paid, lambda: _record(paid, partner, now)
    refunded = _data(envelope, _Refunded)
    return refunded, lambda: _take_back(refunded, partner, now)


def _data(envelope: _Envelope, kind: type[_Data]) -> _Data:
    try:
        return msgspec.json.decode(envelope.data, type=kind)
    except _UNREADABLE as error:
        raise _malformed(error, "data") from None


async def _once(message_id: str, hashed: str, partner: str, work: Work) -> Answer:
    """Do the work, or answer what it answered the first time; in one transaction with its answer,
    which a message that comes at the same time waits for."""
    row_id, now = new_id(), clock.system_now()
    claim = (row_id, partner, message_id, hashed, "", now)
    if not await sql.execute(order_queries.CLAIM, *claim):
        found = await order_queries.received(partner, message_id)
        if found is None:
            raise AssertionError("who claimed it has committed, or it is not claimed")
        if found[0] != hashed:
            raise IdempotencyConflict
        return msgspec.json.decode(found[1], type=Answer)  # type: ignore[no-any-return]
    answer = await work()
    await sql.execute(order_queries.ANSWER, msgspec.json.encode(answer).decode(), row_id)
    return answer


# ---------------------------------------------------------------- paid


async def _record(paid: _Paid, partner: str, now: Instant) -> Answer:
    try:
        submission = purchases.Submission(await _draft(paid), paid.enrol_if_unknown)
        async with sql.transaction():
            return Recorded(await purchases.record(submission, partner=partner, now=now))
    except NotFound as error:
        refusal = error.below("data")
        if error.path[:1] != ("member",):
            raise refusal from None
        await _mark(paid.external_id, partner)
        return NotTaken(Refusal.of(refusal))
    except DomainError as error:
        raise error.below("data") from None


async def _draft(paid: _Paid) -> Draft:
    return Draft(
        external_id=paid.external_id,
        member=await _reference(paid.member),
        occurred_at=_instant(paid.occurred_at),
        store_id=paid.store_id,
        currency=paid.currency_code,
        lines=tuple(
            Line(
                line.product_id,
                line.department,
                line.product_category,
                line.product_type,
                line.quantity,
                line.sales_minor,
                line.coupon_minor,
            )
            for line in paid.lines
        ),
        payment_ids=tuple(number_of(one, "Payment") for one in paid.payment_ids),
    )


def _instant(moment: datetime) -> Instant:
    """The instant of a moment. Raises InvalidInput for one that UTC has no date for."""
    try:
        instant = clock.instant_of(moment)
        clock.datetime_of(instant)
    except OverflowError:
        raise InvalidInput(
            "webhook.body",
            path=("occurredAt",),
            value=moment.isoformat(),
            accepted="2026-01-31T12:00:00Z",
        ) from None
    return instant


async def _reference(member: _Member) -> MemberReference:
    """Whom the shop means. Raises InvalidInput, and NotFound for an address that is nobody's."""
    stated = [one for one in msgspec.structs.astuple(member) if one is not None]
    if len(stated) != 1:
        raise InvalidInput(
            "webhook.member", path=("member",), accepted=phrase("accepted.one_reference")
        )
    if member.email is not None:
        found = None
        if is_email(address := member.email.strip()):
            found = await order_queries.member_of_address(email_key(address))
        if found is None:
            raise NotFound("member.not_found", path=("member", "email"))
        return MemberReference(id=found)
    return MemberReference(
        id=None if member.id is None else number_of(member.id, "Member"),
        external_id=member.external_id,
        card_number=member.card_number,
    )


async def _mark(external_id: str, partner: str) -> None:
    """Note that the order is none of a member's, so that its refund is not waited for."""
    mark = (new_id(), partner, _MARK + external_id, "", "", clock.system_now())
    if external_id.isprintable() and len(external_id) <= _MAXIMUM_ID_LENGTH:
        await sql.execute(order_queries.CLAIM, *mark)


# ---------------------------------------------------------------- refunded


async def _take_back(refunded: _Refunded, partner: str, now: Instant) -> Answer:
    try:
        async with sql.transaction():
            return Returned(await purchases.take_back(_return(refunded), partner=partner, now=now))
    except NotFound as error:
        refusal = error.below("data")
        if error.path[:1] != ("purchase",):
            raise refusal from None
        external_id = refunded.purchase.external_id
        if external_id is not None and await _is_marked(external_id, partner):
            return NotTaken(Refusal.of(refusal))
        raise RefundTooEarly("webhook.refund_early", path=refusal.path) from None
    except DomainError as error:
        raise error.below("data") from None


async def _is_marked(external_id: str, partner: str) -> bool:
    if not external_id.isprintable():
        return False
    return await order_queries.received(partner, _MARK + external_id) is not None


def _return(refunded: _Refunded) -> ReturnDraft:
    purchase = refunded.purchase
    if (purchase.id is None) == (purchase.external_id is None):
        raise InvalidInput(
            "webhook.purchase",
            path=("purchase",),
            accepted=phrase("accepted.one_of_two", one="externalId", other="id"),
        )
    lines = refunded.lines
    return ReturnDraft(
        external_id=refunded.external_id,
        purchase=PurchaseReference(
            external_id=purchase.external_id,
            id=None if purchase.id is None else number_of(purchase.id, "Purchase"),
        ),
        occurred_at=_instant(refunded.occurred_at),
        lines=None
        if lines is None
        else tuple(LineReturn(line.number, line.quantity, line.amount_minor) for line in lines),
    )
