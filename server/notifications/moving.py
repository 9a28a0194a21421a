"""What is joined into another membership, and parted again: devices, choices, quiet hours, inbox.

Where both members have something of one sort, the survivor's counts and the duplicate's stays
behind. Evidence stays with whom it was stated for. A merge makes nobody agree to more than both
did: that the duplicate wanted messages counts only where neither of them refused the channel, and
what the duplicate refused by push or e-mail, wherever it stands, counts until the survivor agrees
later (`sending_facts`, `choices`).
"""

from collections.abc import Mapping, Sequence

from server.clock import Instant
from server.storage import changes, sql

DEVICES, CHOICES, HOURS, NOTIFICATIONS = (
    "devices",
    "message_choices",
    "quiet_hours",
    "notifications",
)
_MOVE_DEVICES = "UPDATE devices SET member_id = $1 WHERE member_id = $2 RETURNING id"
_MOVE_CHOICES = """
    UPDATE message_choices SET member_id = $1
    WHERE member_id = $2
      AND NOT EXISTS (SELECT 1 FROM message_choices own WHERE own.member_id = $1
        AND own.channel = message_choices.channel AND own.category = message_choices.category)
      AND (is_given = 0 OR NOT EXISTS (SELECT 1 FROM member_consents c
        WHERE c.member_id IN ($1, $2) AND c.purpose = message_choices.channel AND c.is_given = 0))
    RETURNING id
"""
_MOVE_HOURS = """
    UPDATE quiet_hours SET id = $1
    WHERE id = $2 AND NOT EXISTS (SELECT 1 FROM quiet_hours own WHERE own.id = $1) RETURNING id
"""
_MOVE_NOTIFICATIONS = """
    UPDATE notifications SET member_id = $1
    WHERE member_id = $2 AND topic NOT IN (SELECT own.topic FROM notifications own
      WHERE own.member_id = $1) RETURNING id
"""
_MOVE_DELIVERIES = """
    UPDATE deliveries SET member_id = $1
    WHERE member_id = $2 AND notification_id IN (SELECT n.id FROM notifications n
      WHERE n.member_id = $1)
"""
_LEAVE_DELIVERIES = """
    UPDATE deliveries SET status = 'suppressed', reason = 'merged', settled_at = $1
    WHERE member_id = $2 AND status = 'queued'
"""
_DEVICES_BACK = """
    UPDATE devices SET member_id = $1
    WHERE member_id = $2 AND session_id IN (SELECT s.id FROM sessions s
      JOIN accounts a ON a.id = s.account_id JOIN members m ON m.id = a.member_id
      WHERE m.id = $1 OR m.merged_into = $1)
"""
_CHOICE_BACK = (
    "UPDATE message_choices SET member_id = $1"
    " WHERE id = $2 AND member_id = $3 AND changed_at <= $4"
)
_HOURS_BACK = "UPDATE quiet_hours SET id = $1 WHERE id = $2 AND changed_at <= $3"
_NOTIFICATION_BACK = "UPDATE notifications SET member_id = $1 WHERE id = $2 AND member_id = $3"
_DELIVERY_BACK = (
    "UPDATE deliveries SET member_id = $1 WHERE notification_id = $2 AND member_id = $3"
)


async def move(*, giver: int, receiver: int, now: Instant) -> dict[str, list[int]]:
    """Let the receiver have the giver's; the rows' ids, by table. What the giver was to be sent and
    the receiver has a message of already is not sent. Writes; call it inside a transaction."""
    moved = {
        table: sorted(row[0] for row in await sql.fetch(statement, receiver, giver))
        for table, statement in (
            (DEVICES, _MOVE_DEVICES),
            (CHOICES, _MOVE_CHOICES),
            (HOURS, _MOVE_HOURS),
            (NOTIFICATIONS, _MOVE_NOTIFICATIONS),
        )
    }
    if moved[NOTIFICATIONS]:
        await sql.execute(_MOVE_DELIVERIES, receiver, giver)
    await sql.execute(_LEAVE_DELIVERIES, now, giver)
    changes.note(changes.MEMBER, giver)
    changes.note(changes.MEMBER, receiver)
    return moved


async def move_back(
    moved: Mapping[str, Sequence[int]], *, giver: int, receiver: int, merged_at: Instant
) -> None:
    """Let the receiver have of these rows what is the giver's still and was not stated anew since
    the merge, and the devices that are signed in to the receiver's accounts.

    Writes; call it inside a transaction, in which the receiver is a member of their own again.
    """
    await sql.execute(_DEVICES_BACK, receiver, giver)
    for statement, table in (
        (_CHOICE_BACK, CHOICES),
        (_NOTIFICATION_BACK, NOTIFICATIONS),
        (_DELIVERY_BACK, NOTIFICATIONS),
    ):
        extra = (merged_at,) if table == CHOICES else ()
        rows = [(receiver, number, giver, *extra) for number in moved.get(table, ())]
        await sql.execute_many(statement, rows)
    if moved.get(HOURS):
        await sql.execute(_HOURS_BACK, receiver, giver, merged_at)
    changes.note(changes.MEMBER, giver)
    changes.note(changes.MEMBER, receiver)
