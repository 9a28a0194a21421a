"""What the shop writes down of a message to members, and of what it does not do to them.

The types are the documents of the kinds `message` and `message_policy`: their bounds and
descriptions become the JSON Schema. Texts are written in the language of `templates`, and may
mention the variables of the message's trigger (`triggers`).
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from server.notifications.shapes import Category, Channel

POLICY_KEY = "default"
"""The key of the one document of the kind `message_policy`."""
MAXIMUM_TTL_SECONDS = 2_419_200
"""Four weeks: as long as Firebase keeps a message for a device that is off."""
DEFAULT_TTL_SECONDS = 86_400
DEFAULT_INBOX_DAYS = 30
MAXIMUM_TITLE = 200
MAXIMUM_BODY = 1_000
MAXIMUM_LINK = 1_000

Key = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$", max_length=64)]
Language = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=16)]
LocalTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Word = Annotated[str, Meta(min_length=1, max_length=100)]
_Points = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_DaysBefore = Annotated[int, Meta(ge=1, le=366)]


class Welcome(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="welcome"):
    """The member has joined."""


class PointsEarned(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="points_earned"):
    """The member has earned points."""

    minimum_points: Annotated[_Points, Meta(description="Not for fewer at once.")] = 1


class TierReached(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="tier_reached"):
    """The member has come into a higher tier."""


class ChallengeCompleted(
    Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="challenge_completed"
):
    """The member has completed a challenge."""


class ReferralPaid(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="referral_paid"):
    """The member gets points because somebody whom they invited has bought something."""


class RewardReady(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="reward_ready"):
    """A reward that the member ordered can be collected."""


class OrderDelivered(
    Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="order_delivered"
):
    """A reward that the member ordered was delivered."""


class OfferPublished(
    Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="offer_published"
):
    """An offer that the member can use was published."""


class PointsExpiring(
    Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="points_expiring"
):
    """Points of the member will expire."""

    days: Annotated[
        tuple[_DaysBefore, ...],
        Meta(min_length=1, max_length=10, description="So many local days before it, each once."),
    ] = (7, 1)
    minimum_points: Annotated[_Points, Meta(description="Not for fewer.")] = 1


class OfferEnding(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="offer_ending"):
    """An offer that the member has activated and not used is about to end."""

    days: Annotated[_DaysBefore, Meta(description="So many local days before its last one.")] = 2


class ChallengeNearlyDone(
    Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="challenge_nearly_done"
):
    """The member has nearly completed a challenge."""

    percent: Annotated[int, Meta(ge=1, le=99, description="From so much on.")] = 80


class StreakInDanger(
    Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="streak_in_danger"
):
    """The member's streak ends unless they do something."""

    days: Annotated[_DaysBefore, Meta(description="So many local days before its end.")] = 2
    minimum_streak: Annotated[
        int, Meta(ge=1, le=10_000, description="Not for shorter streaks.")
    ] = 2


class TierAtRisk(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="tier_at_risk"):
    """The member will lose the tier unless they spend more."""

    days: Annotated[_DaysBefore, Meta(description="So many local days before that.")] = 14
    within_percent: Annotated[
        int,
        Meta(ge=1, le=100, description="Only if at most this part of the tier's spend is missing."),
    ] = 100


class RewardReachable(
    Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="reward_reachable"
):
    """The member has enough points for a reward."""


class CashbackAvailable(
    Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="cashback_available"
):
    """The member can spend cashback."""

    minimum_minor: Annotated[
        int, Meta(ge=1, le=2**31 - 1, description="Not for less, in minor units.")
    ] = 1


class Birthday(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="birthday"):
    """It is the member's birthday. Who was born on 29 February celebrates on 28 February in
    common years."""


Trigger = (
    Welcome
    | PointsEarned
    | TierReached
    | ChallengeCompleted
    | ReferralPaid
    | RewardReady
    | OrderDelivered
    | OfferPublished
    | PointsExpiring
    | OfferEnding
    | ChallengeNearlyDone
    | StreakInDanger
    | TierAtRisk
    | RewardReachable
    | CashbackAvailable
    | Birthday
)


class Text(Struct, frozen=True, omit_defaults=True):
    """What people read in one language; all of it may mention variables."""

    title: Annotated[
        str,
        Meta(min_length=1, max_length=MAXIMUM_TITLE, description="In bold, and on top."),
    ]
    body: Annotated[str, Meta(min_length=1, max_length=MAXIMUM_BODY, description="What is told.")]
    email_subject: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAXIMUM_TITLE)] | None,
        Meta(description="Of the e-mail; the title if left out."),
    ] = None
    email_body: Annotated[
        Annotated[str, Meta(min_length=1, max_length=10_000)] | None,
        Meta(
            description="Of the e-mail, paragraphs set apart by empty lines; the body if left out."
        ),
    ] = None
    call_to_action: Annotated[
        Annotated[str, Meta(min_length=1, max_length=60)] | None,
        Meta(description="What stands on the link of the e-mail, if that begins with https."),
    ] = None


class Android(Struct, frozen=True, omit_defaults=True):
    """How Android shows it."""

    channel_id: Annotated[
        Word | None, Meta(description="The app's notification channel (Android 8 and later).")
    ] = None
    sound: Annotated[Word | None, Meta(description="default, or a sound file of the app.")] = None
    icon: Annotated[Word | None, Meta(description="A drawable resource of the app.")] = None
    color: Annotated[
        Annotated[str, Meta(pattern=r"^#[0-9A-Fa-f]{6}$")] | None,
        Meta(description="Of the icon: #rrggbb."),
    ] = None
    tag: Annotated[
        Word | None, Meta(description="A later message of the same tag takes this one's place.")
    ] = None
    click_action: Annotated[
        Word | None, Meta(description="The intent that a tap starts; else the app opens.")
    ] = None
    notification_count: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(description="The number on the app's icon."),
    ] = None
    visibility: Annotated[
        Literal["private", "public", "secret"] | None,
        Meta(description="How much a locked screen shows of it."),
    ] = None
    sticky: Annotated[bool, Meta(description="Whether it stays when it is tapped.")] = False


class Apns(Struct, frozen=True, omit_defaults=True):
    """How Apple's devices show it."""

    sound: Annotated[Word | None, Meta(description="default, or a sound file of the app.")] = None
    badge: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | None,
        Meta(description="The number on the app's icon; 0 takes it away."),
    ] = None
    thread_id: Annotated[
        Word | None, Meta(description="Messages of one thread are shown together.")
    ] = None
    category: Annotated[
        Word | None, Meta(description="The app's category, which says what buttons it has.")
    ] = None
    interruption_level: Annotated[
        Literal["passive", "active", "time-sensitive"] | None,
        Meta(description="How much it interrupts (iOS 15 and later)."),
    ] = None
    mutable_content: Annotated[
        bool,
        Meta(description="Whether the app may change it first, as it must to show a picture."),
    ] = False
    content_available: Annotated[
        bool, Meta(description="Whether the app is woken in the background.")
    ] = False


class WebPush(Struct, frozen=True, omit_defaults=True):
    """How browsers show it."""

    icon: Annotated[
        Annotated[str, Meta(max_length=500)] | None, Meta(description="A picture, https only.")
    ] = None
    badge: Annotated[
        Annotated[str, Meta(max_length=500)] | None,
        Meta(description="A small picture in one colour, https only."),
    ] = None
    urgency: Annotated[
        Literal["very-low", "low", "normal", "high"] | None,
        Meta(description="Whether it may wait to save the battery (RFC 8030, 5.3)."),
    ] = None
    require_interaction: Annotated[
        bool, Meta(description="Whether it stays until somebody does something.")
    ] = False
    renotify: Annotated[
        bool, Meta(description="Whether it sounds again as it takes another's place.")
    ] = False
    silent: Annotated[bool, Meta(description="Whether it comes without a sound.")] = False
    tag: Annotated[
        Word | None, Meta(description="A later message of the same tag takes this one's place.")
    ] = None


class Message(Struct, frozen=True, omit_defaults=True):
    """A message to members: its words, how it comes to them, and what it is sent for.

    The push of a message has at most 4,096 bytes, whatever its variables hold: each of those is as
    long as `messageTriggers` says at most.
    """

    category: Annotated[
        Category,
        Meta(
            description="What it is about; members choose by it. `service` is for what they must "
            "be told, such as orders: it needs no consent and keeps neither quiet hours nor caps."
        ),
    ]
    default_language: Annotated[
        Language, Meta(description="Of those in `texts`: of members whose own has no text.")
    ]
    texts: Annotated[
        Mapping[Language, Text],
        Meta(
            min_length=1,
            max_length=50,
            description="By language tag (BCP 47). A member with lt-LT reads lt-LT, or else lt, or "
            "else what there is of lt.",
        ),
    ]
    channels: Annotated[
        tuple[Channel, ...],
        Meta(min_length=1, max_length=3, description="How it reaches members, each once."),
    ] = (Channel.PUSH, Channel.IN_APP)
    trigger: Annotated[
        Trigger | None,
        Meta(description="What it is sent for; left out for the messages of campaigns."),
    ] = None
    segment: Annotated[
        Key | None, Meta(description="Only for members of this segment; else for all concerned.")
    ] = None
    link: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAXIMUM_LINK)] | None,
        Meta(
            description="Where a tap leads: app://... or https://...; the values of variables in "
            "it are percent-encoded."
        ),
    ] = None
    image: Annotated[
        Annotated[str, Meta(min_length=1, max_length=500)] | None,
        Meta(description="A picture: https://..., at most 1 MB to be shown."),
    ] = None
    data: Annotated[
        Mapping[
            Annotated[str, Meta(min_length=1, max_length=64)], Annotated[str, Meta(max_length=500)]
        ],
        Meta(max_length=20, description="What the app itself reads; values are texts as well."),
    ] = {}
    collapse_key: Annotated[
        Annotated[str, Meta(min_length=1, max_length=64)] | None,
        Meta(description="A later message of the same key takes the place of one that waits."),
    ] = None
    time_to_live_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=MAXIMUM_TTL_SECONDS,
            description="How long it is worth sending; 0 is now or never.",
        ),
    ] = DEFAULT_TTL_SECONDS
    inbox_days: Annotated[
        int,
        Meta(
            ge=1,
            le=366,
            description="How many days it stays in the inbox of the app, if what it is about (an "
            "offer, a streak) doesn't end before.",
        ),
    ] = DEFAULT_INBOX_DAYS
    priority: Annotated[
        Literal["normal", "high"], Meta(description="high wakes a device that sleeps.")
    ] = "normal"
    android: Annotated[Android, Meta(description="How Android shows it.")] = Android()
    apns: Annotated[Apns, Meta(description="How Apple's devices show it.")] = Apns()
    web_push: Annotated[WebPush, Meta(description="How browsers show it.")] = WebPush()


class QuietHours(Struct, frozen=True, omit_defaults=True):
    """When members get neither push nor e-mail, by their own clocks: what is due waits until the
    end of them. Past midnight if `until` is earlier; never, if it is the same. The inbox is always
    open."""

    starts: Annotated[LocalTime, Meta(description="HH:MM, the first quiet minute.")] = (
        msgspec.field(name="from")
    )
    until: Annotated[LocalTime, Meta(description="HH:MM, the first minute that is not quiet.")]


class Cap(Struct, frozen=True, omit_defaults=True):
    """At most so many messages in any so many days of 24 hours."""

    messages: Annotated[int, Meta(ge=0, le=10_000, description="How many.")]
    days: Annotated[int, Meta(ge=1, le=366, description="In how many days.")]
    category: Annotated[
        Literal["offers", "points", "challenges"] | None,
        Meta(description="Of this category; all but service together if left out."),
    ] = None


class MessagePolicy(Struct, frozen=True, omit_defaults=True):
    """What the programme does not do to its members; service messages are not concerned."""

    quiet_hours: Annotated[
        QuietHours | None,
        Meta(description="For members who have not chosen their own; left out, it is never quiet."),
    ] = None
    caps: Annotated[
        tuple[Cap, ...], Meta(max_length=20, description="All of them hold at once.")
    ] = ()
    programme_name: Annotated[
        Annotated[str, Meta(min_length=1, max_length=40)] | None,
        Meta(description="What messages call the programme; its id if left out."),
    ] = None
