"""What a gift may be, and who may give it."""

import unicodedata
from enum import StrEnum

from server import clock
from server.clock import Instant
from server.errors import InvalidInput, LimitReached, NotAllowed, phrase
from server.programme.document import Programme

MAXIMUM_MESSAGE_LENGTH = 200
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # emoji and several scripts are written with them


class GiftDirection(StrEnum):
    """Which way a gift went, seen from one of its two members."""

    SENT = "sent"  # the member gave it
    RECEIVED = "received"  # the member was given it


def valid_message(value: str | None) -> str | None:
    """The words that go with a gift: up to 200 printable characters on one line, or None.

    Surrounding spaces are dropped. Raises InvalidInput.
    """
    message = unicodedata.normalize("NFC", value or "").strip()
    if len(message) > MAXIMUM_MESSAGE_LENGTH or any(
        unicodedata.category(character) in _UNPRINTABLE and character not in _JOINERS
        for character in message
    ):
        raise InvalidInput(
            "transfer.message",
            path=("message",),
            value=value,
            accepted=phrase("accepted.printable_on_one_line", maximum=MAXIMUM_MESSAGE_LENGTH),
        )
    return message or None


def check_points(points: int, programme: Programme) -> None:
    """Raise NotAllowed if the programme knows no gifts, InvalidInput for too few points."""
    rules = programme.transfers
    if not rules.is_offered:
        raise NotAllowed("transfer.off")
    least = max(1, rules.minimum_points)
    if points < least:
        raise InvalidInput(
            "transfer.minimum",
            path=("points",),
            value=points,
            accepted=phrase("accepted.at_least", minimum=least),
            minimum=least,
        )


def check_age(enrolled_at: Instant, programme: Programme, *, now: Instant) -> None:
    """Raise NotAllowed for a giver who has not been a member for long enough, in local days."""
    zone = programme.programme.timezone
    least = programme.transfers.minimum_account_age_days
    first = clock.LocalDay(clock.local_day(enrolled_at, zone) + least)
    if clock.local_day(now, zone) < first:
        raise NotAllowed("transfer.too_new", day=clock.date_of(first).isoformat())


def check_day(points: int, programme: Programme, *, given_today: int) -> None:
    """Raise LimitReached if the points would exceed what the giver may give on one local day."""
    limit = programme.transfers.daily_limit_points
    if given_today + points > limit:
        raise LimitReached(
            "transfer.daily_limit", limit=limit, left=max(0, limit - given_today), path=("points",)
        )


def shown_name(name: str | None) -> str | None:
    """What the other side of a gift is shown of a name: its first word."""
    return name.split()[0] if name else None
