"""Notifications and their deliveries, written for many members at once.

Whether a message may be sent is asked when it is due (`claiming`), not here: until then a member
may agree or refuse, and a device may come or go. Here it is only written down that it is wanted,
and what there is no way for at all.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from server.clock import Instant
from server.notifications import rules
from server.notifications.devices import unused_since
from server.notifications.shapes import (
    Category,
    Channel,
    Draft,
    Status,
    StoredWire,
    Suppression,
)
from server.storage import changes, sql
from server.storage.exchange import fetch_each
from server.storage.ids import new_ids

DRAFTS_AT_ONCE = 1_000

_NOTIFICATION_COLUMNS = (
    "id, member_id, topic, category, message, version_id, run_id, variant, is_held_out, is_shown,"
    " locale, title, body, wire, created_at, shown_from, expires_at"
)
_ADD_NOTIFICATION = sql.insert(
    "notifications", _NOTIFICATION_COLUMNS, otherwise="ON CONFLICT (member_id, topic) DO NOTHING"
)
_DELIVERY_COLUMNS = (
    "id, member_id, notification_id, run_id, channel, category, device_id, status, reason,"
    " attempts, due_at, expires_at, settled_at"
)
_ADD_DELIVERY = sql.insert("deliveries", _DELIVERY_COLUMNS)
_DEVICES = (
    "SELECT v.member_id, v.id FROM devices v LEFT JOIN sessions s ON s.id = v.session_id"
    " WHERE v.seen_at > $1 AND s.revoked_at IS NULL AND v.member_id IN ({members})"
)
_ADDRESSED = (
    "SELECT COALESCE(m.merged_into, m.id) FROM accounts a JOIN members m ON m.id = a.member_id"
    " WHERE a.email IS NOT NULL AND (m.id IN ({members}) OR m.merged_into IN ({members}))"
)
_UNSHOWN = (
    "SELECT member_id, category FROM message_choices"
    " WHERE channel = 'in_app' AND is_given = 0 AND member_id IN ({members})"
)


class _Ways(msgspec.Struct, frozen=True):
    """How members are reached."""

    devices: Mapping[int, Sequence[int]]
    addressed: frozenset[int]
    unshown: frozenset[tuple[int, str]]


async def write(drafts: Sequence[Draft], now: Instant) -> list[int | None]:
    """Write the messages, and what is to be sent of them; the ids of the notifications.

    None stands for a draft whose member has had its topic, also by a draft before it. What belongs
    to a campaign does not start at a peak of the hour (`rules.off_peak`). Five statements for each
    DRAFTS_AT_ONCE drafts. Writes; call it inside a transaction.
    """
    answers: list[int | None] = []
    remaining = iter(drafts)
    while some := list(islice(remaining, DRAFTS_AT_ONCE)):
        answers += await _write(some, now)
    return answers


async def _write(drafts: Sequence[Draft], now: Instant) -> list[int | None]:
    ways = await _ways({one.member_id for one in drafts}, now)
    ids = new_ids(len(drafts))
    named = [(id_, _off_peak(one)) for id_, one in zip(ids, drafts, strict=True)]
    rows = [_notification(id_, one, ways, now) for id_, one in named]
    await sql.execute_many(_ADD_NOTIFICATION, rows)
    added = await _added(ids)
    kept = [(id_, one) for id_, one in named if id_ in added]
    deliveries = [row for id_, one in kept for row in _deliveries(id_, one, ways, now)]
    numbered = zip(new_ids(len(deliveries)), deliveries, strict=True)
    await sql.execute_many(_ADD_DELIVERY, [(id_, *row) for id_, row in numbered])
    for _id, one in kept:
        if _is_shown(one, ways):
            changes.note(changes.MEMBER, one.member_id)
    return [id_ if id_ in added else None for id_ in ids]


async def _ways(member_ids: set[int], now: Instant) -> _Ways:
    members = sql.padded(member_ids)
    after_one = sql.placeholders(len(members), 2)
    places = sql.placeholders(len(members))
    devices, addressed, unshown = await fetch_each(
        [
            (_DEVICES.format(members=after_one), [unused_since(now), *members]),
            (_ADDRESSED.format(members=places), members),
            (_UNSHOWN.format(members=places), members),
        ]
    )
    of_members: dict[int, list[int]] = defaultdict(list)
    for member_id, device_id in devices:
        of_members[member_id].append(device_id)
    return _Ways(
        of_members,
        frozenset(row[0] for row in addressed),
        frozenset((row[0], row[1]) for row in unshown),
    )


def _off_peak(draft: Draft) -> Draft:
    if draft.run_id is None or not draft.is_off_peak:
        return draft
    due_at = rules.off_peak(draft.due_at, draft.member_id, draft.topic)
    return msgspec.structs.replace(draft, due_at=due_at)


def _is_shown(draft: Draft, ways: _Ways) -> bool:
    if draft.is_held_out or Channel.IN_APP not in draft.channels:
        return False
    is_service = draft.category is Category.SERVICE
    return is_service or (draft.member_id, draft.category) not in ways.unshown


def _notification(id_: int, draft: Draft, ways: _Ways, now: Instant) -> sql.Row:
    stored = StoredWire(
        **msgspec.structs.asdict(draft.wire),
        email_subject=draft.email_subject,
        email_body=draft.email_body,
    )
    return (
        id_,
        draft.member_id,
        draft.topic,
        draft.category,
        draft.message,
        draft.version_id,
        draft.run_id,
        draft.variant,
        int(draft.is_held_out),
        int(_is_shown(draft, ways)),
        draft.locale,
        draft.title,
        draft.body,
        msgspec.json.encode(stored).decode(),
        now,
        draft.due_at,
        _shown_until(draft),
    )


def _shown_until(draft: Draft) -> Instant:
    is_late = draft.due_at >= draft.expires_at  # and neither sent nor shown
    if is_late or draft.shown_until is None:
        return draft.expires_at
    return max(draft.expires_at, draft.shown_until)


async def _added(ids: Sequence[int]) -> set[int]:
    """Which of the notifications are written: the others' topics were taken."""
    wanted = sql.padded(ids)
    rows = await sql.fetch(
        f"SELECT id FROM notifications WHERE id IN ({sql.placeholders(len(wanted))})", *wanted
    )
    return {row[0] for row in rows}


def _deliveries(id_: int, draft: Draft, ways: _Ways, now: Instant) -> Iterator[sql.Row]:
    for channel, device_id, reason in _destinations(draft, ways):
        status, settled_at = (Status.QUEUED, None) if reason is None else (Status.SUPPRESSED, now)
        yield (
            draft.member_id,
            id_,
            draft.run_id,
            channel,
            draft.category,
            device_id,
            status,
            reason,
            0,
            draft.due_at,
            draft.expires_at,
            settled_at,
        )


def _destinations(
    draft: Draft, ways: _Ways
) -> Iterator[tuple[Channel, int | None, Suppression | None]]:
    """By what and to which device it goes, or why it does not."""
    if Channel.PUSH in draft.channels:
        devices = ways.devices.get(draft.member_id, ())
        if draft.is_held_out or not devices:
            yield Channel.PUSH, None, _missing(draft, Suppression.NO_DEVICE)
        else:
            for device_id in devices:
                yield Channel.PUSH, device_id, None
    if Channel.EMAIL in draft.channels:
        if draft.is_held_out or draft.member_id not in ways.addressed:
            yield Channel.EMAIL, None, _missing(draft, Suppression.NO_ADDRESS)
        else:
            yield Channel.EMAIL, None, None


def _missing(draft: Draft, reason: Suppression) -> Suppression:
    return Suppression.HELD_OUT if draft.is_held_out else reason
