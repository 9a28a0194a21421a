"""The rules of a programme as typed, immutable data: what every calculation reads.

The attributes are the keys of the YAML document, name by name. A value of these types comes from
`server.programme.rules.checked`, or from a version that was published after it, so it holds what
the rules promise there: every number is within its bounds, levels ascend from 0, names are unique.

Money is in minor units of `programme.currency`; percentages are whole; a day is a local day of
`programme.timezone`. What a document may leave out has its default here and nowhere else.
"""

from collections.abc import Mapping
from datetime import date
from typing import Literal

from msgspec import Struct

from server.ledger.rules import ReturnPolicy


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


CapPeriod = Literal["calendar_day", "calendar_week", "calendar_month", "calendar_year", "lifetime"]
"""Spans of local time in which a cap counts, each starting anew; `lifetime` never does."""


class CashbackCap(Struct, frozen=True):
    """At most `minor` of cashback for one member in each `period`."""

    period: CapPeriod
    minor: int


class Cashback(Struct, frozen=True):
    """What part of the spend in some departments is paid back, up to a cap a calendar month."""

    departments: frozenset[str]
    rate_basis_points: int  # of the tiers that `tier_rates_basis_points` leaves out
    monthly_cap_minor: int
    pending_days: int
    tier_rates_basis_points: Mapping[str, int] = {}  # by the tier's name; in part or empty
    caps: tuple[CashbackCap, ...] = ()  # besides the monthly cap; each period at most once

    def __hash__(self) -> int:
        # The mapping has no hash of its own.
        rates = frozenset(self.tier_rates_basis_points.items())
        return hash(
            (
                *(self.departments, self.rate_basis_points, self.monthly_cap_minor),
                *(self.pending_days, rates, self.caps),
            )
        )

    def rate_for_tier_basis_points(self, tier_name: str) -> int:
        """The rate for members of the tier, in hundredths of a percent."""
        return self.tier_rates_basis_points.get(tier_name, self.rate_basis_points)


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


class Returns(Struct, frozen=True):
    """What happens to points when goods come back."""

    policy: ReturnPolicy = ReturnPolicy.INTO_NEGATIVE
    grace_days: int = 30  # value given back whose own expiry has passed lives so long


class PayingWithPoints(Struct, frozen=True):
    """Points as a means of payment; `Programme.money_off_rate` has the rate with its defaults."""

    points: int | None = None  # None: redemption_policy.redeem_points
    worth_minor: int | None = None  # None: redemption_policy.voucher_value_minor; 0: not offered
    minimum_points: int = 1
    maximum_share_basis_points: int = 10_000  # of the basket's net
    earns_on_value: bool = False  # does what was paid with points, cashback or vouchers earn?


class PointsWorth(Struct, frozen=True):
    """`points` take `worth_minor` off a basket."""

    points: int  # at least 1
    worth_minor: int

    @property
    def is_offered(self) -> bool:
        """Whether members can pay with points at all."""
        return self.worth_minor > 0


DEFAULT_TTL_SECONDS = 900
DEFAULT_MAXIMUM_TTL_SECONDS = 86_400


class Holds(Struct, frozen=True):
    """How long value stays held for a basket before it is free again."""

    ttl_seconds: int = DEFAULT_TTL_SECONDS  # of a hold that names none
    maximum_ttl_seconds: int = DEFAULT_MAXIMUM_TTL_SECONDS


class Transfers(Struct, frozen=True):
    """Gifts of points from one member to another."""

    minimum_points: int = 1
    daily_limit_points: int = 10_000  # per giver and local day; 0 switches gifts off
    minimum_account_age_days: int = 0  # of the giver, local days since enrolment

    @property
    def is_offered(self) -> bool:
        """Whether gifts are switched on."""
        return self.daily_limit_points > 0


class Households(Struct, frozen=True):
    """Members who share one balance."""

    maximum_members: int = 6
    rejoin_wait_days: int = 30  # after leaving, before joining or founding one again
    minimum_account_age_days: int = 0  # local days since enrolment


class Payouts(Struct, frozen=True):
    """Cashback that is paid out as money."""

    minimum_minor: int = 1
    daily_limit_minor: int = 0  # per member and local day; 0 is no limit


class Adjustments(Struct, frozen=True):
    """From where on a correction by staff needs a second person: above, not at, these."""

    second_person_above_points: int = 1000
    second_person_above_minor: int = 1000


class Approvals(Struct, frozen=True):
    """From where on what the shop publishes needs a second person: above, not at, this budget."""

    second_person_above_budget_minor: int = 100_000


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
    returns: Returns = Returns()
    paying_with_points: PayingWithPoints = PayingWithPoints()
    holds: Holds = Holds()
    transfers: Transfers = Transfers()
    households: Households = Households()
    payouts: Payouts = Payouts()
    adjustments: Adjustments = Adjustments()
    approvals: Approvals = Approvals()

    @property
    def money_off_rate(self) -> PointsWorth:
        """What points take off a basket; each half that the document leaves out is a voucher's."""
        paying, redeeming = self.paying_with_points, self.redemption_policy
        return PointsWorth(
            points=redeeming.redeem_points if paying.points is None else paying.points,
            worth_minor=(
                redeeming.voucher_value_minor if paying.worth_minor is None else paying.worth_minor
            ),
        )
