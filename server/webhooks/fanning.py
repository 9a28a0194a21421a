"""Who is told of what happened: a delivery for each event and each subscription that wants it.

A subscription of a partner is told of that partner's events: those that name it, those about its
purchases, and what else happens to members who have bought there. What concerns no member and no
partner is the operator's alone.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import structlog
from msgspec import Struct

from server.clock import Instant
from server.programme import service as programme
from server.storage import sql
from server.storage.ids import new_ids
from server.storage.outbox import Event
from server.webhooks import payloads, queries, service
from server.webhooks.payloads import EventType, Terms

_ABOUT_PURCHASES: Final = {
    EventType.POINTS_EARNED.value,
    EventType.POINTS_REDEEMED.value,
    EventType.POINTS_REVERSED.value,
}
_TOLD: Final = {kind.value for kind in EventType if kind is not EventType.PING}

_log = structlog.get_logger("webhooks")


class _Listener(Struct, frozen=True):
    id: int
    partner: str | None
    kinds: frozenset[str]  # empty is all

    def wants(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds


async def fan_out(events: Sequence[Event], now: Instant) -> None:
    """Queue the events for whoever is to be told of them: a few statements, however many events.

    Writes; call it in the transaction that takes the events out of the outbox. The same event again
    is queued for nobody twice.
    """
    listeners = [
        _Listener(row[0], row[1], frozenset(row[2].split())) for row in await queries.listening()
    ]
    wanted = [
        event
        for event in events
        if event.kind in _TOLD and any(one.wants(event.kind) for one in listeners)
    ]
    if not wanted:
        return
    terms = await _terms(wanted)
    partners = {one.partner for one in listeners if one.partner is not None}
    members = {event.member_id for event in wanted if event.member_id is not None}
    customers: set[tuple[int, str]] = set()
    if partners and members:
        customers = {(row[0], row[1]) for row in await queries.customers(members, partners)}
    rows = []
    for event in wanted:
        told = [one for one in listeners if _is_told(one, event, terms, customers)]
        payload = _payload(event, terms) if told else None
        if payload is not None:
            rows += [(one.id, event, payload) for one in told]
    await sql.execute_many(
        queries.INSERT_DELIVERY,
        [
            service.queued_row(id_, one_id, event.id, event.kind, event.member_id, payload, now)
            for id_, (one_id, event, payload) in zip(new_ids(len(rows)), rows, strict=True)
        ],
    )


def _payload(event: Event, terms: Terms) -> str | None:
    try:
        return payloads.encoded(event, terms)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        # One event that can't be told must not keep all others waiting.
        reason = type(error).__name__
        _log.error("webhook not made", kind=event.kind, event_id=event.id, reason=reason)
        return None


async def _terms(events: Sequence[Event]) -> Terms:
    references = {
        reference
        for event in events
        if event.kind in _ABOUT_PURCHASES and (reference := event.facts.get("reference"))
    }
    rows = await queries.purchases_of(references) if references else ()
    purchases = {row[0]: (row[1], row[2]) for row in rows}
    book = await programme.rulebook()
    if not book.ordered:  # nothing is worth anything yet
        return Terms("XXX", 0, purchases)
    identity = book.at(max(event.occurred_at for event in events)).programme.programme
    return Terms(identity.currency, identity.minor_unit_digits, purchases)


def _is_told(
    one: _Listener, event: Event, terms: Terms, customers: Collection[tuple[int, str]]
) -> bool:
    if not one.wants(event.kind):
        return False
    if one.partner is None:
        return True
    named = _partner_of(event, terms.purchases)
    if named is not None:
        return named == one.partner
    return event.member_id is not None and (event.member_id, one.partner) in customers


def _partner_of(event: Event, purchases: Mapping[int, tuple[int, str]]) -> str | None:
    """The partner that the event is of, if it is one's."""
    partner: str | None = event.facts.get("partner")
    if partner is None and event.kind in _ABOUT_PURCHASES:
        found = purchases.get(event.facts.get("reference") or 0)
        partner = None if found is None else found[1]
    return partner
