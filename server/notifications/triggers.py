"""What messages are written about: for each trigger its variables, which texts may mention.

Who sends a message gives a value for every variable of its trigger: an int for `int` and `days`, a
`Money` for `money`, text for `text`, a `date` for `date` (None where it `can_be_empty`).
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from msgspec import Struct

LEAST_INTEGER = -(2**63)
GREATEST_INTEGER = 2**63 - 1
"""What a column of the database holds: no number that is told is outside."""


class VariableType(StrEnum):
    """What a variable's values are."""

    INT = "int"  # a whole number, such as points
    DAYS = "days"  # a whole number of days
    MONEY = "money"  # an amount in minor units with its currency
    TEXT = "text"  # words, cut at the variable's maximum
    DATE = "date"  # a calendar day


class Money(Struct, frozen=True):
    """An amount of money."""

    amount_minor: int
    currency: str  # ISO 4217
    digits: int  # how many the minor unit takes: 2 for cents


Value = int | str | Money | date | None
"""What a variable may be; None is an empty text or an open date."""


class Variable(Struct, frozen=True):
    """Something that a text may mention."""

    name: str
    type: VariableType
    description: str  # in English, for who writes messages
    sample: Value
    maximum: int | None = None  # characters of a text; what is longer ends with an ellipsis
    can_be_empty: bool = False


class Trigger(Struct, frozen=True):
    """Something that happens, or comes near, and that members are told of."""

    name: str
    description: str
    variables: Mapping[str, Variable]
    is_reminder: bool  # found by looking through the members, instead of by an event


def _text(
    name: str, maximum: int, description: str, sample: str, *, can_be_empty: bool = False
) -> Variable:
    return Variable(name, VariableType.TEXT, description, sample, maximum, can_be_empty)


def _int(name: str, description: str, sample: int) -> Variable:
    return Variable(name, VariableType.INT, description, sample)


def _date(name: str, description: str, *, can_be_empty: bool = False) -> Variable:
    sample = date(2026, 12, 24)
    return Variable(name, VariableType.DATE, description, sample, can_be_empty=can_be_empty)


_POINTS = _int("points", "How many points it is about.", 1_250)
_TIER = _text("tier", 40, "The tier's name.", "Gold")
_CHALLENGE = _text("challenge", 80, "The challenge's name.", "Three visits a week")
_REWARD = _text("reward", 80, "The reward's title.", "Coffee mug")
_OFFER = _text("offer", 80, "The offer's title.", "10 % off fruit and vegetables")
_ENDS_ON = _date("ends_on", "The last day on which it can be used.")

COMMON = {
    one.name: one
    for one in (
        _text("name", 40, "The member's name; may be empty.", "Anna", can_be_empty=True),
        _text("programme", 40, "What the programme is called.", "Laurel"),
    )
}
"""The variables of every message, campaigns included."""


def _trigger(name: str, description: str, *variables: Variable, is_reminder: bool) -> Trigger:
    named = {one.name: one for one in variables}
    return Trigger(name, description, {**COMMON, **named}, is_reminder)


def _event(name: str, description: str, *variables: Variable) -> Trigger:
    return _trigger(name, description, *variables, is_reminder=False)


def _reminder(name: str, description: str, *variables: Variable) -> Trigger:
    return _trigger(name, description, *variables, is_reminder=True)


_EVENTS = (
    _event("welcome", "The member has joined."),
    _event(
        "points_earned",
        "The member has earned points.",
        _POINTS,
        _int("available", "How many points the member can spend now.", 4_800),
        _text(
            "source",
            60,
            "What the points are for; may be empty.",
            "Corner bakery",
            can_be_empty=True,
        ),
    ),
    _event("tier_reached", "The member has come into a higher tier.", _TIER),
    _event("challenge_completed", "The member has completed a challenge.", _CHALLENGE, _POINTS),
    _event(
        "referral_paid",
        "The member gets points because somebody whom they invited has bought something.",
        _POINTS,
        _text("friend", 40, "The friend's name; may be empty.", "Ben", can_be_empty=True),
    ),
    _event("reward_ready", "A reward that the member ordered can be collected.", _REWARD),
    _event("order_delivered", "A reward that the member ordered was delivered.", _REWARD),
    _event(
        "offer_published",
        "An offer that the member can use was published. Each member is told of an offer once: of "
        "several messages with this trigger they get the first, by its key, that is for them.",
        _OFFER,
        _date(
            "ends_on",
            "The last day on which it can be used; may be empty, for an offer without an end.",
            can_be_empty=True,
        ),
    ),
)
_REMINDERS = (
    _reminder(
        "points_expiring",
        "Points of the member will expire.",
        _POINTS,
        _date("expires_on", "The first day on which they are gone."),
        Variable("days", VariableType.DAYS, "How many days are left until then.", 7),
    ),
    _reminder(
        "offer_ending",
        "An offer that the member has activated and not used is about to end.",
        _OFFER,
        _ENDS_ON,
    ),
    _reminder(
        "challenge_nearly_done",
        "The member has nearly completed a challenge.",
        _CHALLENGE,
        _int("left", "How much is left, in what the challenge counts.", 1),
        _int("percent", "How much is done, in percent.", 80),
    ),
    _reminder(
        "streak_in_danger",
        "The member's streak ends unless they do something.",
        _CHALLENGE,
        _int("streak", "How many periods in a row the member has done it.", 3),
        _date("ends_on", "The last day on which it can be saved."),
    ),
    _reminder(
        "tier_at_risk",
        "The member will lose the tier unless they spend more.",
        _TIER,
        Variable(
            "missing",
            VariableType.MONEY,
            "How much qualifying spend is missing.",
            Money(1250, "EUR", 2),
        ),
        _date("ends_on", "The last day in the tier."),
    ),
    _reminder(
        "reward_reachable",
        "The member has enough points for a reward.",
        _REWARD,
        _int("points", "How many points the reward costs.", 500),
    ),
    _reminder(
        "cashback_available",
        "The member can spend cashback.",
        Variable("amount", VariableType.MONEY, "How much can be spent.", Money(1250, "EUR", 2)),
    ),
    _reminder("birthday", "It is the member's birthday."),
)
TRIGGERS: Mapping[str, Trigger] = {one.name: one for one in (*_EVENTS, *_REMINDERS)}
"""All triggers, by their names as in `trigger.kind` of a message."""


def variables_of(trigger: str | None) -> Mapping[str, Variable]:
    """What texts may mention; without a trigger, in messages of campaigns."""
    return COMMON if trigger is None else TRIGGERS[trigger].variables
