"""What a programme document may hold, and its canonical form.

`DOCUMENT` is the whole answer to "what can I write there?": which keys are required, which ones are
optional (their defaults stand in `server.programme.document`), and bounds as wide as 64-bit
arithmetic on real baskets allows. The canonical form has what the document has and nothing else:
defaults are no part of it, so the digest of a document stays when new optional keys come.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from typing import Any, get_args
from zoneinfo import available_timezones

import msgspec
from msgspec import Struct

from server.errors import Path
from server.ledger.rules import ReturnPolicy
from server.money import currency_codes
from server.programme.checking import (
    Checker,
    Index,
    Items,
    Leaf,
    Relations,
    Section,
    Shape,
    local_date,
    one_of,
    text,
    whole,
    whole_or,
    yes_or_no,
)
from server.programme.document import (
    DEFAULT_MAXIMUM_TTL_SECONDS,
    DEFAULT_TTL_SECONDS,
    CapPeriod,
    LineField,
    Programme,
    Weekday,
)
from server.programme.errors import InvalidDocument
from server.programme.reading import plain_data

MAXIMUM_POINTS = 10**9
MAXIMUM_MINOR = 10**12
MAXIMUM_DAYS = 36_500
MAXIMUM_HOLD_SECONDS = 30 * 24 * 60 * 60
MAXIMUM_POINTS_PER_MINOR_UNIT = 1_000
LABEL_LENGTH = 200
NAME_LENGTH = 64

_MOST_TIERS_NAMED = 10  # in one problem, so that the answer stays small

Misfits = Iterable[tuple[Path, str]]


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


# ---------------------------------------------------------------- relations between values


def _dates_in_order(first: str, last: str) -> Relations:
    def misfits(section: dict[str, Any]) -> Misfits:
        if first in section and last in section and section[last] < section[first]:
            yield (last,), f"a calendar date, YYYY-MM-DD, not before {first} {section[first]}"

    return misfits


def _rate_within_reason(rate: dict[str, Any]) -> Misfits:
    if "points" in rate and "per_minor" in rate:
        limit = min(MAXIMUM_POINTS, MAXIMUM_POINTS_PER_MINOR_UNIT * rate["per_minor"])
        if rate["points"] > limit:
            most = f"at most {MAXIMUM_POINTS_PER_MINOR_UNIT} for one minor unit"
            yield ("points",), f"a whole number from 0 to {limit}: {most}"


def _ladder(levels: list[dict[str, Any] | None]) -> Misfits:
    names: set[str] = set()
    minimum_before: int | None = None
    for at, level in enumerate(levels):
        name = (level or {}).get("name")
        minimum = (level or {}).get("min_spend_minor")
        if name is not None and name.casefold() in names:
            yield (at, "name"), "a name that no level before it has, in small or capital letters"
        if name is not None:
            names.add(name.casefold())
        if minimum is None:
            continue
        if at == 0 and minimum != 0:
            yield (at, "min_spend_minor"), "0, because everyone has at least the first level"
        if minimum_before is not None and minimum <= minimum_before:
            bounds = f"from {minimum_before + 1} to {MAXIMUM_MINOR}"
            yield (at, "min_spend_minor"), f"a whole number {bounds}, more than the level before"
        minimum_before = max(minimum, minimum_before or 0)


def _own_ids(offers: list[dict[str, Any] | None]) -> Misfits:
    ids: set[str] = set()
    for at, offer in enumerate(offers):
        offer_id = (offer or {}).get("id")
        if offer_id is not None and offer_id in ids:
            yield (at, "id"), "an id that no offer before it has"
        ids.add(offer_id or "")


def _own_periods(caps: list[dict[str, Any] | None]) -> Misfits:
    periods: set[str] = set()
    for at, cap in enumerate(caps):
        period = (cap or {}).get("period")
        if period is not None and period in periods:
            yield (at, "period"), "a period that no cap before it has"
        periods.add(period or "")


def _ttl_within_its_maximum(holds: dict[str, Any]) -> Misfits:
    ttl = holds.get("ttl_seconds", DEFAULT_TTL_SECONDS)
    maximum = holds.get("maximum_ttl_seconds", DEFAULT_MAXIMUM_TTL_SECONDS)
    if ttl is None or maximum is None or ttl <= maximum:
        return
    if "ttl_seconds" in holds:
        limit = f"maximum_ttl_seconds, which is {maximum}"
        yield ("ttl_seconds",), f"a whole number from 1 to {maximum}: at most {limit}"
    else:
        bounds = f"from {ttl} to {MAXIMUM_HOLD_SECONDS}"
        default = f"ttl_seconds, which is {ttl} where it is left out"
        yield ("maximum_ttl_seconds",), f"a whole number {bounds}: at least {default}"


def _rates_of_own_tiers(document: dict[str, Any]) -> Misfits:
    rates = (document.get("cashback") or {}).get("tier_rates_basis_points") or {}
    levels = (document.get("tiers") or {}).get("levels") or [None]
    names: list[Any] = [(level or {}).get("name") for level in levels]
    if None in names:  # which tiers there are is not clear yet
        return
    for name in rates:
        if name not in names:
            place = ("cashback", "tier_rates_basis_points", name)
            known = one_of(*names).accepted if len(names) <= _MOST_TIERS_NAMED else "any of them"
            yield place, f"the name of a tier of tiers.levels: {known}"


# ---------------------------------------------------------------- the document

_points = whole(0, MAXIMUM_POINTS)
_money = whole(0, MAXIMUM_MINOR)
_money_from_one = whole(1, MAXIMUM_MINOR)
_points_from_one = whole(1, MAXIMUM_POINTS)
_basis_points = whole(0, 10_000)
_days = whole(0, MAXIMUM_DAYS)
_days_from_one = whole(1, MAXIMUM_DAYS)
_label = text(LABEL_LENGTH)
_name = text(NAME_LENGTH)
_departments = Items(_label)
_campaign = whole(0, 10**18)
_rate: dict[str, Shape] = {"points": _points, "per_minor": _money_from_one}

_identity = Section(
    {
        "id": _name,
        "currency": Leaf(
            "the ISO 4217 code of a currency of today, such as EUR",
            lambda value: isinstance(value, str) and value in currency_codes(),
        ),
        "minor_units_per_major": Leaf(
            "1, 10, 100, 1000 or 10000",
            lambda value: type(value) is int and value in (1, 10, 100, 1000, 10000),
        ),
        "timezone": Leaf(
            "the name of an IANA time zone, such as Europe/Vilnius",
            lambda value: isinstance(value, str) and value in _time_zones(),
        ),
        "week_starts_on": one_of("monday"),
        "first_local_date": local_date(),
        "last_local_date": local_date(),
    },
    _dates_in_order("first_local_date", "last_local_date"),
)
_data_source = Section(
    {
        "package": _label,
        "version": _label,
        "timestamps_are": one_of("UTC"),
        "unknown_label": _label,
    }
)
_excluded_line = Section({"field": one_of(*get_args(LineField)), "equals": _label})
_category_bonus = Section({"departments": _departments, **_rate}, _rate_within_reason)
_earning = Section(
    {
        "base": Section(_rate, _rate_within_reason),
        "category_bonus": Items(_category_bonus, minimum=1, maximum=1),
        "purchase_pending_days": _days,
        "expiry_days": _days_from_one,
        "welcome_bonus_points": _points,
    }
)
_level = Section({"name": _name, "min_spend_minor": _money, "multiplier_percent": whole(0, 10_000)})
_tiers = Section(
    {
        "window_days": _days_from_one,
        "levels": Items(_level, minimum=1, maximum=100, relations=_ladder),
    }
)
_cap = Section({"period": one_of(*get_args(CapPeriod)), "minor": _money})
_cashback = Section(
    {
        "departments": _departments,
        "rate_basis_points": _basis_points,
        "monthly_cap_minor": _money,
        "pending_days": _days,
    },
    optional={
        "tier_rates_basis_points": Index("the name of a tier", _basis_points, maximum=100),
        "caps": Items(_cap, maximum=len(get_args(CapPeriod)), relations=_own_periods),
    },
)
_challenges = Section(
    {
        "weekly_visits": Section(
            {
                "period": one_of("calendar_week"),
                "visit_days": whole(1, 7),
                "reward_points": _points,
                "streak": Section({"consecutive_weeks": whole(1, 5_200), "reward_points": _points}),
            }
        ),
        "departments": Section(
            {
                "period": one_of("calendar_month"),
                "distinct_departments": whole(1, 1_000),
                "ignored_departments": _departments,
                "reward_points": _points,
            }
        ),
        "month_spend": Section(
            {
                "period": one_of("calendar_month"),
                "spend_minor": _money_from_one,
                "reward_points": _points,
            }
        ),
    }
)
_redemption_policy = Section(
    {
        "weekday": one_of(*get_args(Weekday)),
        "threshold_points": _points,
        "redeem_points": _points_from_one,
        "max_redemptions_per_run": whole(0, 10_000),
        "voucher_value_minor": _money,
    }
)
_offer = Section(
    {
        "id": _name,
        "campaign_id": _campaign,
        "campaign_type": _label,
        "name": _label,
        "valid_from": local_date(),
        "valid_to": local_date(),
        "segment": Section(
            {"kind": one_of("member_list"), "table": _label, "campaign_id": _campaign}
        ),
        "coupons": Section(
            {
                "table": _label,
                "campaign_id": _campaign,
                "issued_per_member": whole_or(whole(0, 10**6), "all"),
            }
        ),
        "max_redemptions_per_coupon_member_day": whole(1, 10**6),
    },
    _dates_in_order("valid_from", "valid_to"),
)

_optional_sections = {
    "returns": Section(
        {}, optional={"policy": one_of(*(each.value for each in ReturnPolicy)), "grace_days": _days}
    ),
    "paying_with_points": Section(
        {},
        optional={
            "points": _points_from_one,
            "worth_minor": _money,
            "minimum_points": _points_from_one,
            "maximum_share_basis_points": _basis_points,
            "earns_on_value": yes_or_no(),
        },
    ),
    "holds": Section(
        {},
        _ttl_within_its_maximum,
        optional={
            "ttl_seconds": whole(1, MAXIMUM_HOLD_SECONDS),
            "maximum_ttl_seconds": whole(1, MAXIMUM_HOLD_SECONDS),
        },
    ),
    "transfers": Section(
        {},
        optional={
            "minimum_points": _points_from_one,
            "daily_limit_points": _points,
            "minimum_account_age_days": _days,
        },
    ),
    "households": Section(
        {},
        optional={
            "maximum_members": whole(2, 50),
            "rejoin_wait_days": _days,
            "minimum_account_age_days": _days,
        },
    ),
    "payouts": Section(
        {}, optional={"minimum_minor": _money_from_one, "daily_limit_minor": _money}
    ),
    "adjustments": Section(
        {}, optional={"second_person_above_points": _points, "second_person_above_minor": _money}
    ),
    "approvals": Section({}, optional={"second_person_above_budget_minor": _money}),
}

DOCUMENT = Section(
    {
        "programme": _identity,
        "data_source": _data_source,
        "excluded_lines": Items(_excluded_line),
        "points": _earning,
        "tiers": _tiers,
        "cashback": _cashback,
        "challenges": _challenges,
        "redemption_policy": _redemption_policy,
        "liability": Section({"point_value_minor_per_1000": _points}),
        "offers": Items(_offer, relations=_own_ids),
    },
    _rates_of_own_tiers,
    optional=_optional_sections,
)
"""All keys of a programme document, in their order, and what each of them takes."""


class CheckedDocument(Struct, frozen=True):
    """A valid document: as plain data, and as the types that calculations read."""

    plain: dict[str, Any]
    programme: Programme

    @property
    def canonical(self) -> str:
        """The document as JSON with sorted keys and no spaces: equal texts mean equal rules."""
        return json.dumps(self.plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical document, hexadecimal."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()


def checked(document: str) -> CheckedDocument:
    """The programme that the YAML text describes.

    Raises InvalidDocument with all problems (at most 100) if there is any.
    """
    plain, repeated = plain_data(document)
    return checked_data(plain, Checker(repeated))


def checked_data(plain: object, checker: Checker | None = None) -> CheckedDocument:
    """As `checked`, for data that has been read already; dates are text in it."""
    checker = checker or Checker()
    checker.check(DOCUMENT, plain)
    if checker.problems or not isinstance(plain, dict):
        raise InvalidDocument(tuple(checker.problems))
    return CheckedDocument(plain, msgspec.convert(plain, Programme))


def programme_of(canonical: str) -> Programme:
    """The programme of a canonical document that was checked when it was published."""
    return msgspec.json.decode(canonical, type=Programme)


def in_reading_order(plain: Any, shape: Shape = DOCUMENT) -> Any:
    """The same data with its keys in the order in which people read them."""
    if isinstance(shape, Section) and isinstance(plain, dict):
        return {
            key: in_reading_order(plain[key], inner)
            for key, inner in shape.all_keys.items()
            if key in plain
        }
    if isinstance(shape, Items):
        return [in_reading_order(item, shape.each) for item in plain]
    return plain
