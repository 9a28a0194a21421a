"""Who pays for what offers gave with a purchase, and for what of it is left after returns."""

from collections.abc import Sequence

from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Shelf
from server.money import POINTS
from server.offers.kinds import OFFER
from server.partners import rules
from server.partners import service as partners
from server.partners.documents import Share
from server.programme.document import Programme
from server.purchases.keeping import OfferKept, offer_kept
from server.purchases.outcomes import OfferPart, RecordedPurchase
from server.purchases.reversal import LineState
from server.purchases.stored import StoredPurchase
from server.storage.exchange import execute_each

_Given = tuple[str, str, int, int]
"""Source, asset, amount and what that costs in minor units."""


async def note(
    outcome: RecordedPurchase, programme: Programme, *, occurred_at: Instant, now: Instant
) -> None:
    """Note who pays for what the offers of a new purchase gave. Writes; call it inside the
    transaction that has quoted and recorded it. No statement where no partner pays a part."""
    shelf = definitions.remembered().of(OFFER.name)
    if not all(shelf.has(part.offer, part.version) for part in outcome.offers):
        shelf = (await definitions.shelves()).of(OFFER.name)  # another process has quoted it
    rewards = [
        partners.Reward(
            member_id=outcome.member_id,
            source=source,
            rule=_rule(part),
            reference=outcome.purchase_id,
            asset=asset,
            amount=amount,
            value_minor=value_minor,
            shares=_shares(part, shelf),
            occurred_at=occurred_at,
        )
        for part in outcome.offers
        for source, asset, amount, value_minor in _given(
            OfferKept(part.discount_total_minor, part.points_total, part.cashback_total_minor),
            part.shipping_minor,
            outcome.currency,
            programme,
        )
        if amount
    ]
    await execute_each(partners.entries(rewards, programme, recorded_at=now))


async def note_return(
    purchase: StoredPurchase,
    states: Sequence[LineState],
    programme: Programme,
    *,
    occurred_at: Instant,
    now: Instant,
) -> None:
    """Note who gets what back when only so much of the purchase is left. Writes; call it inside a
    transaction. No statement without offers."""
    outcome = purchase.outcome
    if not outcome.offers:
        return
    shelf = (await definitions.shelves()).of(OFFER.name)
    is_left = any(state.is_left for state in states)
    left = [
        partners.Left(source, _rule(part), amount, value_minor, _shares(part, shelf))
        for part in outcome.offers
        for source, _asset, amount, value_minor in _given(
            offer_kept(part, states),
            part.shipping_minor if is_left else 0,
            outcome.currency,
            programme,
        )
    ]
    await partners.undo(
        left,
        member_id=purchase.member_id,
        reference=purchase.id,
        programme=programme,
        occurred_at=occurred_at,
        recorded_at=now,
    )


def _rule(part: OfferPart) -> str:
    return f"offer:{part.offer}"


def _shares(part: OfferPart, shelf: Shelf) -> tuple[Share, ...]:
    document = shelf.numbered(part.offer, part.version).document
    return tuple(Share(one.partner, one.share_bps) for one in document.funding)


def _given(
    kept: OfferKept, shipping_minor: int, currency: str, programme: Programme
) -> list[_Given]:
    discount_minor = kept.discount_minor + shipping_minor
    points_minor = rules.points_value_minor(
        kept.points, point_value_minor_per_1000=programme.liability.point_value_minor_per_1000
    )
    return [
        ("discount", currency, discount_minor, discount_minor),
        ("points", POINTS, kept.points, points_minor),
        ("cashback", currency, kept.cashback_minor, kept.cashback_minor),
    ]
