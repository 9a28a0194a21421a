"""Rewarding both for a referral: within a transaction that has locked the accounts of both.

What the friend buys is noted whatever is doubted, so that staff who decide later know of it.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from server import clock
from server.clock import Instant, LocalDay
from server.errors import InvalidInput
from server.ledger import service as ledger
from server.programme.granting import available_at, points_grant
from server.programme.service import PublishedProgramme
from server.referrals import doubting, kinds, queries, rules
from server.referrals.documents import ReferralProgramme
from server.referrals.rules import Doubt, ReferralState, Standing, rule_of
from server.referrals.views import ReferralView, change_of, view_of
from server.storage import outbox, sql
from server.storage.exchange import Written, fetch_each
from server.storage.ids import new_id

CASHBACK, FRIEND, FRIENDS_CASHBACK = "cashback", "friend", "friend-cashback"
"""What follows the key in the rules of lots that are not the inviter's points."""


class Granting(Protocol):
    """What takes grants: the ledger's journal."""

    def grant(self, member_id: int, grant: ledger.Grant) -> int | None:
        """Make one lot."""


class Bought(Struct, frozen=True):
    """A purchase of a friend's, as referrals look at it."""

    purchase_id: int
    occurred_at: Instant
    day: LocalDay
    eligible_minor: int
    published: PublishedProgramme


class _Occasion(Struct, frozen=True):
    """When a referral is rewarded, under which rules, after how many days it can be used, and who
    the friend is by then."""

    at: Instant
    pending_days: int
    published: PublishedProgramme
    friend_id: int


class Rewarding:
    """Some referrals on their way; made by `opened`."""

    def __init__(
        self,
        journal: Granting,
        referrals: Mapping[int, ReferralView],
        terms: Mapping[int, ReferralProgramme],
        judged: Mapping[int, tuple[ReferralState, tuple[Doubt, ...]]],
        standings: Mapping[int, Standing],
    ) -> None:
        self._journal = journal
        self._by_friend = dict(referrals)
        self._terms = terms
        self._judged = judged
        self._standings = standings
        self._changed: dict[int, ReferralView] = {}
        self._milestones: list[sql.Row] = []
        self._rewarded: list[tuple[int, Instant, dict[str, int | str]]] = []

    def count(self, friend_id: int, bought: Bought) -> int | None:
        """Note a purchase, and reward both if nothing is doubted; the referral that it counts for,
        if there is one."""
        view = self._by_friend.get(friend_id)
        if view is None or view.purchase_id is not None or view.state not in rules.OPEN:
            return None
        terms = self._terms[view.id]
        if not rules.counts(
            terms,
            eligible_minor=bought.eligible_minor,
            day=bought.day,
            accepted_day=view.accepted_day,
            enrolled_day=view.enrolled_day,
        ):
            return None
        noted = msgspec.structs.replace(
            view, purchase_id=bought.purchase_id, purchase_day=bought.day
        )
        if view.state is ReferralState.WAITING:
            state, doubts = self._judged.get(view.id, (ReferralState.WAITING, ()))
            if state is ReferralState.WAITING:
                occasion = _Occasion(
                    bought.occurred_at, terms.return_period_days, bought.published, friend_id
                )
                noted = self._reward(noted, bought.day, occasion)
            else:
                noted = msgspec.structs.replace(noted, state=state, doubts=doubts)
        self._keep(noted)
        return view.id

    def referral_of(self, friend_id: int) -> ReferralView:
        """The referral by which the friend came, as it stands."""
        return self._by_friend[friend_id]

    def reject(self, view: ReferralView, *, by: int, note: str, now: Instant) -> ReferralView:
        """Decide against a referral."""
        state = ReferralState.REJECTED
        return self._keep(
            msgspec.structs.replace(view, state=state, decided_by=by, decided_at=now, note=note)
        )

    def approve(
        self,
        view: ReferralView,
        published: PublishedProgramme,
        *,
        friend_id: int,
        by: int,
        note: str,
        now: Instant,
    ) -> ReferralView:
        """Decide for a referral: it is rewarded now, if the purchase is there, and else once it
        is. The friend's part goes to whom they were merged into, if they were. What is capped and
        when it can be used is reckoned by the purchase's day."""
        approved = msgspec.structs.replace(
            view, state=ReferralState.WAITING, decided_by=by, decided_at=now, note=note
        )
        if approved.purchase_day is not None:
            today = clock.local_day(now, published.programme.programme.timezone)
            usable_day = approved.purchase_day + self._terms[view.id].return_period_days
            occasion = _Occasion(now, max(0, usable_day - today), published, friend_id)
            approved = self._reward(approved, approved.purchase_day, occasion)
        return self._keep(approved)

    def _keep(self, view: ReferralView) -> ReferralView:
        self._by_friend[view.friend_id] = self._changed[view.id] = view
        return view

    def _reward(self, view: ReferralView, day: LocalDay, occasion: _Occasion) -> ReferralView:
        terms, standing = self._terms[view.id], self._standings[view.inviter_id]
        month = clock.month_of(day)
        is_capped = rules.is_capped(standing, month, terms.caps)
        friend_points = self._points(
            occasion.friend_id, terms.friend.points, view, occasion, suffix=FRIEND
        )
        friend_cashback = self._cashback(
            occasion.friend_id,
            terms.friend.cashback_minor,
            view,
            occasion,
            suffix=FRIENDS_CASHBACK,
        )
        inviter_points = inviter_cashback = 0
        if not is_capped:
            inviter_points = self._points(view.inviter_id, terms.inviter.points, view, occasion)
            inviter_cashback = self._cashback(
                view.inviter_id, terms.inviter.cashback_minor, view, occasion, suffix=CASHBACK
            )
            standing.by_month[month] = standing.by_month.get(month, 0) + 1
            reached = self._reach(view, occasion)
            self._note(view.inviter_id, occasion, view.id, "inviter", inviter_points + reached)
        self._note(occasion.friend_id, occasion, view.id, "friend", friend_points)
        zone = occasion.published.programme.programme.timezone
        return msgspec.structs.replace(
            view,
            state=ReferralState.REWARDED,
            granted_at=occasion.at,
            granted_month=month,
            available_at=available_at(occasion.at, occasion.pending_days, zone),
            is_capped=is_capped,
            inviter_points=inviter_points,
            inviter_cashback_minor=inviter_cashback,
            friend_points=friend_points,
            friend_cashback_minor=friend_cashback,
        )

    def _note(
        self, member_id: int, occasion: _Occasion, referral_id: int, role: str, points: int
    ) -> None:
        facts: dict[str, int | str] = {"referral_id": referral_id, "role": role, "points": points}
        self._rewarded.append((member_id, occasion.at, facts))

    def _reach(self, view: ReferralView, occasion: _Occasion) -> int:
        """Give the inviter the milestones that this friend makes them come to; the points."""
        standing, total = self._standings[view.inviter_id], 0
        for one in rules.reached(standing, self._terms[view.id].milestones):
            points = self._points(
                view.inviter_id, one.points, view, occasion, suffix=str(one.friends)
            )
            standing.milestones.add(one.friends)
            total += points
            self._milestones.append(
                (
                    new_id(),
                    view.inviter_id,
                    view.programme,
                    one.friends,
                    points,
                    view.id,
                    "granted",
                    occasion.at,
                )
            )
        return total

    def _points(
        self, member_id: int, points: int, view: ReferralView, occasion: _Occasion, suffix: str = ""
    ) -> int:
        grant = points_grant(
            occasion.published,
            points,
            occasion.at,
            reason=ledger.Reason.REFERRAL,
            rule=rule_of(view.programme, suffix),
            reference=view.id,
            pending_days=occasion.pending_days,
        )
        return self._give(member_id, grant)

    def _cashback(
        self, member_id: int, minor: int, view: ReferralView, occasion: _Occasion, *, suffix: str
    ) -> int:
        identity = occasion.published.programme.programme
        grant = ledger.Grant(
            asset=identity.currency,
            amount=minor,
            earned_at=occasion.at,
            available_at=available_at(occasion.at, occasion.pending_days, identity.timezone),
            expires_at=clock.NEVER,
            reason=ledger.Reason.REFERRAL,
            rule=rule_of(view.programme, suffix),
            programme_version=occasion.published.version,
            reference=view.id,
        )
        return self._give(member_id, grant)

    def _give(self, member_id: int, grant: ledger.Grant) -> int:
        """Make the lot; how much it has. An account that can hold no more gets nothing: nobody's
        purchase fails because of another member's riches."""
        try:
            return 0 if self._journal.grant(member_id, grant) is None else grant.amount
        except InvalidInput:
            return 0

    def writes(self) -> list[Written]:
        """What writes all this, beside the journal; the rewards are put as events."""
        for member_id, at, facts in self._rewarded:
            outbox.put("referral.rewarded", member_id, facts, occurred_at=at)
        changed = [change_of(view) for _id, view in sorted(self._changed.items())]
        return [
            (queries.UPDATE_REFERRAL, changed),
            (queries.INSERT_MILESTONE, self._milestones),
        ]


async def opened(journal: ledger.Journal, expected: Mapping[int, int]) -> Rewarding:
    """The referrals by id, each with the inviter whose accounts are locked, as they stand under the
    locks; without any no statement. Raises IntegrityError, for another attempt, if an inviter has
    become another member."""
    if not expected:
        return Rewarding(journal, {}, {}, {}, {})
    (rows,) = await fetch_each([queries.of_ids(expected)])
    views = [view_of(row) for row in rows]
    if any(view.inviter_id != expected[view.id] for view in views):
        raise IntegrityError("the friend's inviter is another member now")
    promised = await kinds.accepted_all((view.programme, view.version) for view in views)
    terms = {view.id: promised[view.programme, view.version] for view in views}
    judged = {
        view.id: await _judged(view, terms[view.id])
        for view in views
        if view.state is ReferralState.WAITING and view.decided_at is None
    }
    inviters = {view.inviter_id for view in views}
    return Rewarding(
        journal,
        {view.friend_id: view for view in views},
        terms,
        judged,
        await standings(inviters),
    )


async def _judged(
    view: ReferralView, terms: ReferralProgramme
) -> tuple[ReferralState, tuple[Doubt, ...]]:
    if view.inviter_id == view.friend_id:  # joined by staff since
        return ReferralState.BLOCKED, (Doubt.SAME_PERSON,)
    return await doubting.judged(view.friend_id, view.inviter_id, terms, view.accepted_at)


async def standings(inviter_ids: Collection[int]) -> dict[int, Standing]:
    """For how many friends each inviter was rewarded, and the milestones that they have."""
    found = {inviter_id: Standing({}, set()) for inviter_id in inviter_ids}
    months, milestones = await fetch_each(
        [queries.granted_by_month(inviter_ids), queries.milestones(inviter_ids)]
    )
    for inviter_id, month, count, *_amounts in months:
        found[inviter_id].by_month[month] = count
    for row in milestones:
        found[row[1]].milestones.add(row[3])
    return found
