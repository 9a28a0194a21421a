"""Caps, milestones, which purchase counts, and what members are told: at their edges."""

from typing import Any

import pytest

from server.clock import Instant, LocalDay
from server.referrals.documents import Caps, Milestone, ReferralProgramme
from server.referrals.rules import ReferralState, Standing, counts, is_capped, reached
from server.referrals.views import ReferralView, SeenState, seen_state

TERMS = ReferralProgramme(minimum_purchase_minor=2_000, within_days=30)
BROUGHT = {202512: 4, 202601: 2, 202612: 3}


@pytest.mark.parametrize(
    ("month", "caps", "expected"),
    [
        (202601, Caps(), False),
        (202601, Caps(per_month=3), False),
        (202601, Caps(per_month=2), True),
        (202602, Caps(per_month=1), False),
        (202602, Caps(per_year=6), False),
        (202602, Caps(per_year=5), True),
        (202512, Caps(per_year=5), False),
        (202512, Caps(per_year=4), True),
        (202701, Caps(per_month=1, per_year=1), False),
        (202701, Caps(total=10), False),
        (202701, Caps(total=9), True),
        (202701, Caps(per_month=1, per_year=1, total=9), True),
    ],
)
def test_a_cap_is_reached_by_its_last_friend_and_not_before(
    month: int, caps: Caps, expected: bool
) -> None:
    assert is_capped(Standing(dict(BROUGHT), set()), month, caps) is expected


@pytest.mark.parametrize(
    ("friends", "has", "expected"),
    [
        (1, set(), []),
        (2, set(), [2]),
        (4, set(), [2]),
        (5, {2}, [5]),
        (5, set(), [2, 5]),
        (9, {2, 5}, []),
    ],
)
def test_a_milestone_is_reached_with_its_friend_and_once(
    friends: int, has: set[int], expected: list[int]
) -> None:
    milestones = [Milestone(5, 1_000), Milestone(2, 300)]
    found = reached(Standing({202601: friends}, has), milestones)
    assert [one.friends for one in found] == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"eligible_minor": 1_999}, False),
        ({"day": LocalDay(103)}, False),
        ({"day": LocalDay(104)}, True),
        ({"day": LocalDay(130)}, True),
        ({"day": LocalDay(131)}, False),
    ],
)
def test_a_purchase_counts_from_the_day_of_the_code_to_the_last_one(
    changes: dict[str, Any], expected: bool
) -> None:
    given: dict[str, Any] = {"eligible_minor": 2_000, "day": LocalDay(110), **changes}
    assert (
        counts(TERMS, accepted_day=LocalDay(104), enrolled_day=LocalDay(100), **given) is expected
    )


def test_a_purchase_of_nothing_counts_under_no_terms() -> None:
    day = LocalDay(100)
    given: dict[str, Any] = {"day": day, "accepted_day": day, "enrolled_day": day}
    assert not counts(ReferralProgramme(), eligible_minor=0, **given)
    assert counts(ReferralProgramme(), eligible_minor=1, **given)


@pytest.mark.parametrize(
    ("state", "now", "today", "expected"),
    [
        (ReferralState.WAITING, 0, 130, SeenState.WAITING),
        (ReferralState.WAITING, 0, 131, SeenState.EXPIRED),
        (ReferralState.HELD, 0, 131, SeenState.UNDER_REVIEW),
        (ReferralState.BLOCKED, 0, 131, SeenState.UNDER_REVIEW),
        (ReferralState.REJECTED, 0, 100, SeenState.DECLINED),
        (ReferralState.REWARDED, 999, 100, SeenState.PENDING),
        (ReferralState.REWARDED, 1_000, 100, SeenState.REWARDED),
        (ReferralState.RETURNED, 1_000, 100, SeenState.RETURNED),
    ],
)
def test_members_see_how_far_it_is_and_nothing_of_doubts(
    state: ReferralState, now: int, today: int, expected: SeenState
) -> None:
    view = ReferralView(
        *(1, 2, 3, "default", 1, state, (), Instant(0), LocalDay(100), LocalDay(100)),
        available_at=Instant(1_000),
    )
    assert seen_state(view, TERMS, now=Instant(now), today=LocalDay(today)) is expected
