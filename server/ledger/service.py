"""The ledger's verbs: the only door to it for other domains."""

from collections.abc import Iterable

import msgspec

from server.clock import Instant
from server.ledger import models
from server.ledger.journal import Grant, Journal, journal, open_accounts
from server.ledger.rules import Reason, Side

__all__ = [
    "Balance",
    "ExpiringValue",
    "Grant",
    "Journal",
    "Reason",
    "StatementLine",
    "balance_at",
    "balances",
    "expiring",
    "journal",
    "open_accounts",
    "statement",
]


class Balance(msgspec.Struct, frozen=True):
    """One account at one instant, in points or minor units."""

    available: int = 0
    pending: int = 0
    granted_total: int = 0
    redeemed_total: int = 0
    expired_total: int = 0


class ExpiringValue(msgspec.Struct, frozen=True):
    """What expires at one instant if it is not spent before."""

    expires_at: Instant
    amount: int


class StatementLine(msgspec.Struct, frozen=True):
    """One line of a member's statement; `amount` is negative for what left the account."""

    sequence: int
    amount: int
    balance_after: int
    reason: Reason
    rule: str
    reference: int | None
    occurred_at: Instant


NOTHING = Balance()


async def balances(
    member_ids: Iterable[int], at: Instant
) -> dict[tuple[int, str], Balance]:
    """The present balances by (member, asset), for an instant not before the last posting.

    What has expired by then counts as expired, whether or not that has been booked.
    """
    rows = await models.balance_rows(member_ids, at)
    return {
        (member_id, asset): Balance(usable, pending, granted, redeemed, expired + unbooked)
        for (
            member_id,
            asset,
            _balance,
            granted,
            redeemed,
            expired,
            usable,
            pending,
            unbooked,
        ) in rows
    }


async def balance_at(member_id: int, asset: str, at: Instant) -> Balance:
    """Available and pending at any instant, from the journal: what counted by then counts."""
    usable = pending = 0
    for available_at, expires_at, left in await models.lots_as_of(member_id, asset, at):
        if at < expires_at:
            if available_at <= at:
                usable += left
            else:
                pending += left
    return Balance(available=usable, pending=pending)


async def expiring(
    member_id: int, asset: str, *, after: Instant, until: Instant
) -> list[ExpiringValue]:
    """What the member holds that expires after the one and up to the other instant, by instant."""
    amounts: dict[Instant, int] = {}
    for expires_at, _available_at, remaining in await models.expiring_lots(
        member_id, asset, after
    ):
        if expires_at > until:
            break
        amounts[expires_at] = amounts.get(expires_at, 0) + remaining
    return [ExpiringValue(expires_at, amount) for expires_at, amount in amounts.items()]


async def statement(
    member_id: int, asset: str, *, at: Instant, before: int | None, limit: int
) -> list[StatementLine]:
    """The newest `limit` lines of the statement, or those before line `before`; newest first.

    What has expired and is not booked yet stands at the top, with the numbers and balances that it
    will be booked with, so that a line never changes.
    """
    due = await models.unbooked_expiries(member_id, asset, at)
    lines: list[StatementLine] = []
    balance = due[0][1] if due else 0
    for offset, (last_sequence, _balance, remaining, rule, expires_at) in enumerate(due, 1):
        balance -= remaining
        lines.append(
            StatementLine(
                last_sequence + offset, -remaining, balance, Reason.EXPIRY, rule, None, expires_at
            )
        )
    lines.reverse()
    if before is not None:
        lines = [line for line in lines if line.sequence < before]
    if len(lines) >= limit:
        return lines[:limit]
    booked = await models.statement_rows(
        member_id, asset, 2**31 - 1 if before is None else before, limit - len(lines)
    )
    return lines + [
        StatementLine(
            sequence,
            -amount if debit == Side.MEMBER else amount,
            balance_after,
            Reason(reason),
            rule,
            reference,
            occurred_at,
        )
        for sequence, debit, amount, balance_after, reason, rule, reference, occurred_at in booked
    ]
