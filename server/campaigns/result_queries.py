"""Statements about what came of campaigns."""

from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache

from msgspec import Struct

from server.notifications.shapes import Status, Suppression
from server.storage import sql

_SENT = "EXISTS (SELECT 1 FROM deliveries d WHERE d.notification_id = n.id AND d.status = 'sent')"
_OFFER_USED = (
    "EXISTS (SELECT 1 FROM offer_uses u WHERE u.member_id = n.member_id AND u.offer = {offer}"
    " AND u.status = 'used' AND u.used_at >= n.shown_from AND u.used_at < {until})"
)
_BOUGHT = (
    "EXISTS (SELECT 1 FROM purchases p WHERE p.member_id = n.member_id"
    " AND p.occurred_at >= n.shown_from AND p.occurred_at < {until}"
    " AND (p.net_minor <= 0 OR p.returned_net_minor < p.net_minor))"
)
_WITHDRAWN = (
    "(EXISTS (SELECT 1 FROM message_choice_changes c WHERE c.member_id = n.member_id"
    " AND c.category = n.category AND c.is_given = 0"
    " AND c.changed_at >= n.shown_from AND c.changed_at < {until})"
    " OR EXISTS (SELECT 1 FROM consent_changes e WHERE e.member_id = n.member_id"
    " AND e.purpose IN ('push', 'email') AND e.is_given = 0"
    " AND e.changed_at >= n.shown_from AND e.changed_at < {until}))"
)


def _count(condition: str) -> str:
    return f"CAST(COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) AS BIGINT)"


@lru_cache(maxsize=32)
def _groups(goal: str, count: int) -> str:
    """$1: how long is counted; then the runs; then the offer, if the goal is one."""
    reached = {"offer": _OFFER_USED, "purchase": _BOUGHT}.get(goal, "1 = 0")
    until = "n.shown_from + CAST($1 AS BIGINT)"
    marked = (
        "SELECT n.variant, n.is_held_out,"
        f" CASE WHEN {_SENT} THEN 1 ELSE 0 END AS sent,"
        " CASE WHEN n.opened_at IS NULL THEN 0 ELSE 1 END AS opened,"
        f" CASE WHEN {reached.format(offer=f'${count + 2}', until=until)} THEN 1 ELSE 0 END"
        " AS reached,"
        f" CASE WHEN {_WITHDRAWN.format(until=until)} THEN 1 ELSE 0 END AS withdrawn,"
        " n.shown_from FROM notifications n"
        f" WHERE n.run_id IN ({sql.placeholders(count, first=2)})"
    )
    return (
        f"SELECT variant, is_held_out, COUNT(*), {_count('sent = 1')}, {_count('opened = 1')},"
        f" {_count('reached = 1')}, {_count('reached = 1 AND sent = 1')},"
        f" {_count('withdrawn = 1 AND sent = 1')}, MAX(shown_from)"
        f" FROM ({marked}) AS marked GROUP BY variant, is_held_out"
    )


async def groups(
    run_ids: Collection[int], *, goal: str, offer: str | None, within_microseconds: int
) -> Sequence[sql.Row]:
    """Of each variant and of those held out: (variant, is_held_out, members, sent, opened, reached
    the goal, reached it of those it was sent to, withdrew of those, when the last was due).

    `goal` is "offer", "purchase", or "" for none.
    """
    wanted = sql.padded(run_ids)
    named = (offer,) if goal == "offer" else ()
    return await sql.fetch(_groups(goal, len(wanted)), within_microseconds, *wanted, *named)


async def outcomes(run_ids: Collection[int]) -> Sequence[sql.Row]:
    """(variant, channel, status, reason, deliveries, members) of all deliveries of the runs, those
    who were held out apart."""
    wanted = sql.padded(run_ids)
    return await sql.fetch(
        "SELECT n.variant, n.is_held_out, d.channel, d.status, d.reason, COUNT(*),"
        " COUNT(DISTINCT d.member_id)"
        " FROM deliveries d JOIN notifications n ON n.id = d.notification_id"
        f" WHERE d.run_id IN ({sql.placeholders(len(wanted))})"
        " GROUP BY n.variant, n.is_held_out, d.channel, d.status, d.reason",
        *wanted,
    )


# The furthest that a member's message came: first what was sent, last what was suppressed, of which
# push says why before e-mail does.
_FURTHEST = (
    "(SELECT MIN(CASE d.status WHEN 'sent' THEN '0:sent:' WHEN 'in_doubt' THEN '1:in_doubt:'"
    " WHEN 'attempting' THEN '2:attempting:' WHEN 'claimed' THEN '3:claimed:'"
    " WHEN 'queued' THEN '4:queued:' WHEN 'failed' THEN '5:failed:'"
    " ELSE CASE d.channel WHEN 'push' THEN '6' ELSE '7' END || ':suppressed:' END"
    " || CASE WHEN d.status IN ('in_doubt', 'failed', 'suppressed') THEN COALESCE(d.reason, '')"
    " ELSE '' END) FROM deliveries d WHERE d.notification_id = n.id)"
)


class Furthest(Struct, frozen=True):
    """How far the messages of some members came, each member counted once."""

    variant: str | None
    is_held_out: bool
    status: str | None  # None: there was nothing to be sent, and it is in the inbox
    reason: str | None
    members: int


async def furthest(run_ids: Collection[int]) -> list[Furthest]:
    """How far the message of each member of the runs came, by the best of its deliveries."""
    wanted = sql.padded(run_ids)
    rows = await sql.fetch(
        "SELECT variant, is_held_out, is_kept, furthest, COUNT(*) FROM (SELECT n.variant,"
        " n.is_held_out, CASE WHEN n.is_shown = 1 OR n.read_at IS NOT NULL THEN 1 ELSE 0 END"
        f" AS is_kept, {_FURTHEST} AS furthest FROM notifications n"
        f" WHERE n.run_id IN ({sql.placeholders(len(wanted))})) AS told"
        " GROUP BY variant, is_held_out, is_kept, furthest",
        *wanted,
    )
    found: Counter[tuple[str | None, bool, str | None, str | None]] = Counter()
    for variant, is_held_out, is_kept, text, count in rows:
        status, reason = _undelivered(bool(is_held_out), bool(is_kept))
        if text is not None:
            _rank, status, reason = text.split(":", 2)
        found[variant, bool(is_held_out), status, reason or None] += int(count)
    return [Furthest(*group, members) for group, members in found.items()]


def _undelivered(is_held_out: bool, is_kept: bool) -> tuple[str | None, str | None]:
    """What became of a message that is for the inbox alone."""
    if is_held_out:
        return Status.SUPPRESSED, Suppression.HELD_OUT
    return (None, None) if is_kept else (Status.SUPPRESSED, Suppression.NO_CONSENT)


# ---------------------------------------------------------------- the log of one member


_NOTIFICATION_COLUMNS = (
    "id, topic, category, message, run_id, variant, is_held_out, title, body, created_at,"
    " shown_from, expires_at, read_at, opened_at"
)
_DELIVERY_COLUMNS = (
    "id, notification_id, channel, device_id, status, reason, attempts, due_at, attempted_at,"
    " settled_at"
)


async def notifications(member_id: int, *, before: int, limit: int) -> Sequence[sql.Row]:
    """_NOTIFICATION_COLUMNS of a member's newest, those with an id below."""
    return await sql.fetch(
        f"SELECT {_NOTIFICATION_COLUMNS} FROM notifications"
        " WHERE member_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        member_id,
        before,
        limit,
    )


async def deliveries(notification_ids: Collection[int]) -> Sequence[sql.Row]:
    """_DELIVERY_COLUMNS of the notifications, in the order of their ids."""
    wanted = sql.padded(notification_ids)
    return await sql.fetch(
        f"SELECT {_DELIVERY_COLUMNS} FROM deliveries"
        f" WHERE notification_id IN ({sql.placeholders(len(wanted))}) ORDER BY id",
        *wanted,
    )


async def already(topic: str, member_ids: Collection[int]) -> set[int]:
    """Those of the members who have had the topic."""
    if not member_ids:
        return set()
    wanted = sql.padded(member_ids)
    rows = await sql.fetch(
        "SELECT member_id FROM notifications WHERE topic = $1"
        f" AND member_id IN ({sql.placeholders(len(wanted), first=2)})",
        topic,
        *wanted,
    )
    return {row[0] for row in rows}
