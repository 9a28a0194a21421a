"""Baskets as they are kept, and the lock of their members."""

import msgspec
from tortoise.exceptions import IntegrityError

from server import clock
from server.baskets import models
from server.baskets.shapes import BasketStatus, BasketView, Quote
from server.clock import Instant, LocalDay
from server.coupons.service import Usable
from server.errors import AlreadyDecided, NotFound
from server.ledger import service as ledger
from server.money import POINTS
from server.programme import service as programme
from server.storage import sql


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a basket, as JSON."""

    quote: Quote
    coupons: tuple[Usable, ...]  # that are reserved for it; without what their terms list


def row_of(
    view: BasketView,
    kept: Kept,
    *,
    external_id: str | None = None,
    content_hash: str | None = None,
) -> sql.Row:
    """The row (COLUMNS) of a basket."""
    return (
        view.id,
        view.quote.member_id,
        view.partner,
        view.status.value,
        msgspec.json.encode(kept).decode(),
        view.quote.quoted_at,
        view.held_until,
        view.decided_at,
        external_id,
        content_hash,
        view.purchase_id,
    )


async def lock(member_id: int, currency: str, now: Instant) -> None:
    """Lock the member: nothing of theirs moves until the transaction's end."""
    async with ledger.journal([member_id], [POINTS, currency], recorded_at=now):
        pass


async def local_day(quoted: Quote) -> LocalDay:
    """The local day of the basket, for the limits of a day."""
    at = quoted.basket.occurred_at
    return clock.local_day(at, (await programme.rulebook()).at(at).programme.programme.timezone)


async def find(basket_id: int, *, partner: str | None, now: Instant) -> BasketView | None:
    """The basket as it is at the instant, if it is this partner's, or anyone's for None."""
    row = await models.basket(basket_id) if 0 < basket_id < 2**63 else None
    if row is None or partner not in (row[2], None):
        return None
    return view_of(row, now)


async def locked(basket_id: int, *, partner: str | None, now: Instant) -> tuple[BasketView, Kept]:
    """A reserved basket, its member locked."""
    row = await models.basket(basket_id) if 0 < basket_id < 2**63 else None
    if row is None or partner not in (row[2], None):
        raise unknown()
    await lock(row[1], kept_of(row).quote.basket.currency, now)
    again = await models.basket(basket_id)
    assert again is not None, "baskets stay"
    if again[1] != row[1]:
        raise IntegrityError("the basket has another member")  # merged just now: tried again
    view = view_of(again, now)
    if view.status is not BasketStatus.RESERVED:
        raise decided(view.status)
    return view, kept_of(again)


def kept_of(row: sql.Row) -> Kept:
    """What is kept of the basket of a row (COLUMNS)."""
    kept = msgspec.json.decode(row[4], type=Kept)
    # A merge gives the basket another member.
    return msgspec.structs.replace(
        kept, quote=msgspec.structs.replace(kept.quote, member_id=row[1])
    )


def view_of(row: sql.Row, now: Instant) -> BasketView:
    """The basket of a row (COLUMNS), as it is at the instant."""
    status = BasketStatus(row[3])
    if status is BasketStatus.RESERVED and row[6] <= now:
        status = BasketStatus.EXPIRED
    return BasketView(
        id=row[0],
        partner=row[2],
        status=status,
        quote=kept_of(row).quote,
        held_until=row[6],
        decided_at=row[7],
        purchase_id=row[10],
    )


def unknown() -> NotFound:
    """The caller has no such basket."""
    return NotFound("basket.not_found", path=("basketId",))


def decided(status: BasketStatus) -> AlreadyDecided:
    """The basket is not reserved any more."""
    return AlreadyDecided("basket.decided", status=status.name, path=("basketId",))
