"""Holding and using offers, within their limits whatever happens at the same time.

The caller has locked the member (`ledger.journal`), so that what one member uses has one writer.
What all members share is locked here, in the order of the offers' keys and after everything else
that the transaction locks; only offers with a limit of this kind are, and only from there to the
commit. Whether a hold is over is read off the clock: no job has to run for its share to be free.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec
from msgspec import Struct

from server.clock import Instant, LocalDay
from server.definitions import service as definitions
from server.definitions.service import Shelf
from server.offers import queries
from server.offers.documents import Limits
from server.offers.evaluation import Applied
from server.offers.limits import (
    OfferExhausted,
    Want,
    all_exhausted,
    is_common,
    is_of_member,
)
from server.offers.models import EVER
from server.offers.standings import used_of
from server.storage import changes, sql
from server.storage.exchange import Written, execute_each, fetch_each
from server.storage.ids import new_id

KIND = "offer"
_NO_BASKET = 0


class UseView(Struct, frozen=True):
    """A use as it is stored; `returned_*` is what of it returns have undone."""

    id: int
    member_id: int
    offer: str
    version: int
    basket_id: int | None
    purchase_id: int | None
    local_day: LocalDay
    status: str  # held, used, returned
    held_until: Instant | None
    used_at: Instant | None
    discount_minor: int = 0
    shipping_minor: int = 0
    points: int = 0
    cashback_minor: int = 0
    budget_minor: int = 0
    budget_points: int = 0
    returned_discount_minor: int = 0
    returned_shipping_minor: int = 0
    returned_points: int = 0
    returned_cashback_minor: int = 0
    returned_budget_minor: int = 0
    returned_budget_points: int = 0


# ---------------------------------------------------------------- holding


async def hold(
    member_id: int,
    basket_id: int,
    applied: Sequence[Applied],
    *,
    day: LocalDay,
    held_until: Instant,
    now: Instant,
    shelf: Shelf | None = None,
) -> tuple[OfferExhausted, ...]:
    """Reserve one use of each of the offers until just before `held_until`; nothing is written if
    an answer is not empty: it says which offers can't be, and what is left of them.

    `day` is the local day of the basket; `shelf` is what is published of offers, as far as the
    caller has looked. Writes; call it inside a transaction that has locked the
    member, last of all that it locks.
    """
    uses = [_use(member_id, one, day, basket_id=basket_id) for one in applied]
    held = [msgspec.structs.replace(use, status="held", held_until=held_until) for use in uses]
    room = await _room(member_id, held, shelf, now=now)
    if not room.exhausted:
        await execute_each([*room.tidied, (queries.INSERT_USE, _rows(held))])
        _note(member_id, held)
    return room.exhausted


async def use(
    member_id: int,
    applied: Sequence[Applied],
    *,
    basket_id: int | None = None,
    purchase_id: int | None,
    day: LocalDay,
    now: Instant,
    shelf: Shelf | None = None,
) -> tuple[OfferExhausted, ...]:
    """Use each of the offers once for the purchase, without a hold; as `hold` otherwise."""
    uses = [
        msgspec.structs.replace(_use(member_id, one, day, basket_id=basket_id), used_at=now)
        for one in applied
    ]
    used = [msgspec.structs.replace(use, purchase_id=purchase_id) for use in uses]
    room = await _room(member_id, used, shelf, now=now)
    if not room.exhausted:
        await execute_each(
            [*room.tidied, (queries.INSERT_USE, _rows(used)), counted(used, room.shelf)]
        )
        _note(member_id, used)
    return room.exhausted


class HoldOver(Struct, frozen=True):
    """That what was reserved for the basket is not reserved any more, or never was."""


async def use_held(
    basket_id: int, *, purchase_id: int, now: Instant, shelf: Shelf | None = None
) -> tuple[OfferExhausted, ...] | HoldOver:
    """Use what is held for the basket, with the amounts that it was held with.

    It stays valid until it is over, whatever has become of the offers' documents meanwhile. Writes;
    call it as `hold`. Nothing is written if it is over.
    """
    held = [use for use in await basket_uses(basket_id) if use.status == "held"]
    if any(use.held_until is None or use.held_until <= now for use in held):
        return HoldOver()
    if not held:
        return ()
    member_id = held[0].member_id
    # Another process's clock may be ahead of this one's: it may have seen the hold's end.
    room = await _room(member_id, held, shelf, now=now, apart_from=basket_id)
    if not room.exhausted:
        become: Written = (queries.BECOME_USED, [(purchase_id, now, use.id) for use in held])
        await execute_each([*room.tidied, become, counted(held, room.shelf)])
        _note(member_id, held)
    return room.exhausted


async def release(basket_id: int) -> int:
    """Let go what is held for the basket, as if it had never been; how many offers those were.

    Writes; call it inside a transaction that has locked the member and notes the change.
    """
    return await queries.release(basket_id)


async def basket_uses(basket_id: int) -> list[UseView]:
    """What is held or used for the basket; locked."""
    return [UseView(*row) for row in await queries.uses_of_basket(basket_id)]


def _use(member_id: int, applied: Applied, day: LocalDay, *, basket_id: int | None) -> UseView:
    return UseView(
        id=new_id(),
        member_id=member_id,
        offer=applied.offer,
        version=applied.version,
        basket_id=basket_id,
        purchase_id=None,
        local_day=day,
        status="used",
        held_until=None,
        used_at=None,
        discount_minor=applied.discount_minor,
        shipping_minor=applied.shipping_minor,
        points=applied.points,
        cashback_minor=applied.cashback_minor,
        budget_minor=applied.budget_minor,
        budget_points=applied.budget_points,
    )


def _rows(uses: Iterable[UseView]) -> list[sql.Row]:
    return [msgspec.structs.astuple(use) for use in uses]


def _note(member_id: int, uses: Collection[UseView]) -> None:
    if uses:
        changes.note(changes.MEMBER, member_id)


# ---------------------------------------------------------------- room


class _Room(Struct, frozen=True):
    """Whether there is room for some uses, and what is to be written with them."""

    exhausted: tuple[OfferExhausted, ...]
    tidied: tuple[Written, ...]  # what was held for the member and is over
    shelf: Shelf


async def _room(
    member_id: int,
    uses: Sequence[UseView],
    shelf: Shelf | None,
    *,
    now: Instant,
    apart_from: int | None = None,
) -> _Room:
    """What of the uses is too much; from here on nobody else uses what the offers' limits count.

    `apart_from` is the basket for which they are held already.
    """
    known = (await definitions.shelves()).of(KIND) if shelf is None else shelf
    day = uses[0].local_day if uses else LocalDay(0)
    wants = [_want(known, use, now=now, is_held=apart_from is not None) for use in uses]
    own = [want.offer for want in wants if is_of_member(want.limits)]
    counted = [use.offer for use in uses if is_counted(known, use.offer)]
    if counted:
        await _lock(counted)
    basket = _NO_BASKET if apart_from is None else apart_from
    asked = []
    if own:
        asked.append(queries.of_members([member_id], own, day=day, now=now, apart_from=basket))
        asked.append(queries.held_too_long(member_id, own, now))
    if counted:
        asked.append(queries.of_all(counted, day=day, now=now, apart_from=basket))
    answers = await fetch_each(asked)
    of_all = answers[-1] if counted else ()
    if counted and await _began_day(counted, of_all, day):
        of_all = (await fetch_each(asked[-1:]))[0]
    used = used_of(answers[0] if own else (), of_all, day)
    over = [(row[0],) for row in answers[1]] if own else []
    return _Room(all_exhausted(wants, used), ((queries.FORGET_HOLD, over),), known)


def _want(shelf: Shelf, use: UseView, *, now: Instant, is_held: bool) -> Want:
    """What the use wants, under the limits of today; what is held already under those that it was
    held with as well, whichever are wider."""
    current = shelf.at(use.offer, now)
    limits = [] if current is None else [current.document.limits]
    if is_held or not limits:
        limits.append(shelf.numbered(use.offer, use.version).document.limits)
    return Want(use.offer, use.version, _widest(limits), use.budget_minor, use.budget_points)


def _widest(limits: Sequence[Limits]) -> Limits:
    each = zip(*(msgspec.structs.astuple(one) for one in limits), strict=True)
    return Limits(*(None if None in values else max(values) for values in each))


def is_counted(shelf: Shelf, offer: str) -> bool:
    """Whether what all members use of the offer is counted: as soon as any published version
    limits it, also one that takes effect later or has ended."""
    return any(
        one.document is not None and is_common(one.document.limits) for one in shelf.versions(offer)
    )


async def begin_counting(offer: str) -> None:
    """Begin to count what all members use of the offer, with what they have used before.

    For the transaction that publishes the first version that limits it; without this, the first
    use begins it.
    """
    if offer not in await queries.lock_counters([offer]):
        await queries.create_counter(offer, EVER)


async def _lock(offers: Collection[str]) -> None:
    """Lock what is counted of the offers; begin to count what is not counted yet."""
    missing = sorted(set(offers) - await queries.lock_counters(offers))
    for offer in missing:
        await queries.create_counter(offer, EVER)
    if missing:  # somebody else may have begun at the same time
        await queries.lock_counters(offers)


async def _began_day(offers: Collection[str], of_all: Sequence[sql.Row], day: LocalDay) -> bool:
    """Begin to count the day of the locked offers where it is not; whether there were such."""
    known = {row[1] for row in of_all if row[0] == queries.COUNTED and row[2] == day}
    missing = sorted(set(offers) - known)
    for offer in missing:
        await queries.create_counter(offer, day)
    return bool(missing)


def counted(uses: Sequence[UseView], shelf: Shelf) -> Written:
    """Counts the uses, for EVER and on their days; what is counted is locked."""
    return (
        queries.COUNT,
        [
            (1, use.budget_minor, use.budget_points, use.offer, day)
            for use in uses
            if is_counted(shelf, use.offer)
            for day in (EVER, use.local_day)
        ],
    )
