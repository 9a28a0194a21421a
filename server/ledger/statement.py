"""Members' statements: every line that changed what they have, those of time alone included.

What time alone has done and is not booked yet stands at the top, with the numbers and balances that
it will be booked with, so that a line never changes. Moves between what the member can spend and
what is held are no lines: they change no one's worth.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import msgspec

from server.clock import NEVER, Instant
from server.ledger import queries, rules
from server.ledger.rules import OpenLot, OpenPortion, Reason, Side
from server.ledger.shown_queries import ACCOUNTS, EARLIER, LOTS_OF, NEWEST, PORTIONS
from server.storage import parts
from server.storage.parts import FIRST_COLUMN, Ask, Found
from server.storage.sql import Row

LAST_SEQUENCE = 2**31 - 1
_POSTINGS_READ_PER_EVENT = 3
_GRANTS = frozenset(
    {
        *(Reason.PURCHASE, Reason.WELCOME, Reason.CHALLENGE, Reason.STREAK, Reason.CASHBACK),
        *(Reason.OFFER, Reason.REFERRAL, Reason.ACTION),
    }
)
"""Each of these is an event of its own."""
_REASONS = {reason.value: reason for reason in Reason}
_SEQUENCE = itemgetter(FIRST_COLUMN)
_LAST_SEQUENCE, _BALANCE, _OWED = FIRST_COLUMN + 6, FIRST_COLUMN + 7, FIRST_COLUMN + 5


class StatementLine(msgspec.Struct, frozen=True, gc=False):
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


@dataclass(slots=True, eq=False)
class Beginning:
    """The newest lines of a statement, and from where on it is not known."""

    member_id: int
    unbooked: list[StatementLine]  # what time alone has made
    booked: list[StatementLine]
    rest_below: int  # the first sequence of which nothing was read, and one more
    changes_at: Instant


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
    return ((ACCOUNTS, ()), (PORTIONS, ()), (LOTS_OF, (asset,)), booked)


def activity_from(
    member_id: int, found: Found, asset: str, *, at: Instant, limit: int, before: int | None = None
) -> Page | Beginning:
    """The statement by events: what one event took from several lots is one line, numbered by its
    oldest posting. Newest first; `before` is the number of such a line.

    A Beginning if what was found does not reach so far, because an event spans very many lots, or
    very much was reserved and released: `completed` reads the rest.
    """
    begun = _beginning(member_id, found, asset, at=at, limit=limit, before=before)
    events = _events([*begun.unbooked, *begun.booked])
    if begun.rest_below > 1 and len(events) <= limit:
        return begun
    return Page(events[:limit], begun.changes_at)


async def completed(
    begun: Collection[Beginning], asset: str, *, limit: int, before: int | None = None
) -> list[Page]:
    """The pages that begin so, in their order; a statement for all, unless an event spans hundreds
    of lots."""
    pages: dict[int, Page] = {}
    size = limit * _POSTINGS_READ_PER_EVENT
    while missing := {one.member_id: one for one in begun if one.member_id not in pages}:
        booked = await _booked(missing, asset, before=before, limit=size)
        for member_id, one in missing.items():
            events = _events([*one.unbooked, *booked[member_id]])
            if len(booked[member_id]) < size or len(events) > limit:
                pages[member_id] = Page(events[:limit], one.changes_at)
        size *= 4
    return [pages[one.member_id] for one in begun]


async def activities(
    member_ids: Collection[int], asset: str, *, at: Instant, before: int | None, limit: int
) -> dict[int, Page]:
    """Of each member what `activity_from` tells; one statement, or two where that is not enough."""
    question = parts.Question(activity_part(asset, limit=limit, before=before))
    pages: dict[int, Page] = {}
    begun: list[Beginning] = []
    for member_id, found in (await parts.read(question, member_ids)).items():
        page = activity_from(member_id, found, asset, at=at, limit=limit, before=before)
        if isinstance(page, Beginning):
            begun.append(page)
        else:
            pages[member_id] = page
    rest = await completed(begun, asset, limit=limit, before=before)
    return pages | {one.member_id: page for one, page in zip(begun, rest, strict=True)}


async def statement(
    member_id: int, asset: str, *, at: Instant, before: int | None, limit: int
) -> list[StatementLine]:
    """The newest `limit` lines of the statement, or those before line `before`; newest first."""
    question = parts.Question(activity_part(asset, limit=limit, before=before))
    [found] = (await parts.read(question, [member_id])).values()
    begun = _beginning(member_id, found, asset, at=at, limit=limit, before=before)
    lines = [*begun.unbooked, *begun.booked]
    if len(lines) < limit and begun.rest_below > 1:
        booked = await _booked([member_id], asset, before=before, limit=limit)
        lines = [*begun.unbooked, *booked[member_id]]
    return lines[:limit]


async def _booked(
    member_ids: Iterable[int], asset: str, *, before: int | None, limit: int
) -> dict[int, list[StatementLine]]:
    below = LAST_SEQUENCE if before is None else min(before, LAST_SEQUENCE)
    lines: dict[int, list[StatementLine]] = {member_id: [] for member_id in member_ids}
    rows = await queries.booked_rows(lines, asset, below, limit)
    for row in sorted(rows, key=lambda row: -row[1]):
        lines[row[0]].append(_line(row[1:6], row[6], row[7]))
    return lines


def _line(numbers: Row, reason: str, rule: str) -> StatementLine:
    sequence, amount, balance_after, reference, occurred_at = numbers
    return StatementLine(
        sequence, amount, balance_after, _REASONS[reason], rule, reference, occurred_at
    )


def _beginning(
    member_id: int, found: Found, asset: str, *, at: Instant, limit: int, before: int | None
) -> Beginning:
    text_at = found.text_at
    account = next((row for row in found.rows(ACCOUNTS) if row[text_at] == asset), None)
    if account is None:
        return Beginning(member_id, [], [], 0, NEVER)
    unbooked, changes_at = _unbooked(found, asset, at)
    size = _postings_read(limit)
    if before is None:
        rows, rest_below = found.rows(NEWEST), account[_LAST_SEQUENCE] - size + 1
    else:
        rows, rest_below = found.rows(EARLIER), min(before, LAST_SEQUENCE) - size
        unbooked = [line for line in unbooked if line.sequence < before]
    booked = [
        StatementLine(
            row[2], row[3], row[4], _REASONS[row[text_at]], row[text_at + 1], row[5], row[6]
        )
        for row in sorted(rows, key=_SEQUENCE, reverse=True)
    ]
    return Beginning(member_id, unbooked, booked, rest_below, changes_at)


def _unbooked(found: Found, asset: str, at: Instant) -> tuple[list[StatementLine], Instant]:
    """The lines that time alone has made and nobody has booked, newest first; and the first
    instant at which it makes another one."""
    text_at = found.text_at
    lots = found.rows(LOTS_OF)
    portions = [row for row in found.rows(PORTIONS) if row[text_at] == asset]
    moments = [row[FIRST_COLUMN + 2] for row in lots]
    moments += [row[FIRST_COLUMN + 1] for row in portions]
    changes_at: Instant = min(moments, default=NEVER)
    if changes_at > at:
        return [], changes_at
    changes_at = min((moment for moment in moments if moment > at), default=NEVER)
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
    newer: StatementLine | None = None
    for line in lines:
        # Of an instant there is seldom more than one line.
        if (
            newer is not None
            and newer.occurred_at == line.occurred_at
            and _is_one_event(newer, line)
        ):
            newer = events[-1] = msgspec.structs.replace(
                newer, sequence=line.sequence, amount=newer.amount + line.amount
            )
        else:
            newer = line
            events.append(line)
    return events


def _is_one_event(newer: StatementLine, older: StatementLine) -> bool:
    # Of lines of one instant.
    return (
        newer.reason is older.reason
        and newer.reference == older.reference
        and (newer.amount < 0) == (older.amount < 0)
        and newer.reason not in _GRANTS
    )
