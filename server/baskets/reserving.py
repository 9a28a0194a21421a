"""Reserving a basket's offers and coupons for a time, and giving them up."""

import msgspec
from tortoise.exceptions import IntegrityError

from server.baskets import models, quoting, stored
from server.baskets.quoting import Reckoned
from server.baskets.shapes import BasketStatus, BasketView, Buyer, SentBasket
from server.baskets.stored import Kept
from server.clock import Instant
from server.coupons import service as coupons
from server.coupons.documents import SingleUse
from server.coupons.service import Usable
from server.errors import DomainError
from server.offers import uses
from server.payments import rules as payment_rules
from server.storage.ids import new_id

_MOST_ROUNDS = 20
"""Each round is lost to another basket that got the last of an offer."""


async def reserve(
    sent: SentBasket, buyer: Buyer, *, ttl_seconds: int | None, now: Instant
) -> BasketView:
    """Quote the basket, and keep its offers' limits and budgets and its coupons for it until it is
    confirmed or cancelled, or until its time is over, which the clock alone tells.

    Writes; call it inside a transaction. Raises InvalidInput, NotFound or CardUnusable, with the
    path below the input.
    """
    try:
        seeking = await quoting.sought(sent, buyer, now=now)
    except DomainError as error:
        raise error.below("basket") from None
    limits = seeking.book.at(now).programme.holds
    held_until = payment_rules.hold_ends_at(ttl_seconds, limits, now=now)
    await stored.lock(seeking.member_id, seeking.basket.currency, now)
    basket_id = new_id()
    for _ in range(_MOST_ROUNDS):
        try:
            reckoned = await quoting.reckon(seeking, now=now)
        except DomainError as error:
            raise error.below("basket") from None
        if await _held(reckoned, basket_id, held_until=held_until, now=now):
            break
        await coupons.release(basket_id)  # somebody else has just got the last of an offer
    else:
        raise IntegrityError("others were always faster")
    quoted = msgspec.structs.replace(reckoned.quote, expires_at=held_until)
    kept = Kept(quoted, tuple(map(_slim, reckoned.coupons)))
    view = BasketView(
        id=basket_id,
        partner=quoted.partner,
        status=BasketStatus.RESERVED,
        quote=quoted,
        held_until=held_until,
        decided_at=None,
        purchase_id=None,
    )
    await models.insert(stored.row_of(view, kept))
    return view


async def _held(reckoned: Reckoned, basket_id: int, *, held_until: Instant, now: Instant) -> bool:
    quoted = reckoned.quote
    try:
        await coupons.reserve(
            reckoned.coupons,
            quoted.member_id,
            basket_id,
            until=held_until,
            occurred_at=quoted.basket.occurred_at,
            now=now,
        )
    except DomainError:
        return False
    exhausted = await uses.hold(
        quoted.member_id,
        basket_id,
        quoted.evaluation.applied,
        day=await stored.local_day(quoted),
        held_until=held_until,
        now=now,
    )
    return not exhausted


def _slim(usable: Usable) -> Usable:
    terms = msgspec.structs.replace(usable.terms, codes=SingleUse())
    return msgspec.structs.replace(usable, products=None, terms=terms)


async def cancel(basket_id: int, *, partner: str | None, now: Instant) -> BasketView:
    """Give up a reserved basket: its offers and coupons are free at once, as if it had never been.
    `partner` None is the operator's staff, who may cancel every till's.

    Writes; call it inside a transaction. Raises NotFound for another till's basket, AlreadyDecided
    for one that is not reserved any more.
    """
    view, _coupons = await stored.locked(basket_id, partner=partner, now=now)
    await coupons.release(basket_id)
    await uses.release(basket_id)
    changed = await models.cancel(basket_id, now)
    assert changed, "the member's lock keeps the basket"
    return msgspec.structs.replace(view, status=BasketStatus.CANCELLED, decided_at=now)
