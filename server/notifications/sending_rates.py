"""How fast may be sent: a quota a minute for all processes together, and pauses for all of them.

Whoever is to send reserves how many first, by the second of the machine's clock, and sends within
USED_WITHIN_SECONDS or lets the reservation lapse. So what leaves in any sliding minute was reserved
in that minute or shortly before it; and so many seconds never hold more than the quota of a minute.
Machines whose clocks differ by more than a second take away from that margin.
"""

import time
from collections.abc import Sequence

import msgspec

from server import clock
from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.notifications.shapes import Channel
from server.storage import sql

FIREBASE_QUOTA = 600_000
"""Messages a minute that Firebase allows a project by default."""
USED_WITHIN_SECONDS = 3
_MARGIN_SECONDS = 5  # a fraction of a second, a connection to the provider, clocks
COUNTED_SECONDS = 60 + USED_WITHIN_SECONDS + _MARGIN_SECONDS
_KEPT_SECONDS = 3_600
_RATE_LOCK = 0x6C61_7572_7261_7465  # "laurrate": nobody else's advisory lock
_PAUSE_ID = {Channel.PUSH: 1, Channel.EMAIL: 2}

_RESERVED = "SELECT COALESCE(SUM(sent), 0) FROM send_rates WHERE id > $1 AND id <= $2"
_RESERVE = sql.insert(
    "send_rates",
    "id, sent",
    otherwise="ON CONFLICT (id) DO UPDATE SET sent = send_rates.sent + excluded.sent",
)
_PAUSED = "SELECT until, failures FROM send_pauses WHERE id = $1"
_PAUSE = sql.insert(
    "send_pauses",
    "id, until, failures",
    otherwise="ON CONFLICT (id) DO UPDATE SET failures = excluded.failures,"
    " until = CASE WHEN excluded.until > send_pauses.until THEN excluded.until"
    " ELSE send_pauses.until END",
)

_messages_per_minute = FIREBASE_QUOTA


def use(messages_per_minute: int) -> None:
    """From now on this process keeps to this quota; the composition root says which."""
    global _messages_per_minute  # noqa: PLW0603 - the one place that holds it
    _messages_per_minute = messages_per_minute


def messages_per_minute() -> int:
    """The quota that this process keeps to."""
    return _messages_per_minute


class Reservation(msgspec.Struct, frozen=True):
    """The right to send so many messages at once; None is any number."""

    count: int | None
    lapses: float  # by time.monotonic()

    @property
    def is_live(self) -> bool:
        """Whether it may still be used."""
        return self.count is None or time.monotonic() < self.lapses

    def covers(self, count: int) -> bool:
        """Whether so many messages may be sent now."""
        return self.count is None or (self.is_live and count <= self.count)

    def without(self, count: int) -> "Reservation":
        """What is left of it after so many messages."""
        return self if self.count is None else Reservation(self.count - count, self.lapses)


UNLIMITED = Reservation(None, 0.0)


async def reserved(quota: int, wanted: int) -> Reservation:
    """As many of the wanted messages as the quota has left, which may be none.

    Writes; call it inside a short transaction, until whose end nobody else can reserve.
    """
    if sql.engine() == "postgres":
        await sql.fetch("SELECT pg_advisory_xact_lock($1)", _RATE_LOCK)
    lapses = time.monotonic() + USED_WITHIN_SECONDS
    second = clock.system_now() // MICROSECONDS_PER_SECOND
    # What a faster clock has reserved counts as well.
    row = await sql.fetch_one(_RESERVED, second - COUNTED_SECONDS, second + _KEPT_SECONDS)
    assert row is not None, "an aggregate has a row"
    count = max(0, min(wanted, quota - row[0]))
    if count:
        await sql.execute(_RESERVE, second, count)
    return Reservation(count, lapses)


async def forget() -> int:
    """Delete what no quota counts any more; how many seconds. Writes."""
    second = clock.system_now() // MICROSECONDS_PER_SECOND
    return await sql.execute("DELETE FROM send_rates WHERE id < $1", second - _KEPT_SECONDS)


# ---------------------------------------------------------------- pauses


class Pause(msgspec.Struct, frozen=True):
    """Until when nothing is sent, and how many windows have failed in a row."""

    until: Instant = Instant(0)
    failures: int = 0


def pause_asked(channel: Channel) -> tuple[str, tuple[int]]:
    """What asks for the pause of a channel."""
    return _PAUSED, (_PAUSE_ID[channel],)


def pause_of(rows: Sequence[sql.Row]) -> Pause:
    """The pause that the answer tells."""
    return Pause(Instant(rows[0][0]), rows[0][1]) if rows else Pause()


async def set_pause(channel: Channel, pause: Pause) -> None:
    """Let nobody send by the channel until then. Writes."""
    await sql.execute(_PAUSE, _PAUSE_ID[channel], pause.until, pause.failures)
