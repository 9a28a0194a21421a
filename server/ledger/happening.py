"""What the postings of one transaction mean to who follows it: the ledger's events.

They are put where the journal is written, and nowhere else: whatever gives or takes points says so
by its postings. What moves between two sides of a member, was brought along from another
system or goes on with another membership of the same person is nobody's gain or loss, and no event.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from server.clock import NEVER, Instant
from server.ledger.accounts import Account
from server.ledger.rules import Reason, Side
from server.money import POINTS
from server.storage import outbox, sql

EARNED, REDEEMED, REVERSED = "points.earned", "points.redeemed", "points.reversed"
EXPIRED = "points.expired"
CASHBACK = "cashback.accrued"
_MEMBER, _TRANSFERRED = Side.MEMBER.value, Side.TRANSFERRED.value
_ISSUED = Side.ISSUED.value
_COMES_FROM = {_ISSUED, Side.REDEEMED.value, Side.ADJUSTED.value}
_GOES_TO = {
    Side.REDEEMED.value: REDEEMED,
    Side.ADJUSTED.value: REDEEMED,
    Side.REVERSED.value: REVERSED,
    Side.EXPIRED.value: EXPIRED,
}
_GIFTS = {Reason.GIFT_RECEIVED.value: EARNED, Reason.GIFT_SENT.value: REDEEMED}

_Key = tuple[str, int, str, str | None, int | None, Instant | None]
"""An event's kind, its member, the asset, the reason and the reference; of what lapsed, when it
did, for time does not wait for a transaction."""


def put_events(accounts: Mapping[int, Account], postings: Iterable[sql.Row]) -> None:
    """Put one event for all that was given or taken for one reason and reference. The accounts are
    those of the postings, by id, with the lots that these name."""
    amounts: dict[_Key, list[Any]] = {}
    for posting in postings:
        debit, credit, amount, lot_id, reason = *posting[4:7], posting[8], posting[9]
        account = accounts[posting[2]]
        kind = _kind(account.asset, debit, credit, reason)
        if kind is None:
            continue
        said = None if kind is CASHBACK else reason
        lapsed_at = posting[13] if kind is EXPIRED else None
        key = (kind, account.member_id, account.asset, said, posting[12], lapsed_at)
        total = amounts.setdefault(key, [0, NEVER, NEVER, posting[13]])
        total[0] += amount
        if kind is EARNED or kind is CASHBACK:
            lot = account.lots[lot_id]
            total[1] = min(total[1], lot.available_at)
            total[2] = min(total[2], lot.expires_at)
    for key, (amount, available_at, expires_at, occurred_at) in amounts.items():
        facts = _facts(key, amount, available_at, expires_at)
        outbox.put(key[0], key[1], facts, occurred_at=occurred_at)


def _kind(asset: str, debit: str, credit: str, reason: str) -> str | None:
    """What a posting tells, if anything."""
    if asset != POINTS:
        return CASHBACK if debit == _ISSUED else None
    if _TRANSFERRED in (debit, credit):
        return _GIFTS.get(reason)
    if credit == _MEMBER:
        return EARNED if debit in _COMES_FROM else None
    return _GOES_TO.get(credit)


def _facts(key: _Key, amount: int, available_at: Instant, expires_at: Instant) -> dict[str, Any]:
    kind, _member_id, asset, reason, reference, _lapsed_at = key
    if kind is CASHBACK:
        return {"currency": asset, "amount_minor": amount, "available_at": available_at}
    if kind is EXPIRED:
        return {"points": amount}
    facts: dict[str, Any] = {"points": amount, "reason": reason, "reference": reference}
    if kind is EARNED:
        facts["available_at"] = available_at
        facts["expires_at"] = None if expires_at == NEVER else expires_at
    return facts
