"""The audit proves what referrals and actions gave, before and after returns."""

import pytest

from server.storage import sql
from tests.actions import doing
from tests.audit.auditing import problems
from tests.purchases.baskets import at, draft, line, publish, recorded
from tests.purchases.returns import return_draft, spend, take_back
from tests.referrals.friends import bought, granted, member, publish_terms

pytestmark = pytest.mark.usefixtures("database")

MILESTONES = {"milestones": [{"friends": 2, "points": 1_000}]}


async def lively(policy: str) -> int:
    """Two friends, one of whom returned what they were brought for after the inviter had spent the
    points, a reviewed product that came back, and a visit; the inviter."""
    await publish({("returns",): {"policy": policy}})
    await publish_terms({**MILESTONES, "return_period_days": 0})
    await doing.publish_action("visit")
    await doing.publish_action("review", type="review", caps={"per_subject": 1})
    inviter = await member("inviter")
    for number in range(2):
        await member(f"f{number}", by=inviter)
        await bought(f"f{number}", str(number), "2026-01-06", 2_000)
    reviewed = draft("reviewed", "2026-01-06", line("GROCERY", 500, product="P1"), household="f0")
    await recorded(reviewed)
    await doing.done(await _number("f0"), "review", subject="P1", now=at("2026-01-07"))
    await doing.done(inviter, now=at("2026-01-07"))
    await spend("inviter", 1_900, "2026-01-08")
    await take_back(return_draft("r", "1", "2026-01-09"))
    await take_back(return_draft("r2", "reviewed", "2026-01-09"))
    return inviter


async def _number(external_id: str) -> int:
    [row] = await sql.fetch("SELECT id FROM members WHERE external_id = $1", external_id)
    return int(row[0])


@pytest.mark.parametrize("policy", ["only_pending", "within_balance", "into_negative"])
async def test_what_is_returned_is_clean_whatever_could_be_taken_back(policy: str) -> None:
    inviter = await lively(policy)
    assert await granted(inviter) == [
        ("referral:default", 500, 0),
        ("referral:default", 500, 500),
        ("referral:default:2", 1_000, 1_000),
        ("referral:default:cashback", 200, 0),
        ("referral:default:cashback", 200, 200),
    ]
    assert await doing.granted(inviter) == [("action:visit", 50)]
    assert await problems() == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            "UPDATE referrals SET inviter_points = inviter_points + 1 WHERE state = 'rewarded'",
            "uses: referrals",
        ),
        (
            "UPDATE referrals SET friend_cashback_minor = 1 WHERE state = 'rewarded'",
            "uses: referrals",
        ),
        (
            "UPDATE referrals SET state = 'rewarded' WHERE state = 'returned'",
            "uses: referrals",
        ),
        (
            "UPDATE referral_milestones SET state = 'granted'",
            "uses: referral_milestones",
        ),
        (
            "UPDATE action_completions SET points = points - 1 WHERE action = 'visit'",
            "uses: action_completions",
        ),
    ],
    ids=["points", "cashback", "state", "milestone", "action"],
)
async def test_what_is_changed_behind_its_back_is_found(change: str, named: str) -> None:
    await lively("within_balance")
    async with sql.transaction():
        await sql.execute(change)
    found = await problems()
    assert found
    assert all(line.startswith(named) for line in found), found
