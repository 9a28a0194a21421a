"""Counting tier, challenges and cashback of a member anew from the purchases that are theirs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from server import clock
from server.cashback import rebuilding as cashback
from server.challenges import rebuilding as challenges
from server.challenges.service import Counted, PurchaseFacts
from server.clock import NEVER, Instant
from server.ledger import service as ledger
from server.merging import models
from server.programme.service import PublishedProgramme, Rulebook
from server.purchases import queries
from server.purchases.models import PURCHASE_COLUMNS
from server.purchases.reversal import LineState, amounts_left, cashback_kept
from server.purchases.rules import Amounts
from server.purchases.stored import StoredPurchase, line_state, stored
from server.tiers import rebuilding as tiers

_IDS_PER_STATEMENT = 1000


@dataclass(frozen=True, slots=True)
class _Left:
    """A purchase, its version of the rules, and what is left of its basket."""

    purchase: StoredPurchase
    published: PublishedProgramme
    states: Sequence[LineState]
    amounts: Amounts

    @property
    def is_gone(self) -> bool:
        """Whether all of it that counts was returned."""
        counts = self.amounts.eligible_minor or self.amounts.departments
        return not counts and any(state.returned_minor for state in self.states)


async def rebuild(
    member_id: int,
    book: Rulebook,
    *,
    noted: Collection[tuple[str, int]],
    kept_points: Mapping[str, int],
) -> None:
    """Put the member's tier, challenges and cashback as their purchases make them, less what was
    returned. Nothing is granted.

    `noted` are the rewards that were noted before the purchases moved, as (challenge, purchase).
    The member's ledger accounts are locked by the caller.
    """
    bought = await _purchases(member_id, book)
    await tiers.rebuild(
        member_id,
        [
            tiers.Spend(
                each.published,
                each.purchase.occurred_at,
                each.purchase.eligible_minor - each.purchase.returned_eligible_minor,
            )
            for each in bought
        ],
        enrolled_at=await models.first_enrolled_at(member_id),
        book=book,
    )
    await challenges.rebuild(
        member_id,
        [_counted(each) for each in bought if not each.is_gone],
        rewarded={*noted, *await _rewarded([each.purchase.id for each in bought])},
        kept=kept_points,
    )
    await cashback.rebuild(member_id, [_accrued(each) for each in bought])


async def _purchases(member_id: int, book: Rulebook) -> list[_Left]:
    states: dict[int, list[LineState]] = {}
    for row in await queries.lines_between(member_id, Instant(-NEVER), NEVER):
        states.setdefault(row[2], []).append(line_state(row))
    bought: list[_Left] = []
    for row in await models.purchase_rows(member_id, PURCHASE_COLUMNS):
        purchase = stored(row)
        published = book.numbered(purchase.programme_version)
        own = states.get(purchase.id, [])
        bought.append(_Left(purchase, published, own, amounts_left(own, published.programme)))
    return bought


def _counted(each: _Left) -> Counted:
    day = each.purchase.day(each.published)
    facts = PurchaseFacts(
        each.purchase.occurred_at, day, each.amounts.eligible_minor, each.amounts.departments
    )
    return Counted(each.purchase.id, each.published.programme, facts)


def _accrued(each: _Left) -> cashback.Accrued:
    outcome, programme = each.purchase.outcome, each.published.programme
    kept = cashback_kept(each.amounts, programme, outcome.tier_before, first=outcome.cashback)
    day = clock.LocalDay(each.purchase.day(each.published))
    return cashback.Accrued(day, programme, kept.accrued_minor, kept.capped_minor)


async def _rewarded(purchase_ids: Sequence[int]) -> set[tuple[str, int]]:
    """(challenge, purchase) of the rewards that stand in the ledger."""
    rewarded: set[tuple[str, int]] = set()
    for start in range(0, len(purchase_ids), _IDS_PER_STATEMENT):
        grants = await ledger.granted_by(purchase_ids[start : start + _IDS_PER_STATEMENT])
        rewarded |= {
            (grant.rule, grant.reference)
            for grant in grants
            if grant.reason is ledger.Reason.CHALLENGE
            and grant.reference is not None
            and grant.undone < grant.amount
        }
    return rewarded
