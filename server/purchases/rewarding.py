"""What one purchase brings: it is held against every rule, and what it earns is granted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from server import clock
from server.cashback import service as cashback
from server.challenges import service as challenges
from server.clock import LocalDay
from server.enrolment import service as enrolment
from server.ledger import service as ledger
from server.programme.service import Rulebook
from server.purchases import rules
from server.purchases.accepted import Accepted
from server.purchases.outcomes import (
    CashbackAccrued,
    EarnedPoints,
    EarnedRule,
    OfferPart,
    RecordedPurchase,
)
from server.storage.exchange import Written, fetch_each
from server.storage.ids import new_id
from server.tiers import service as tiers

PURCHASE_RULE = "purchase"
CASHBACK_RULE = "cashback"
_PURCHASE, _CASHBACK = ledger.Reason.PURCHASE, ledger.Reason.CASHBACK
_BASE, _TIER, _CATEGORY = EarnedRule.BASE, EarnedRule.TIER, EarnedRule.CATEGORY


class Granting(Protocol):
    """What takes grants: the ledger's journal, or nobody, while it is only reckoned."""

    def grant(self, member_id: int, grant: ledger.Grant) -> int | None:
        """Make one lot."""


@dataclass(frozen=True, slots=True)
class Rewarding:
    """How the members of a batch stand, from purchase to purchase."""

    journal: Granting
    levels: tiers.Counting
    accruing: cashback.Accruing
    progress: challenges.Counting

    def reward(self, each: Accepted, is_new: bool, welcome: list[EarnedPoints]) -> RecordedPurchase:
        """Grant what the purchase earns, after the welcome points of a member who is new."""
        purchase_id = new_id()
        draft, published, amounts = each.submission.draft, each.published, each.amounts
        tier = self.levels.count(
            each.member_id, published, draft.occurred_at, amounts.eligible_minor
        )
        points = rules.points_of(amounts, published.programme, tier.before.multiplier_percent)
        earned = welcome + self._grant_points(each, points, purchase_id)
        accrued = self._accrue(each, purchase_id, tier=tier.before.name)
        for part in each.submission.offers:
            earned += self._grant_offer(each, part, purchase_id, accrued)
        facts = challenges.PurchaseFacts(
            draft.occurred_at, each.day, amounts.eligible_minor, amounts.departments
        )
        for completion in self.progress.count(
            each.member_id, published.programme, facts, purchase_id=purchase_id
        ):
            earned.append(self._grant_completion(each, completion, purchase_id))
        return RecordedPurchase(
            purchase_id=purchase_id,
            external_id=draft.external_id,
            member_id=each.member_id,
            enrolled=is_new,
            programme_version=published.version,
            currency=each.terms.currency,
            digits=each.terms.digits,
            net_minor=amounts.net_minor,
            eligible_minor=amounts.eligible_minor,
            points=sum([one.points for one in earned]),
            earned=tuple(earned),
            cashback=accrued,
            tier_before=tier.before.name,
            tier_after=tier.after,
            paid_minor=sum(each.paid),
            offers=each.submission.offers,
        )

    def _grant_points(
        self, each: Accepted, points: rules.PurchasePoints, purchase_id: int
    ) -> list[EarnedPoints]:
        grant = enrolment.points_grant(
            each.published,
            points.total,
            each.submission.draft.occurred_at,
            reason=_PURCHASE,
            rule=PURCHASE_RULE,
            reference=purchase_id,
            pending_days=each.published.programme.points.purchase_pending_days,
        )
        self.journal.grant(each.member_id, grant)
        parts = ((_BASE, points.base), (_TIER, points.tier), (_CATEGORY, points.category))
        return [earned_by(rule, grant, points=part) for rule, part in parts if part]

    def _accrue(self, each: Accepted, purchase_id: int, *, tier: str) -> CashbackAccrued:
        rules_then, at = each.published.programme, each.submission.draft.occurred_at
        accrual = self.accruing.accrue(
            each.member_id, each.day, each.amounts.cashback_minor, rules_then, tier=tier
        )
        available_at = enrolment.available_at(at, rules_then.cashback.pending_days, each.terms.zone)
        if accrual.accrued_minor:
            self.journal.grant(
                each.member_id,
                ledger.Grant(
                    asset=each.terms.currency,
                    amount=accrual.accrued_minor,
                    earned_at=at,
                    available_at=available_at,
                    expires_at=clock.NEVER,
                    reason=_CASHBACK,
                    rule=CASHBACK_RULE,
                    programme_version=each.published.version,
                    reference=purchase_id,
                ),
            )
        return CashbackAccrued(accrual.accrued_minor, accrual.capped_minor, available_at)

    def _grant_offer(
        self, each: Accepted, part: OfferPart, purchase_id: int, accrued: CashbackAccrued
    ) -> list[EarnedPoints]:
        """Grant an offer's points and cashback, each in a lot of its own that waits and lasts as
        what the programme's rules give for the purchase."""
        at = each.submission.draft.occurred_at
        if part.cashback_minor:
            self.journal.grant(
                each.member_id,
                ledger.Grant(
                    asset=each.terms.currency,
                    amount=part.cashback_total_minor,
                    earned_at=at,
                    available_at=accrued.available_at,
                    expires_at=clock.NEVER,
                    reason=ledger.Reason.OFFER,
                    rule=part.offer,
                    programme_version=each.published.version,
                    reference=purchase_id,
                ),
            )
        if not part.points:
            return []
        grant = enrolment.points_grant(
            each.published,
            part.points_total,
            at,
            reason=ledger.Reason.OFFER,
            rule=part.offer,
            reference=purchase_id,
            pending_days=each.published.programme.points.purchase_pending_days,
        )
        self.journal.grant(each.member_id, grant)
        return [earned_by(EarnedRule.OFFER, grant, offer=part.offer)]

    def _grant_completion(
        self, each: Accepted, completion: challenges.Completion, purchase_id: int
    ) -> EarnedPoints:
        streak = completion.is_streak
        grant = enrolment.points_grant(
            each.published,
            completion.points,
            each.submission.draft.occurred_at,
            reason=ledger.Reason.STREAK if streak else ledger.Reason.CHALLENGE,
            rule=completion.challenge,
            reference=purchase_id,
        )
        self.journal.grant(each.member_id, grant)
        rule = EarnedRule.STREAK if streak else EarnedRule.CHALLENGE
        return earned_by(rule, grant, challenge=completion.challenge)

    def writes(self) -> list[Written]:
        """What writes how the members stand, beside the journal."""
        return [*self.levels.writes(), *self.accruing.writes(), *self.progress.writes()]


def earned_by(
    rule: EarnedRule,
    grant: ledger.Grant,
    *,
    points: int | None = None,
    challenge: str | None = None,
    offer: str | None = None,
) -> EarnedPoints:
    """The points of a grant, or the part of them that one rule gave."""
    return EarnedPoints(
        rule,
        grant.amount if points is None else points,
        challenge,
        grant.available_at,
        grant.expires_at,
        offer,
    )


async def opened(accepted: Sequence[Accepted], book: Rulebook, journal: Granting) -> Rewarding:
    """Everything that the rules need to know of the purchases' members, in one exchange. The
    members' ledger accounts are locked, unless it is only reckoned."""
    days: dict[int, list[LocalDay]] = {}
    for each in accepted:
        days.setdefault(each.member_id, []).append(each.day)
    on = {each.day for each in accepted}
    versions = {each.published.version: each.published for each in accepted}.values()
    opening = cashback.Opening(days, on, [one.programme for one in versions])
    months = len(opening.asked)
    states, *found = await fetch_each(
        [tiers.states_asked(days), *opening.asked, *challenges.counting_asked(days, on)]
    )
    return Rewarding(
        journal=journal,
        levels=await tiers.counting(days, versions, book, states=states),
        accruing=opening.opened(found[:months]),
        progress=challenges.counting(found[months:]),
    )
