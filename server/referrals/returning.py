"""Taking back what a referral gave, when too little is left of the purchase that it was given for.

The whole of it is taken back, by the programme's policy for returns. If all of it is back, the
friend's next purchase counts again; where something stayed with one of the two, nothing is given a
second time.
"""

import msgspec
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from server.ledger import service as ledger
from server.ledger.service import Granted, Undone
from server.money import POINTS
from server.referrals import kinds, queries
from server.referrals.rewarding import CASHBACK, FRIEND, FRIENDS_CASHBACK, standings
from server.referrals.rules import ReferralState, rule_of
from server.referrals.views import ReferralView, change_of, view_of
from server.storage import sql
from server.storage.exchange import execute_each, fetch_each


class TakingBack(Struct, frozen=True):
    """How a return takes value back, from whom, and in which currency beside points."""

    journal: ledger.Journal
    policy: ledger.ReturnPolicy
    return_id: int
    friend_id: int
    currency: str


async def people_of(purchase_id: int) -> set[int]:
    """Whose accounts to lock before `take_back`: the inviter, and whoever was merged into them."""
    row = await queries.of_purchase(purchase_id)
    if row is None:
        return set()
    return {row[1], *await queries.merged_into(row[1])}


async def take_back(taking: TakingBack, purchase_id: int, *, eligible_minor: int) -> Undone:
    """Take back what the referral gave for the purchase, if less than its minimum is left, which is
    `eligible_minor`; how it was taken, from both and in all assets together."""
    row = await queries.of_purchase(purchase_id)
    if row is None:
        return Undone()
    view = view_of(row)
    _check_locked(taking.journal, view.inviter_id)
    terms = await kinds.accepted(view.programme, view.version)
    if eligible_minor >= max(1, terms.minimum_purchase_minor):
        return Undone()
    if view.state is not ReferralState.REWARDED:
        await sql.execute(queries.UPDATE_REFERRAL, *change_of(_waiting(view, view.state)))
        return Undone()
    grants = await ledger.granted_by([view.id])
    taken = await _undo_lots(taking, view, grants)
    state = ReferralState.RETURNED if taken.not_recovered else ReferralState.WAITING
    await sql.execute(queries.UPDATE_REFERRAL, *change_of(_waiting(view, state)))
    return taken + await _undo_milestones(taking, view)


def _check_locked(journal: ledger.Journal, inviter_id: int) -> None:
    try:
        journal.account(inviter_id, POINTS)
    except KeyError:
        # Merged just now: another attempt locks who it is.
        raise IntegrityError("the friend's inviter is another member now") from None


def _waiting(view: ReferralView, state: ReferralState) -> ReferralView:
    """The referral without the purchase; a returned one keeps it, as what it was about."""
    if state is ReferralState.RETURNED:
        return msgspec.structs.replace(view, state=state)
    return msgspec.structs.replace(
        view,
        state=state,
        purchase_id=None,
        purchase_day=None,
        granted_at=None,
        granted_month=None,
        available_at=None,
        is_capped=False,
        inviter_points=0,
        inviter_cashback_minor=0,
        friend_points=0,
        friend_cashback_minor=0,
    )


async def _undo_lots(taking: TakingBack, view: ReferralView, grants: list[Granted]) -> Undone:
    whose = {
        rule_of(view.programme): (view.inviter_id, POINTS),
        rule_of(view.programme, CASHBACK): (view.inviter_id, taking.currency),
        rule_of(view.programme, FRIEND): (taking.friend_id, POINTS),
        rule_of(view.programme, FRIENDS_CASHBACK): (taking.friend_id, taking.currency),
    }
    taken = Undone()
    for grant in grants:
        if grant.rule in whose and grant.undone < grant.amount:
            member_id, asset = whose[grant.rule]
            taken += await _undo(taking, member_id, asset, grant)
    return taken


async def _undo_milestones(taking: TakingBack, view: ReferralView) -> Undone:
    """Take back the milestones for more friends than the inviter has been rewarded for now."""
    friends = (await standings([view.inviter_id]))[view.inviter_id].friends
    (rows,) = await fetch_each([queries.milestones([view.inviter_id])])
    taken, states = Undone(), []
    for row in rows:
        milestone_id, programme, number, referral_id, state = row[0], row[2], row[3], row[5], row[6]
        if number <= friends or state != "granted" or view.is_capped:
            continue
        rule, undone = rule_of(programme, number), Undone()
        for grant in await ledger.granted_by([referral_id]):
            if grant.rule == rule and grant.undone < grant.amount:
                undone += await _undo(taking, view.inviter_id, POINTS, grant)
        states.append(("kept" if undone.not_recovered else "returned", milestone_id))
        taken += undone
    await execute_each([(queries.UPDATE_MILESTONE, states)])
    return taken


async def _undo(taking: TakingBack, member_id: int, asset: str, grant: Granted) -> Undone:
    return await ledger.undo(
        taking.journal,
        member_id,
        asset,
        grant.lot_id,
        grant.amount,
        policy=taking.policy,
        rule=grant.rule,
        reference=taking.return_id,
    )
