"""What is known of deliveries when it's asked whether they may go: read for many at once."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec

from server.clock import Instant
from server.notifications import rules
from server.notifications.devices import unused_since
from server.notifications.rules import Facts, Statement
from server.notifications.shapes import Category, Channel, Hours, Policy, StoredWire
from server.storage import sql
from server.storage.exchange import Asked

_HAS_ADDRESS = (
    "(EXISTS (SELECT 1 FROM accounts a WHERE a.member_id = d.member_id AND a.email IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM members o JOIN accounts a ON a.member_id = o.id"
    " WHERE o.merged_into = d.member_id AND a.email IS NOT NULL))"
)
_REACHED = {
    Channel.PUSH: "v.token",
    Channel.EMAIL: f"CASE WHEN {_HAS_ADDRESS} THEN '' ELSE NULL END",
}
_COLUMNS = (
    "d.id, d.member_id, d.notification_id, d.category, d.device_id, d.attempts, d.expires_at,"
    " n.topic, m.time_zone, m.merged_into, q.from_minute, q.until_minute, r.state, {reached}"
)
_CONTENT = "n.locale, n.title, n.body, n.wire"
_JOINED = """
    JOIN notifications n ON n.id = d.notification_id
    JOIN members m ON m.id = d.member_id
    LEFT JOIN quiet_hours q ON q.id = d.member_id
    LEFT JOIN campaign_runs r ON r.id = d.run_id
    LEFT JOIN devices v ON v.id = d.device_id AND v.member_id = d.member_id AND v.seen_at > $1
        AND NOT EXISTS (SELECT 1 FROM sessions s
            WHERE s.id = v.session_id AND s.revoked_at IS NOT NULL)
"""
_QUEUED = (
    "SELECT * FROM (SELECT d.id, d.member_id, d.notification_id, d.run_id, d.category,"
    " d.device_id, d.attempts, d.expires_at, d.due_at FROM deliveries d WHERE d.status = 'queued'"
    " AND d.channel = $2 AND d.run_id {run} AND d.due_at <= $3"
    " ORDER BY d.run_id, d.due_at LIMIT {limit}) AS {name}"
)
_SAID = (
    "SELECT member_id, purpose, NULL, is_given, changed_at FROM member_consents"
    " WHERE purpose = $1 AND member_id IN ({members})"
    " UNION ALL SELECT member_id, channel, category, is_given, changed_at FROM message_choices"
    " WHERE channel = $1 AND member_id IN ({members})"
    # What a duplicate refused, who was merged into the member, was refused by the same person.
    " UNION ALL SELECT m.merged_into, c.purpose, NULL, c.is_given, c.changed_at FROM members m"
    " JOIN member_consents c ON c.member_id = m.id"
    " WHERE c.purpose = $1 AND c.is_given = 0 AND m.merged_into IN ({members})"
    " UNION ALL SELECT m.merged_into, c.channel, c.category, c.is_given, c.changed_at"
    " FROM members m JOIN message_choices c ON c.member_id = m.id"
    " WHERE c.channel = $1 AND c.is_given = 0 AND m.merged_into IN ({members})"
)
_HAD = (
    "SELECT member_id, notification_id, category, MAX(attempted_at) FROM deliveries"
    " WHERE member_id IN ({members}) AND attempted_at > $1"
    " AND status IN ('claimed', 'attempting', 'sent', 'in_doubt') AND category <> 'service'"
    " GROUP BY member_id, notification_id, category"
)


class Known(msgspec.Struct, frozen=True):
    """A delivery, before what its member said is known."""

    id: int
    member_id: int
    notification_id: int
    category: Category
    device_id: int | None
    attempts: int
    expires_at: Instant
    topic: str
    zone: str
    merged_into: int | None
    own_hours: Hours | None
    run_state: str | None
    reached: str | None  # the token; an empty text for an address; None: not to be reached

    @property
    def is_paused(self) -> bool:
        """Whether its campaign is."""
        return self.run_state == "paused"


class Content(msgspec.Struct, frozen=True):
    """What it says."""

    locale: str
    title: str
    body: str
    wire: StoredWire


Said = Mapping[int, Sequence[Statement]]
"""By member."""
Had = dict[int, dict[int, tuple[Category, Instant]]]
"""The messages that count against caps, by member and notification."""


def queued_asked(channel: Channel, run_ids: Sequence[int], now: Instant, *, limit: int) -> Asked:
    """What asks for the deliveries that are due: those of no campaign first, then by time; of no
    campaign but these."""
    size = 1 << (len(run_ids) - 1).bit_length() if run_ids else 0
    runs = ["IS NULL", *(f"= ${place}" for place in range(4, 4 + size))]
    branches = (
        _QUEUED.format(run=run, limit=limit, name=f"b{number}") for number, run in enumerate(runs)
    )
    statement = (
        f"SELECT {_COLUMNS.format(reached=_REACHED[channel])}"
        f" FROM ({' UNION ALL '.join(branches)}) AS d {_JOINED}"
        " ORDER BY CASE WHEN d.run_id IS NULL THEN 0 ELSE 1 END, d.due_at, d.id"
        f" LIMIT {limit}"
    )
    nobodies = [0] * (size - len(run_ids))
    return statement, [unused_since(now), channel, now, *run_ids, *nobodies]


def claimed_asked(channel: Channel, ids: Collection[int], sender_id: int, now: Instant) -> Asked:
    """What asks for those of the deliveries that the sender still has, with their content."""
    wanted = sql.padded(ids)
    statement = (
        f"SELECT {_COLUMNS.format(reached=_REACHED[channel])}, {_CONTENT} FROM deliveries d"
        f" {_JOINED} WHERE d.status = 'claimed' AND d.claimed_by = $2"
        f" AND d.id IN ({sql.placeholders(len(wanted), 3)}) ORDER BY d.id"
    )
    return statement, [unused_since(now), sender_id, *wanted]


def known_of(row: sql.Row) -> Known:
    """What a row of these queries tells."""
    own = None if row[10] is None else Hours(row[10], row[11])
    return Known(
        row[0],
        row[1],
        row[2],
        Category(row[3]),
        row[4],
        row[5],
        Instant(row[6]),
        row[7],
        row[8],
        row[9],
        own,
        row[12],
        row[13],
    )


def content_of(row: sql.Row) -> Content:
    """What a row of `claimed_asked` says."""
    return Content(
        row[14], row[15], row[16], msgspec.json.decode(row[17], type=StoredWire, strict=False)
    )


def said_asked(channel: Channel, member_ids: Collection[int]) -> Asked:
    """What asks for all that the members said of the channel; there is one at least."""
    members = sql.padded(member_ids)
    return _SAID.format(members=sql.placeholders(len(members), 2)), [channel, *members]


def said_of(rows: Sequence[sql.Row]) -> Said:
    """What the answer tells."""
    said: dict[int, list[Statement]] = defaultdict(list)
    for member_id, channel, category, is_given, changed_at in rows:
        one = None if category is None else Category(category)
        said[member_id].append(
            Statement(Channel(channel), one, bool(is_given), Instant(changed_at))
        )
    return said


def had_asked(member_ids: Collection[int], policy: Policy, now: Instant) -> Asked | None:
    """What asks for the messages of the members that count against caps; None without caps."""
    since = rules.counted_since(policy.caps, now)
    if since is None:
        return None
    members = sql.padded(member_ids)
    return _HAD.format(members=sql.placeholders(len(members), 2)), [since, *members]


def had_of(rows: Sequence[sql.Row]) -> Had:
    """What the answer tells."""
    had: Had = defaultdict(dict)
    for member_id, notification_id, category, at in rows:
        had[member_id][notification_id] = (Category(category), Instant(at))
    return had


def facts_of(known: Known, channel: Channel, said: Said, policy: Policy) -> Facts:
    """What decides whether the delivery may go."""
    return Facts(
        channel=channel,
        category=known.category,
        member_id=known.member_id,
        topic=known.topic,
        expires_at=known.expires_at,
        attempts=known.attempts,
        is_merged=known.merged_into is not None,
        is_stopped=known.run_state == "stopped",
        is_reachable=known.reached is not None,
        said=said.get(known.member_id, ()),
        zone=known.zone,
        hours=known.own_hours or policy.quiet,
    )
