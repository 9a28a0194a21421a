"""What of an offer does not fit: with itself, with the programme, with what else is published."""

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfoNotFoundError

from babel.core import Locale, UnknownLocaleError

from server import clock
from server.conditions import InvalidCondition
from server.definitions import service as definitions
from server.definitions.service import Misfits, Surroundings
from server.errors import Path
from server.money import BASIS_POINTS_PER_UNIT
from server.offers.documents import (
    Amount,
    Audience,
    BonusPoints,
    Cashback,
    FreeShipping,
    Funding,
    Gift,
    Limits,
    Offer,
    Percent,
    PointsMultiplier,
    Requires,
    Schedule,
    Till,
)
from server.offers.giving import MONEY
from server.offers.schedules import Timetable
from server.offers.vocabulary import VOCABULARY

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?(-[a-z0-9]{5,8})*")
_LEAP_YEAR = 2024
_POINTS = (BonusPoints, PointsMultiplier)


def misfits(offer: Offer, surroundings: Surroundings) -> Misfits:
    """The places of an offer that do not fit, and what would."""
    yield from _texts(offer)
    yield from _schedule(offer.schedule)
    yield from _audience(offer.audience)
    yield from _tiers(offer, surroundings)
    yield from _keys(offer, surroundings)
    yield from _requires(offer.requires)
    yield from _limits(offer)
    yield from _funding(offer.funding)


def _texts(offer: Offer) -> Misfits:
    if offer.default_language not in offer.texts:
        yield ("default_language",), f"one of the languages of texts: {', '.join(offer.texts)}"
    for tag in offer.texts:
        if not _is_language(tag):
            yield ("texts", tag), "under a language tag of BCP 47, such as en, pt-BR or zh-Hant"
    if offer.image_url is not None and not _is_address(offer.image_url):
        yield ("image_url",), "an address that begins with https://"


def _is_language(tag: str) -> bool:
    """Whether it is a language tag in its usual spelling, of a language that the CLDR knows."""
    if not _LANGUAGE.fullmatch(tag):
        return False
    try:
        Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and not re.search(r"\s", text)


def _schedule(schedule: Schedule) -> Misfits:
    if schedule.starts_on is not None and schedule.starts_at is not None:
        yield ("schedule", "starts_at"), "either starts_on or starts_at"
    if schedule.ends_on is not None and schedule.ends_at is not None:
        yield ("schedule", "ends_at"), "either ends_on or ends_at"
    if schedule.time_zone is not None and not _is_zone(schedule.time_zone):
        yield ("schedule", "time_zone"), "the IANA name of a time zone, such as Europe/Berlin"
    elif (ends := _before_its_start(schedule)) is not None:
        yield ("schedule", ends), "later than the start"
    if schedule.early_access and schedule.starts_on is None and schedule.starts_at is None:
        yield ("schedule", "early_access"), "a start, for early access to lie before it"
    yield from _recurrence(schedule)


def _recurrence(schedule: Schedule) -> Misfits:
    if schedule.from_time is not None and schedule.from_time == schedule.to_time:
        yield ("schedule", "to_time"), "another time than from_time"
    if len(set(schedule.weekdays)) < len(schedule.weekdays):
        yield ("schedule", "weekdays"), "each weekday once"
    for place, season in enumerate(schedule.seasons):
        for name, day in (("from", season.from_), ("to", season.to)):
            if not _is_day(day):
                yield ("schedule", "seasons", place, name), "a day of the calendar, MM-DD"


def _before_its_start(schedule: Schedule) -> str | None:
    """The name of the end, if it does not come after the start."""
    if schedule.ends_on in (date.max, date.max - timedelta(days=1)):
        return "ends_on"  # the calendar ends too soon after it
    timetable = Timetable(schedule, "UTC")
    if timetable.starts < timetable.ends:
        return None
    return "ends_on" if schedule.ends_at is None else "ends_at"


def _is_zone(name: str) -> bool:
    try:
        clock.zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_day(month_day: str) -> bool:
    try:
        date(_LEAP_YEAR, int(month_day[:2]), int(month_day[3:]))
    except ValueError:
        return False
    return True


def _audience(audience: Audience) -> Misfits:
    for name, around in (("birthday", audience.birthday), ("name_day", audience.name_day)):
        if around is not None and around.days_before + around.days_after > 364:
            yield ("audience", name), "at most 364 days around the day"
    if audience.name_day is not None:
        for name, days in audience.name_day.calendar.items():
            for place, day in enumerate(days):
                if not _is_day(day):
                    path = ("audience", "name_day", "calendar", name, place)
                    yield path, "a day of the calendar, MM-DD"


def _tiers(offer: Offer, surroundings: Surroundings) -> Misfits:
    names = [level.name for level in surroundings.programme.tiers.levels]
    stated: list[tuple[Path, str]] = [
        (("audience", "tiers", place), tier) for place, tier in enumerate(offer.audience.tiers)
    ]
    stated += [(("schedule", "early_access", tier), tier) for tier in offer.schedule.early_access]
    for path, tier in stated:
        if tier not in names:
            yield path, f"a tier of the programme: {', '.join(names)}"


def _keys(offer: Offer, surroundings: Surroundings) -> Misfits:
    """Keys of other kinds, where these kinds are known."""
    audience = offer.audience
    named: list[tuple[str, Path, Iterable[str]]] = [
        ("segment", ("audience", "segments"), audience.segments),
        ("segment", ("audience", "excluded_segments"), audience.excluded_segments),
        ("plan", ("audience", "plans"), audience.plans),
        ("partner", ("scope", "partners"), offer.scope.partners),
    ]
    for kind, path, keys in named:
        for place, key in enumerate(keys):
            if _is_missing(kind, key, surroundings):
                yield (*path, place), f"the key of a published {kind}"
    for place, one in enumerate(offer.funding):
        if _is_missing("partner", one.partner, surroundings):
            yield ("funding", place, "partner"), "the key of a published partner"


def _is_missing(kind: str, key: str, surroundings: Surroundings) -> bool:
    if kind not in {known.name for known in definitions.kinds()}:
        return False
    versions = surroundings.shelves.of(kind).versions(key)
    return not versions or versions[-1].document is None


def _requires(requires: Requires) -> Misfits:
    if (
        requires.of is not None
        and requires.minimum_spend_minor is None
        and requires.minimum_quantity is None
    ):
        yield ("requires", "of"), "goods only with minimum_spend_minor or minimum_quantity"
    if requires.condition is not None:
        try:
            VOCABULARY.condition(requires.condition)
        except InvalidCondition as error:
            yield ("requires", "condition"), f"a condition in CEL; {error}"


def _limits(offer: Offer) -> Misfits:
    limits, discount = offer.limits, offer.discount
    gives_points, is_till = isinstance(discount, _POINTS), isinstance(discount, Till)
    if limits.budget_points is not None and not gives_points:
        yield ("limits", "budget_points"), "a budget of points only for offers that give points"
    if limits.budget_minor is not None and (gives_points or is_till):
        yield ("limits", "budget_minor"), "a budget of money only for offers that give money"
    if limits.budget_minor is not None and isinstance(discount, Gift) and not discount.value_minor:
        yield ("limits", "budget_minor"), "a budget only for a gift that states its value_minor"
    if offer.stacking.maximum_share_bps is not None and not isinstance(discount, MONEY):
        yield ("stacking", "maximum_share_bps"), "a share only of offers that lower prices"


def _funding(funding: tuple[Funding, ...]) -> Misfits:
    if sum(one.share_bps for one in funding) > BASIS_POINTS_PER_UNIT:
        yield ("funding",), "shares of at most 10000 together"
    seen: set[str] = set()
    for place, one in enumerate(funding):
        if one.partner in seen:
            yield ("funding", place, "partner"), "each partner once"
        seen.add(one.partner)


def highest_cost_minor(offer: Offer, point_value_minor_per_1000: int) -> int | None:
    """What the offer can cost at most in all, points at what they are worth in the books, rounded
    up; None if nothing bounds it. What the till gives costs nothing here."""
    if isinstance(offer.discount, Till):
        return 0
    bounds = list(_bounds(offer))
    if not bounds:
        return None
    if isinstance(offer.discount, _POINTS):
        return -(-min(bounds) * point_value_minor_per_1000 // 1_000)
    return min(bounds)


def _bounds(offer: Offer) -> Iterator[int]:
    limits: Limits = offer.limits
    budget = limits.budget_points if isinstance(offer.discount, _POINTS) else limits.budget_minor
    if budget is not None:
        yield budget
    one_use = _highest_use(offer)
    if limits.total is not None and one_use is not None:
        yield limits.total * one_use


def _highest_use(offer: Offer) -> int | None:
    """What one use can give at most; None if that is for the basket to say."""
    discount = offer.discount
    if isinstance(discount, BonusPoints):
        return discount.points
    if isinstance(discount, Gift):
        return discount.quantity * discount.value_minor or None
    if isinstance(discount, Amount):
        return discount.amount_minor if discount.per == "basket" else None
    if isinstance(discount, Percent | FreeShipping | Cashback):
        return discount.maximum_minor
    return None
