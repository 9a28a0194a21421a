"""Why each line of a purchase earned what it did, and where it earned nothing, why not.

Points and cashback are rounded once for the whole purchase. A line's part of them is its share of
what was earned, by the largest remainder, so that the parts add up to the whole.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from server.challenges import service as challenges
from server.ledger import service as ledger
from server.money import PERCENT_PER_UNIT, split_in_proportion
from server.programme.document import Programme
from server.programme.service import PublishedProgramme, Rulebook
from server.purchases.keeping import OfferKept, offer_kept
from server.purchases.outcomes import EarnedRule
from server.purchases.reversal import LineState, amounts_left, cashback_kept, points_kept
from server.purchases.rules import Amounts
from server.purchases.stored import StoredPurchase, lines_of
from server.purchases.withdrawing import REWARDS


class LineRule(StrEnum):
    """A rule that looks at each line."""

    BASE = "BASE"  # points on eligible spend
    TIER = "TIER"  # what the tier makes of them
    CATEGORY = "CATEGORY"  # points on some departments
    CASHBACK = "CASHBACK"  # money on some departments


class Why(StrEnum):
    """Why a rule gave what it gave."""

    EARNED = "EARNED"  # the line has earned its share
    RETURNED = "RETURNED"  # all of the line was returned
    EXCLUDED = "EXCLUDED"  # the programme leaves such lines out
    NO_SPEND = "NO_SPEND"  # the line cost nothing, or less
    PAID_WITH_VALUE = "PAID_WITH_VALUE"  # all of it was paid with points, cashback or vouchers
    OTHER_DEPARTMENT = "OTHER_DEPARTMENT"  # the rule looks at other departments
    RULE_GIVES_NOTHING = "RULE_GIVES_NOTHING"  # the rule's rate, or the tier's extra, is zero
    TAKEN_OFF = "TAKEN_OFF"  # coupons took off all that would have earned
    CAP_REACHED = "CAP_REACHED"  # a cap of the programme was reached before
    ROUNDED_DOWN = "ROUNDED_DOWN"  # too little for a whole unit


class ChallengeWhy(StrEnum):
    """What a purchase did for a challenge."""

    COMPLETED = "COMPLETED"  # it completed the challenge
    WITHDRAWN = "WITHDRAWN"  # it completed it, and a return undid that
    COMPLETED_BEFORE = "COMPLETED_BEFORE"  # the period's reward was earned by another purchase
    NOT_COUNTED = "NOT_COUNTED"  # nothing in it counts for the challenge
    IN_PROGRESS = "IN_PROGRESS"  # it counts, and more is needed


class RuleShare(msgspec.Struct, frozen=True):
    """A line's part of what a rule gave: points, or minor units of cashback."""

    rule: LineRule
    amount: int
    why: Why


class ExplainedLine(msgspec.Struct, frozen=True):
    """A line, as far as it is not returned, and what it earned; money in minor units."""

    number: int  # from 0
    product_id: str
    department: str | None
    net_minor: int  # as bought
    returned_minor: int
    paid_minor: int  # with points, cashback and vouchers
    earning_minor: int  # what of it counts, before exclusions
    shares: tuple[RuleShare, ...]


class ExplainedChallenge(msgspec.Struct, frozen=True):
    """What a purchase did for a challenge."""

    challenge: str
    why: ChallengeWhy
    points: int  # that it gave, streaks included, and that were not taken back
    progress: int  # of the purchase's period, as it is now
    target: int


class ExplainedOffer(msgspec.Struct, frozen=True):
    """What an offer did for a purchase, as far as it is not returned."""

    offer: str
    version: int
    kept: OfferKept


class PurchaseExplanation(msgspec.Struct, frozen=True):
    """Why a purchase earned what it did. Money is in minor units of `currency`."""

    purchase: StoredPurchase
    programme_version: int
    tier: str
    multiplier_percent: int
    amounts: Amounts
    capped_minor: int
    lines: tuple[ExplainedLine, ...]
    challenges: tuple[ExplainedChallenge, ...]
    offers: tuple[ExplainedOffer, ...] = ()


async def explain(purchases: Sequence[StoredPurchase], book: Rulebook) -> list[PurchaseExplanation]:
    """Why the purchases have earned what they have, returns taken off, each by the rules of its own
    version; three statements, however many they are."""
    if not purchases:
        return []
    ids = [each.id for each in purchases]
    states = await lines_of(ids)
    versions = [book.numbered(each.programme_version) for each in purchases]
    progress = await challenges.progress_on(
        (each.member_id, published.programme, each.day(published))
        for each, published in zip(purchases, versions, strict=True)
    )
    granted: dict[int | None, list[ledger.Granted]] = {}
    for grant in await ledger.granted_by(ids):
        granted.setdefault(grant.reference, []).append(grant)
    return [
        _explained(each, published, states.get(each.id, []), counted, granted.get(each.id, []))
        for each, published, counted in zip(purchases, versions, progress, strict=True)
    ]


def _explained(
    purchase: StoredPurchase,
    published: PublishedProgramme,
    states: Sequence[LineState],
    progress: Sequence[challenges.PeriodProgress],
    granted: Sequence[ledger.Granted],
) -> PurchaseExplanation:
    programme, tier = published.programme, purchase.outcome.tier_before
    amounts = amounts_left(states, programme)
    kept = cashback_kept(amounts, programme, tier, first=purchase.outcome.cashback)
    return PurchaseExplanation(
        purchase=purchase,
        programme_version=published.version,
        tier=tier,
        multiplier_percent=next(
            level.multiplier_percent for level in programme.tiers.levels if level.name == tier
        ),
        amounts=amounts,
        capped_minor=kept.capped_minor,
        lines=explained_lines(purchase, states, programme),
        challenges=tuple(
            ExplainedChallenge(
                challenge=one.key,
                why=_why(one, purchase, amounts, granted),
                points=sum(
                    each.amount - each.undone
                    for each in granted
                    if each.rule == one.key and each.reason in REWARDS
                ),
                progress=one.progress,
                target=one.target,
            )
            for one in progress
        ),
        offers=tuple(
            ExplainedOffer(part.offer, part.version, offer_kept(part, states))
            for part in purchase.outcome.offers
        ),
    )


def explained_lines(
    purchase: StoredPurchase, states: Sequence[LineState], programme: Programme
) -> tuple[ExplainedLine, ...]:
    """Each line with its share of what each rule gave."""
    tier = purchase.outcome.tier_before
    amounts = amounts_left(states, programme)
    points = points_kept(amounts, programme, tier)
    kept = cashback_kept(amounts, programme, tier, first=purchase.outcome.cashback)
    totals = {
        LineRule.BASE: points.base,
        LineRule.TIER: points.tier,
        LineRule.CATEGORY: points.category,
        LineRule.CASHBACK: kept.accrued_minor,
    }
    shares = {
        rule: _shares(
            rule, total, states, programme, amounts, tier=tier, is_capped=kept.capped_minor > 0
        )
        for rule, total in totals.items()
    }
    return tuple(
        ExplainedLine(
            number=number,
            product_id=state.line.product_id,
            department=state.line.department,
            net_minor=state.net_minor,
            returned_minor=state.returned_minor,
            paid_minor=state.paid_minor,
            earning_minor=state.earning_minor(programme),
            shares=tuple(shares[rule][number] for rule in LineRule),
        )
        for number, state in enumerate(states)
    )


def _shares(
    rule: LineRule,
    total: int,
    states: Sequence[LineState],
    programme: Programme,
    amounts: Amounts,
    *,
    tier: str,
    is_capped: bool,
) -> list[RuleShare]:
    refused = [_refusal(rule, state, programme) for state in states]
    weights = [
        0 if why else max(0, state.earning_minor(programme))
        for state, why in zip(states, refused, strict=True)
    ]
    sign = -1 if total < 0 else 1
    parts = split_in_proportion(abs(total) if sum(weights) else 0, weights)
    spend = {LineRule.CATEGORY: amounts.bonus_minor, LineRule.CASHBACK: amounts.cashback_minor}
    nothing = (
        Why.RULE_GIVES_NOTHING
        if not _gives(rule, programme, tier)
        else Why.TAKEN_OFF
        if not spend.get(rule, amounts.eligible_minor)
        else Why.CAP_REACHED
        if rule is LineRule.CASHBACK and is_capped and not total
        else Why.ROUNDED_DOWN
    )
    return [
        RuleShare(rule, sign * part, why or (Why.EARNED if part else nothing))
        for part, why in zip(parts, refused, strict=True)
    ]


def _gives(rule: LineRule, programme: Programme, tier: str) -> bool:
    """Whether the rule gives members of the tier anything at all."""
    if rule is LineRule.TIER:
        levels = programme.tiers.levels
        return all(
            level.multiplier_percent != PERCENT_PER_UNIT for level in levels if level.name == tier
        )
    if rule is LineRule.CASHBACK:
        return programme.cashback.rate_for_tier_basis_points(tier) > 0
    rate = (
        programme.points.category_bonus[0] if rule is LineRule.CATEGORY else programme.points.base
    )
    return rate.points > 0


def _refusal(rule: LineRule, state: LineState, programme: Programme) -> Why | None:
    """Why the line can't earn by the rule, whatever the rest of the basket is; None if it can."""
    unknown = programme.data_source.unknown_label
    if state.net_minor <= 0:
        return Why.NO_SPEND
    if not state.minor_left:
        return Why.RETURNED
    if any(
        (getattr(state.line, match.field) or unknown) == match.equals
        for match in programme.excluded_lines
    ):
        return Why.EXCLUDED
    department = state.line.department or unknown
    departments = {
        LineRule.CATEGORY: programme.points.category_bonus[0].departments,
        LineRule.CASHBACK: programme.cashback.departments,
    }
    if rule in departments and department not in departments[rule]:
        return Why.OTHER_DEPARTMENT
    if not state.earning_minor(programme):
        return Why.PAID_WITH_VALUE
    return None


def _why(
    one: challenges.PeriodProgress,
    purchase: StoredPurchase,
    amounts: Amounts,
    granted: Sequence[ledger.Granted],
) -> ChallengeWhy:
    rewards = [
        each for each in granted if each.rule == one.key and each.reason is ledger.Reason.CHALLENGE
    ]
    has_completed = any(
        each.rule is EarnedRule.CHALLENGE and each.challenge == one.key
        for each in purchase.outcome.earned
    )
    if has_completed or rewards:
        is_withdrawn = any(each.undone == each.amount for each in rewards)
        return ChallengeWhy.WITHDRAWN if is_withdrawn else ChallengeWhy.COMPLETED
    if not amounts.eligible_minor and not amounts.departments:
        return ChallengeWhy.NOT_COUNTED
    if one.completed_at is not None and one.completed_at <= purchase.occurred_at:
        return ChallengeWhy.COMPLETED_BEFORE
    return ChallengeWhy.IN_PROGRESS
