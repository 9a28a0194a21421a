"""What is kept of what offers gave for a basket, when a part of it was returned.

As everything that a return undoes, this is a function of what is left and of nothing else: of each
line's share the exact part that the line's net has left, rounded down, and nothing of it once all
of the basket came back. A line that cost nothing counts by its units.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from server.coupons import service as coupons
from server.ledger import service as ledger
from server.ledger.service import Granted, Undone
from server.money import POINTS, floor_share
from server.offers import returning as uses
from server.purchases.outcomes import EarnedRule, OfferPart, RecordedPurchase, Shares
from server.purchases.return_outcomes import ReversedPoints
from server.purchases.reversal import LineState
from server.purchases.stored import StoredPurchase
from server.purchases.withdrawing import Undoing
from server.referrals import service as referrals


def kept(shares: Shares, states: Sequence[LineState]) -> int:
    """What is left of the shares, by what is left of the lines."""
    if not any(state.is_left for state in states):
        return 0
    return sum(_share_left(amount, states[number]) for number, amount in shares)


def _share_left(amount: int, state: LineState) -> int:
    if state.net_minor > 0:
        return floor_share(amount, state.minor_left, state.net_minor)
    if state.line.quantity:
        return floor_share(amount, state.quantity_left, state.line.quantity)
    return amount


@dataclass(frozen=True, slots=True)
class OfferKept:
    """What is kept of one offer; money in minor units."""

    discount_minor: int
    points: int
    cashback_minor: int


def offer_kept(part: OfferPart, states: Sequence[LineState]) -> OfferKept:
    """What is kept of what an offer gave."""
    return OfferKept(
        kept(part.discounts_minor, states),
        kept(part.points, states),
        kept(part.cashback_minor, states),
    )


@dataclass(frozen=True, slots=True)
class OffersUndone:
    """What a return has undone of what offers gave, and how it was taken."""

    reversed: tuple[ReversedPoints, ...]
    points_taken: Undone
    cashback_taken: Undone


async def undo_offers(
    undoing: Undoing,
    grants: Sequence[Granted],
    outcome: RecordedPurchase,
    before: Sequence[LineState],
    after: Sequence[LineState],
) -> OffersUndone:
    """Undo the points and the cashback that offers gave for what a return takes from the lines."""
    reversed_points: list[ReversedPoints] = []
    points_taken, cashback_taken = Undone(), Undone()
    lots = {grant.rule: grant for grant in grants if grant.reason is ledger.Reason.OFFER}
    for part in outcome.offers:
        was, left = offer_kept(part, before), offer_kept(part, after)
        points = was.points - left.points
        if points:
            points_taken += await undoing.undo(lots[part.offer], POINTS, points)
            reversed_points.append(ReversedPoints(EarnedRule.OFFER, points, offer=part.offer))
        cashback_minor = was.cashback_minor - left.cashback_minor
        if cashback_minor:
            cashback_taken += await undoing.undo(lots[part.offer], outcome.currency, cashback_minor)
    return OffersUndone(tuple(reversed_points), points_taken, cashback_taken)


async def give_back(
    purchase: StoredPurchase, before: Sequence[LineState], after: Sequence[LineState]
) -> None:
    """Give back to the offers' budgets what a return undoes of them; with the last of the goods the
    uses count no more, and coupons may be used again. No statement without offers."""
    parts = purchase.outcome.offers
    if not parts:
        return
    shares = {
        part.offer: _share(offer_kept(part, before), offer_kept(part, after)) for part in parts
    }
    is_everything = not any(state.is_left for state in after)
    await uses.give_back(purchase.id, shares, is_everything=is_everything)
    if is_everything:
        await coupons.give_back(purchase.id)


def _share(was: OfferKept, left: OfferKept) -> uses.Share:
    return uses.Share(
        discount_minor=was.discount_minor - left.discount_minor,
        points=was.points - left.points,
        cashback_minor=was.cashback_minor - left.cashback_minor,
    )


# ---------------------------------------------------------------- referrals


async def inviters_of(purchase: StoredPurchase) -> set[int]:
    """Whose accounts a return locks as well: of who brought the member. No statement for purchases
    that count for no referral."""
    return await referrals.people_of(purchase.id) if purchase.outcome.referral_id else set()


async def undo_referral(undoing: Undoing, purchase: StoredPurchase, eligible_minor: int) -> Undone:
    """Take back what was given for bringing the member, if too little is left of the purchase."""
    if not purchase.outcome.referral_id:
        return Undone()
    taking = referrals.TakingBack(
        undoing.journal,
        undoing.policy,
        return_id=undoing.return_id,
        friend_id=purchase.member_id,
        currency=purchase.currency,
    )
    return await referrals.take_back(taking, purchase.id, eligible_minor=eligible_minor)
