"""What notifications are made of: the words that all who write, send and show them share."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from server.clock import Instant


class Channel(StrEnum):
    """How a message reaches a member."""

    PUSH = "push"  # the devices that they are signed in on
    EMAIL = "email"  # the address of their account
    IN_APP = "in_app"  # the inbox of the app


class Category(StrEnum):
    """What a message is about; a member chooses by it."""

    OFFERS = "offers"  # marketing
    POINTS = "points"  # marketing
    CHALLENGES = "challenges"  # marketing
    SERVICE = "service"  # receipts, security, orders: what a member must be told


MARKETING = frozenset({Category.OFFERS, Category.POINTS, Category.CHALLENGES})
"""What needs a live consent, keeps the quiet hours and counts against caps."""


class Status(StrEnum):
    """How far a delivery is."""

    QUEUED = "queued"  # it waits until it is due
    CLAIMED = "claimed"  # a sender is about to look at it
    ATTEMPTING = "attempting"  # it goes over the wire just now
    SENT = "sent"  # the provider has taken it
    FAILED = "failed"  # the provider refuses it for good, or did until it was too late
    SUPPRESSED = "suppressed"  # it was never sent, for a reason
    IN_DOUBT = "in_doubt"  # it may have been sent: nobody knows, and it is not sent again


class Suppression(StrEnum):
    """Why a delivery was never sent."""

    NO_CONSENT = "no_consent"  # the member has not agreed, or no more
    NO_DEVICE = "no_device"  # they have no device that push reaches
    NO_ADDRESS = "no_address"  # their account has no e-mail address
    QUIET = "quiet"  # it would have expired before their quiet hours end
    CAP = "cap"  # they have had as many as they get
    HELD_OUT = "held_out"  # they are compared with those who get the campaign
    EXPIRED = "expired"  # it was too late
    STOPPED = "stopped"  # the campaign was stopped
    UNREGISTERED = "unregistered"  # the device's token is dead
    MERGED = "merged"  # the member is another one's duplicate


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What goes with a message's title and body to the device."""

    link: str | None = None
    image: str | None = None
    data: Mapping[str, str] = {}
    collapse_key: str | None = None
    ttl_seconds: int | None = None
    is_high_priority: bool = False
    android: Mapping[str, Any] | None = None
    apns: Mapping[str, Any] | None = None
    webpush: Mapping[str, Any] | None = None
    call_to_action: str | None = None  # the label of the link in an e-mail


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message to one member, ready to be written."""

    member_id: int
    topic: str  # at most one message for each member and topic
    category: Category
    message: str  # the key of the `message` that it was written from
    version_id: int  # of `definition_versions`
    locale: str
    title: str
    body: str
    channels: tuple[Channel, ...]
    due_at: Instant
    expires_at: Instant  # from when on it is not sent
    shown_until: Instant | None = None  # in the inbox; until `expires_at`, if that's later or all
    wire: Wire = Wire()
    email_subject: str | None = None  # the title, if it has none of its own
    email_body: str | None = None  # the body, likewise
    run_id: int | None = None
    variant: str | None = None
    is_held_out: bool = False
    is_off_peak: bool = True  # of a campaign's: it does not start at a peak of the hour


class Cap(msgspec.Struct, frozen=True):
    """At most so many messages in any so many days (of 24 hours)."""

    category: Category | None  # None counts all that are marketing
    messages: int
    days: int


class Hours(msgspec.Struct, frozen=True):
    """Quiet hours of a local day, by minutes after midnight; they may go past midnight."""

    from_minute: int  # 0 to 1439
    until_minute: int  # exclusive; the same as `from_minute` is never quiet


class Policy(msgspec.Struct, frozen=True):
    """What the programme does not do to its members."""

    quiet: Hours | None = None  # for members who have not chosen hours of their own
    caps: tuple[Cap, ...] = ()


class StoredWire(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """The column `wire` of a notification: what goes to devices, and what an e-mail says instead of
    the title and the body."""

    email_subject: str | None = None
    email_body: str | None = None
