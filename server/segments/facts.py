"""The facts of a member that conditions may mention: their names, types, units and meanings.

Days are those of the programme's time zone, and today is one of them: "the last 30 days" are today
and the 29 days before it. What was returned since is taken off every sum; a visit stays one.
"""

from enum import StrEnum

from msgspec import Struct

from server.conditions import FactType, Vocabulary

CALLED_NEVER = -1
"""What stands for a number of days or a month that there is none of."""
WINDOWS_DAYS = (30, 90, 365)


class Source(StrEnum):
    """What a fact is read from: only the sources of the facts that are asked for are."""

    PROFILE = "profile"
    LAST_VISIT = "last visit"
    VISIT_COUNT = "visit count"
    STORES = "stores"  # purchases of 365 days, by store
    DEPARTMENTS = "departments"  # their lines, by department
    TIER = "tier"
    POINTS = "points"
    CONSENTS = "consents"
    HOUSEHOLD = "household"
    NONE = "none"


class Fact(Struct, frozen=True):
    """A fact that is known of every member."""

    name: str
    type: FactType
    source: Source
    meaning: str  # one sentence, with its unit and what stands for "none"


_WHOLE, _TEXT, _TRUTH, _TEXTS = FactType.WHOLE, FactType.TEXT, FactType.TRUTH, FactType.TEXTS


def _of_windows(name: str, source: Source, meaning: str) -> list[Fact]:
    return [Fact(name.format(days), _WHOLE, source, meaning.format(days)) for days in WINDOWS_DAYS]


def _consent(purpose: str, what: str) -> Fact:
    return Fact(
        f"consent_{purpose}",
        _TRUTH,
        Source.CONSENTS,
        f"Whether the member agrees now to {what}; false until they have said so.",
    )


FACTS: tuple[Fact, ...] = (
    Fact(
        "recency_days",
        _WHOLE,
        Source.LAST_VISIT,
        "Local days since the last visit: 0 on its own day, -1 if there was none.",
    ),
    Fact(
        "last_visit",
        FactType.INSTANT,
        Source.LAST_VISIT,
        "The instant of the newest purchase; 1970-01-01T00:00:00Z if there is none.",
    ),
    Fact("visits", _WHOLE, Source.VISIT_COUNT, "Purchases in the whole membership."),
    *_of_windows("visits_{}", Source.STORES, "Purchases in the last {} local days."),
    *_of_windows(
        "spend_{}_minor",
        Source.STORES,
        "Net spend of the last {} local days without what was returned, in minor units.",
    ),
    Fact(
        "average_basket_minor",
        _WHOLE,
        Source.STORES,
        "spend_365_minor by visits_365 in minor units, rounded down; 0 without a visit.",
    ),
    Fact(
        "departments_90",
        _TEXTS,
        Source.DEPARTMENTS,
        "Departments with net spend above 0 in the last 90 local days, in the order of the "
        "alphabet.",
    ),
    Fact(
        "departments_365",
        _TEXTS,
        Source.DEPARTMENTS,
        "Departments with net spend above 0 in the last 365 local days, in the order of the "
        "alphabet.",
    ),
    Fact(
        "spend_by_department_365",
        FactType.WHOLES_BY_NAME,
        Source.DEPARTMENTS,
        "Net spend of the last 365 local days in each of departments_365, in minor units.",
    ),
    Fact(
        "store_ids",
        _TEXTS,
        Source.STORES,
        "Stores visited in the last 365 local days, in the order of the alphabet.",
    ),
    Fact(
        "favourite_store",
        _TEXT,
        Source.STORES,
        "The store with the most visits in the last 365 local days; of equals the one with more "
        "net spend, then the first of the alphabet; empty without a visit.",
    ),
    Fact("tier", _TEXT, Source.TIER, "The name of the member's tier today."),
    Fact(
        "points_available",
        _WHOLE,
        Source.POINTS,
        "Points that the member can spend now; below 0 if points are owed.",
    ),
    Fact("member_for_days", _WHOLE, Source.PROFILE, "Local days since joining: 0 on its own day."),
    Fact(
        "has_birthday_today",
        _TRUTH,
        Source.PROFILE,
        "Whether today is the birthday; of who was born on 29 February, 28 February in a year "
        "without one.",
    ),
    Fact(
        "birthday_in_days",
        _WHOLE,
        Source.PROFILE,
        "Local days until the next birthday: 0 on the day, -1 if it is not known.",
    ),
    Fact(
        "birthday_month",
        _WHOLE,
        Source.PROFILE,
        "The month of birth, 1 to 12; -1 if it is not known.",
    ),
    Fact("age", _WHOLE, Source.PROFILE, "Completed years of life; -1 if they are not known."),
    Fact(
        "language",
        _TEXT,
        Source.PROFILE,
        "The language of the member's locale without its region, such as `en`.",
    ),
    Fact("time_zone", _TEXT, Source.PROFILE, "The member's time zone, as an IANA name."),
    Fact(
        "external_id",
        _TEXT,
        Source.PROFILE,
        "The member's id in the operator's systems; empty if there is none.",
    ),
    _consent("email", "advertising by e-mail"),
    _consent("push", "advertising by push message"),
    _consent("sms", "advertising by text message"),
    _consent("profiling", "offers that are chosen by what they buy"),
    Fact("household", _TRUTH, Source.HOUSEHOLD, "Whether the member is in a household now."),
    Fact(
        "churn_risk_bps",
        _WHOLE,
        Source.NONE,
        "Predicted risk of not coming back, in hundredths of a percent; -1 while no prediction is "
        "known.",
    ),
)
BY_NAME = {fact.name: fact for fact in FACTS}
VOCABULARY = Vocabulary({fact.name: fact.type for fact in FACTS})
"""What conditions of segments may mention; other domains extend it with facts of their own."""


def sources_of(names: frozenset[str]) -> frozenset[Source]:
    """What has to be read for the facts of these names."""
    return frozenset(BY_NAME[name].source for name in names)
