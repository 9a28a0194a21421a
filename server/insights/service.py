"""The verbs of insights: what the programme has done, month by month and cohort by cohort.

Reports follow from the ledger, the recorded purchases and the clock: no job has to run before them.
They are for an instant at or after everything that is recorded. The number of statements depends
neither on the number of members nor on that of purchases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from server.cashback import service as cashback
from server.clock import Instant
from server.insights import rules
from server.insights.rules import Cell, Month, Span, TierCount
from server.ledger import service as ledger
from server.ledger.service import Flow
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.programme.document import Programme
from server.purchases import service as purchases
from server.purchases.service import PurchaseMonth
from server.rewards import service as rewards
from server.tiers import service as tiers

__all__ = ["Cell", "Month", "TierCount", "months", "retention"]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the other domains say about one month."""

    bought: PurchaseMonth
    new_members: int
    points: Flow
    points_to_date: Flow
    cashback_outstanding_minor: int
    accrued_minor: int
    capped_minor: int
    vouchers_issued: int
    members_by_tier: Mapping[str, int]
    terms: Programme  # that count at the month's last instant


async def months(at: Instant) -> list[Month]:
    """Every local month that has a purchase, ascending, as of the instant; seven statements.

    What is outstanding, and the tiers, are those at the month's last instant, or at `at` in the
    month in progress; the version of the programme that counts then says what points are worth and
    which tiers there are. The months are those of the time zone that counts at `at`.
    """
    bought = await purchases.months(at)
    if not bought:
        return []
    book = await programme.rulebook()
    zone = book.at(at).programme.programme.timezone
    spans = [rules.span_of(month.local_month, zone, at) for month in bought]
    terms = [book.at(Instant(span.end - 1)).programme for span in spans]
    facts = await _facts(bought, spans, terms, at)
    return [_month(each) for each in facts]


async def _facts(
    bought: list[PurchaseMonth], spans: list[Span], terms: list[Programme], at: Instant
) -> list[_Facts]:
    edges = rules.edges_of(spans)
    flows = await ledger.flows(edges)
    vouchers = await rewards.issued_counts(edges)
    accrued = {month: tuple(sums) for month, *sums in await cashback.month_sums()}
    enrolled = await members.enrolments_by_month(at)
    levels = await tiers.members_by_level(
        [(span.end, then) for span, then in zip(spans, terms, strict=True)]
    )
    to_date = {
        asset: list(accumulate(flows.get((asset, n), Flow()) for n in range(len(edges))))
        for asset in {POINTS, *(then.programme.currency for then in terms)}
    }
    facts: list[_Facts] = []
    for month, span, then, tally in zip(bought, spans, terms, levels, strict=True):
        number = edges.index(span.end)
        accrued_minor, capped_minor = accrued.get(month.local_month, (0, 0))
        facts.append(
            _Facts(
                bought=month,
                new_members=enrolled.get(month.local_month, 0),
                points=flows.get((POINTS, number), Flow()),
                points_to_date=to_date[POINTS][number],
                cashback_outstanding_minor=to_date[then.programme.currency][number].net,
                accrued_minor=accrued_minor,
                capped_minor=capped_minor,
                vouchers_issued=vouchers.get(number, 0),
                members_by_tier=tally,
                terms=then,
            )
        )
    return facts


def _month(facts: _Facts) -> Month:
    bought, points, to_date = facts.bought, facts.points, facts.points_to_date
    return Month(
        local_month=bought.local_month,
        new_members=facts.new_members,
        active_members=bought.active_members,
        repeat_members=bought.repeat_members,
        purchases=bought.purchases,
        net_minor=bought.net_minor,
        eligible_minor=bought.eligible_minor,
        repeat_purchase_rate=rules.rate(bought.repeat_members, bought.active_members),
        purchase_frequency=rules.rate(bought.purchases, bought.active_members),
        average_basket_minor=rules.rate(bought.net_minor, bought.purchases),
        points_earned=points.granted,
        points_redeemed=points.redeemed,
        points_expired=points.expired,
        points_outstanding=to_date.net,
        vouchers_issued=facts.vouchers_issued,
        cashback_accrued_minor=facts.accrued_minor,
        cashback_capped_minor=facts.capped_minor,
        cashback_outstanding_minor=facts.cashback_outstanding_minor,
        liability_minor=rules.liability_minor(
            to_date.net,
            facts.cashback_outstanding_minor,
            point_value_minor_per_1000=facts.terms.liability.point_value_minor_per_1000,
        ),
        redemption_rate=rules.rate(to_date.redeemed, to_date.granted),
        breakage_rate=rules.rate(to_date.expired, to_date.granted),
        members_by_tier=tuple(
            TierCount(tier, count) for tier, count in facts.members_by_tier.items()
        ),
    )


async def retention(at: Instant) -> list[Cell]:
    """A cell for each month with enrolments and each month from it on that has a purchase, as of
    the instant, in this order; two statements."""
    enrolled = await members.enrolments_by_month(at)
    return rules.retention(enrolled, await purchases.active_by_cohort(at))
