"""A member's account as a writer has it: the head of its journal, and the lots that it touched."""

import msgspec

from server.clock import Instant
from server.ledger.rules import OpenLot, OpenPortion, Reason, Side, chained_hash
from server.storage import sql
from server.storage.ids import new_id

# Each look at an enumeration for a member of it costs as much as the arithmetic below.
_MEMBER, _HELD, _OWED = Side.MEMBER, Side.HELD, Side.OWED
_ISSUED, _REDEEMED, _EXPIRED, _REVERSED = Side.ISSUED, Side.REDEEMED, Side.EXPIRED, Side.REVERSED


class Cause(msgspec.Struct, frozen=True):
    """Why value moves: for the postings that say so."""

    reason: Reason
    rule: str
    reference: int | None


class Line(msgspec.Struct, frozen=True):
    """What a posting says beyond its account, its lot, its number and its hash."""

    debit: Side
    credit: Side
    amount: int
    cause: Cause
    occurred_at: Instant


class Account(msgspec.Struct):
    """One locked account; the first fields are the columns of its row, in their order."""

    id: int
    member_id: int
    asset: str
    last_sequence: int
    last_hash: str
    balance: int
    held: int
    owed: int
    granted_total: int
    redeemed_total: int
    expired_total: int
    reversed_total: int
    moved_total: int
    next_expiry_at: Instant
    lots: dict[int, OpenLot] = {}
    changed_lots: dict[int, OpenLot] = {}
    has_all_open_lots: bool = False
    changed: bool = False

    def post(
        self, line: Line, *, lot_id: int | None, version: int, recorded_at: Instant
    ) -> sql.Row:
        """Put a line at the end of the journal; the row of its posting."""
        debit, credit, amount, cause = line.debit, line.credit, line.amount, line.cause
        self._move(debit, -amount)
        self._move(credit, amount)
        self.last_sequence += 1
        self.changed = True
        posting = (
            self.member_id,
            self.id,
            self.last_sequence,
            debit._value_,
            credit._value_,
            amount,
            self.balance,
            lot_id,
            cause.reason._value_,
            cause.rule,
            version,
            cause.reference,
            line.occurred_at,
            recorded_at,
        )
        self.last_hash = chained_hash(self.last_hash, posting)
        return (new_id(), *posting, self.last_hash)

    def _move(self, side: Side, amount: int) -> None:
        """Let a side gain `amount`, or lose it if negative."""
        if side is _MEMBER:
            self.balance += amount
        elif side is _ISSUED:
            self.granted_total -= amount
        elif side is _HELD:
            self.balance += amount
            self.held += amount
        elif side is _OWED:
            self.balance += amount
            self.owed -= amount
        elif side is _REDEEMED:
            self.redeemed_total += amount
        elif side is _EXPIRED:
            self.expired_total += amount
        elif side is _REVERSED:
            self.reversed_total += amount
        else:
            self.moved_total -= amount

    def stored(self) -> sql.Row:
        """The values of UPDATE_ACCOUNT."""
        return (
            self.last_sequence,
            self.last_hash,
            self.balance,
            self.held,
            self.owed,
            self.granted_total,
            self.redeemed_total,
            self.expired_total,
            self.reversed_total,
            self.moved_total,
            self.next_expiry_at,
            self.id,
        )


def account_of(row: sql.Row) -> Account:
    """The account of a row (ACCOUNT_COLUMNS)."""
    return Account(*row)


def lot_of(row: sql.Row) -> OpenLot:
    """The lot of a row (LOT_COLUMNS, and perhaps more)."""
    return OpenLot(
        id=row[0],
        account_id=row[2],
        sequence=row[3],
        amount=row[4],
        remaining=row[5],
        available_at=row[7],
        expires_at=row[8],
        reason=row[9],
        rule=row[10],
        programme_version=row[11],
        reference=row[12],
        origin_id=row[13],
        undone=row[14],
        recalled=row[15],
        let_go=row[16],
    )


def portion_of(row: sql.Row) -> OpenPortion:
    """The held portion of a row (PORTION_COLUMNS)."""
    return OpenPortion(
        id=row[0],
        hold_id=row[1],
        account_id=row[3],
        lot_id=row[4],
        remaining=row[6],
        releases_at=row[7],
        lot_expires_at=row[8],
    )
