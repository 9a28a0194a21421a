"""Which offers could apply to a basket at all, and why the others do not: what stands in the way
of each is looked for from the cheapest question to the dearest."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice

from server import clock
from server.clock import Instant, LocalDay
from server.conditions import Facts
from server.offers.documents import BuyGet
from server.offers.evaluation import (
    ACTIVATED,
    UNUSED,
    Basket,
    Coupon,
    NotApplied,
    Shopper,
    Standing,
    WhyNot,
)
from server.offers.giving import missing_units
from server.offers.preparing import LiveOffer, Prepared, closed_now
from server.offers.schedules import Phase
from server.offers.stacking import Candidate
from server.offers.viewing import NO_LINES, Lines
from server.offers.vocabulary import VOCABULARY, values_of


class Sifting:
    """One basket of one member at one instant, before the live offers."""

    def __init__(
        self,
        prepared: Prepared,
        basket: Basket,
        shopper: Shopper,
        standings: Mapping[str, Standing],
        coupons: Sequence[Coupon],
        now: Instant,
    ) -> None:
        self.prepared, self.basket, self.shopper = prepared, basket, shopper
        self.standings, self.coupons, self.now = standings, coupons, now
        self.view, self.matched = prepared.view(basket)
        self._unmatched: Iterable[NotApplied] = ()
        self._today: dict[str, LocalDay] = {}
        self.shown = {coupon.offer for coupon in coupons}

    @cached_property
    def _facts(self) -> Facts:
        return VOCABULARY.facts_of(values_of(self.basket, self.shopper))

    def sift(self) -> tuple[list[Candidate], list[NotApplied]]:
        """The offers that could apply, in the order in which they take theirs, and the others but
        those that `unmatched` tells."""
        agenda, matched, offers = self.prepared.agenda(self.now), self.matched, self.prepared.offers
        is_open, refused = agenda.open, list(agenda.closed)
        if agenda.early:
            begun, later = self._early(agenda.early)
            is_open, refused = is_open | begun, refused + later
        if agenda.early:
            in_order: Iterable[int] = sorted(is_open)
        else:
            in_order = agenda.in_order
        self._unmatched = (offers[place].unmatched for place in in_order if place not in matched)
        candidates = []
        for place in sorted([one for one in matched if one in is_open]):
            found = self._held_against(offers[place], matched[place])
            if isinstance(found, NotApplied):
                refused.append(found)
            else:
                candidates.append(found)
        return candidates, refused

    def unmatched(self, most: int | None) -> list[NotApplied]:
        """The first so many of the offers that count now and are for nothing in the basket; once,
        after `sift`, which leaves them out."""
        return list(self._unmatched if most is None else islice(self._unmatched, most))

    def _early(self, places: frozenset[int]) -> tuple[frozenset[int], list[NotApplied]]:
        """Of the offers that have not begun for all: which have for the member, and the others."""
        begun, refused = [], []
        for place in sorted(places):
            offer = self.prepared.offers[place]
            timetable = self.prepared.timetable(offer.key)
            if timetable.phase(self.now, self.shopper.tier) is Phase.OPEN:
                begun.append(place)
            else:
                refused.append(closed_now(offer, timetable, self.now, self.shopper.tier))
        return frozenset(begun), refused

    def _held_against(self, offer: LiveOffer, lines: Lines) -> Candidate | NotApplied:
        if offer.has_place and (misplaced := offer.misplaced(self.basket)):
            return offer.refused(misplaced)
        if offer.needs_coupon:
            if offer.key not in self.shown:
                return offer.refused(WhyNot.COUPON_NEEDED)
            lines = self._narrowed(offer, lines)
            if not lines:
                return offer.unmatched
        refused = (
            (None if offer.target.is_everyone else self._audience(offer))
            or (self._uses(offer) if offer.has_limits else None)
            or (self._activation(offer) if offer.needs_clip else None)
            or (self._minimum(offer, lines) if offer.has_minimum else None)
            or (self._units(offer, offer.buy_get, lines) if offer.buy_get else None)
            or (self._condition(offer) if offer.document.requires.condition else None)
        )
        return self._candidate(offer, lines) if refused is None else refused

    def _narrowed(self, offer: LiveOffer, lines: Lines) -> Lines:
        """The lines that one of the offer's coupons is for."""
        covered = NO_LINES
        for coupon in self.coupons:
            if coupon.offer == offer.key:
                covered |= self.covered(coupon)
        return lines & covered

    def covered(self, coupon: Coupon) -> Lines:
        """The lines that a coupon is for."""
        if coupon.products is None:
            return self.view.all_lines
        return self.view.products(coupon.products)

    def _candidate(self, offer: LiveOffer, lines: Lines) -> Candidate:
        others = self._others(offer, lines)
        if not offer.has_limits:
            return Candidate(offer, lines, others, self.view)
        limits, standing = offer.document.limits, self.standings.get(offer.key, UNUSED)
        minor, points = limits.budget_minor, limits.budget_points
        return Candidate(
            offer,
            lines,
            others,
            self.view,
            left_minor=None if minor is None else max(0, minor - standing.budget_spent_minor),
            left_points=None if points is None else max(0, points - standing.budget_spent_points),
        )

    def _others(self, offer: LiveOffer, lines: Lines) -> Lines:
        return lines if offer.get_from is None else offer.get_from.lines(self.view)

    def _audience(self, offer: LiveOffer) -> NotApplied | None:
        zone_name = self.prepared.timetable(offer.key).zone_name
        today = self._today.get(zone_name)
        if today is None:
            today = self._today[zone_name] = clock.local_day(self.now, zone_name)
        if offer.target.includes(self.shopper, today, zone_name):
            return None
        return offer.refused(WhyNot.NOT_IN_AUDIENCE)

    def _uses(self, offer: LiveOffer) -> NotApplied | None:
        limits, standing = offer.document.limits, self.standings.get(offer.key, UNUSED)
        if standing is UNUSED or standing is ACTIVATED:
            return None
        reason: WhyNot | None = None
        reached: int | None = None
        if (reached := _reached(limits.per_member, standing.uses_by_member)) is not None:
            reason = WhyNot.MEMBER_LIMIT
        elif (reached := _reached(limits.total, standing.uses_total)) is not None:
            reason = WhyNot.TOTAL_LIMIT
        elif (
            reached := _reached(limits.per_member_per_day, standing.uses_by_member_today)
            or _reached(limits.per_day, standing.uses_today)
        ) is not None:
            reason = WhyNot.DAY_LIMIT
        if reason is not None:
            return offer.refused(reason, limit=reached)
        budget = _reached(limits.budget_minor, standing.budget_spent_minor) or _reached(
            limits.budget_points, standing.budget_spent_points
        )
        if budget is None:
            return None
        return offer.refused(WhyNot.BUDGET_EXHAUSTED, limit=budget, left=0)

    def _activation(self, offer: LiveOffer) -> NotApplied | None:
        if not self.standings.get(offer.key, UNUSED).is_activated:
            return offer.refused(WhyNot.NOT_ACTIVATED)
        return None

    def _minimum(self, offer: LiveOffer, lines: Lines) -> NotApplied | None:
        requires = offer.document.requires
        least_minor, least_units = requires.minimum_spend_minor, requires.minimum_quantity
        matcher = offer.required or offer.matcher
        goods = lines if offer.required is None else offer.required.lines(self.view)
        if least_minor is not None and (spent := self.view.net_minor(goods)) < least_minor:
            return offer.refused(
                WhyNot.SPEND_TOO_LOW,
                shortfall_minor=least_minor - spent,
                shortfall_of=matcher.goods,
            )
        if least_units is not None and (units := self.view.units(goods)) < least_units:
            return offer.refused(
                WhyNot.QUANTITY_TOO_LOW,
                shortfall_quantity=least_units - units,
                shortfall_of=matcher.goods,
            )
        return None

    def _units(self, offer: LiveOffer, discount: BuyGet, lines: Lines) -> NotApplied | None:
        missing = missing_units(discount, lines, self._others(offer, lines), self.view)
        if missing is None:
            return None
        matcher = offer.get_from if missing.is_to_get and offer.get_from else offer.matcher
        return offer.refused(
            WhyNot.QUANTITY_TOO_LOW,
            shortfall_quantity=missing.units,
            shortfall_of=matcher.goods,
        )

    def _condition(self, offer: LiveOffer) -> NotApplied | None:
        if offer.condition is not None and offer.condition.holds(self._facts):
            return None
        return offer.refused(WhyNot.CONDITION_NOT_MET)


def _reached(limit: int | None, used: int) -> int | None:
    """The limit, at least 1, if so much use reaches it."""
    return limit if limit is not None and used >= limit else None
