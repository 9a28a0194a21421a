"""An order as it is kept, and how it is found."""

from collections.abc import Iterable

import msgspec

from server.catalogue import errors, queries
from server.catalogue.rules import OrderStatus
from server.clock import Instant
from server.errors import Path
from server.rewards import service as rewards
from server.storage import outbox, sql


class OrderView(msgspec.Struct, frozen=True):
    """An order; the attributes are the columns of its table. Money is in minor units of `currency`,
    of which a major unit has 10**`digits`."""

    id: int
    member_id: int
    reward_key: str
    reward_version: int
    kind: str
    quantity: int
    points: int
    money_minor: int
    currency: str
    digits: int
    status: OrderStatus
    fulfilment: str
    code: str
    ordered_at: Instant
    expires_at: Instant
    refund_until: Instant
    place_id: int | None
    ready_at: Instant | None
    delivered_at: Instant | None
    cancelled_at: Instant | None
    paid_at: Instant | None
    changed_by: str

    @property
    def refund_minor(self) -> int:
        """Money that was paid for it and is to be given back, for it was cancelled."""
        is_due = self.status is OrderStatus.CANCELLED and self.paid_at is not None
        return self.money_minor if is_due else 0


class OrderReference(msgspec.Struct, frozen=True):
    """What the caller has of an order: exactly one of the two; with `of_member`, only theirs."""

    id: int | None = None
    code: str | None = None
    of_member: int | None = None

    @property
    def path(self) -> Path:
        """Where it stands in the input."""
        return ("rewardOrderId",) if self.code is None else ("orderCode",)


def view_of(row: sql.Row) -> OrderView:
    """The order of a row (ORDER_COLUMNS)."""
    view = OrderView(*row)
    return msgspec.structs.replace(view, status=OrderStatus(view.status))


async def find_orders(order_ids: Iterable[int]) -> dict[int, OrderView]:
    """The orders by id; unknown ids are left out."""
    wanted = list(order_ids)
    return {row[0]: view_of(row) for row in await queries.orders(wanted)} if wanted else {}


async def found(reference: OrderReference) -> OrderView:
    """The order, as it is committed. Raises NotFound, also for another member's."""
    if reference.code is not None:
        row = await queries.order_by_code(rewards.written_code(reference.code))
        order = view_of(row) if row else None
    else:
        order = (await find_orders([reference.id or 0])).get(reference.id or 0)
    if order is None or reference.of_member not in (None, order.member_id):
        raise errors.unknown_order(reference.path)
    return order


async def locked(order_id: int) -> OrderView:
    """The order, its row locked until the transaction ends."""
    row = await queries.order_for_writing(order_id)
    assert row is not None, "no order is ever deleted"
    return view_of(row)


def put_changed(order: OrderView, *, at: Instant) -> None:
    """Put the event that the order was placed or is further on."""
    facts = {"order_id": order.id, "reward": order.reward_key, "state": order.status.value}
    outbox.put("order.changed", order.member_id, facts, occurred_at=at)


async def orders_of_members(
    member_ids: Iterable[int], *, before: int, limit: int
) -> dict[int, list[OrderView]]:
    """Each member's newest orders, of those with an id below `before`; newest first."""
    orders: dict[int, list[OrderView]] = {member_id: [] for member_id in member_ids}
    rows = await queries.orders_of_members(orders, before, limit)
    for view in sorted(map(view_of, rows), key=lambda view: -view.id):
        orders[view.member_id].append(view)
    return orders


async def orders(status: OrderStatus | None, *, before: int, limit: int) -> list[OrderView]:
    """Everybody's newest orders, of those with an id below `before`; of one status, if given."""
    return [view_of(row) for row in await queries.order_page(status, before, limit)]
