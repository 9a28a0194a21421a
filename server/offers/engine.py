"""The quote engine: which of the live offers apply to a basket, and what each of them gives."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from server.clock import Instant
from server.money import BASIS_POINTS_PER_UNIT, floor_basis_points, split_in_proportion
from server.offers.choosing import best
from server.offers.documents import Funding
from server.offers.evaluation import (
    Applied,
    Basket,
    Coupon,
    Evaluation,
    Funded,
    LineResult,
    NotApplied,
    Shopper,
    Standing,
    WhyNot,
)
from server.offers.giving import Shares, shares_of
from server.offers.preparing import Prepared, prepared, segments_wanted
from server.offers.sifting import Sifting
from server.offers.stacking import Candidate, Outcome, Remains, Round
from server.offers.viewing import View
from server.programme.document import Programme
from server.segments import facts as member_facts

__all__ = ["Prepared", "evaluate", "facts_wanted", "prepared", "segments_wanted", "wanted"]
_NEARNESS = {reason: place for place, reason in enumerate(WhyNot)}
_UNMATCHED = _NEARNESS[WhyNot.NO_MATCHING_PRODUCT]


def wanted(
    prepared: Prepared, basket: Basket, coupons: Sequence[Coupon], now: Instant
) -> tuple[str, ...]:
    """The keys of the offers whose standing and audience `evaluate` looks at: those that the
    schedule, the place, the products and the coupons leave, sorted."""
    agenda = prepared.agenda(now)
    shown = {coupon.offer for coupon in coupons}
    keys = []
    for place in prepared.view(basket)[1]:
        offer = prepared.offers[place]
        if offer.needs_coupon and offer.key not in shown:
            continue
        if offer.has_place and offer.misplaced(basket):
            continue
        if place in agenda.open or (
            place in agenda.early and prepared.timetable(offer.key).is_early(now)
        ):
            keys.append(offer.key)
    return tuple(sorted(keys))


def facts_wanted(prepared: Prepared, keys: Sequence[str]) -> frozenset[str]:
    """The facts of the member that the conditions of these offers mention."""
    conditions = (prepared.by_key[key].condition for key in keys)
    named = frozenset[str]().union(*(one.names for one in conditions if one is not None))
    return named & member_facts.VOCABULARY.facts.keys()


def evaluate(
    prepared: Prepared,
    basket: Basket,
    shopper: Shopper,
    standings: Mapping[str, Standing],
    coupons: Sequence[Coupon],
    *,
    rules: Programme,
    now: Instant,
    most_refused: int | None = None,
) -> Evaluation:
    """What the offers make of the basket at the instant; the same for every order of the offers
    and, but for which of several equal lines gets an odd unit, of the lines.

    An offer of `wanted` without a standing was never used by anybody. Of the offers that do not
    apply `most_refused` are told, the nearest; None tells all.
    """
    sifting = Sifting(prepared, basket, shopper, standings, coupons, now)
    candidates, refused = sifting.sift()
    round_ = Round(sifting.view, rules, _room_minor(prepared, sifting.view))
    chosen = best(candidates, round_, prepared.stacking.maximum_offers)
    played = list(round_.play(chosen))
    remains = played[-1][2] if played else round_.beginning
    applied = [
        _applied(candidate, outcome, sifting, remains.left_minor)
        for candidate, outcome, _ in played
        if outcome.reason is None
    ]
    refused += _outdone(candidates, played, round_)
    return _evaluation(applied, _nearest(refused, sifting, most_refused), basket, remains)


def _nearest(refused: list[NotApplied], sifting: Sifting, most: int | None) -> Sequence[NotApplied]:
    """The first so many of all that do not apply, the nearest first."""
    refused.sort(key=_nearness)
    nearer = bisect_left(refused, _UNMATCHED, key=_nearness)
    room = None if most is None else max(0, most - nearer)
    found = [*refused[:nearer], *sifting.unmatched(room), *refused[nearer:]]
    return found if most is None else found[:most]


def _nearness(one: NotApplied) -> int:
    return _NEARNESS[one.reason]


def _room_minor(prepared: Prepared, view: View) -> int:
    """What all offers together may take off the lines: never more than they cost together."""
    stacking, room = prepared.stacking, view.total_minor
    if stacking.maximum_share_bps is not None:
        room = floor_basis_points(room, stacking.maximum_share_bps)
    if stacking.maximum_discount_minor is not None:
        room = min(room, stacking.maximum_discount_minor)
    return room


def _applied(
    candidate: Candidate, outcome: Outcome, sifting: Sifting, left_minor: Sequence[int]
) -> Applied:
    offer, given, view = candidate.offer, outcome.given, sifting.view
    costs, funding = outcome.costs_minor, candidate.offer.document.funding
    return Applied(
        offer.key,
        offer.version,
        outcome.taken.times,
        view.placed(candidate.lines),
        discount_minor=outcome.taken.amount_minor,
        line_shares=_placed(outcome.taken.shares, view),
        points=given.points,
        point_shares=_placed(shares_of(given, given.points, left_minor, view), view),
        cashback_minor=given.cashback_minor,
        cashback_shares=_placed(shares_of(given, given.cashback_minor, left_minor, view), view),
        shipping_minor=given.shipping_minor,
        gift=given.gift,
        budget_minor=costs,
        budget_points=given.points,
        funding=funded(funding, costs, given.points) if costs or given.points else (),
        coupons=_coupons_taken(candidate, sifting),
    )


def _placed(shares: Shares, view: View) -> tuple[tuple[int, int], ...]:
    """The shares by the basket's own line numbers."""
    if not shares:
        return ()
    places = view.places
    if len(shares) == 1:
        [(number, amount)] = shares
        return ((places[number], amount),)
    return tuple(sorted([(places[number], amount) for number, amount in shares]))


def funded(funding: Sequence[Funding], amount_minor: int, points: int) -> tuple[Funded, ...]:
    """Who pays how much, exactly: the partners named, and the operator the rest."""
    if not funding:
        return (Funded(None, amount_minor, points),)
    shares = [one.share_bps for one in funding]
    weights = [*shares, BASIS_POINTS_PER_UNIT - sum(shares)]
    payers = [*(one.partner for one in funding), None]
    money, value = split_in_proportion(amount_minor, weights), split_in_proportion(points, weights)
    return tuple(
        Funded(payer, part, worth)
        for payer, part, worth in zip(payers, money, value, strict=True)
        if part or worth
    )


def _coupons_taken(candidate: Candidate, sifting: Sifting) -> tuple[int, ...]:
    """The places of the coupons that are used up: each is for a line that none before it is for."""
    if not candidate.offer.document.needs_coupon:
        return ()
    uncovered, used = candidate.lines, []
    for place, coupon in enumerate(sifting.coupons):
        if coupon.offer == candidate.offer.key and uncovered & sifting.covered(coupon):
            uncovered &= ~sifting.covered(coupon)
            used.append(place)
    return tuple(used)


def _outdone(
    candidates: Sequence[Candidate],
    played: Sequence[tuple[Candidate, Outcome, Remains]],
    round_: Round,
) -> list[NotApplied]:
    """Why the candidates that could apply do not: what was chosen in their place."""
    reasons = {candidate.offer.key: outcome.reason for candidate, outcome, _ in played}
    winners = [one for one, outcome, _ in played if outcome.reason is None]
    groups = {one.offer.document.stacking.group: one.offer.key for one in winners}
    refused = []
    for candidate in candidates:
        offer, stacking = candidate.offer, candidate.offer.document.stacking
        if offer.key in reasons:
            reason = reasons[offer.key]
        else:
            reason = round_.outcome(candidate, round_.beginning).reason
        if reason is not None:
            refused.append(_without_room(candidate, reason))
        elif offer.key in reasons:
            continue
        elif winners and not (stacking.combines and winners[0].offer.document.stacking.combines):
            refused.append(offer.refused(WhyNot.NOT_COMBINABLE, winner=winners[0].offer.key))
        elif stacking.group in groups and stacking.group is not None:
            refused.append(
                offer.refused(WhyNot.BETTER_OFFER_APPLIED, winner=groups[stacking.group])
            )
        else:
            refused.append(offer.refused(WhyNot.CAP_REACHED))
    return refused


def _without_room(candidate: Candidate, reason: WhyNot) -> NotApplied:
    if reason is not WhyNot.BUDGET_EXHAUSTED:
        return candidate.offer.refused(reason)
    limits = candidate.offer.document.limits
    if limits.budget_minor is not None:
        return candidate.offer.refused(reason, limit=limits.budget_minor, left=candidate.left_minor)
    return candidate.offer.refused(reason, limit=limits.budget_points, left=candidate.left_points)


def _evaluation(
    applied: Sequence[Applied], refused: Sequence[NotApplied], basket: Basket, remains: Remains
) -> Evaluation:
    number = len(basket.lines)
    discounts, points, cashback = [0] * number, [0] * number, [0] * number
    for one in applied:
        for totals, shares in (
            (discounts, one.line_shares),
            (points, one.point_shares),
            (cashback, one.cashback_shares),
        ):
            for line, amount in shares:
                totals[line] += amount
    return Evaluation(
        tuple(applied),
        tuple(refused),
        tuple(LineResult(*each) for each in zip(discounts, points, cashback, strict=True)),
        discount_minor=remains.discount_minor,
        shipping_discount_minor=basket.shipping_minor - remains.shipping_minor,
        bonus_points=sum(one.points for one in applied),
        cashback_minor=sum(one.cashback_minor for one in applied),
        gifts=tuple(one.gift for one in applied if one.gift is not None),
    )
