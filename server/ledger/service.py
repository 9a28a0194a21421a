"""The ledger's verbs: the only door to it for other domains."""

from collections.abc import Iterable, Sequence

import msgspec

from server.clock import Instant
from server.ledger import models, rules
from server.ledger.journal import Grant, Journal, journal, open_accounts
from server.ledger.rules import Balance, ExpiringValue, Holding, OpenValue, Reason, Side

_POSTINGS_READ_PER_EVENT = 3

__all__ = [
    "Balance",
    "ExpiringValue",
    "Flow",
    "Grant",
    "Holding",
    "Journal",
    "Reason",
    "StatementLine",
    "activity",
    "balance_at",
    "balances",
    "flows",
    "holdings",
    "journal",
    "open_accounts",
    "statement",
]


class StatementLine(msgspec.Struct, frozen=True):
    """One line of a member's statement; `amount` is negative for what left the account."""

    sequence: int
    amount: int
    balance_after: int
    reason: Reason
    rule: str
    reference: int | None
    occurred_at: Instant


class Flow(msgspec.Struct, frozen=True):
    """What all members together were granted, redeemed and lost to expiry in a span of time."""

    granted: int = 0
    redeemed: int = 0
    expired: int = 0

    @property
    def net(self) -> int:
        """By how much the members' balances grew."""
        return self.granted - self.redeemed - self.expired

    def __add__(self, other: "Flow") -> "Flow":
        return Flow(
            self.granted + other.granted,
            self.redeemed + other.redeemed,
            self.expired + other.expired,
        )


LAST_SEQUENCE = 2**31 - 1


async def balances(member_ids: Iterable[int], at: Instant) -> dict[tuple[int, str], Balance]:
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


async def holdings(member_ids: Iterable[int], at: Instant) -> dict[tuple[int, str], Holding]:
    """The present balances by (member, asset), and what expires when; one statement."""
    totals: dict[tuple[int, str], tuple[int, int, int]] = {}
    lots: dict[tuple[int, str], list[OpenValue]] = {}
    for row in await models.holding_rows(member_ids):
        key = (row[0], row[1])
        totals[key] = (row[2], row[3], row[4])
        if row[5] is not None:
            lots.setdefault(key, []).append(OpenValue(row[5], row[6], row[7]))
    return {key: rules.holding(at, *sums, lots=lots.get(key, ())) for key, sums in totals.items()}


async def statement(
    member_id: int, asset: str, *, at: Instant, before: int | None, limit: int
) -> list[StatementLine]:
    """The newest `limit` lines of the statement, or those before line `before`; newest first.

    What has expired and is not booked yet stands at the top, with the numbers and balances that it
    will be booked with, so that a line never changes.
    """
    below = LAST_SEQUENCE if before is None else min(before, LAST_SEQUENCE)
    rows = await models.statement_rows(member_id, asset, at, below, limit)
    return [
        StatementLine(
            sequence,
            -amount if debit == Side.MEMBER else amount,
            balance_after,
            Reason(reason),
            rule,
            reference,
            occurred_at,
        )
        for sequence, debit, amount, balance_after, reason, rule, reference, occurred_at in rows
    ]


async def activity(
    member_id: int, asset: str, *, at: Instant, before: int | None, limit: int
) -> list[StatementLine]:
    """The statement by events: what one event took from several lots is one line, numbered by its
    oldest posting. Newest first; `before` is the number of such a line. One statement, unless an
    event spans very many lots."""
    lines: list[StatementLine] = []
    size = limit * _POSTINGS_READ_PER_EVENT
    while True:
        start = lines[-1].sequence if lines else before
        page = await statement(member_id, asset, at=at, before=start, limit=size)
        lines += page
        events = _events(lines)
        if len(page) < size or len(events) > limit:
            return events[:limit]


def _events(lines: Iterable[StatementLine]) -> list[StatementLine]:
    events: list[StatementLine] = []
    for line in lines:
        newer = events[-1] if events else None
        if newer is not None and _is_one_event(newer, line):
            events[-1] = msgspec.structs.replace(
                newer, sequence=line.sequence, amount=newer.amount + line.amount
            )
        else:
            events.append(line)
    return events


def _is_one_event(newer: StatementLine, older: StatementLine) -> bool:
    return (
        newer.amount < 0
        and older.amount < 0
        and (newer.reason, newer.reference, newer.occurred_at)
        == (older.reason, older.reference, older.occurred_at)
    )


async def flows(edges: Sequence[Instant]) -> dict[tuple[str, int], Flow]:
    """What flowed in each span of time by (asset, span), spans without any left out; one statement.

    The edges ascend. Span 0 is the time before the first, span n that from edge n - 1 on until just
    before edge n. What has expired by then counts, whether or not that has been booked.
    """
    return {(row[0], row[1]): Flow(*row[2:]) for row in await models.flow_rows(edges)}
