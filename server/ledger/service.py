"""The ledger's verbs: the only door to it for other domains."""

from collections.abc import Iterable, Sequence

import msgspec

from server.clock import Instant
from server.ledger import queries, rules
from server.ledger.accounts import Cause
from server.ledger.debts import hand_back, refill, take_over
from server.ledger.holds import (
    HoldStatus,
    HoldView,
    find_holds,
    hold,
    holders,
    open_holds,
    release,
    settle,
)
from server.ledger.journal import Grant, Journal, journal, open_accounts
from server.ledger.moving import give, go_on
from server.ledger.rules import (
    Balance,
    ExpiringValue,
    Holding,
    OpenLot,
    OpenPortion,
    OpenValue,
    Reason,
    ReturnPolicy,
    Side,
    Totals,
)
from server.ledger.undoing import (
    Granted,
    Restored,
    Undone,
    granted_by,
    granted_under,
    restore,
    undo,
    users,
)
from server.storage import sql

_POSTINGS_READ_PER_EVENT = 3

__all__ = [
    "Balance",
    "Cause",
    "ExpiringValue",
    "Flow",
    "Grant",
    "Granted",
    "HoldStatus",
    "HoldView",
    "Holding",
    "Journal",
    "Reason",
    "Restored",
    "ReturnPolicy",
    "Side",
    "StatementLine",
    "Undone",
    "activity",
    "balance_at",
    "balances",
    "find_holds",
    "flows",
    "give",
    "go_on",
    "granted_by",
    "granted_under",
    "hand_back",
    "hold",
    "holders",
    "holdings",
    "journal",
    "open_accounts",
    "open_holds",
    "refill",
    "release",
    "restore",
    "settle",
    "statement",
    "take_over",
    "undo",
    "users",
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
    """What flowed to and from all members together in a span of time."""

    granted: int = 0
    redeemed: int = 0  # less what was given back
    expired: int = 0
    reversed: int = 0
    moved: int = 0  # adjusted, opened, transferred and paid out: came less went

    @property
    def net(self) -> int:
        """By how much the members' balances grew."""
        return self.granted - self.redeemed - self.expired - self.reversed + self.moved

    def __add__(self, other: "Flow") -> "Flow":
        return Flow(
            self.granted + other.granted,
            self.redeemed + other.redeemed,
            self.expired + other.expired,
            self.reversed + other.reversed,
            self.moved + other.moved,
        )


LAST_SEQUENCE = 2**31 - 1


async def balances(member_ids: Iterable[int], at: Instant) -> dict[tuple[int, str], Balance]:
    """The present balances by (member, asset), for an instant not before the last posting.

    What has lapsed by then counts as lapsed, whether or not that has been booked.
    """
    return {key: holding.balance for key, holding in (await holdings(member_ids, at)).items()}


async def balance_at(member_id: int, asset: str, at: Instant) -> Balance:
    """Available, pending, held and owed at any instant, from the journal: what counted by then
    counts."""
    values: list[OpenValue] = []
    held = owed = 0
    for kind, first, second, amount, number in await queries.instant_rows(member_id, asset, at):
        if kind == "owed":
            owed = amount
        elif kind == "held":
            held += amount
        elif kind == "portion":
            held -= amount
            values.append(OpenValue(amount, first, second, first, number))
        else:
            values.append(OpenValue(amount, first, second))
    then = rules.released(at, values, owed=owed)
    alive = [value for value in then.free if at < value.expires_at]
    usable = sum(value.remaining for value in alive if value.available_at <= at)
    pending = sum(value.remaining for value in alive) - usable
    return Balance(available=usable - then.owed, pending=pending, held=held, owed=then.owed)


async def holdings(member_ids: Iterable[int], at: Instant) -> dict[tuple[int, str], Holding]:
    """The present balances by (member, asset), and what expires when; one statement."""
    totals: dict[tuple[int, str], Totals] = {}
    values: dict[tuple[int, str], list[OpenValue]] = {}
    for row in await queries.holding_rows(member_ids):
        key = (row[0], row[1])
        totals[key] = Totals(*row[2:8])
        if row[8] is not None:
            values.setdefault(key, []).append(OpenValue(*row[8:]))
    return {
        key: rules.holding(at, sums, values=values.get(key, ())) for key, sums in totals.items()
    }


async def statement(
    member_id: int, asset: str, *, at: Instant, before: int | None, limit: int
) -> list[StatementLine]:
    """The newest `limit` lines of the statement, or those before line `before`; newest first.

    What time alone has done and is not booked yet stands at the top, with the numbers and balances
    that it will be booked with, so that a line never changes. Moves between what the member can
    spend and what is held are no lines: they change no one's worth.
    """
    below = LAST_SEQUENCE if before is None else min(before, LAST_SEQUENCE)
    rows = await queries.statement_rows(member_id, asset, at, below, limit)
    booked = sorted((row for row in rows if row[0] == "posting"), key=lambda row: -row[1])
    lines = [line for line in _unbooked(rows, at) if line.sequence < below]
    lines += [
        StatementLine(row[1], row[2], row[3], Reason(row[7]), row[8], row[4], row[5])
        for row in booked
    ]
    return lines[:limit]


def _unbooked(rows: Sequence[sql.Row], at: Instant) -> list[StatementLine]:
    """The lines that time alone has made and nobody has booked, newest first."""
    account = next((row for row in rows if row[0] == "account"), None)
    if account is None:
        return []
    _kind, sequence, balance, owed, *_rest = account
    lots = {
        row[3]: OpenLot(row[3], 0, row[2], 0, 0, at, row[6], "", row[8], 0)
        for row in rows
        if row[0] == "portion"
    }
    lots |= {
        row[1]: OpenLot(row[1], 0, row[2], row[3], row[3], row[4], row[5], "", row[8], row[6])
        for row in rows
        if row[0] == "lot"
    }
    portions = [
        OpenPortion(row[1], 0, 0, row[3], row[4], row[5], row[6])
        for row in rows
        if row[0] == "portion"
    ]
    lines: list[StatementLine] = []
    for line in rules.due(lots.values(), portions, owed=owed, at=at):
        sequence += 1
        if line.credit is Side.EXPIRED:
            balance -= line.amount
            rule = lots[line.lot_id].rule
            lines.append(
                StatementLine(
                    sequence, -line.amount, balance, line.reason, rule, None, line.occurred_at
                )
            )
    return lines[::-1]


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


_GRANTS = frozenset(
    {Reason.PURCHASE, Reason.WELCOME, Reason.CHALLENGE, Reason.STREAK, Reason.CASHBACK}
)
"""Each of these is an event of its own."""


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
        (newer.amount < 0) == (older.amount < 0)
        and newer.reason not in _GRANTS
        and (newer.reason, newer.reference, newer.occurred_at)
        == (older.reason, older.reference, older.occurred_at)
    )


async def flows(edges: Sequence[Instant]) -> dict[tuple[str, int], Flow]:
    """What flowed in each span of time by (asset, span), spans without any left out; one statement.

    The edges ascend. Span 0 is the time before the first, span n that from edge n - 1 on until just
    before edge n. What has expired by then counts, whether or not that has been booked.
    """
    rows = await queries.flow_rows(edges)
    return {(row[0], row[1]): Flow(*row[2:]) for row in rows if any(row[2:])}
