"""The arithmetic of tiers, case by case, and against counting everything anew each day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant, LocalDay, start_of_day
from server.programme.document import TierLevel
from server.tiers import rules
from server.tiers.rules import NO_DROP, Change, State

UTC = "UTC"


LEVELS = (TierLevel("Bronze", 0, 100), TierLevel("Silver", 100, 125), TierLevel("Gold", 300, 150))


def midnight(day: int) -> Instant:
    return start_of_day(LocalDay(day), UTC)


def new_state(day: int = 0) -> State:
    return rules.enrolled(LEVELS, midnight(day), LocalDay(day), 1)


class Member:
    """A state with the days that it was made from."""

    def __init__(self, window_days: int, day: int = 0) -> None:
        self.window_days = window_days
        self.state = new_state(day)
        self.days: dict[LocalDay, int] = {}
        self.changes: list[Change] = []

    def pass_to(self, day: int) -> list[Change]:
        changes = rules.advance(
            self.state,
            LocalDay(day),
            self.days,
            levels=LEVELS,
            window_days=self.window_days,
            zone_name=UTC,
        )
        self.changes += changes
        return changes

    def spend(self, day: int, amount: int) -> None:
        if day >= self.state.evaluated_day:
            self.pass_to(day)
        rules.add_spend(self.state, LocalDay(day), amount, window_days=self.window_days)
        self.days[LocalDay(day)] = self.days.get(LocalDay(day), 0) + amount
        change = rules.evaluate(self.state, LEVELS, midnight(day))
        self.changes += [change] if change else []


@pytest.mark.parametrize(
    ("spend", "name", "following"),
    [
        (0, "Bronze", "Silver"),
        (99, "Bronze", "Silver"),
        (100, "Silver", "Gold"),
        (299, "Silver", "Gold"),
        (300, "Gold", None),
        (10**15, "Gold", None),
    ],
)
def test_a_tier_starts_exactly_at_its_minimum(spend: int, name: str, following: str | None) -> None:
    assert rules.level_of(LEVELS, spend).name == name
    upper = rules.next_level(LEVELS, spend)
    assert (upper.name if upper else None) == following


def test_a_new_member_has_the_lowest_tier_and_nothing_to_lose() -> None:
    state = new_state(7)
    assert state == State("Bronze", midnight(7), 0, 0, LocalDay(7), NO_DROP, 0, 1)


def test_to_stay_is_no_change() -> None:
    member = Member(365)
    member.spend(0, 100)
    member.spend(0, 1)
    assert (member.state.change_count, len(member.changes)) == (1, 1)
    assert rules.evaluate(member.state, LEVELS, midnight(3)) is None
    assert member.state.since == midnight(0)


def test_a_change_may_skip_a_tier_and_counts_once() -> None:
    member = Member(10)
    member.spend(0, 300)
    assert member.changes == [Change(midnight(0), "Bronze", "Gold")]
    member.pass_to(10)
    assert member.changes[1:] == [Change(midnight(10), "Gold", "Bronze")]


@pytest.mark.parametrize("window_days", [1, 2, 365])
def test_spend_counts_on_its_own_day_and_through_the_last_day_of_the_window(
    window_days: int,
) -> None:
    member = Member(window_days)
    member.spend(0, 100)
    assert member.state.next_drop_day == window_days
    assert member.pass_to(window_days - 1) == []
    assert (member.state.level, member.state.window_spend_minor) == ("Silver", 100)
    assert member.pass_to(window_days) == [Change(midnight(window_days), "Silver", "Bronze")]
    assert (member.state.window_spend_minor, member.state.next_drop_day) == (0, NO_DROP)
    assert member.state.lifetime_spend_minor == 100


def test_one_look_after_a_long_time_finds_every_change_on_its_own_day() -> None:
    member = Member(10)
    for day, amount in ((0, 250), (2, 40), (4, 60)):
        member.spend(day, amount)
    assert member.state.level == "Gold"
    assert member.pass_to(100) == [
        Change(midnight(10), "Gold", "Silver"),
        Change(midnight(12), "Silver", "Bronze"),
    ]
    assert member.state.since == midnight(12)
    assert member.state.change_count == 4


def test_two_days_that_leave_the_window_one_after_the_other_change_the_tier_twice() -> None:
    member = Member(5)
    member.spend(0, 200)
    member.spend(1, 100)
    assert member.pass_to(6) == [
        Change(midnight(5), "Gold", "Silver"),
        Change(midnight(6), "Silver", "Bronze"),
    ]


def test_spend_of_the_day_on_which_other_spend_leaves_the_window_comes_after_the_drop() -> None:
    member = Member(5)
    member.spend(0, 100)
    member.spend(5, 100)
    assert [(change.level_before, change.level_after) for change in member.changes] == [
        ("Bronze", "Silver"),
        ("Silver", "Bronze"),
        ("Bronze", "Silver"),
    ]


def test_looking_again_or_back_changes_nothing() -> None:
    member = Member(5)
    member.spend(3, 100)
    member.pass_to(7)
    before = State(**{name: getattr(member.state, name) for name in State.__slots__})
    assert member.pass_to(7) == member.pass_to(4) == member.pass_to(0) == []
    assert member.state == before


def test_a_day_without_spend_never_drops() -> None:
    member = Member(5)
    member.spend(0, 0)
    assert member.state.next_drop_day == NO_DROP
    assert rules.next_drop_day({LocalDay(0): 0}, after=LocalDay(0), window_days=5) == NO_DROP


def test_the_next_drop_day_is_the_first_after_the_day() -> None:
    days = {LocalDay(0): 5, LocalDay(2): 5, LocalDay(3): 0, LocalDay(9): 5}
    for after, expected in ((0, 5), (4, 5), (5, 7), (7, 14), (13, 14), (14, NO_DROP)):
        assert rules.next_drop_day(days, after=LocalDay(after), window_days=5) == expected


@pytest.mark.parametrize(
    ("day", "window", "lifetime"), [(5, 30, 130), (4, 30, 130), (0, 0, 130), (-3, 0, 130)]
)
def test_a_late_purchase_counts_for_the_tier_only_while_its_day_is_in_the_window(
    day: int, window: int, lifetime: int
) -> None:
    member = Member(5)
    member.spend(0, 100)
    member.pass_to(6)
    member.spend(day, 30)
    assert member.state.window_spend_minor == window
    assert member.state.lifetime_spend_minor == lifetime


def test_a_late_purchase_brings_the_next_drop_day_forward_and_leaves_in_its_time() -> None:
    member = Member(10)
    member.spend(5, 60)
    member.spend(2, 50)
    assert member.state.level == "Silver"
    assert member.state.next_drop_day == 12
    assert member.pass_to(20) == [Change(midnight(12), "Silver", "Bronze")]


def test_new_minimums_show_at_the_start_of_the_next_day() -> None:
    member = Member(10)
    member.spend(0, 100)
    state = member.state
    higher = (TierLevel("Bronze", 0, 100), TierLevel("Silver", 101, 125))

    def look(day: int) -> list[Change]:
        return rules.advance(
            state, LocalDay(day), member.days, levels=higher, window_days=10, zone_name=UTC
        )

    assert look(0) == []
    assert look(1) == [Change(midnight(1), "Silver", "Bronze")]


def test_the_spend_of_a_day_is_that_of_the_window_that_ends_with_it() -> None:
    days = {LocalDay(day): 1 << day for day in range(8)}
    assert rules.spend_in_window(days, LocalDay(5), window_days=3) == 0b111000
    assert rules.spend_in_window(days, LocalDay(0), window_days=3) == 0b1
    assert rules.spend_in_window(days, LocalDay(20), window_days=3) == 0


def test_a_drop_on_a_day_without_a_midnight_happens_at_its_first_instant() -> None:
    state = rules.enrolled(LEVELS, Instant(0), LocalDay(0), 1)
    spring = LocalDay(17237)  # 2017-03-12 in Havana: 00:00 does not exist
    spent_on = LocalDay(spring - 5)
    state.evaluated_day = spent_on
    rules.add_spend(state, spent_on, 100, window_days=5)
    state.level = "Silver"
    [change] = rules.advance(
        state,
        LocalDay(spring + 1),
        {spent_on: 100},
        levels=LEVELS,
        window_days=5,
        zone_name="America/Havana",
    )
    assert change.changed_at == 1_489_294_800 * 1_000_000  # 2017-03-12T05:00:00Z


purchases = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from((0, 1, 50, 99, 100, 101, 200, 300))),
    max_size=12,
)


@given(
    bought=purchases, window_days=st.integers(1, 12), looks=st.sets(st.integers(0, 90)),
    rest=st.integers(0, 15),
)  # fmt: skip
def test_moving_from_drop_to_drop_gives_what_counting_anew_each_day_gives(
    bought: list[tuple[int, int]], window_days: int, looks: set[int], rest: int
) -> None:
    member = Member(window_days)
    by_day: dict[int, list[int]] = {}
    day = 0
    for gap, amount in bought:
        day += gap
        by_day.setdefault(day, []).append(amount)
    last = day + rest
    for today in range(last + 1):
        if today in looks:
            member.pass_to(today)
        for amount in by_day.get(today, ()):
            member.spend(today, amount)
    member.pass_to(last)

    tier, changes = "Bronze", []
    days: dict[LocalDay, int] = {}
    for today in range(last + 1):
        for amount in (0, *by_day.get(today, ())):
            days[LocalDay(today)] = days.get(LocalDay(today), 0) + amount
            spend = rules.spend_in_window(days, LocalDay(today), window_days=window_days)
            found = rules.level_of(LEVELS, spend).name
            if found != tier:
                changes.append(Change(midnight(today), tier, found))
                tier = found
    assert member.changes == changes
    assert (member.state.level, member.state.change_count) == (tier, len(changes))
    assert member.state.window_spend_minor == rules.spend_in_window(
        days, LocalDay(last), window_days=window_days
    )


@given(bought=purchases.flatmap(st.permutations), window_days=st.integers(1, 12))
def test_the_order_of_arrival_does_not_matter_in_the_end(
    bought: list[tuple[int, int]], window_days: int
) -> None:
    member = Member(window_days)
    for place, (gap, amount) in enumerate(bought):
        member.spend(gap + place % 3, amount)
        assert member.state.window_spend_minor == rules.spend_in_window(
            member.days, member.state.evaluated_day, window_days=window_days
        )
    member.pass_to(9)
    spend = rules.spend_in_window(member.days, LocalDay(9), window_days=window_days)
    assert member.state.window_spend_minor == spend
    assert member.state.level == rules.level_of(LEVELS, spend).name
    assert member.state.lifetime_spend_minor == sum(amount for _, amount in bought)
