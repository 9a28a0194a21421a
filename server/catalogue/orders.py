"""What becomes of orders: made ready, delivered, paid for, cancelled.

What writes runs inside `sql.transaction()` and changes an order only from what it finds with the
order's row locked: of two who decide at once, one does.
"""

import msgspec

from server.catalogue import errors, funding, models, rules
from server.catalogue.documents import Fulfilment
from server.catalogue.lines import free
from server.catalogue.rules import OrderStatus
from server.catalogue.views import OrderReference, OrderView, found, locked, put_changed
from server.clock import Instant
from server.errors import DomainError, NotAllowed
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.rewards import service as rewards
from server.storage import changes, sql
from server.storage.ids import new_id


async def mark_ready(reference: OrderReference, *, by: str, now: Instant) -> OrderView:
    """Say that an order can be picked up, or is on its way. Raises NotFound or AlreadyDecided."""
    order = await locked((await found(reference)).id)
    _check(order, OrderStatus.READY, reference)
    changed = await _change(order, status=OrderStatus.READY, ready_at=now, changed_by=by)
    put_changed(changed, at=now)
    return changed


async def mark_delivered(reference: OrderReference, *, by: str, now: Instant) -> OrderView:
    """Say that the member has what they ordered.

    Raises NotFound, AlreadyDecided, or NotAllowed while money is to be paid for it, or once its
    code has lapsed.
    """
    order = await locked((await found(reference)).id)
    _check(order, OrderStatus.DELIVERED, reference)
    if order.money_minor and order.paid_at is None:
        raise NotAllowed("reward_order.unpaid", path=reference.path)
    if order.expires_at <= now:
        raise NotAllowed("reward_order.expired", path=reference.path)
    changed = await _change(order, status=OrderStatus.DELIVERED, delivered_at=now, changed_by=by)
    put_changed(changed, at=now)
    return changed


async def mark_paid(reference: OrderReference, *, by: str, now: Instant) -> OrderView:
    """Say that the money that an order costs beside its points was paid at the counter.

    Raises NotFound, or AlreadyDecided if it was paid before, costs none, or was cancelled.
    """
    order = await locked((await found(reference)).id)
    if order.status is OrderStatus.CANCELLED:
        raise errors.decided(order.status.value, reference.path)
    if not order.money_minor or order.paid_at is not None:
        raise errors.paid(reference.path)
    return await _change(order, paid_at=now, changed_by=by)


def _check(order: OrderView, to: OrderStatus, reference: OrderReference) -> None:
    is_instant = order.fulfilment == Fulfilment.INSTANT.value
    rules.check_transition(order.status, to, is_instant=is_instant, path=reference.path)


async def _change(order: OrderView, **known: object) -> OrderView:
    changed = msgspec.structs.replace(order, **known)
    await sql.execute(
        models.UPDATE_ORDER,
        changed.status.value,
        changed.ready_at,
        changed.delivered_at,
        changed.cancelled_at,
        changed.paid_at,
        changed.changed_by,
        order.id,
    )
    changes.note(changes.MEMBER, order.member_id)
    return changed


# ---------------------------------------------------------------- cancelling


async def cancel(reference: OrderReference, *, by: str, now: Instant) -> OrderView:
    """Cancel an order: its points go back to the lots that they came from, with their own expiry,
    or for the programme's days of grace if that has passed; its units go back to the stock, and its
    unit of a drop to the line. Money that was paid for it is noted for the shop to give back.

    Of a member's own (`reference.of_member`) only while it is issued and not theirs at once. What
    was delivered at once can be cancelled by the shop: a voucher, while nothing of it was used.
    Raises NotFound, AlreadyDecided, or NotAllowed for these, or after the reward's last day for it.
    """
    order = await found(reference)
    _check_cancelling(order, reference, now)
    if order.kind == "voucher":
        await _cancel_voucher(order, reference, now)
        return await _cancelled(await locked(order.id), reference, by=by, now=now)
    owners = {*await ledger.users(order.id), order.member_id}
    concerned = owners | set((await members.survivors(owners)).values())
    async with ledger.journal(concerned, [POINTS], recorded_at=now) as journal:
        present, heirs = await locked(order.id), await members.survivors(concerned)
        cancelled = await _cancelled(present, reference, by=by, now=now)
        await ledger.restore(
            journal,
            order.id,
            order.points,
            side=ledger.Side.REDEEMED,
            rule=rewards.ORDER_RULE,
            restored_by=new_id(),
            grace_expires_at=rewards.grace_expires_at((await programme.rulebook()).at(now), now),
            heirs=heirs,
        )
    return cancelled


async def _cancel_voucher(order: OrderView, reference: OrderReference, now: Instant) -> None:
    voucher = rewards.VoucherReference(id=order.id)
    try:
        await rewards.cancel_redemption(voucher, now=now, with_order=True)
    except DomainError as refusal:
        refusal.path = reference.path
        raise


def _check_cancelling(order: OrderView, reference: OrderReference, now: Instant) -> None:
    _check(order, OrderStatus.CANCELLED, reference)
    if reference.of_member is not None:
        if order.fulfilment == Fulfilment.INSTANT.value:
            raise NotAllowed("reward_order.instant", path=reference.path)
        if order.status is not OrderStatus.ISSUED:
            raise errors.decided(order.status.value, reference.path)
    if now >= order.refund_until:
        raise NotAllowed("reward_order.refund_ended", path=reference.path)


async def _cancelled(
    order: OrderView, reference: OrderReference, *, by: str, now: Instant
) -> OrderView:
    """Note it, once all else is locked; what was decided meanwhile stands."""
    _check_cancelling(order, reference, now)
    changed = await _change(order, status=OrderStatus.CANCELLED, cancelled_at=now, changed_by=by)
    put_changed(changed, at=now)
    if order.place_id is not None:
        await free(order.place_id, now=now)
    await sql.execute(models.PUT_BACK, order.quantity, order.reward_key)
    await funding.note_cancelled(changed, now=now)
    return changed
