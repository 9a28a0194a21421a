"""Confirming a basket: it is recorded as a purchase, exactly as it was quoted, or not at all.

The member is locked first, so that everything of theirs stands still from the reckoning to the end;
then the coupons are taken, and last what all members share of the offers' limits: the shortest
locks are the most wanted ones.
"""

import hmac
from collections.abc import Sequence

import msgspec

from server.baskets import comparing, models, quoting, stored, tokens
from server.baskets.comparing import Quoted, quoted_of
from server.baskets.shapes import (
    BasketStatus,
    BasketView,
    Buyer,
    Confirmation,
    Confirmed,
    Difference,
    DifferenceKind,
    Quote,
)
from server.baskets.stored import Kept
from server.clock import Instant
from server.coupons import service as coupons
from server.coupons.service import Usable
from server.errors import DomainError, ExternalIdConflict, InvalidInput, phrase
from server.offers import uses
from server.offers.evaluation import WhyNot
from server.offers.limits import Limit, OfferExhausted
from server.purchases import rules as purchase_rules
from server.purchases import service as purchases
from server.purchases.service import PurchaseReference, RecordedPurchase, Submission
from server.storage import sql
from server.storage.ids import new_id
from server.storage.secrets import shared_secret

_SECRET = "basket contents"  # noqa: S105 - the name of a secret
_CONTEXT = b"laurel basket content 1:"


class NotConfirmed(Exception):
    """A basket is not as it was quoted; nothing of the transaction may stay. `quote` is what it is
    now, None where that can't be known before the transaction is undone."""

    def __init__(self, differences: Sequence[Difference], quote: Quote | None) -> None:
        super().__init__(differences)
        self.differences = tuple(differences)
        self.quote = quote


async def confirm(wish: Confirmation, buyer: Buyer, *, now: Instant) -> Confirmed:
    """Record the basket as a purchase, exactly as it was quoted.

    A reserved basket keeps its offers, whatever became of them meanwhile; one that was only quoted
    is reckoned again. Payments with value take nothing from what offers give. Writes; call it
    inside a transaction. The same external id with the same content is answered as the first time.
    Raises NotConfirmed if anything is not as it was quoted, InvalidInput, NotFound, CardUnusable,
    AlreadyDecided, ExternalIdConflict or what recording a purchase raises, with the path below the
    input.
    """
    purchase_rules.check_sent(wish.external_id, now, now=now)
    partner, content_hash = buyer.partner or "", await _hash(wish)
    first = await models.confirmed(partner, wish.external_id)
    if first is not None:
        return await _first_answer(first, content_hash, wish.external_id)
    reference = PurchaseReference(external_id=wish.external_id)
    if await purchases.find(reference, partner=partner) is not None:
        raise ExternalIdConflict(wish.external_id, path=("externalId",))
    if wish.basket_id is not None:
        return await _confirm_reserved(wish, partner, content_hash, now)
    return await _confirm_quoted(wish, buyer, content_hash, now)


async def _hash(wish: Confirmation) -> str:
    """HMAC-SHA-256 of what was sent: it has coupon codes, which nobody shall find by guessing."""
    key = await shared_secret(_SECRET)
    return hmac.digest(key, _CONTEXT + msgspec.json.encode(wish), "sha256").hex()


async def _first_answer(row: sql.Row, content_hash: str, external_id: str) -> Confirmed:
    if row[9] != content_hash:
        raise ExternalIdConflict(external_id, path=("externalId",))
    outcomes = await purchases.outcomes([row[10]])
    return Confirmed(stored.view_of(row, row[7]), outcomes[row[10]])


async def _confirm_quoted(
    wish: Confirmation, buyer: Buyer, content_hash: str, now: Instant
) -> Confirmed:
    if wish.basket is None or wish.token is None:
        raise InvalidInput(
            "basket.which", path=("basket",), accepted=phrase("accepted.basket_and_token")
        )
    quoted = await tokens.quoted_in(wish.token)
    try:
        seeking = await quoting.sought(wish.basket, buyer, now=now)
        await stored.lock(seeking.member_id, seeking.basket.currency, now)
        reckoned = await quoting.reckon(seeking, now=now)
    except DomainError as error:
        raise error.below("basket") from None
    fresh = reckoned.quote
    _check(quoted, fresh, now)
    purchase = await _recorded(wish, fresh, now)
    basket_id = new_id()
    await _redeemed(reckoned.coupons, fresh, purchase, basket_id, now)
    _check_used(
        await uses.use(
            fresh.member_id,
            fresh.evaluation.applied,
            basket_id=basket_id,
            purchase_id=purchase.purchase_id,
            day=await stored.local_day(fresh),
            now=now,
        )
    )
    view = BasketView(
        id=basket_id,
        partner=fresh.partner,
        status=BasketStatus.CONFIRMED,
        quote=fresh,
        held_until=None,
        decided_at=now,
        purchase_id=purchase.purchase_id,
    )
    await models.insert(
        stored.row_of(
            view, Kept(fresh, ()), external_id=wish.external_id, content_hash=content_hash
        )
    )
    return Confirmed(view, purchase)


async def _confirm_reserved(
    wish: Confirmation, partner: str, content_hash: str, now: Instant
) -> Confirmed:
    view, kept = await stored.locked(wish.basket_id or 0, partner=partner, now=now)
    quoted = quoted_of(view.quote) if wish.token is None else await tokens.quoted_in(wish.token)
    fresh = await quoting.foreseen_again(view.quote, now=now)
    _check(quoted, fresh, now)
    purchase = await _recorded(wish, fresh, now)
    await _redeemed(kept.coupons, fresh, purchase, view.id, now)
    used = await uses.use_held(view.id, purchase_id=purchase.purchase_id, now=now)
    if isinstance(used, uses.HoldOver):
        raise stored.decided(BasketStatus.EXPIRED)
    _check_used(used)
    changed = await models.confirm(
        view.id,
        now,
        external_id=wish.external_id,
        content_hash=content_hash,
        purchase_id=purchase.purchase_id,
    )
    assert changed, "the member's lock keeps the basket"
    decided = msgspec.structs.replace(
        view, status=BasketStatus.CONFIRMED, decided_at=now, purchase_id=purchase.purchase_id
    )
    return Confirmed(decided, purchase)


def _check(quoted: Quoted, fresh: Quote, now: Instant) -> None:
    found = list(comparing.differences(quoted, quoted_of(fresh), fresh.evaluation.not_applied))
    if quoted.expires_at <= now:
        found.insert(0, Difference(DifferenceKind.EXPIRED))
    if found:
        raise NotConfirmed(found, fresh)


async def _recorded(wish: Confirmation, fresh: Quote, now: Instant) -> RecordedPurchase:
    draft = msgspec.structs.replace(
        quoting.draft_of(fresh.basket, fresh.member_id, fresh.evaluation),
        external_id=wish.external_id,
        payment_ids=wish.payment_ids,
    )
    submission = Submission(draft, False, fresh.parts)
    try:
        purchase = await purchases.record(submission, partner=fresh.partner, now=now)
    except DomainError as error:
        is_of_input = error.path[:1] in (("paymentIds",), ("externalId",))
        raise error if is_of_input else error.below("basket") from None
    if purchase.offers:
        await purchases.note_funding(purchase, occurred_at=fresh.basket.occurred_at, now=now)
    if not wish.payment_ids:  # what value pays for earns less, which is no surprise
        same = (purchase.points, purchase.cashback, purchase.tier_after, purchase.net_minor)
        quoted = fresh.purchase
        expected = (quoted.points, quoted.cashback, quoted.tier_after, quoted.net_minor)
        assert same == expected, "what is recorded is what was reckoned under the same lock"
    return purchase


async def _redeemed(
    taken: Sequence[Usable],
    fresh: Quote,
    purchase: RecordedPurchase,
    basket_id: int,
    now: Instant,
) -> None:
    try:
        if taken:
            await coupons.redeem(
                taken,
                fresh.member_id,
                basket_id=basket_id,
                purchase_id=purchase.purchase_id,
                occurred_at=fresh.basket.occurred_at,
                now=now,
            )
    except DomainError:  # somebody else has just used it
        gone = sorted({one.offer for one in taken})
        why = WhyNot.COUPON_NEEDED.value
        raise NotConfirmed(
            [Difference(DifferenceKind.OFFER_GONE, offer=offer, why_not=why) for offer in gone],
            None,
        ) from None


_WHY_EXHAUSTED = {
    Limit.PER_MEMBER: WhyNot.MEMBER_LIMIT,
    Limit.PER_MEMBER_PER_DAY: WhyNot.DAY_LIMIT,
    Limit.PER_DAY: WhyNot.DAY_LIMIT,
    Limit.TOTAL: WhyNot.TOTAL_LIMIT,
    Limit.BUDGET_MINOR: WhyNot.BUDGET_EXHAUSTED,
    Limit.BUDGET_POINTS: WhyNot.BUDGET_EXHAUSTED,
}


def _check_used(exhausted: Sequence[OfferExhausted]) -> None:
    """Somebody else may have got the last of an offer since this basket was reckoned."""
    if exhausted:
        raise NotConfirmed(
            [
                Difference(
                    DifferenceKind.OFFER_GONE,
                    offer=one.offer,
                    quoted=one.wanted,
                    now=one.left,
                    why_not=_WHY_EXHAUSTED[one.limit].value,
                )
                for one in exhausted
            ],
            None,
        )
