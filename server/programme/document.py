"""The rules of a programme as typed, immutable data: what every calculation reads.

The attributes are the keys of the YAML document, name by name. A value of these types comes from
`server.programme.rules.checked`, or from a version that was published after it, so it holds what
the rules promise there: every number is within its bounds, levels ascend from 0, names are unique.

Money is in minor units of `programme.currency`; percentages are whole; a day is a local day of
`programme.timezone`.
"""

from datetime import date
from typing import Literal

from msgspec import Struct


class Identity(Struct, frozen=True):
    """Which programme it is, its currency and its calendar."""

    id: str
    currency: str  # ISO 4217
    minor_units_per_major: int  # a power of ten
    timezone: str  # IANA name
    week_starts_on: Literal["monday"]
    first_local_date: date  # of the replay, inclusive
    last_local_date: date  # of the replay, inclusive

    @property
    def minor_unit_digits(self) -> int:
        """How many decimals the currency has: a major unit has 10**digits minor units."""
        return len(str(self.minor_units_per_major)) - 1


class DataSource(Struct, frozen=True):
    """Where the purchases of the replay come from."""

    package: str
    version: str
    timestamps_are: Literal["UTC"]
    unknown_label: str  # the department of a line that names none


LineField = Literal["department", "product_category", "product_type", "product_id"]
"""The fields of a purchase line that an exclusion can look at."""


class LineMatch(Struct, frozen=True):
    """A line matches if its `field` is exactly `equals`."""

    field: LineField
    equals: str


class PointsRate(Struct, frozen=True):
    """`points` for every `per_minor` of spend, rounded down once per purchase."""

    points: int
    per_minor: int


class CategoryBonus(Struct, frozen=True):
    """`points` more for every `per_minor` of spend in the departments, rounded down."""

    departments: frozenset[str]
    points: int
    per_minor: int


class Points(Struct, frozen=True):
    """How points are earned, when they become available and when they expire."""

    base: PointsRate
    category_bonus: tuple[CategoryBonus, ...]  # exactly one
    purchase_pending_days: int
    expiry_days: int  # from earning, not from becoming available
    welcome_bonus_points: int


class TierLevel(Struct, frozen=True):
    """A tier: from which qualifying spend, and what it makes of base points."""

    name: str
    min_spend_minor: int
    multiplier_percent: int  # below 100 takes base points away


class Tiers(Struct, frozen=True):
    """The tiers, lowest first; the last level whose minimum is reached applies."""

    window_days: int  # local days whose spend qualifies, today included
    levels: tuple[TierLevel, ...]


class Cashback(Struct, frozen=True):
    """What part of the spend in some departments is paid back, up to a cap a calendar month."""

    departments: frozenset[str]
    rate_basis_points: int
    monthly_cap_minor: int
    pending_days: int


class Streak(Struct, frozen=True):
    """A reward for completing a weekly challenge in this many weeks in a row."""

    consecutive_weeks: int
    reward_points: int


class WeeklyVisits(Struct, frozen=True):
    """Shop on `visit_days` different days of a week."""

    period: Literal["calendar_week"]
    visit_days: int  # 1 to 7
    reward_points: int
    streak: Streak


class DepartmentsChallenge(Struct, frozen=True):
    """Shop in `distinct_departments` different departments in a month."""

    period: Literal["calendar_month"]
    distinct_departments: int
    ignored_departments: frozenset[str]
    reward_points: int


class MonthSpend(Struct, frozen=True):
    """Spend `spend_minor` in a month."""

    period: Literal["calendar_month"]
    spend_minor: int
    reward_points: int


class Challenges(Struct, frozen=True):
    """The challenges, in the order in which a purchase is held against them."""

    weekly_visits: WeeklyVisits
    departments: DepartmentsChallenge
    month_spend: MonthSpend


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
"""A day of the week, in the order of `date.weekday()`."""


class RedemptionPolicy(Struct, frozen=True):
    """What points buy, and when the replay's members redeem them."""

    weekday: Weekday  # of the replay
    threshold_points: int  # of the replay: with at least so many available
    redeem_points: int  # points are redeemed in multiples of this
    max_redemptions_per_run: int  # of the replay
    voucher_value_minor: int  # of a voucher for `redeem_points`


class Liability(Struct, frozen=True):
    """What outstanding points are worth in the books."""

    point_value_minor_per_1000: int


class OfferSegment(Struct, frozen=True):
    """Who may redeem an offer: the members that a table lists for a campaign."""

    kind: Literal["member_list"]
    table: str
    campaign_id: int


class OfferCoupons(Struct, frozen=True):
    """Which coupons an offer has, and how many of them each member of the segment got."""

    table: str
    campaign_id: int
    issued_per_member: int | Literal["all"]


class Offer(Struct, frozen=True):
    """A campaign of coupons for a segment, valid from and to a local date, both included."""

    id: str
    campaign_id: int
    campaign_type: str
    name: str
    valid_from: date
    valid_to: date
    segment: OfferSegment
    coupons: OfferCoupons
    max_redemptions_per_coupon_member_day: int


class Programme(Struct, frozen=True):
    """All rules of one version of a loyalty programme."""

    programme: Identity
    data_source: DataSource
    excluded_lines: tuple[LineMatch, ...]  # a line that matches any of them is excluded
    points: Points
    tiers: Tiers
    cashback: Cashback
    challenges: Challenges
    redemption_policy: RedemptionPolicy
    liability: Liability
    offers: tuple[Offer, ...]
