"""Moving value from lot to lot: gifts, and value that goes on elsewhere under its own rule."""

from server.clock import Instant
from server.ledger.accounts import Cause
from server.ledger.journal import Grant, Journal
from server.ledger.rules import OpenLot, Reason, Side


def go_on(
    journal: Journal,
    lot: OpenLot,
    amount: int,
    *,
    heir: int,
    expires_at: Instant,
    reason: Reason,
    reference: int,
) -> None:
    """Let `amount` of a lot go on in a new lot of the member `heir`, with its rule and its origin:
    what is undone later finds it there."""
    if not amount:
        return
    cause = Cause(reason, lot.rule, reference)
    journal.take(lot, amount, side=Side.TRANSFERRED, cause=cause)
    journal.grant(
        heir,
        _moved(
            journal, lot, amount, cause, expires_at=expires_at, origin_id=lot.origin_id or lot.id
        ),
    )


async def give(
    journal: Journal, giver: int, receiver: int, asset: str, amount: int, *, reference: int
) -> int:
    """Give from one member to another; what the giver has available afterwards.

    What expires first is given first, and keeps its expiry. The giver's return of a purchase does
    not reach what was given away. Raises InsufficientPoints if less is available.
    """
    usable, chosen = await journal.choose(giver, asset, amount)
    for take in chosen:
        sent = Cause(Reason.GIFT_SENT, take.lot.rule, reference)
        journal.take(take.lot, take.amount, side=Side.TRANSFERRED, cause=sent)
        received = Cause(Reason.GIFT_RECEIVED, take.lot.rule, reference)
        grant = _moved(
            journal, take.lot, take.amount, received, expires_at=take.lot.expires_at, origin_id=None
        )
        journal.grant(receiver, grant)
    return usable - amount


def _moved(
    journal: Journal,
    lot: OpenLot,
    amount: int,
    cause: Cause,
    *,
    expires_at: Instant,
    origin_id: int | None,
) -> Grant:
    now = journal.recorded_at
    return Grant(
        asset=journal.asset_of(lot),
        amount=amount,
        earned_at=now,
        available_at=max(now, lot.available_at),
        expires_at=expires_at,
        reason=cause.reason,
        rule=cause.rule,
        programme_version=lot.programme_version,
        reference=cause.reference,
        side=Side.TRANSFERRED,
        origin_id=origin_id,
    )
