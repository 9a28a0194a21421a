"""Which offers apply together, and what each gives then: the set that saves the member most.

A set may hold one offer of each group, and an offer that does not combine only by itself. Of the
sets that no further offer can join the one that is worth most is taken; of equals the one whose
offers come first. What points and cashback are worth is what the programme's books say. The offers
of a set take theirs one after the other, in the order of `LiveOffer.order`, of what is left of
each line: first those that lower prices, then all others.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from server.money import floor_basis_points
from server.offers.documents import Till
from server.offers.evaluation import WhyNot
from server.offers.giving import NOTHING, Given, Taken, cut, given, taken
from server.offers.preparing import LiveOffer
from server.offers.viewing import Lines, View
from server.programme.document import Programme

PER_MINOR = 1_000
"""Values are in thousandths of a minor unit, as the value of a point is."""


class Candidate:
    """An offer that could apply to the basket, with the lines that it is for."""

    __slots__ = (
        "combines",
        "group",
        "has_budget",
        "known",
        "left_minor",
        "left_points",
        "lines",
        "numbers",
        "offer",
        "others",
        "pick",
    )

    def __init__(
        self,
        offer: LiveOffer,
        lines: Lines,
        others: Lines,
        view: View,
        *,
        left_minor: int | None = None,
        left_points: int | None = None,
    ) -> None:
        self.offer = offer
        self.combines = offer.combines  # whether it may apply beside others
        self.group = offer.group  # of one group one applies at most
        self.lines, self.numbers = lines, view.numbers(lines)
        self.others = others  # where the cheaper units of buy-and-get come from
        self.left_minor, self.left_points = left_minor, left_points  # of the budgets
        self.has_budget = left_minor is not None or left_points is not None
        self.known: dict[Any, Outcome] = {}  # by what it goes by
        # What picks what is left of the lines that it goes by; None if it goes by no line.
        self.pick = (
            view.picker(lines | others if offer.is_money else lines)
            if offer.is_money or offer.is_by_spend
            else None
        )


class Outcome(Struct, frozen=True):
    """What a candidate gives after others; `reason` says why, if that is nothing."""

    taken: Taken = NOTHING
    given: Given = Given()
    value: int = 0
    costs_minor: int = 0  # what it takes of a budget of money
    reason: WhyNot | None = None


_NOTHING_LEFT = Outcome(reason=WhyNot.NOTHING_TO_DISCOUNT)
_NO_ROOM = Outcome(reason=WhyNot.CAP_REACHED)
_NO_BUDGET = Outcome(reason=WhyNot.BUDGET_EXHAUSTED)


class Remains(Struct, frozen=True):
    """What is to be paid of each line, of all that earn, and of shipping; and what was taken off
    the lines so far."""

    left_minor: Sequence[int]
    earning_minor: int
    shipping_minor: int
    discount_minor: int = 0


class Round:
    """One basket under one programme, and how much all offers together may take off it."""

    __slots__ = ("beginning", "is_capped", "is_plain", "point_value", "rate", "room_minor", "view")

    def __init__(self, view: View, programme: Programme, room_minor: int) -> None:
        self.view = view
        self.rate = programme.points.base
        self.point_value = programme.liability.point_value_minor_per_1000
        self.room_minor = room_minor
        self.is_capped = room_minor < sum(view.open_minor)  # so that the room may be used up
        self.is_plain = not self.is_capped and not view.negative
        earning = sum([view.nets[number] for number in view.numbers(view.earning)])
        self.beginning = Remains(view.open_minor, earning, view.basket.shipping_minor)

    def outcome(self, candidate: Candidate, remains: Remains) -> Outcome:
        """What the candidate gives of what remains; nothing, if its budget has not all of it."""
        found = self.gross(candidate, remains)
        if candidate.has_budget:
            minor, points = candidate.left_minor, candidate.left_points
            if minor is not None and minor < found.costs_minor:
                return _NO_BUDGET
            if points is not None and points < found.given.points:
                return _NO_BUDGET
        return found

    def gross(self, candidate: Candidate, remains: Remains) -> Outcome:
        """What the candidate gives of what remains, whatever its budget."""
        pick = candidate.pick
        if pick is not None:
            key = pick(remains.left_minor)
        else:
            key = remains.shipping_minor if candidate.offer.is_shipping else 0
        if not self.is_plain:
            key = (key, self._besides_lines(candidate, remains))
        found = candidate.known.get(key)
        if found is None:
            work_out = self._money if candidate.offer.is_money else self._besides
            found = candidate.known[key] = work_out(candidate, remains)
        return found

    def _besides_lines(self, candidate: Candidate, remains: Remains) -> int:
        """What has a say in what the candidate gives, beside what is left of its lines."""
        if candidate.offer.is_money:
            return remains.discount_minor if self.is_capped else 0
        if candidate.offer.is_by_spend:
            return remains.earning_minor if self.view.negative else 0
        return 0

    def _besides(self, candidate: Candidate, remains: Remains) -> Outcome:
        discount = candidate.offer.document.discount
        found = given(
            discount,
            candidate.lines,
            remains.left_minor,
            earning_minor=remains.earning_minor,
            shipping_minor=remains.shipping_minor,
            rate=self.rate,
            view=self.view,
        )
        costs, points, gift = found.shipping_minor + found.cashback_minor, found.points, found.gift
        if gift is not None:
            costs += gift.value_minor * gift.quantity
        if costs or points or gift is not None or isinstance(discount, Till):
            value = costs * PER_MINOR + points * self.point_value
            return Outcome(given=found, value=value, costs_minor=costs)
        return _NOTHING_LEFT

    def _money(self, candidate: Candidate, remains: Remains) -> Outcome:
        document = candidate.offer.document
        found = taken(
            document.discount, candidate.numbers, candidate.others, remains.left_minor, self.view
        )
        if not found.amount_minor:
            return _NOTHING_LEFT
        most = self.room_minor - remains.discount_minor
        share_bps = document.stacking.maximum_share_bps
        if share_bps is not None:
            most = min(most, floor_basis_points(self.view.total_minor, share_bps))
        if most <= 0:
            return _NO_ROOM
        if found.amount_minor > most:
            found = cut(found, most)
        amount = found.amount_minor
        return Outcome(taken=found, value=amount * PER_MINOR, costs_minor=amount)

    def after(self, remains: Remains, outcome: Outcome) -> Remains:
        """What remains when that is taken off."""
        found = outcome.taken
        if found is not NOTHING:
            left, lines, earning = list(remains.left_minor), self.view.earning, 0
            for number, amount in found.shares:
                left[number] -= amount
                if lines >> number & 1:
                    earning += amount
            return Remains(
                left,
                remains.earning_minor - earning,
                remains.shipping_minor,
                remains.discount_minor + found.amount_minor,
            )
        shipping = outcome.given.shipping_minor
        if shipping:
            return Remains(
                remains.left_minor,
                remains.earning_minor,
                remains.shipping_minor - shipping,
                remains.discount_minor,
            )
        return remains

    def play(self, candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, Outcome, Remains]]:
        """The candidates one after the other, what each gives and what remains then."""
        remains = self.beginning
        for candidate in candidates:
            found = self.outcome(candidate, remains)
            remains = self.after(remains, found)
            yield candidate, found, remains

    def value(self, candidates: Sequence[Candidate]) -> int:
        """What the candidates are worth together."""
        return sum(outcome.value for _, outcome, _ in self.play(candidates))
