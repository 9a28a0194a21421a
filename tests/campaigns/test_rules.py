"""The arithmetic of campaigns: lots, whose clock, and what a difference is worth."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from math import sqrt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import clock
from server.campaigns import comparing, rules
from server.campaigns.comparing import Uplift
from server.campaigns.documents import Campaign, Variant

SECRET = b"k" * 32
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC")
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 12, 31))  # noqa: DTZ001 - wall clocks


def test_lots_have_their_shares_and_do_not_depend_on_each_other() -> None:
    count, hold_out_bps = 100_000, 1_500
    variants = (Variant("a", "x", 3_333), Variant("b", "y", 6_667))
    drawn = [rules.drawn(SECRET, "spring", member_id) for member_id in range(count)]
    held = [first < hold_out_bps for first, _second in drawn]
    assert _is_share(sum(held), count, hold_out_bps)
    for is_held in (True, False):
        some = Counter(
            rules.chosen(variants, second).name
            for (_first, second), one in zip(drawn, held, strict=True)
            if one is is_held
        )
        assert _is_share(some["a"], some.total(), 3_333)


def _is_share(part: int, whole: int, bps: int) -> bool:
    """Whether the part is within four standard deviations of a share drawn by lot."""
    share = bps / 10_000
    return abs(part - whole * share) < 4 * sqrt(whole * share * (1 - share))


def test_a_lot_stays_and_is_another_in_each_campaign_and_deployment() -> None:
    lots = [rules.drawn(SECRET, "spring", member_id) for member_id in range(1_000)]
    assert lots == [rules.drawn(SECRET, "spring", member_id) for member_id in range(1_000)]
    for secret, campaign in ((SECRET, "summer"), (b"other", "spring")):
        others = [rules.drawn(secret, campaign, member_id) for member_id in range(1_000)]
        held, held_there = (
            {n for n, lot in enumerate(s) if lot[0] < 5_000} for s in (lots, others)
        )
        assert 180 < len(held & held_there) < 320  # as if drawn anew: 250


def test_the_first_and_the_last_lot_are_somebodys() -> None:
    variants = (Variant("a", "x", 1), Variant("b", "y", 9_998), Variant("c", "z", 1))
    assert [rules.chosen(variants, n).name for n in (0, 1, 9_998, 9_999)] == ["a", "b", "b", "c"]


@given(at=moments, zone=st.sampled_from(ZONES))
def test_a_clock_on_the_wall_shows_the_time_unless_summer_time_skips_it(
    at: datetime, zone: str
) -> None:
    at = at.replace(microsecond=0)
    instant = rules.local_instant(at, zone)
    shown = clock.local_datetime(instant, zone).replace(tzinfo=None)
    before = clock.local_datetime(clock.Instant(instant - 1), zone)
    if shown == at:
        assert clock.local_datetime(instant, zone).fold == 0  # the first of two
    else:
        at_gap = at.replace(tzinfo=ZoneInfo(zone))
        skipped = at_gap.replace(fold=0).utcoffset() - at_gap.replace(fold=1).utcoffset()  # type: ignore[operator]
        assert shown == at - skipped  # as much later as is skipped
    assert before < clock.local_datetime(instant, zone)


@given(at=moments, zone=st.sampled_from(ZONES))
def test_no_zone_comes_before_the_beginning_or_after_the_end(at: datetime, zone: str) -> None:
    document = Campaign(name="c", at=at, message="m", expires_after_hours=3)
    due = rules.due_in(document, zone)
    assert rules.begins_at(document) <= due - rules.LEAD
    assert rules.expiry(document, due) <= rules.ends_at(document)
    named = Campaign(name="c", at=at, message="m", time_zone="UTC")
    assert rules.due_in(named, zone) == clock.instant_of(at.replace(tzinfo=UTC))
    assert rules.begins_at(named) == rules.due_in(named, zone) - rules.LEAD


def test_the_zones_of_the_world_are_within_the_bounds() -> None:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    for zone in ("Pacific/Kiritimati", "Etc/GMT-14", "Etc/GMT+12", "Pacific/Apia"):
        offset = at.astimezone(ZoneInfo(zone)).utcoffset()
        assert offset is not None
        assert timedelta(hours=-12) <= offset <= timedelta(hours=14)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe 1998, table II, method 10
        ((56, 70), (48, 80), 524, 3339),
        ((9, 10), (3, 10), 1705, 8090),
        ((6, 7), (2, 7), 582, 8062),
        ((5, 56), (0, 29), -381, 1926),
        ((0, 10), (0, 20), -1611, 2775),
        ((0, 10), (0, 10), -2775, 2775),
        ((10, 10), (0, 20), 6791, 10_000),
        ((10, 10), (0, 10), 6075, 10_000),
    ],
)
def test_the_interval_is_that_of_the_paper(
    first: tuple[int, int], second: tuple[int, int], low: int, high: int
) -> None:
    found = _uplift(*first, *second)
    assert low - found.low_bps in (0, 1)  # the paper rounds to the nearest, this outwards
    assert found.high_bps - high in (0, 1)


def _uplift(reached: int, members: int, held_reached: int, held_out: int) -> Uplift:
    found = comparing.uplift(
        reached=reached, members=members, held_reached=held_reached, held_out=held_out
    )
    assert found is not None
    return found


@given(
    st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
)
def test_the_difference_lies_in_its_interval_and_the_other_way_round(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    found, other = _uplift(*first, *second), _uplift(*second, *first)
    assert -10_000 <= found.low_bps <= found.bps <= found.high_bps <= 10_000
    assert (other.bps, other.low_bps, other.high_bps) == (
        -found.bps,
        -found.high_bps,
        -found.low_bps,
    )


def test_without_anybody_in_a_group_nothing_is_compared() -> None:
    assert comparing.uplift(reached=0, members=0, held_reached=1, held_out=2) is None
    assert comparing.uplift(reached=1, members=2, held_reached=0, held_out=0) is None
    assert comparing.share_bps(1, 0) is None
    assert comparing.share_bps(2, 3) == 6_666
