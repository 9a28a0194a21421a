"""A shop with rewards, and members who order them."""

from copy import deepcopy
from typing import Any

from server.catalogue import service as catalogue
from server.catalogue.service import Ordered, OrderReference, OrderView, PlaceView, Wish
from server.clock import NEVER, Instant
from server.definitions import service as definitions
from server.ledger import service as ledger
from server.ledger.service import Balance
from server.money import POINTS
from server.storage import sql
from tests.ledger.books import grant, granted, new_members
from tests.purchases.baskets import at, publish

NOW = at("2026-03-04")
SECOND = 1_000_000
DAY = 86_400 * SECOND
Plain = dict[str, Any]

PRODUCT: Plain = {
    "what": {"kind": "product"},
    "default_language": "en",
    "texts": {"en": {"title": "A mug"}, "lt": {"title": "Puodelis"}},
    "price": {"points": 100},
}
VOUCHER: Plain = {
    **PRODUCT,
    "what": {"kind": "voucher", "value_minor": 500},
    "price": {"points": 1000},
    "fulfilment": "instant",
}
DROP: Plain = {"reward": "mug", "opens_at": "2026-03-04T12:00:00Z", "units": 2, "hold_seconds": 60}


def after(*, days: int = 0, seconds: int = 0) -> Instant:
    """So long after NOW, which is noon UTC."""
    return Instant(NOW + days * DAY + seconds * SECOND)


def with_changes(plain: Plain, **changes: Any) -> Plain:
    """The document with other values."""
    return {**deepcopy(plain), **changes}


async def opened() -> None:
    """The programme is published, in UTC."""
    await publish(at=at("2026-01-01"))


async def publish_document(kind: str, key: str, plain: Plain, *, now: Instant = NOW) -> None:
    async with sql.transaction():
        await definitions.publish_document(kind, key, plain, by=definitions.COMMAND_LINE, now=now)


async def reward(
    key: str = "mug", plain: Plain = PRODUCT, *, now: Instant = NOW, **changes: Any
) -> None:
    """A reward is in the catalogue."""
    await publish_document("reward", key, with_changes(plain, **changes), now=now)


async def drop(key: str = "mugs", *, now: Instant = NOW, **changes: Any) -> None:
    """A drop is announced."""
    await publish_document("drop", key, with_changes(DROP, **changes), now=now)


async def members_with(count: int, points: int, *, expires_at: Instant = NEVER) -> list[int]:
    """Members with so many points each."""
    members = await new_members(count)
    for member in members:
        await grant(member, granted(points, at=NOW, expires_at=expires_at), now=NOW)
    return members


async def order(
    member: int, key: str = "mug", quantity: int = 1, *, now: Instant = NOW, **more: Any
) -> Ordered:
    """Orders in a transaction of its own."""
    async with sql.transaction():
        wish = Wish(member, key, quantity, by=f"member:{member}", **more)
        return await catalogue.place_order(wish, now=now)


async def take(member: int, key: str = "mugs", *, now: Instant = NOW) -> Ordered:
    """Takes what a drop offers."""
    document = (await catalogue.live_drop(key, now)).document
    return await order(member, document.reward, now=now, drop_key=key)


async def change(
    verb: str, order_id: int, *, of_member: int | None = None, now: Instant = NOW
) -> OrderView:
    """cancel, mark_ready, mark_delivered or mark_paid, in a transaction of its own."""
    async with sql.transaction():
        reference = OrderReference(id=order_id, of_member=of_member)
        changed: OrderView = await getattr(catalogue, verb)(reference, by="key:1", now=now)
        return changed


async def join(member: int, key: str = "mugs", *, now: Instant = NOW) -> PlaceView:
    async with sql.transaction():
        return await catalogue.join(key, member, now=now)


async def leave(member: int, key: str = "mugs", *, now: Instant = NOW) -> PlaceView:
    async with sql.transaction():
        return await catalogue.leave(key, member, now=now)


async def place(member: int, key: str = "mugs", *, now: Instant = NOW) -> PlaceView:
    """The member's place in line."""
    drops = await catalogue.live_drops(now)
    return (await catalogue.places_of([member], drops, now))[member][key]


async def balance(member: int, *, now: Instant = NOW) -> Balance:
    return (await ledger.balances([member], now))[member, POINTS]


async def sold(key: str = "mug") -> int:
    return (await catalogue.sold_units()).get(key, 0)
