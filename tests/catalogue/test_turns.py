"""Whose turn it is, against a shop that watches its line second by second."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from server.catalogue.turns import Place, PlaceStatus, Terms, Walk, free_at
from server.clock import MICROSECONDS_PER_SECOND as SECOND
from server.clock import NEVER, Instant

ALWAYS = Instant(-NEVER)


def at(second: int) -> Instant:
    return Instant(second * SECOND)


def place(number: int, joined: int, **events: int) -> Place:
    """A place whose member is called as its number; events in seconds."""
    known = {f"{name}_at": at(second) for name, second in events.items()}
    return Place(number, 1, number, number, 1, at(joined), **known)


def statuses(
    places: list[Place], now: int, *, units: int = 1, hold: int = 10, closes: int | None = None
) -> list[PlaceStatus]:
    closes_at = NEVER if closes is None else at(closes)
    walk = Walk(Terms((ALWAYS,) * units, hold, closes_at), at(now))
    walk.add(places)
    standing = walk.standing(len(places))
    return [standing.status(one, at(now), closes_at) for one in places]


TURN, WAITS = PlaceStatus.YOUR_TURN, PlaceStatus.WAITING
TAKEN, LEFT = PlaceStatus.TAKEN, PlaceStatus.LEFT
LAPSED, CLOSED = PlaceStatus.LAPSED, PlaceStatus.CLOSED


def test_the_first_in_line_is_offered_the_unit_and_it_passes_on_at_the_very_end() -> None:
    three = [place(1, 0), place(2, 1), place(3, 2)]
    assert statuses(three, 3) == [TURN, WAITS, WAITS]
    assert statuses(three, 9) == [TURN, WAITS, WAITS]
    assert statuses(three, 10) == [LAPSED, TURN, WAITS]
    assert statuses(three, 19) == [LAPSED, TURN, WAITS]
    assert statuses(three, 20) == [LAPSED, LAPSED, TURN]
    assert statuses(three, 30) == [LAPSED, LAPSED, LAPSED]


def test_a_unit_that_is_taken_is_gone_until_it_is_given_back() -> None:
    assert statuses([place(1, 0, taken=4), place(2, 1)], 50) == [TAKEN, WAITS]
    back = [place(1, 0, taken=4, freed=60), place(2, 1)]
    assert statuses(back, 60) == [LEFT, TURN]
    assert statuses(back, 70) == [LEFT, LAPSED]


def test_leaving_in_one_s_turn_passes_it_on_at_once_and_before_it_moves_others_up() -> None:
    assert statuses([place(1, 0, left=4), place(2, 1), place(3, 2)], 4) == [LEFT, TURN, WAITS]
    early = [place(1, 0), place(2, 1, left=5), place(3, 2)]
    assert statuses(early, 9) == [TURN, LEFT, WAITS]
    assert statuses(early, 10) == statuses(early, 19) == [LAPSED, LEFT, TURN]
    assert statuses(early, 20) == [LAPSED, LEFT, LAPSED]


def test_who_comes_late_has_the_whole_time_for_what_nobody_wanted() -> None:
    late = [place(1, 0), place(2, 100)]
    assert statuses(late, 109) == [LAPSED, TURN]
    assert statuses(late, 110) == [LAPSED, LAPSED]


def test_what_closes_ends_every_turn_and_nobody_s_begins() -> None:
    both = [place(1, 0), place(2, 1)]
    assert statuses(both, 6, closes=7) == [TURN, WAITS]
    assert statuses(both, 7, closes=7) == [LAPSED, CLOSED]


def test_more_units_are_offered_from_the_instant_of_the_version_that_adds_them() -> None:
    assert free_at(2, [(at(5), 1), (at(6), 4), (at(7), 4)]) == (ALWAYS, ALWAYS, at(6), at(6))
    walk = Walk(Terms(free_at(1, [(at(5), 2)]), 10, NEVER), at(5))
    places = [place(1, 0, taken=1), place(2, 0), place(3, 0)]
    walk.add(places)
    standing = walk.standing(3)
    assert (standing.turns[2].starts_at, standing.turns[2].ends_at) == (at(5), at(15))
    assert (standing.waiting_from, standing.next_at) == (3, at(15))


# ---------------------------------------------------------------- against a shop that watches


@dataclass
class Shop:
    """Offers units by hand, each second anew."""

    units: int
    hold: int
    waiting: list[int] = field(default_factory=list)
    offered: dict[int, int] = field(default_factory=dict)  # until when, by number
    places: dict[int, Place] = field(default_factory=dict)
    lapsed: set[int] = field(default_factory=set)

    def pass_on(self, now: int) -> None:
        """What has lapsed by now goes to the next, also several times within a second."""
        while over := sorted((end, one) for one, end in self.offered.items() if end <= now):
            end, one = over[0]
            del self.offered[one]
            self.lapsed.add(one)
            self.units += 1
            self.offer(end)

    def offer(self, now: int) -> None:
        while self.units and self.waiting:
            self.units -= 1
            self.offered[self.waiting.pop(0)] = now + self.hold

    def status(self, number: int) -> PlaceStatus:
        found = self.places[number]
        if found.taken_at is not None:
            return TAKEN if found.freed_at is None else LEFT
        if found.left_at is not None:
            return LEFT
        if number in self.offered:
            return TURN
        return LAPSED if number in self.lapsed else WAITS

    def act(self, what: str, number: int, now: int) -> None:
        found = self.places.get(number)
        if what == "join":
            number = len(self.places) + 1
            self.places[number] = place(number, now)
            self.waiting.append(number)
        elif found is None:
            return
        elif what == "take" and number in self.offered:
            del self.offered[number]
            self._change(found, taken_at=at(now))
        elif what == "leave" and (number in self.offered or number in self.waiting):
            if number in self.waiting:
                self.waiting.remove(number)
            else:
                del self.offered[number]
                self.units += 1
            self._change(found, left_at=at(now))
        elif what == "cancel" and self.status(number) is TAKEN:
            self.units += 1
            self._change(found, freed_at=at(now))
        self.offer(now)

    def _change(self, found: Place, **known: Instant) -> None:
        values = {name: getattr(found, name) for name in Place.__struct_fields__}
        self.places[found.number] = Place(**{**values, **known})


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 6),  # seconds since the one before
        st.sampled_from(["join", "join", "join", "take", "take", "leave", "cancel"]),
        st.integers(1, 8),
    ),
    min_size=4,
    max_size=40,
)


@settings(max_examples=400)
@given(units=st.integers(1, 4), hold=st.integers(1, 7), events=EVENTS)
def test_the_clock_alone_says_what_a_shop_that_watches_its_line_sees(
    units: int, hold: int, events: list[tuple[int, str, int]]
) -> None:
    shop, now = Shop(units, hold), 0
    for seconds, what, number in events:
        now += seconds
        shop.pass_on(now)
        shop.act(what, number, now)
        places = [shop.places[one] for one in sorted(shop.places)]
        expected = [shop.status(one.number) for one in places]
        assert statuses(places, now, units=units, hold=hold) == expected
        holding = sum(one in (TAKEN, TURN) for one in expected)
        assert holding <= units, "more is offered than there is"


@given(units=st.integers(1, 4), events=EVENTS, size=st.integers(1, 5))
def test_a_line_can_be_read_in_pieces(
    units: int, events: list[tuple[int, str, int]], size: int
) -> None:
    shop, now = Shop(units, 5), 0
    for seconds, what, number in events:
        now += seconds
        shop.pass_on(now)
        shop.act(what, number, now)
    places = [shop.places[one] for one in sorted(shop.places)]
    whole, pieces = (Walk(Terms((ALWAYS,) * units, 5, NEVER), at(now)) for _ in range(2))
    whole.add(places)
    for first in range(0, len(places), size):
        if pieces.waiting_from is None:
            pieces.add(places[first : first + size])
    assert pieces.standing(len(places)) == whole.standing(len(places))
