"""The search for the set of offers that saves the member most.

Offers that have no line in common cannot disturb each other, so each bundle of those that can is
searched by itself. The search is exact as long as it has to work out at most `MAXIMUM_STEPS`
outcomes for a basket; what it has not found by then, it has not found. It starts from a choice by
what each offer gives alone, and never ends below that. Both depend on what the offers and the
lines are, and not on their order.
"""

from bisect import insort
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from server.offers.giving import NOTHING
from server.offers.stacking import PER_MINOR, Candidate, Remains, Round

MAXIMUM_STEPS = 500
"""How many outcomes the search works out for one basket beside those of its first choice."""


def best(
    candidates: Sequence[Candidate], round_: Round, most_offers: int | None
) -> list[Candidate]:
    """The set that saves most, in the order in which its offers take theirs. `candidates` are in
    this order; at most `most_offers` of them may apply (None: any number)."""
    if most_offers == 0:
        return []
    giving = [one for one in candidates if not round_.gross(one, round_.beginning).reason]
    together = [one for one in giving if one.combines]
    chosen = _best_together(together, round_, most_offers)
    if len(together) == len(giving):
        return chosen
    value = round_.value(chosen)
    for one in giving:
        if not one.combines:
            alone = round_.outcome(one, round_.beginning).value
            is_earlier = not chosen or one.offer.order < chosen[0].offer.order
            if alone > value or (alone == value and is_earlier):
                chosen, value = [one], alone
    return chosen


def _best_together(
    candidates: Sequence[Candidate], round_: Round, most_offers: int | None
) -> list[Candidate]:
    places = _number_of_places(candidates)
    if places == len(candidates) and (most_offers is None or places <= most_offers):
        return list(candidates)  # nothing stands against anything
    if most_offers is not None and places > most_offers:
        return _Search(candidates, round_, most_offers, MAXIMUM_STEPS).best()
    chosen: list[Candidate] = []
    steps = MAXIMUM_STEPS
    for bundle in _bundles(candidates, round_):
        if _number_of_places(bundle) == len(bundle):
            chosen += bundle
            continue
        search = _Search(bundle, round_, _number_of_places(bundle), steps)
        chosen += search.best()
        steps = search.steps
    return sorted(chosen, key=lambda one: one.offer.order)


def _number_of_places(candidates: Sequence[Candidate]) -> int:
    """How many of them can apply together."""
    groups = {one.group for one in candidates if one.group is not None}
    return len(groups) + sum(1 for one in candidates if one.group is None)


def _bundles(candidates: Sequence[Candidate], round_: Round) -> Iterator[list[Candidate]]:
    """The candidates in bundles, so that none changes what one of another bundle gives."""
    view = round_.view
    if view.negative or round_.is_capped:
        yield list(candidates)  # what all take together has a limit that may be reached
        return
    shipping = len(view.nets)
    numbers: dict[str, int] = {}  # of the groups: each has a bit after those of lines and shipping
    bundles: list[tuple[int, list[int]]] = []
    for place, one in enumerate(candidates):
        touched, members = _touched(one, shipping), [place]
        if one.group is not None:
            touched |= 2 << shipping + numbers.setdefault(one.group, len(numbers))
        for bundle in [bundle for bundle in bundles if bundle[0] & touched]:
            bundles.remove(bundle)
            touched |= bundle[0]
            bundle[1].extend(members)
            members = bundle[1]
        bundles.append((touched, members))
    for _, members in bundles:
        yield [candidates[place] for place in sorted(members)]


def _touched(candidate: Candidate, shipping: int) -> int:
    """The lines on whose prices it depends or has a hold, as bits; shipping is one more."""
    offer = candidate.offer
    if offer.is_money:
        return candidate.lines | candidate.others
    if offer.is_by_spend:
        return candidate.lines
    return 1 << shipping if offer.is_shipping else 0


class _State(NamedTuple):
    """Of the search: the candidates before `place` are decided on."""

    place: int
    remains: Remains
    value: int
    closed: int  # the groups that have one, as bits
    number: int  # of those chosen
    chosen: "tuple[Any, int] | None"  # the place of the last one chosen, after those before it


class _Search:
    """Branch and bound. What a candidate gives in a set is at most what it gives alone, for it
    never finds more left: that bounds what a state can still come to."""

    def __init__(
        self, candidates: Sequence[Candidate], round_: Round, target: int, steps: int
    ) -> None:
        self.candidates, self.round = candidates, round_
        self.target, self.steps = target, steps  # how many are to be chosen; work that is left
        names = sorted({one.group for one in candidates if one.group is not None})
        numbers = {name: 1 << place for place, name in enumerate(names)}
        self.groups = [0 if one.group is None else numbers[one.group] for one in candidates]
        self.alone = [self._most_alone(one) for one in candidates]
        self._look_ahead(is_limited=target < _number_of_places(candidates))

    def _most_alone(self, candidate: Candidate) -> int:
        value = self.round.gross(candidate, self.round.beginning).value
        left = candidate.left_minor
        return value if left is None else min(value, left * PER_MINOR)

    def _look_ahead(self, *, is_limited: bool) -> None:
        """What the candidates from each place on can give at most, all in all and by group."""
        end = len(self.candidates)
        self.free_count, self.group_bits = [0] * (end + 1), [0] * (end + 1)
        self.all_value = [0] * (end + 1)
        self.of_group: list[dict[int, int]] = [{} for _ in range(end + 1)]
        self.highest: list[list[int]] | None = [[]] * (end + 1) if is_limited else None
        ascending: list[int] = []
        for place in range(end - 1, -1, -1):
            group, value, later = self.groups[place], self.alone[place], place + 1
            self.free_count[place] = self.free_count[later] + (not group)
            self.group_bits[place] = self.group_bits[later] | group
            self.of_group[place] = self.of_group[later]
            gain = value - self.of_group[later].get(group, 0) if group else value
            self.all_value[place] = self.all_value[later] + max(0, gain)
            if group and (gain > 0 or group not in self.of_group[later]):
                self.of_group[place] = self.of_group[later] | {group: value}
            if self.highest is not None:
                insort(ascending, value)
                most = [0, *accumulate(ascending[: -self.target - 1 : -1])]
                self.highest[place] = most + most[-1:] * self.target
        if self.highest is not None:
            self.highest[end] = [0] * (self.target + 1)

    def best(self) -> list[Candidate]:
        """The best set that was found."""
        first = self._greedy()
        value = self.round.value(first) - 1  # so that an equal one that comes first is found
        found: _State | None = None
        stack = [_State(0, self.round.beginning, 0, 0, 0, None)]
        while stack and self.steps > 0:
            state = self._forced(stack.pop(), value)
            if state is None:
                continue
            if state.place == len(self.candidates):
                found, value = state, state.value
                continue
            stack.append(state._replace(place=state.place + 1))
            stack.append(self._joined(state))
        return first if found is None else self._unwound(found)

    def _forced(self, state: _State, floor: int) -> _State | None:
        """The state at the next choice, or at the end; None if it cannot come to more than the
        floor."""
        place, remains, value, closed, number, chosen = state
        outcome_of, after = self.round.outcome, self.round.after
        is_limited, target, end = self.highest is not None, self.target, len(self.candidates)
        while place < end:
            group = self.groups[place]
            if group or is_limited:
                if value + self._bound(place, closed, number) <= floor:
                    return None
                if number >= target or group & closed:
                    place += 1
                    continue
                if number + self._open(place + 1, closed) >= target:
                    return _State(place, remains, value, closed, number, chosen)
            outcome = outcome_of(self.candidates[place], remains)
            if outcome.taken is not NOTHING or outcome.given.shipping_minor:
                remains = after(remains, outcome)
            value, closed, number = value + outcome.value, closed | group, number + 1
            chosen, place = (chosen, place), place + 1
            self.steps -= 1
        return _State(place, remains, value, closed, number, chosen) if value > floor else None

    def _bound(self, place: int, closed: int, number: int) -> int:
        """What the candidates from the place on can give at most."""
        bound, values = self.all_value[place], self.of_group[place]
        closed &= self.group_bits[place]
        while closed:
            group = closed & -closed
            bound -= values[group]
            closed ^= group
        if self.highest is not None:
            bound = min(bound, self.highest[place][self.target - number])
        return bound

    def _open(self, place: int, closed: int) -> int:
        """How many of the candidates from the place on can join."""
        return self.free_count[place] + (self.group_bits[place] & ~closed).bit_count()

    def _joined(self, state: _State) -> _State:
        place, remains, value, closed, number, chosen = state
        self.steps -= 1
        outcome = self.round.outcome(self.candidates[place], remains)
        return _State(
            place + 1,
            self.round.after(remains, outcome),
            value + outcome.value,
            closed | self.groups[place],
            number + 1,
            (chosen, place),
        )

    def _unwound(self, state: _State) -> list[Candidate]:
        chosen, step = [], state.chosen
        while step is not None:
            step, place = step
            chosen.append(self.candidates[place])
        return chosen[::-1]

    def _greedy(self) -> list[Candidate]:
        """Of each group the candidate that gives most alone; then those that give most alone."""
        values = [self.round.outcome(one, self.round.beginning).value for one in self.candidates]
        chosen: list[int] = []
        closed = 0
        for place in sorted(range(len(values)), key=lambda place: (-values[place], place)):
            if len(chosen) < self.target and not self.groups[place] & closed:
                chosen.append(place)
                closed |= self.groups[place]
        return [self.candidates[place] for place in sorted(chosen)]
