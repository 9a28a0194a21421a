"""Recorded purchases read back: their lines as bought, and as far as they were returned since."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from server import clock
from server.clock import Instant, LocalDay
from server.programme.service import PublishedProgramme, Rulebook
from server.purchases import queries
from server.purchases.outcomes import RecordedPurchase, decoded
from server.purchases.reversal import LineState
from server.purchases.rules import Line
from server.storage import sql


class PurchaseReference(msgspec.Struct, frozen=True):
    """Which purchase is meant: exactly one of these."""

    external_id: str | None = None  # the till's
    id: int | None = None


@dataclass(frozen=True, slots=True)
class StoredPurchase:
    """A purchase as it stands; money is in minor units of `currency`."""

    id: int
    member_id: int
    partner: str
    external_id: str
    store_id: str
    occurred_at: Instant
    recorded_at: Instant
    currency: str
    net_minor: int
    eligible_minor: int
    programme_version: int
    outcome: RecordedPurchase
    paid_minor: int
    returned_net_minor: int
    returned_eligible_minor: int

    def day(self, published: PublishedProgramme) -> LocalDay:
        """The local day on which it counts, under its own version."""
        return clock.local_day(self.occurred_at, published.programme.programme.timezone)


def stored(row: sql.Row) -> StoredPurchase:
    """The purchase of a row (PURCHASE_COLUMNS)."""
    return StoredPurchase(
        id=row[0],
        member_id=row[1],
        partner=row[2],
        external_id=row[3],
        store_id=row[5],
        occurred_at=row[6],
        recorded_at=row[7],
        currency=row[9],
        net_minor=row[10],
        eligible_minor=row[11],
        programme_version=row[12],
        outcome=decoded(row[13]),
        paid_minor=row[14],
        returned_net_minor=row[15],
        returned_eligible_minor=row[16],
    )


async def find(reference: PurchaseReference, *, partner: str | None) -> StoredPurchase | None:
    """The purchase meant, if it is this partner's, or anyone's for None, who knows no external ids;
    None if there is none."""
    row, external_id = None, reference.external_id
    if reference.id is not None:
        row = await queries.purchase(reference.id) if 0 < reference.id < 2**63 else None
    elif partner is not None and external_id is not None and external_id.isprintable():
        row = await queries.purchase_of_partner(partner, external_id)
    found = None if row is None else stored(row)
    return found if found and partner in (found.partner, None) else None


def line_state(row: sql.Row) -> LineState:
    """The line of a row (LINE_COLUMNS)."""
    return LineState(Line(*row[4:11]), row[11], row[12], row[13])


async def line_states(purchase_id: int) -> list[LineState]:
    """The purchase's lines as they stand, in their order."""
    return [line_state(row) for row in await queries.lines([purchase_id])]


async def purchases_by_id(purchase_ids: Collection[int]) -> dict[int, StoredPurchase]:
    """The purchases by id; unknown ids are left out."""
    rows = await queries.purchases(purchase_ids) if purchase_ids else ()
    return {row[0]: stored(row) for row in rows}


async def purchases_of(
    member_ids: Iterable[int], *, partner: str | None = None, before: int | None, limit: int
) -> dict[int, list[StoredPurchase]]:
    """Each member's newest purchases (at the partner, if one is given), or those before the one
    with that id; the newest recorded first."""
    found: dict[int, list[StoredPurchase]] = {member_id: [] for member_id in member_ids}
    most = 2**63 - 1 if before is None else before
    rows = await queries.purchase_pages(found, most, limit, partner=partner)
    for one in sorted(map(stored, rows), key=lambda one: -one.id):
        found[one.member_id].append(one)
    return found


async def lines_of(purchase_ids: Collection[int]) -> dict[int, list[LineState]]:
    """The purchases' lines as they stand, by purchase, in their order."""
    states: dict[int, list[LineState]] = {}
    for row in await queries.lines(purchase_ids) if purchase_ids else ():
        states.setdefault(row[2], []).append(line_state(row))
    return states


@dataclass(frozen=True, slots=True)
class Standing:
    """A purchase as its member's challenges look at it."""

    purchase_id: int
    occurred_at: Instant
    published: PublishedProgramme
    states: Sequence[LineState]


async def bought_between(
    member_id: int, first: Instant, end: Instant, book: Rulebook
) -> list[Standing]:
    """The member's purchases made from `first` on and before `end`, in the order in which they were
    recorded; two statements."""
    states: dict[int, list[LineState]] = {}
    for row in await queries.lines_between(member_id, first, end):
        states.setdefault(row[2], []).append(line_state(row))
    return [
        Standing(row[0], row[1], book.numbered(row[2]), states.get(row[0], []))
        for row in await queries.purchases_between(member_id, first, end)
    ]
