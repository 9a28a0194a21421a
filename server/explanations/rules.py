"""What became of a lot, told from the journal: pure functions over its postings."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from server.clock import Instant
from server.ledger.rules import Reason, Side
from server.storage import sql


class LotState(StrEnum):
    """How a lot stands at an instant."""

    PENDING = "PENDING"  # something is left, and can be used later
    AVAILABLE = "AVAILABLE"  # something is left, and can be used
    HELD = "HELD"  # all that is left is reserved
    USED = "USED"  # nothing is left, and not because it lapsed
    EXPIRED = "EXPIRED"  # what was left has lapsed


class Movement(msgspec.Struct, frozen=True):
    """What left a lot (negative) or came back to it; points or minor units."""

    amount: int
    reason: Reason
    reference: int | None
    occurred_at: Instant


class ExplainedLot(msgspec.Struct, frozen=True):
    """A lot at an instant: where it came from, what was done with it, and what is left."""

    id: int
    sequence: int
    amount: int
    remaining: int
    held: int
    state: LotState
    reason: Reason
    rule: str
    programme_version: int
    reference: int | None
    earned_at: Instant
    available_at: Instant
    expires_at: Instant
    movements: tuple[Movement, ...]


def explained(lot: sql.Row, postings: Sequence[sql.Row], at: Instant) -> ExplainedLot:
    """The lot of a row of `lot_page` at the instant, from its rows of `movements`.

    What has lapsed by then counts as lapsed, whether or not that is booked.
    """
    amount, expires_at = lot[3], lot[6]
    remaining = held = lapsed = 0
    moved: list[Movement] = []
    for _lot_id, debit, credit, size, reason, reference, occurred_at, sequence in postings:
        change = size * ((credit == Side.MEMBER) - (debit == Side.MEMBER))
        held += size * ((credit == Side.HELD) - (debit == Side.HELD))
        remaining += change
        lapsed += size if credit == Side.EXPIRED else 0
        if change and sequence != lot[2]:
            _add(moved, Movement(change, Reason(reason), reference, occurred_at))
        elif debit == Side.HELD and credit != Side.MEMBER:
            # Paid from a hold: what was reserved comes back for a moment, and is used.
            _add(moved, Movement(size, Reason.RELEASE, reference, occurred_at))
            _add(moved, Movement(-size, Reason(reason), reference, occurred_at))
    if expires_at <= at and remaining:
        came_back_at = max((one.occurred_at for one in moved if one.amount > 0), default=expires_at)
        when = max(expires_at, came_back_at)
        moved.append(Movement(-remaining, Reason.EXPIRY, None, when))
        lapsed, remaining = lapsed + remaining, 0
    state = _state(remaining, held, lapsed, lot[5], at)
    return ExplainedLot(
        id=lot[1],
        sequence=lot[2],
        amount=amount,
        remaining=remaining,
        held=held,
        state=state,
        reason=Reason(lot[7]),
        rule=lot[8],
        programme_version=lot[9],
        reference=lot[10],
        earned_at=lot[4],
        available_at=lot[5],
        expires_at=expires_at,
        movements=tuple(moved),
    )


def _add(moved: list[Movement], movement: Movement) -> None:
    """Put a movement at the end; with the one before it if both are of the same event."""
    last = moved[-1] if moved else None
    if last is not None and (last.reason, last.reference, last.occurred_at) == (
        movement.reason,
        movement.reference,
        movement.occurred_at,
    ):
        moved[-1] = msgspec.structs.replace(last, amount=last.amount + movement.amount)
    else:
        moved.append(movement)


def _state(remaining: int, held: int, lapsed: int, available_at: Instant, at: Instant) -> LotState:
    if remaining:
        return LotState.AVAILABLE if available_at <= at else LotState.PENDING
    if held:
        return LotState.HELD
    return LotState.EXPIRED if lapsed else LotState.USED
