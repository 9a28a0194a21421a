"""Who pays for what is ordered, and what partners are owed for what they give.

An order costs what it is worth: a voucher its value, something of a partner's what the document
says that the partner is owed for it, everything else what its points are worth in the books. That
is borne by those of the reward's `funding`, and the rest by the operator; a partner who gives it is
owed all of it, so that what it funds itself is taken off.
"""

from server.catalogue.documents import PartnerReward, RewardDocument, Voucher
from server.catalogue.views import OrderView
from server.clock import Instant
from server.definitions import service as definitions
from server.money import POINTS
from server.partners import rules
from server.partners import service as partners
from server.programme import service as programme
from server.programme.document import Programme
from server.storage.exchange import Written

_SOURCE = "reward"


async def noted(order: OrderView, document: RewardDocument, terms: Programme) -> list[Written]:
    """What notes it of a new order, to be written with it; nothing if no partner is concerned."""
    given_by = await _owed(document, order.ordered_at)
    reward = partners.Reward(
        member_id=order.member_id,
        source=_SOURCE,
        rule=_rule(order),
        reference=order.id,
        asset=POINTS,
        amount=order.points,
        value_minor=_value_minor(order, document, terms),
        shares=document.funding,
        occurred_at=order.ordered_at,
        given_by=given_by,
    )
    return partners.entries([reward], terms, recorded_at=order.ordered_at)


async def note_cancelled(order: OrderView, *, now: Instant) -> None:
    """Note that nothing of the order is left, in the month in which it is cancelled. Writes; call
    it inside a transaction."""
    shelf = (await definitions.shelves()).of("reward")
    document: RewardDocument = shelf.numbered(order.reward_key, order.reward_version).document
    what = document.what
    given_by = what.partner if isinstance(what, PartnerReward) else None
    if not document.funding and given_by is None:
        return
    await partners.undo(
        [partners.Left(_SOURCE, _rule(order), 0, 0, document.funding, given_by)],
        member_id=order.member_id,
        reference=order.id,
        programme=(await programme.rulebook()).at(now).programme,
        occurred_at=now,
        recorded_at=now,
    )


def _rule(order: OrderView) -> str:
    return f"reward:{order.reward_key}"


async def _owed(document: RewardDocument, now: Instant) -> str | None:
    """The partner who gives it, if the operator owes it anything for that."""
    what = document.what
    if not isinstance(what, PartnerReward):
        return None
    partner = (await partners.partners(now)).get(what.partner)
    return what.partner if partner is not None and partner.is_reimbursed else None


def _value_minor(order: OrderView, document: RewardDocument, terms: Programme) -> int:
    what = document.what
    if isinstance(what, Voucher):
        return what.value_minor * order.quantity
    if isinstance(what, PartnerReward) and what.cost_minor is not None:
        return what.cost_minor * order.quantity
    return rules.points_value_minor(
        order.points, point_value_minor_per_1000=terms.liability.point_value_minor_per_1000
    )
