"""Members' statements: every line that changed what they have, those of time alone included.

What time alone has done and is not booked yet stands at the top, with the numbers and balances that
it will be booked with, so that a line never changes. Moves between what the member can spend and
what is held are no lines: they change no one's worth.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from server.clock import NEVER, Instant
from server.ledger import queries, rules
from server.ledger.rules import OpenLot, OpenPortion, Reason, Side
from server.ledger.shown_queries import ACCOUNTS, EARLIER, LOTS, NEWEST, PORTIONS
from server.storage import parts
from server.storage.parts import FIRST_COLUMN, Ask, Found
from server.storage.sql import Row

LAST_SEQUENCE = 2**31 - 1
_POSTINGS_READ_PER_EVENT = 3
_GRANTS = frozenset(
    {Reason.PURCHASE, Reason.WELCOME, Reason.CHALLENGE, Reason.STREAK, Reason.CASHBACK}
)
"""Each of these is an event of its own."""
_REASONS = {reason.value: reason for reason in Reason}
_LAST_SEQUENCE, _BALANCE, _OWED = FIRST_COLUMN + 6, FIRST_COLUMN + 7, FIRST_COLUMN + 5


class StatementLine(msgspec.Struct, frozen=True):
    """One line of a member's statement; `amount` is negative for what left the account."""

    sequence: int
    amount: int
    balance_after: int
    reason: Reason
    rule: str
    reference: int | None
    occurred_at: Instant


class Page(NamedTuple):
    """Some lines, the newest first, and the first instant at which time alone adds another one."""

    lines: list[StatementLine]
    changes_at: Instant


class _Part(NamedTuple):
    """The lines that one question found, newest first, and below which sequence others may be."""

    lines: list[StatementLine]
    rest_below: int
    changes_at: Instant


_NOTHING = _Part([], 0, NEVER)


def _postings_read(limit: int) -> int:
    # What one event takes from several lots is several postings; most events are one.
    return limit + limit // 2 + 4


def activity_part(asset: str, *, limit: int, before: int | None = None) -> tuple[Ask, ...]:
    """What the newest `limit` events of a statement, or those before line `before`, are made from;
    read again by `activity_from`."""
    size = _postings_read(limit)
    booked: Ask = (NEWEST, (asset, size))
    if before is not None:
        below = min(before, LAST_SEQUENCE)
        booked = (EARLIER, (asset, below, max(0, below - size)))
    return ((ACCOUNTS, ()), (LOTS, ()), (PORTIONS, ()), booked)


def activity_from(
    found: Found, asset: str, *, at: Instant, limit: int, before: int | None = None
) -> Page | None:
    """The statement by events: what one event took from several lots is one line, numbered by its
    oldest posting. Newest first; `before` is the number of such a line.

    None if what was found does not reach so far: an event spans very many lots, or very much was
    reserved and released; `activities` tells it.
    """
    part = _part(found, asset, at=at, limit=limit, before=before)
    events = _events(part.lines)
    if part.rest_below > 1 and len(events) <= limit:
        return None
    return Page(events[:limit], part.changes_at)


async def activities(
    member_ids: Collection[int], asset: str, *, at: Instant, before: int | None, limit: int
) -> dict[int, Page]:
    """Of each member what `activity_from` tells; one statement, unless an event spans very many
    lots."""
    question = parts.Question(activity_part(asset, limit=limit, before=before))
    pages: dict[int, Page] = {}
    for member_id, found in (await parts.read(question, member_ids)).items():
        page = activity_from(found, asset, at=at, limit=limit, before=before)
        if page is None:
            part = _part(found, asset, at=at, limit=limit, before=before)
            page = await _continued(member_id, asset, part, limit)
        pages[member_id] = page
    return pages


async def _continued(member_id: int, asset: str, part: _Part, limit: int) -> Page:
    lines, below = list(part.lines), part.rest_below
    size = limit * _POSTINGS_READ_PER_EVENT
    while True:
        more = await _booked(member_id, asset, before=below, limit=size)
        lines += more
        events = _events(lines)
        if len(more) < size or len(events) > limit:
            return Page(events[:limit], part.changes_at)
        below = more[-1].sequence


async def statement(
    member_id: int, asset: str, *, at: Instant, before: int | None, limit: int
) -> list[StatementLine]:
    """The newest `limit` lines of the statement, or those before line `before`; newest first."""
    question = parts.Question(activity_part(asset, limit=limit, before=before))
    [found] = (await parts.read(question, [member_id])).values()
    part = _part(found, asset, at=at, limit=limit, before=before)
    lines = part.lines
    if len(lines) < limit and part.rest_below > 1:
        missing = limit - len(lines)
        lines += await _booked(member_id, asset, before=part.rest_below, limit=missing)
    return lines[:limit]


async def _booked(member_id: int, asset: str, *, before: int, limit: int) -> list[StatementLine]:
    return [
        StatementLine(row[0], row[1], row[2], Reason(row[5]), row[6], row[3], row[4])
        for row in await queries.booked_rows(member_id, asset, before, limit)
    ]


def _part(found: Found, asset: str, *, at: Instant, limit: int, before: int | None) -> _Part:
    text_at = found.text_at
    account = next((row for row in found.rows(ACCOUNTS) if row[text_at] == asset), None)
    if account is None:
        return _NOTHING
    lines, changes_at = _unbooked(found, asset, at)
    size = _postings_read(limit)
    if before is None:
        booked, rest_below = found.rows(NEWEST), account[_LAST_SEQUENCE] - size + 1
    else:
        booked, rest_below = found.rows(EARLIER), min(before, LAST_SEQUENCE) - size
        lines = [line for line in lines if line.sequence < before]
    lines += [
        StatementLine(row[2], row[3], row[4], _REASONS[row[text_at]], row[text_at + 1], *row[5:7])
        for row in sorted(booked, key=_sequence, reverse=True)
    ]
    return _Part(lines, rest_below, changes_at)


def _sequence(row: Row) -> int:
    number: int = row[FIRST_COLUMN]
    return number


def _unbooked(found: Found, asset: str, at: Instant) -> tuple[list[StatementLine], Instant]:
    """The lines that time alone has made and nobody has booked, newest first; and the first
    instant at which it makes another one."""
    text_at = found.text_at
    lots = [row for row in found.rows(LOTS) if row[text_at] == asset]
    portions = [row for row in found.rows(PORTIONS) if row[text_at] == asset]
    moments = [row[FIRST_COLUMN + 2] for row in lots]
    moments += [row[FIRST_COLUMN + 1] for row in portions]
    changes_at = min((moment for moment in moments if moment > at), default=NEVER)
    if all(moment > at for moment in moments):
        return [], changes_at
    account = next(row for row in found.rows(ACCOUNTS) if row[text_at] == asset)
    return _due(account, lots, portions, text_at=text_at, at=at), changes_at


def _due(
    account: Row,
    lots: Iterable[Row],
    portions: Iterable[Row],
    *,
    text_at: int,
    at: Instant,
) -> list[StatementLine]:
    known: dict[int, OpenLot] = {}
    held: list[OpenPortion] = []
    for row in portions:
        remaining, releases_at, lot_expires_at, number, lot_sequence, lot_id = row[2:8]
        held.append(OpenPortion(number, 0, 0, lot_id, remaining, releases_at, lot_expires_at))
        known[lot_id] = OpenLot(
            lot_id, 0, lot_sequence, 0, 0, at, lot_expires_at, "", row[text_at + 1], 0
        )
    for row in lots:
        remaining, available_at, expires_at, lot_id, lot_sequence, version = row[2:8]
        known[lot_id] = OpenLot(
            lot_id, 0, lot_sequence, remaining, remaining, available_at, expires_at, "",
            row[text_at + 1], version,
        )  # fmt: skip
    sequence, balance, lines = account[_LAST_SEQUENCE], account[_BALANCE], []
    for line in rules.due(known.values(), held, owed=account[_OWED], at=at):
        sequence += 1
        if line.credit is Side.EXPIRED:
            balance -= line.amount
            rule = known[line.lot_id].rule
            lines.append(
                StatementLine(
                    sequence, -line.amount, balance, line.reason, rule, None, line.occurred_at
                )
            )
    return lines[::-1]


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
        newer.reason is older.reason
        and newer.occurred_at == older.occurred_at
        and newer.reference == older.reference
        and (newer.amount < 0) == (older.amount < 0)
        and newer.reason not in _GRANTS
    )
