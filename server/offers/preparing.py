"""All live offers, worked out once for each set of them, so that a basket meets few of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from server import clock
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Live, Published, Shelves
from server.offers.audiences import Target
from server.offers.documents import (
    STACKING_KEY,
    Activation,
    BasketStacking,
    BuyGet,
    FreeShipping,
    Limits,
    Offer,
)
from server.offers.evaluation import Basket, NotApplied, WhyNot
from server.offers.giving import BY_SPEND, MONEY
from server.offers.schedules import BEGINNING, Phase, Timetable
from server.offers.viewing import FIELDS, Exclusions, Lines, Matcher, View
from server.offers.vocabulary import condition_of
from server.programme.document import Programme


class LiveOffer:
    """A published offer, ready to be held against baskets."""

    __slots__ = (
        "buy_get",
        "channels",
        "combines",
        "condition",
        "document",
        "get_from",
        "group",
        "has_limits",
        "has_minimum",
        "has_place",
        "is_by_spend",
        "is_money",
        "is_shipping",
        "key",
        "matcher",
        "needs_clip",
        "needs_coupon",
        "order",
        "partners",
        "required",
        "stores",
        "target",
        "unmatched",
        "version",
    )

    def __init__(self, published: Published) -> None:
        document: Offer = published.document
        self.document = document
        self.key, self.version = published.key, published.version
        self.is_money = isinstance(document.discount, MONEY)
        self.is_by_spend = isinstance(document.discount, BY_SPEND)
        self.is_shipping = isinstance(document.discount, FreeShipping)
        self.combines, self.group = document.stacking.combines, document.stacking.group
        self.order = (not self.is_money, -document.stacking.priority, published.key)
        self.matcher = Matcher(document.scope)
        required, discount = document.requires.of, document.discount
        self.required = None if required is None else Matcher(required)
        self.get_from = None
        if isinstance(discount, BuyGet) and discount.get_from is not None:
            self.get_from = Matcher(discount.get_from)
        self.partners = frozenset(document.scope.partners)
        self.stores = frozenset(document.scope.stores)
        self.channels = frozenset(document.scope.channels)
        self.has_place = bool(self.partners or self.stores or self.channels)
        self.target = Target(document.audience)
        self.condition = condition_of(document.requires.condition)
        self.needs_clip = document.activation is Activation.CLIP
        self.needs_coupon = document.needs_coupon
        requires = document.requires
        self.has_minimum = bool(requires.minimum_spend_minor or requires.minimum_quantity)
        self.buy_get = discount if isinstance(discount, BuyGet) else None
        self.has_limits = document.limits != Limits()
        self.unmatched = self._unmatched()

    def refused(self, reason: WhyNot, **facts: Any) -> NotApplied:
        """That it does not apply, and why not."""
        return NotApplied(self.key, self.version, reason, **facts)

    def _unmatched(self) -> NotApplied:
        requires = self.document.requires
        return self.refused(
            WhyNot.NO_MATCHING_PRODUCT,
            shortfall_minor=requires.minimum_spend_minor if requires.of is None else None,
            shortfall_quantity=requires.minimum_quantity if requires.of is None else None,
            shortfall_of=self.matcher.goods,
        )

    def misplaced(self, basket: Basket) -> WhyNot | None:
        """Why it does not count where the basket is; None if it does."""
        if self.partners and basket.partner not in self.partners:
            return WhyNot.WRONG_PARTNER
        if self.stores and basket.store_id not in self.stores:
            return WhyNot.WRONG_STORE
        if self.channels and basket.channel not in self.channels:
            return WhyNot.WRONG_CHANNEL
        return None


class _Index:
    """The live offers in the order in which they take theirs, and by what they are for."""

    def __init__(self, live: Live) -> None:
        offers = [LiveOffer(one) for one in live.by_key.values()]
        offers.sort(key=lambda offer: offer.order)
        self.offers = tuple(offers)
        self.by_key = {offer.key: offer for offer in offers}
        self.everywhere: list[int] = []
        self.by_field: dict[str, dict[str, list[int]]] = {field: {} for field in FIELDS}
        self.is_partly = [
            len(offer.matcher.wanted) > 1 or offer.matcher.has_exclusions for offer in offers
        ]
        for place, offer in enumerate(offers):
            if not offer.matcher.wanted:
                self.everywhere.append(place)
                continue
            field, values = offer.matcher.wanted[0]
            for value in values:
                self.by_field[field].setdefault(value, []).append(place)
        self.prepared: dict[Any, Prepared] = {}


def _index(live: Live) -> _Index:
    return _Index(live)


class Agenda(Struct, frozen=True):
    """Which offers count from `since` until just before `until`, by their places in the order."""

    since: Instant
    until: Instant
    open: frozenset[int]
    in_order: tuple[int, ...]  # the same
    closed: tuple[NotApplied, ...]
    early: frozenset[int]  # not begun, but for some tiers perhaps


class Prepared:
    """All live offers, indexed, under the stacking rules and the calendar in effect.

    What it remembers of the last basket and the last instant follows from them alone.
    """

    __slots__ = (
        "_agenda",
        "_exclusions",
        "_index",
        "_timetables",
        "_viewed",
        "by_key",
        "offers",
        "stacking",
        "zone_name",
    )

    def __init__(
        self, index: _Index, stacking: BasketStacking, zone_name: str, exclusions: Exclusions
    ) -> None:
        self._index, self._exclusions = index, exclusions
        self.offers, self.by_key = index.offers, index.by_key
        self.stacking, self.zone_name = stacking, zone_name
        self._timetables = {
            offer.key: Timetable(offer.document.schedule, zone_name) for offer in index.offers
        }
        self._agenda: Agenda | None = None
        self._viewed: tuple[Basket, View, dict[int, Lines]] | None = None

    def timetable(self, key: str) -> Timetable:
        """When the live offer of that key counts."""
        return self._timetables[key]

    def agenda(self, now: Instant) -> Agenda:
        """Which offers count at the instant."""
        known = self._agenda
        if known is None or not known.since <= now < known.until:
            known = self._agenda = self._agenda_at(now)
        return known

    def _agenda_at(self, now: Instant) -> Agenda:
        is_open, closed, early = [], [], set()
        since, until = BEGINNING, clock.NEVER
        for place, offer in enumerate(self.offers):
            timetable = self._timetables[offer.key]
            steady = timetable.steady(now)
            since, until = Instant(max(since, steady[0])), Instant(min(until, steady[1]))
            phase = timetable.phase(now)
            if phase is Phase.OPEN:
                is_open.append(place)
            elif phase is Phase.BEFORE and timetable.earliest < timetable.starts:
                early.add(place)
            else:
                closed.append(closed_now(offer, timetable, now))
        opened = tuple(is_open)
        return Agenda(since, until, frozenset(opened), opened, tuple(closed), frozenset(early))

    def view(self, basket: Basket) -> tuple[View, Mapping[int, Lines]]:
        """The basket's lines, and by the places of the offers the lines that each is for."""
        known = self._viewed
        if known is None or known[0] is not basket:
            view = View(basket, self._exclusions)
            known = self._viewed = (basket, view, self._matched(view))
        return known[1], known[2]

    def _matched(self, view: View) -> dict[int, Lines]:
        index = self._index
        found = dict.fromkeys(index.everywhere, view.all_lines)
        for field, places_of in index.by_field.items():
            if places_of:
                for value, lines in view.by_field[field].items():
                    for place in places_of.get(value, ()):
                        found[place] = found.get(place, 0) | lines
        for place in [one for one in found if index.is_partly[one]]:
            found[place] = self.offers[place].matcher.rest(view, found[place])
        return {place: lines for place, lines in found.items() if lines}


_PHASES = {
    Phase.BEFORE: WhyNot.NOT_STARTED,
    Phase.PAUSED: WhyNot.NOT_AT_THIS_TIME,
    Phase.AFTER: WhyNot.ENDED,
}


def closed_now(
    offer: LiveOffer, timetable: Timetable, now: Instant, tier: str | None = None
) -> NotApplied:
    """That the offer does not count at the instant for members of the tier, and when it does."""
    reason = _PHASES[timetable.phase(now, tier)]
    return offer.refused(reason, available_at=timetable.opens_at(now, tier))


_NO_STACKING = BasketStacking()


def prepared(shelves: Shelves, rules: Programme, now: Instant) -> Prepared:
    """What is published of offers and stacking at the instant; from memory while it stays."""
    index: _Index = definitions.derived(shelves.of("offer").live(now), _index)
    published = shelves.of("stacking").at(STACKING_KEY, now)
    stacking: BasketStacking = _NO_STACKING if published is None else published.document
    exclusions = tuple((match.field, match.equals) for match in rules.excluded_lines)
    terms = (stacking, rules.programme.timezone, exclusions)
    found = index.prepared.get(terms)
    if found is None:
        found = index.prepared[terms] = Prepared(index, *terms)
    return found


def segments_wanted(prepared: Prepared, keys: Sequence[str]) -> frozenset[str]:
    """The segments that the audiences of these offers name."""
    return frozenset[str]().union(*(prepared.by_key[key].target.segments for key in keys))
