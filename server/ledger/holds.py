"""Reserving value with a time limit: each hold is settled, released or expires, exactly once.

What a hold takes stays the member's, but can't be spent. Whether a hold has expired is read off the
clock; no job has to run for its value to be free again. What a return let go because it was held is
taken when it is given up, as `restore` does.
"""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from server.clock import Instant
from server.ledger import queries
from server.ledger.accounts import Cause
from server.ledger.errors import HoldResolved
from server.ledger.journal import Journal
from server.ledger.rules import OpenLot, Reason, Side
from server.ledger.undoing import with_origins, withhold
from server.storage import sql
from server.storage.ids import new_id


class HoldStatus(StrEnum):
    """What has become of a hold."""

    OPEN = "OPEN"  # its value is reserved
    SETTLED = "SETTLED"  # spent, in full or in part; the rest is free again
    RELEASED = "RELEASED"  # given up; its value is free again
    EXPIRED = "EXPIRED"  # its time is over; its value is free again


class HoldView(msgspec.Struct, frozen=True):
    """A hold; amounts are points or minor units of `asset`."""

    id: int
    member_id: int
    asset: str
    amount: int
    settled_amount: int
    purpose: str
    partner: str  # whose till made it; empty if none did
    created_at: Instant
    expires_at: Instant
    resolved_at: Instant | None
    resolution: str | None

    def status(self, at: Instant) -> HoldStatus:
        """What has become of it by the instant."""
        if self.resolution is not None:
            return HoldStatus(self.resolution.upper())
        return HoldStatus.OPEN if at < self.expires_at else HoldStatus.EXPIRED


async def hold(
    journal: Journal,
    members: int | Collection[int],
    asset: str,
    amount: int,
    *,
    by: int,
    purpose: str,
    expires_at: Instant,
    partner: str = "",
) -> HoldView:
    """Reserve `amount` of what the members have until `expires_at`, for the member `by`.

    What expires first is taken first. Raises InsufficientPoints if less is available.
    """
    _usable, chosen = await journal.choose(members, asset, amount)
    made = HoldView(
        id=new_id(),
        member_id=by,
        asset=asset,
        amount=amount,
        settled_amount=0,
        purpose=purpose,
        partner=partner,
        created_at=journal.recorded_at,
        expires_at=expires_at,
        resolved_at=None,
        resolution=None,
    )
    await sql.execute(queries.INSERT_HOLD, *msgspec.structs.astuple(made))
    for take in chosen:
        cause = Cause(Reason.HOLD, purpose, made.id)
        journal.take(take.lot, take.amount, side=Side.HELD, cause=cause)
        journal.hold_portion(made.id, take.lot, take.amount, expires_at)
    return made


async def holders(hold_id: int) -> list[int]:
    """Whose value the hold has taken: whom to lock before it is settled or released."""
    return [row[0] for row in await queries.holders(hold_id)]


async def settle(
    journal: Journal, hold_id: int, amount: int, *, side: Side, cause: Cause
) -> HoldView:
    """Take `amount` of what the hold has reserved to a side; the rest is free again.

    What was reserved first is taken first. The caller has locked everyone of `holders`, and has
    seen to it that 1 <= amount <= what is held. Raises HoldResolved if it is not open any more.
    """
    resolved = await _resolve(journal, hold_id, settled_amount=amount)
    left = amount
    for lot, held in await _portions(journal, resolved):
        taken = min(left, held)
        if taken:
            journal.take_held(lot, taken, side=side, cause=cause)
        _free(journal, lot, held - taken, hold_id=hold_id)
        left -= taken
    return resolved


async def release(journal: Journal, hold_id: int) -> HoldView:
    """Give up the hold: its value is free again. Raises HoldResolved if it is not open any more."""
    resolved = await _resolve(journal, hold_id, settled_amount=0)
    for lot, held in await _portions(journal, resolved):
        _free(journal, lot, held, hold_id=hold_id)
    return resolved


async def _resolve(journal: Journal, hold_id: int, *, settled_amount: int) -> HoldView:
    row = await queries.hold_for_writing(hold_id)
    assert row is not None, "the caller has found the hold"
    found = HoldView(*row)
    now = journal.recorded_at
    resolution = "settled" if settled_amount else "released"
    if not await sql.execute(queries.RESOLVE_HOLD, settled_amount, now, resolution, hold_id):
        raise HoldResolved(found.status(now))
    return msgspec.structs.replace(
        found, settled_amount=settled_amount, resolved_at=now, resolution=resolution
    )


async def _portions(journal: Journal, hold: HoldView) -> list[tuple[OpenLot, int]]:
    """The hold's lots with what it holds of each, in the order of taking; noted as given back.
    Raises HoldResolved if some of it is free already."""
    written = await queries.portions_of(hold.id)
    portions = [*written, *journal.unwritten_portions(hold.id)]
    if sum(row[6] for row in portions) != hold.amount:
        # A writer whose clock is ahead of this one's has seen it expire, and has booked that.
        raise HoldResolved(HoldStatus.EXPIRED)
    await with_origins(journal, {row[4] for row in written})
    await sql.execute_many(queries.UPDATE_PORTION, [(0, row[0]) for row in written])
    return [(journal.lot(row[3], row[4]), row[6]) for row in portions]


def _free(journal: Journal, lot: OpenLot, amount: int, *, hold_id: int) -> None:
    """Give what was held back to its lot, as `due` does; if that has lapsed meanwhile, what stays
    in it lapses now."""
    if not amount:
        return
    cause = Cause(Reason.RELEASE, lot.rule, hold_id)
    rest = journal.put(lot, amount, side=Side.HELD, cause=cause)
    if lot.expires_at > journal.recorded_at:
        root = lot.origin_id or lot.id
        origin = journal.made_of(root).get(root, lot)
        withhold(journal, lot, rest, origin=origin, reference=hold_id)
    elif rest:
        lapse = Cause(Reason.EXPIRY, lot.rule, None)
        journal.take(lot, rest, side=Side.EXPIRED, cause=lapse)


async def find_holds(hold_ids: Collection[int]) -> dict[int, HoldView]:
    """The holds by id; unknown ids are left out."""
    if not hold_ids:
        return {}
    return {row[0]: HoldView(*row) for row in await queries.holds(hold_ids)}


async def open_holds(
    member_ids: Collection[int], *, purpose: str, at: Instant
) -> dict[int, list[HoldView]]:
    """The holds for the purpose that the members asked for and that are open at the instant, by
    member, the newest first; one statement."""
    found: dict[int, list[HoldView]] = {}
    for row in await queries.open_holds(member_ids, purpose, at) if member_ids else ():
        view = HoldView(*row)
        found.setdefault(view.member_id, []).append(view)
    return found
