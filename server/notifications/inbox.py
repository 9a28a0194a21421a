"""The inbox: what was written to a member, whether or not it was sent to a device.

A message is in it from `shown_from` until it expires or the member puts it away. Who was held out
of a campaign, or wants no such messages in the app, has none of it there (`is_shown`).
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from server.clock import Instant
from server.errors import InvalidInput, NotFound, phrase
from server.notifications.shapes import Category, Wire
from server.storage import changes, outbox, sql
from server.storage.each import of_each

MAXIMUM_MARKED = 100

_COLUMNS = (
    "n.id, n.member_id, n.category, n.title, n.body, n.wire, n.shown_from, n.read_at, n.opened_at,"
    " n.expires_at"
)
_SHOWN = "n.is_shown = 1 AND n.shown_from <= {now} AND n.expires_at > {now}"
_UNREAD = f"n.read_at IS NULL AND {_SHOWN}"
_ANY_OF_MEMBER = (
    "(n.member_id = $2 OR EXISTS (SELECT 1 FROM members m"
    " WHERE m.id = n.member_id AND m.merged_into = $2))"
)


class NotificationView(msgspec.Struct, frozen=True):
    """A message as its member reads it."""

    id: int
    member_id: int
    category: Category
    title: str
    body: str
    wire: Wire
    shown_from: Instant
    read_at: Instant | None
    opened_at: Instant | None
    expires_at: Instant


class Opened(msgspec.Struct, frozen=True):
    """That a message was opened."""

    notification: NotificationView
    is_first: bool


def _view(row: sql.Row) -> NotificationView:
    wire = msgspec.json.decode(row[5], type=Wire)
    return NotificationView(row[0], row[1], Category(row[2]), row[3], row[4], wire, *row[6:])


# ---------------------------------------------------------------- looking


async def of_members(
    member_ids: Iterable[int], *, unread_only: bool, before: int, limit: int, now: Instant
) -> dict[int, list[NotificationView]]:
    """Each member's newest messages with an id below `before`, the newest first."""
    found: dict[int, list[NotificationView]] = {one: [] for one in member_ids}
    condition = (_UNREAD if unread_only else _SHOWN).format(now="$3")
    rows = await of_each(
        f"SELECT {_COLUMNS} FROM notifications n WHERE n.member_id = {{owner}} AND n.id < $1"
        f" AND {condition} ORDER BY n.id DESC LIMIT $2",
        list(found),
        before,
        limit,
        now,
    )
    for view in sorted(map(_view, rows), key=lambda view: -view.id):
        found[view.member_id].append(view)
    return found


async def unread_counts(member_ids: Iterable[int], *, now: Instant) -> dict[int, int]:
    """How many messages each of the members has not read; one statement."""
    wanted = list(member_ids)
    values = sql.padded(wanted)
    rows = await sql.fetch(
        f"SELECT n.member_id, COUNT(*) FROM notifications n WHERE {_UNREAD.format(now='$1')}"
        f" AND n.member_id IN ({sql.placeholders(len(values), 2)}) GROUP BY n.member_id",
        now,
        *values,
    )
    return dict.fromkeys(wanted, 0) | {row[0]: row[1] for row in rows}


async def find(ids: Collection[int], *, now: Instant) -> dict[int, NotificationView]:
    """Those of the messages that are in an inbox."""
    values = sql.padded(ids)
    rows = await sql.fetch(
        f"SELECT {_COLUMNS} FROM notifications n WHERE {_SHOWN.format(now='$1')}"
        f" AND n.id IN ({sql.placeholders(len(values), 2)})",
        now,
        *values,
    )
    return {row[0]: _view(row) for row in rows}


# ---------------------------------------------------------------- reading and putting away


async def mark_read(member_id: int, ids: Sequence[int] | None, *, now: Instant) -> int:
    """Mark the member's messages with these ids read, or all that are in the inbox; how many were
    not. Ids of anything else are passed over.

    Writes; call it inside a transaction. Raises InvalidInput for more ids than MAXIMUM_MARKED.
    """
    statement = (
        "UPDATE notifications SET read_at = $1 WHERE member_id = $2"
        " AND read_at IS NULL AND is_shown = 1 AND shown_from <= $1 AND expires_at > $1"
    )
    values: list[int] = []
    if ids is not None:
        if not 1 <= len(ids) <= MAXIMUM_MARKED:
            raise InvalidInput(
                "inbox.count",
                path=("notificationIds",),
                value=len(ids),
                accepted=phrase("accepted.range", minimum=1, maximum=MAXIMUM_MARKED),
            )
        values = sql.padded(ids)
        statement += f" AND id IN ({sql.placeholders(len(values), 3)})"
    marked = await sql.execute(statement, now, member_id, *values)
    if marked:
        changes.note(changes.MEMBER, member_id)
    return marked


async def dismiss(member_id: int, notification_id: int, *, now: Instant) -> bool:
    """Take a message out of the member's inbox for good; whether it was there. It stays in the
    records of what was sent.

    Writes; call it inside a transaction. Raises NotFound for what is no message to the member.
    """
    shown = await sql.execute(
        "UPDATE notifications SET is_shown = 0, read_at = COALESCE(read_at, $1)"
        " WHERE id = $2 AND member_id = $3 AND is_shown = 1 AND shown_from <= $1",
        now,
        notification_id,
        member_id,
    )
    if shown:
        changes.note(changes.MEMBER, member_id)
    else:
        await _sent(member_id, notification_id)
    return shown == 1


async def open_(member_id: int, notification_id: int, *, now: Instant) -> Opened:
    """Note that the member opened a message, from a push message or in the inbox; only the first
    time counts.

    Writes; call it inside a transaction. Raises NotFound for what is no message to the member.
    """
    view = await _sent(member_id, notification_id)
    opened = await sql.execute(
        "UPDATE notifications SET opened_at = $1, read_at = COALESCE(read_at, $1)"
        " WHERE id = $2 AND opened_at IS NULL",
        now,
        notification_id,
    )
    if opened:
        facts = {"notification_id": notification_id}
        outbox.put("notification.opened", member_id, facts, occurred_at=now)
        changes.note(changes.MEMBER, member_id)
        view = await _sent(member_id, notification_id)
    return Opened(view, is_first=opened == 1)


async def _sent(member_id: int, notification_id: int) -> NotificationView:
    """The message that was written to the member, or to a duplicate who was merged into them."""
    row = await sql.fetch_one(
        f"SELECT {_COLUMNS} FROM notifications n"
        f" WHERE n.id = $1 AND n.is_held_out = 0 AND {_ANY_OF_MEMBER}",
        notification_id,
        member_id,
    )
    if row is None:
        raise NotFound("inbox.not_found", path=("notificationId",))
    return _view(row)
