"""Placing an order: points for units of a reward, as long as there are any.

Whoever orders locks the accounts of those who pay, then the line of the drop that the unit is of,
and last the reward's stock, whose row is what all orders of the reward have in common: it is
held only until the commit that follows.
"""

import msgspec

from server.catalogue import errors, funding, kinds, models, queries, rules
from server.catalogue.audiences import standing_of
from server.catalogue.documents import Fulfilment, RewardDocument, Voucher, kind_name
from server.catalogue.errors import NotYetOpen, OutOfStock
from server.catalogue.lines import TakenPlace, take
from server.catalogue.rules import OrderStatus
from server.catalogue.views import OrderView, put_changed
from server.clock import NEVER, Instant
from server.definitions import service as definitions
from server.definitions.service import Published
from server.errors import LimitReached, NotAllowed
from server.ledger import service as ledger
from server.money import POINTS
from server.programme import service as programme
from server.programme.document import Programme
from server.rewards import service as rewards
from server.rewards.service import VoucherView
from server.storage import sql
from server.storage.exchange import execute_each
from server.storage.ids import new_id

_MOST = 2**62


class Wish(msgspec.Struct, frozen=True):
    """What is to be ordered, and by whom: `by` is the caller's name."""

    member_id: int
    reward_key: str
    quantity: int
    by: str
    from_household: bool = False
    drop_key: str | None = None


class Ordered(msgspec.Struct, frozen=True):
    """An order as it was first answered."""

    order: OrderView
    points_available_after: int


async def place_order(wish: Wish, *, now: Instant) -> Ordered:
    """Order units of a reward for a member's points, or for those of their household.

    Writes; call it inside a transaction. Raises NotFound, InvalidInput for the quantity,
    NotYetOpen, NotAllowed once it has ended or where it is to be had in drops alone, NotInAudience,
    LimitReached for the member's own limit, InsufficientPoints or OutOfStock. Of a drop its own
    times count, and not those of the reward.
    """
    terms = (await programme.rulebook()).at(now).programme
    live = (await definitions.shelves()).of("reward").live(now)
    published = live.by_key.get(wish.reward_key)
    if published is None:
        raise errors.unknown_reward()
    await _check(wish, published.document, terms, now)
    payers = await rewards.pool(wish.member_id, from_household=wish.from_household)
    async with ledger.journal(payers, [POINTS], recorded_at=now) as journal:
        await _check_limit(wish, published.document)
        place = None
        if wish.drop_key is not None:
            place = await take(wish.drop_key, wish.member_id, now=now)
        present = await rewards.locked_pool(
            payers, wish.member_id, from_household=wish.from_household
        )
        order = _order(wish, published, terms, now, place)
        left = await journal.spend(
            present,
            POINTS,
            order.points,
            cause=ledger.Cause(ledger.Reason.ORDER, rewards.ORDER_RULE, order.id),
        )
        await _write(order, published.document, terms)
    return Ordered(order, left)


async def _check(wish: Wish, document: RewardDocument, terms: Programme, now: Instant) -> None:
    """Whether the member may order it, whatever they have."""
    rules.check_quantity(wish.quantity, document)
    if wish.drop_key is None:
        _check_open(document, terms.programme.timezone, now)
    standing = (await standing_of([wish.member_id], [document.audience], now))[wish.member_id]
    if not rules.is_in_audience(document.audience, tier=standing.tier, segments=standing.segments):
        raise rules.not_in_audience(document.audience, path=("rewardKey",))


def _check_open(document: RewardDocument, zone_name: str, now: Instant) -> None:
    """Whether it can be ordered now, outside of drops."""
    path = ("rewardKey",)
    if document.by_drop_only:
        raise NotAllowed("reward.by_drop_only", path=path)
    opens_at = kinds.start_of(document.valid_from, zone_name)
    if now < opens_at:
        raise NotYetOpen("reward.not_yet", opens_at=opens_at, path=path)
    if now >= kinds.end_of(document.valid_to, zone_name):
        raise NotAllowed("reward.ended", path=path)


async def _check_limit(wish: Wish, document: RewardDocument) -> None:
    """Within the member's own limit; their accounts are locked, so nobody orders besides."""
    if document.per_member is None:
        return
    left = document.per_member - await queries.units_of(wish.member_id, wish.reward_key)
    if wish.quantity > left:
        raise LimitReached(
            "reward.member_limit", limit=document.per_member, left=left, path=("quantity",)
        )


def _order(
    wish: Wish,
    published: Published,
    terms: Programme,
    now: Instant,
    place: TakenPlace | None,
) -> OrderView:
    document: RewardDocument = published.document
    zone_name = terms.programme.timezone
    is_instant = document.fulfilment is Fulfilment.INSTANT
    return OrderView(
        id=new_id(),
        member_id=wish.member_id,
        reward_key=wish.reward_key,
        reward_version=published.version,
        kind=kind_name(document.what),
        quantity=wish.quantity,
        points=document.price.points * wish.quantity,
        money_minor=document.price.money_minor * wish.quantity,
        currency=terms.programme.currency,
        digits=terms.programme.minor_unit_digits,
        status=OrderStatus.DELIVERED if is_instant else OrderStatus.ISSUED,
        fulfilment=document.fulfilment.value,
        code=rewards.new_code(),
        ordered_at=now,
        expires_at=rules.expires_at(document.voucher_valid_days, now, zone_name),
        refund_until=kinds.end_of(document.refund_until, zone_name),
        place_id=None if place is None else place.id,
        ready_at=None,
        delivered_at=now if is_instant else None,
        cancelled_at=None,
        paid_at=None,
        changed_by=wish.by,
    )


async def _write(order: OrderView, document: RewardDocument, terms: Programme) -> None:
    """Write the order, who pays for it, its voucher if it is one, and last what it takes from the
    stock."""
    row = msgspec.structs.astuple(order)
    owed = await funding.noted(order, document, terms)
    await execute_each([(models.INSERT_ORDER, [row]), *owed])
    put_changed(order, at=order.ordered_at)
    if isinstance(document.what, Voucher):
        value_minor = document.what.value_minor * order.quantity
        await rewards.issue(
            VoucherView(
                id=order.id,
                member_id=order.member_id,
                code=order.code,
                points=order.points,
                value_minor=value_minor,
                currency=order.currency,
                digits=order.digits,
                issued_at=order.ordered_at,
                status="issued",
                remaining_minor=value_minor,
                expires_at=None if order.expires_at == NEVER else order.expires_at,
            )
        )
    stock = _MOST if document.stock is None else document.stock
    # The first order finds no row to compare with: it is compared here.
    fits = order.quantity <= stock
    if not fits or not await sql.execute(models.SELL, order.reward_key, order.quantity, stock):
        left = stock - await queries.sold(order.reward_key)
        raise OutOfStock("reward.out_of_stock", limit=stock, left=max(0, left), path=("quantity",))
