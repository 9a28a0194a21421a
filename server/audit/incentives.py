"""Checking what members were given for bringing friends and for what they did beside buying."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from server.audit import queries
from server.audit.batches import Batch
from server.audit.rules import Check
from server.ledger.rules import Reason
from server.storage import sql

_REFERRALS = (
    "id, member_id, programme, state, inviter_points, inviter_cashback_minor, friend_points,"
    " friend_cashback_minor"
)
_SUFFIXES = {
    "inviter_points": "",
    "inviter_cashback_minor": ":cashback",
    "friend_points": ":friend",
    "friend_cashback_minor": ":friend-cashback",
}
"""What the rule of the lots has after the programme's key, in the order of the columns."""
_Given = Mapping[tuple[int, str], int]
"""By reference and rule: what was granted and has not been taken back."""


async def check_incentives(batch: Batch) -> None:
    """Each referral, milestone and completed action gave what it says, and what was returned gives
    nothing any more."""
    referrals = await queries.chosen("referrals", _REFERRALS, batch.member_ids)
    milestones = await queries.chosen(
        "referral_milestones",
        "id, member_id, programme, friends, points, referral_id, state",
        batch.member_ids,
    )
    actions = await queries.chosen(
        "action_completions", "id, member_id, action, points", batch.member_ids
    )
    references = {row[0] for row in (*referrals, *actions)} | {row[5] for row in milestones}
    given = await _given(references)
    _check_referrals(batch, referrals, given)
    for id_, member_id, programme, friends, points, referral_id, state in milestones:
        left = given.get((referral_id, f"referral:{programme}:{friends}"), 0)
        said = points if state == "granted" else 0
        row = ("referral_milestones", id_, member_id)
        _same(batch, row, f"points of a milestone that is {state}, by its lots", left, said)
    for id_, member_id, action, points in actions:
        left = given.get((id_, f"action:{action}"), 0)
        _same(batch, ("action_completions", id_, member_id), "points by its lots", left, points)


def _check_referrals(batch: Batch, rows: Iterable[sql.Row], given: _Given) -> None:
    for id_, member_id, programme, state, *amounts in rows:
        for (column, suffix), amount in zip(_SUFFIXES.items(), amounts, strict=True):
            left = given.get((id_, f"referral:{programme}{suffix}"), 0)
            said = amount if state == "rewarded" else 0
            what = f"{column} of a referral that is {state}, by its lots"
            _same(batch, ("referrals", id_, member_id), what, left, said)


def _same(
    batch: Batch, row: tuple[str, int, int], what: str, expected: object, found: object
) -> None:
    batch.found.same(Check.USES, row, what, expected=expected, found=found)


async def _given(references: set[int]) -> _Given:
    given: dict[tuple[int, str], int] = defaultdict(int)
    rows = await queries.chosen(
        "lots", "reference, rule, reason, amount, undone", references, by="reference"
    )
    for reference, rule, reason, amount, undone in rows:
        if reason in (Reason.REFERRAL.value, Reason.ACTION.value):
            given[reference, rule] += amount - undone
    return given
