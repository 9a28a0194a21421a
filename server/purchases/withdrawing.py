"""Undoing the rewards of challenges that no longer hold when a purchase is returned.

What a withdrawn reward leaves with the member, because the programme's policy lets it go or because
it had been kept before, is taken off the next rewards of the challenge: completing it again never
mints.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from server import clock
from server.challenges import service as challenges
from server.challenges.service import Counted, PurchaseFacts, Recounting, Withdrawn
from server.clock import Instant
from server.ledger import service as ledger
from server.ledger.service import Granted, Undone
from server.money import POINTS
from server.programme.service import PublishedProgramme, Rulebook
from server.purchases.outcomes import EarnedRule
from server.purchases.return_outcomes import ReversedPoints, WithdrawnChallenge
from server.purchases.reversal import LineState, amounts_left
from server.purchases.stored import Standing, StoredPurchase, bought_between

_ZONES_APART = 2 * 86_400 * clock.MICROSECONDS_PER_SECOND
"""No two time zones' calendars are further apart; versions may have different ones."""


REWARDS = frozenset({ledger.Reason.CHALLENGE, ledger.Reason.STREAK})
"""What of these can't be recovered is taken off the challenge's next reward."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """How a return takes value back."""

    journal: ledger.Journal
    member_id: int
    family: Collection[int]  # the member, and who was merged into them: whose lots these may be
    policy: ledger.ReturnPolicy
    return_id: int

    async def undo(self, grant: Granted, asset: str, amount: int) -> Undone:
        """Undo a part of a grant."""
        return await ledger.undo(
            self.journal,
            self.member_id,
            asset,
            grant.lot_id,
            amount,
            policy=self.policy,
            rule=grant.rule,
            reference=self.return_id,
            is_settled_by_caller=grant.reason in REWARDS,
        )


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What was withdrawn, and how the points of the rewards were taken."""

    withdrawn: tuple[WithdrawnChallenge, ...]
    reversed: tuple[ReversedPoints, ...]
    taken: Undone


async def withdraw(
    undoing: Undoing,
    purchase: StoredPurchase,
    published: PublishedProgramme,
    book: Rulebook,
    *,
    after: Sequence[LineState],
) -> Withdrawal:
    """Count the challenges of the purchase's periods anew, `after` being what is left of its
    lines, and undo the rewards of those that no longer hold."""
    day, zone = purchase.day(published), published.programme.programme.timezone
    first, end = challenges.periods_of(published.programme, day)
    bought = await bought_between(
        purchase.member_id,
        Instant(clock.start_of_day(first, zone) - _ZONES_APART),
        Instant(clock.start_of_day(end, zone) + _ZONES_APART),
        book,
    )
    recounting = await challenges.recounting(purchase.member_id, day)
    withdrawn = recounting.recount(
        published.programme,
        _counted(bought, purchase.id, after),
        {each.purchase_id: each.published.programme for each in bought},
    )
    rewards = _Rewards(undoing, recounting)
    results = [await rewards.undo(each, zone) for each in withdrawn]
    await recounting.flush()
    taken = Undone()
    for _, undone in results:
        taken += undone
    return Withdrawal(
        tuple(shown for shown, _ in results),
        tuple(
            ReversedPoints(
                EarnedRule.STREAK if shown.is_streak else EarnedRule.CHALLENGE,
                shown.points,
                shown.challenge,
            )
            for shown, _ in results
            if shown.points
        ),
        taken,
    )


def _counted(
    bought: Sequence[Standing], purchase_id: int, after: Sequence[LineState]
) -> list[Counted]:
    """The purchases of which something is left that counts, or which never had any such thing."""
    counted: list[Counted] = []
    for each in bought:
        states = after if each.purchase_id == purchase_id else each.states
        programme = each.published.programme
        amounts = amounts_left(states, programme)
        facts = PurchaseFacts(
            each.occurred_at,
            clock.local_day(each.occurred_at, programme.programme.timezone),
            amounts.eligible_minor,
            amounts.departments,
        )
        is_gone = any(state.returned_minor for state in states) and not (
            facts.eligible_minor or facts.departments
        )
        if not is_gone:
            counted.append(Counted(each.purchase_id, programme, facts))
    return counted


class _Rewards:
    """The lots of withdrawn rewards, each undone once."""

    def __init__(self, undoing: Undoing, recounting: Recounting) -> None:
        self._undoing = undoing
        self._recounting = recounting
        self._undone: set[int] = set()

    async def undo(self, gone: Withdrawn, zone: str) -> tuple[WithdrawnChallenge, Undone]:
        """Undo the reward; what it left with the member is kept in mind."""
        grant = await (self._streak_lot(gone, zone) if gone.is_streak else self._lot(gone))
        undone, granted = Undone(), 0
        if grant is not None:
            self._undone.add(grant.lot_id)
            granted = grant.amount
            undone = await self._undoing.undo(grant, POINTS, grant.amount)
        for twin in await self._twins(gone, zone):
            self._undone.add(twin.lot_id)
            undone += await self._undoing.undo(twin, POINTS, twin.amount)
        if grant is not None or self._was_withheld(gone):
            stayed = max(0, gone.points - granted) + undone.not_recovered
            self._recounting.keep(gone.challenge, stayed)
        start = clock.start_of_day(gone.period_start, zone)
        return WithdrawnChallenge(gone.challenge, gone.is_streak, start, undone.amount), undone

    async def _twins(self, gone: Withdrawn, zone: str) -> list[Granted]:
        """All else that was given for the same completion: two memberships that were merged once
        may each have been rewarded for it, and nothing upholds the other reward either."""
        if gone.is_streak and gone.streaks_left:
            return []
        reason = ledger.Reason.STREAK if gone.is_streak else ledger.Reason.CHALLENGE
        first = clock.start_of_day(gone.first_period, zone)
        end = clock.start_of_day(gone.next_period_start, zone)
        grants = await ledger.granted_under(self._undoing.family, reason, gone.challenge)
        return [
            grant
            for grant in grants
            if grant.lot_id not in self._undone and first <= grant.earned_at < end
        ]

    def _was_withheld(self, gone: Withdrawn) -> bool:
        """Whether a reward without a lot was taken off for what had been kept before: what two
        memberships complete only together was never rewarded."""
        if gone.is_streak:
            return len(self._undoing.family) == 1
        return gone.rewarded_by is not None

    async def _lot(self, gone: Withdrawn) -> Granted | None:
        if gone.rewarded_by is None:
            return None
        grants = await ledger.granted_by([gone.rewarded_by])
        return next(
            (
                grant
                for grant in grants
                if (grant.reason, grant.rule) == (ledger.Reason.CHALLENGE, gone.challenge)
            ),
            None,
        )

    async def _streak_lot(self, gone: Withdrawn, zone: str) -> Granted | None:
        """The latest lot of the run's streaks; one of before the run, or else of after it, if its
        periods were in another run when it was given."""
        grants = await ledger.granted_under(
            self._undoing.family, ledger.Reason.STREAK, gone.challenge
        )
        first = clock.start_of_day(gone.first_period, zone)
        end = clock.start_of_day(gone.next_period_start, zone)

        def distance(grant: Granted) -> int:
            if first <= grant.earned_at < end:
                return 0
            return 1 if grant.earned_at < first else 2

        left = [grant for grant in grants if grant.lot_id not in self._undone]
        return min(left, key=distance, default=None)  # of equals the latest, which comes first
