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
from server.ledger.present import (
    DAY_MICROSECONDS,
    HOLDINGS,
    holding_of,
    holdings_of,
    holdings_part,
)
from server.ledger.rules import (
    Balance,
    ExpiringValue,
    Holding,
    HoldingNow,
    OpenValue,
    Reason,
    ReturnPolicy,
    Side,
)
from server.ledger.statement import (
    Beginning,
    Page,
    StatementLine,
    activities,
    activity_from,
    activity_part,
    completed,
    statement,
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
from server.storage import parts, sql

__all__ = [
    "DAY_MICROSECONDS",
    "HOLDINGS",
    "Balance",
    "Beginning",
    "Cause",
    "ExpiringValue",
    "Flow",
    "Grant",
    "Granted",
    "HoldStatus",
    "HoldView",
    "Holding",
    "HoldingNow",
    "Journal",
    "Page",
    "Reason",
    "Restored",
    "ReturnPolicy",
    "Side",
    "StatementLine",
    "Undone",
    "activities",
    "activity_from",
    "activity_part",
    "balance_at",
    "balances",
    "balances_at",
    "completed",
    "find_holds",
    "flows",
    "give",
    "go_on",
    "granted_by",
    "granted_under",
    "hand_back",
    "hold",
    "holders",
    "holding_of",
    "holdings",
    "holdings_of",
    "holdings_part",
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


async def balances(member_ids: Iterable[int], at: Instant) -> dict[tuple[int, str], Balance]:
    """The present balances by (member, asset), for an instant not before the last posting.

    What has lapsed by then counts as lapsed, whether or not that has been booked.
    """
    return {key: holding.balance for key, holding in (await holdings(member_ids, at)).items()}


async def balance_at(member_id: int, asset: str, at: Instant) -> Balance:
    """Available, pending, held and owed at any instant, from the journal: what counted by then
    counts."""
    return (await balances_at([member_id], asset, at))[member_id]


async def balances_at(member_ids: Iterable[int], asset: str, at: Instant) -> dict[int, Balance]:
    """`balance_at` of each of the members; one statement."""
    rows: dict[int, list[sql.Row]] = {member_id: [] for member_id in member_ids}
    for member_id, *row in await queries.instant_rows(rows, asset, at):
        rows[member_id].append(row)
    return {member_id: _balance_at(own, at) for member_id, own in rows.items()}


def _balance_at(rows: Iterable[sql.Row], at: Instant) -> Balance:
    values: list[OpenValue] = []
    held = owed = 0
    for kind, first, second, amount, number in rows:
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
    found = await parts.read(parts.Question(HOLDINGS), set(member_ids))
    return {
        (member_id, asset): now.holding
        for member_id, one in found.items()
        for asset, now in holdings_of(one, at).items()
    }


async def flows(edges: Sequence[Instant]) -> dict[tuple[str, int], Flow]:
    """What flowed in each span of time by (asset, span), spans without any left out; one statement.

    The edges ascend. Span 0 is the time before the first, span n that from edge n - 1 on until just
    before edge n. What has expired by then counts, whether or not that has been booked.
    """
    rows = await queries.flow_rows(edges)
    return {(row[0], row[1]): Flow(*row[2:]) for row in rows if any(row[2:])}
