"""The terms that a programme document may leave out, as the schema shows them.

The schema always shows what counts, so a section that is left out appears with its defaults.
"""

from collections.abc import Callable
from enum import Enum

import strawberry

from server.edge.permissions import EVERYONE, shown_to
from server.edge.scalars import Money
from server.programme import document

Pricing = Callable[[int], Money]
"""An amount in minor units as money of the programme's currency."""


@shown_to(EVERYONE)
@strawberry.type(description="The part of spend that members of one tier are paid back.")
class TierCashbackRate:
    """The rate of a tier."""

    tier: str = strawberry.field(description="The tier's name.")
    rate_basis_points: int = strawberry.field(
        description="The part that is paid back, in hundredths of a percent, 0 to 10000."
    )


@strawberry.enum(description="A span of local time in which a cap on cashback counts.")
class CashbackPeriod(Enum):
    """The periods of `document.CapPeriod`."""

    CALENDAR_DAY = strawberry.enum_value(
        "calendar_day", description="A day, in the programme's time zone."
    )
    CALENDAR_WEEK = strawberry.enum_value(
        "calendar_week", description="Monday to Sunday, in the programme's time zone."
    )
    CALENDAR_MONTH = strawberry.enum_value(
        "calendar_month", description="A calendar month, in the programme's time zone."
    )
    CALENDAR_YEAR = strawberry.enum_value(
        "calendar_year", description="A calendar year, in the programme's time zone."
    )
    LIFETIME = strawberry.enum_value(
        "lifetime", description="The whole time of the membership: this cap never starts anew."
    )


@shown_to(EVERYONE)
@strawberry.type(description="The most cashback that one member gets in each period.")
class CashbackCapTerms:
    """A cap."""

    period: CashbackPeriod = strawberry.field(
        description="The span in which it counts; each span starts anew."
    )
    amount: Money = strawberry.field(
        description="The most that one member gets in it; 0 means nothing at all."
    )


@strawberry.enum(description="What a return takes back of the points that the goods had earned.")
class ReturnPolicy(Enum):
    """The members of `document.ReturnPolicy`."""

    ONLY_PENDING = strawberry.enum_value(
        "only_pending",
        description="Only what is still pending; what has become available stays with the member.",
    )
    WITHIN_BALANCE = strawberry.enum_value(
        "within_balance",
        description="What is pending, and of what is available at most as much as there is: the "
        "balance never goes below 0.",
    )
    INTO_NEGATIVE = strawberry.enum_value(
        "into_negative",
        description="All of it: the balance goes below 0 where it has been spent already, and "
        "later points fill it up.",
    )


@shown_to(EVERYONE)
@strawberry.type(description="What happens to points when goods come back.")
class ReturnTerms:
    """The terms of returns."""

    policy: ReturnPolicy = strawberry.field(description="What a return takes back.")
    grace_days: int = strawberry.field(
        description="Value that is given back after its own expiry has passed lives for this many "
        "local days more, 0 to 36500."
    )


@shown_to(EVERYONE)
@strawberry.type(description="How points take money off a basket.")
class PayingWithPointsTerms:
    """The terms of points as a means of payment."""

    is_offered: bool = strawberry.field(
        description="Whether members can pay with points: false if `worth` is 0."
    )
    points: int = strawberry.field(
        description="So many points, at least 1, take `worth` off a basket."
    )
    worth: Money = strawberry.field(
        description="What `points` take off; 0 means that paying with points is not offered."
    )
    minimum_points: int = strawberry.field(
        description="A payment takes at least this many points, 1 or more."
    )
    maximum_share_basis_points: int = strawberry.field(
        description="The most of a basket's net that points pay, in hundredths of a percent, 0 to "
        "10000: 5000 is half of it."
    )
    earns_on_value: bool = strawberry.field(
        description="Whether the part of a basket that was paid with points, cashback or vouchers "
        "earns."
    )


@shown_to(EVERYONE)
@strawberry.type(description="How long value stays held for a basket before it is free again.")
class HoldTerms:
    """The terms of holds."""

    ttl_seconds: int = strawberry.field(
        description="The seconds that a hold lasts if it asks for no other time, 1 to "
        "`maximumTtlSeconds`."
    )
    maximum_ttl_seconds: int = strawberry.field(
        description="The most seconds that a hold can ask for, at most 2592000, which is 30 days."
    )


@shown_to(EVERYONE)
@strawberry.type(description="When and how much members may give each other in points.")
class TransferTerms:
    """The terms of gifts."""

    is_offered: bool = strawberry.field(
        description="Whether gifts are switched on: false if `dailyLimitPoints` is 0."
    )
    minimum_points: int = strawberry.field(
        description="A gift has at least this many points, 1 or more."
    )
    daily_limit_points: int = strawberry.field(
        description="The most points that one member gives away in a local day; 0 means that "
        "gifts are switched off."
    )
    minimum_account_age_days: int = strawberry.field(
        description="A member can give after this many local days since enrolment; 0 means at once."
    )


@shown_to(EVERYONE)
@strawberry.type(description="Who can share one balance, and how many.")
class HouseholdTerms:
    """The terms of households."""

    maximum_members: int = strawberry.field(
        description="The most members that a household has, 2 to 50."
    )
    rejoin_wait_days: int = strawberry.field(
        description="A member who has left a household can join or found one again after this "
        "many local days; 0 means at once."
    )
    minimum_account_age_days: int = strawberry.field(
        description="A member can join or found a household after this many local days since "
        "enrolment; 0 means at once."
    )


@shown_to(EVERYONE)
@strawberry.type(description="When and how much cashback is paid out as money.")
class PayoutTerms:
    """The terms of payouts."""

    minimum: Money = strawberry.field(
        description="A payout is at least this much, one minor unit of the currency or more."
    )
    daily_limit: Money | None = strawberry.field(
        description="The most that one member is paid out in a local day; null means no limit."
    )


@shown_to(EVERYONE)
@strawberry.type(description="Which corrections of balances by staff need a second person.")
class AdjustmentTerms:
    """The terms of corrections."""

    second_person_above_points: int = strawberry.field(
        description="A correction by more points than this, up or down, needs a second person; "
        "exactly as many don't."
    )
    second_person_above: Money = strawberry.field(
        description="A correction of cashback by more than this, up or down, needs a second "
        "person; exactly as much doesn't."
    )


@shown_to(EVERYONE)
@strawberry.type(description="Which things that the shop publishes need a second person.")
class ApprovalTerms:
    """The terms of approvals."""

    second_person_above_budget: Money = strawberry.field(
        description="What may cost more than this, or has no limit, needs a second person; what "
        "may cost exactly as much doesn't."
    )


def tier_rates(rules: document.Programme) -> list[TierCashbackRate]:
    """The rate of each tier, lowest first."""
    return [
        TierCashbackRate(
            tier=level.name,
            rate_basis_points=rules.cashback.rate_for_tier_basis_points(level.name),
        )
        for level in rules.tiers.levels
    ]


def caps(rules: document.Programme, money: Pricing) -> list[CashbackCapTerms]:
    """The caps besides the monthly one, in the document's order."""
    return [
        CashbackCapTerms(period=CashbackPeriod(cap.period), amount=money(cap.minor))
        for cap in rules.cashback.caps
    ]


def returns(rules: document.Programme) -> ReturnTerms:
    """The terms of returns."""
    return ReturnTerms(
        policy=ReturnPolicy(rules.returns.policy.value), grace_days=rules.returns.grace_days
    )


def paying_with_points(rules: document.Programme, money: Pricing) -> PayingWithPointsTerms:
    """The terms of paying with points, at the rate that counts."""
    rate = rules.money_off_rate
    return PayingWithPointsTerms(
        is_offered=rate.is_offered,
        points=rate.points,
        worth=money(rate.worth_minor),
        minimum_points=rules.paying_with_points.minimum_points,
        maximum_share_basis_points=rules.paying_with_points.maximum_share_basis_points,
        earns_on_value=rules.paying_with_points.earns_on_value,
    )


def holds(rules: document.Programme) -> HoldTerms:
    """The terms of holds."""
    return HoldTerms(
        ttl_seconds=rules.holds.ttl_seconds, maximum_ttl_seconds=rules.holds.maximum_ttl_seconds
    )


def transfers(rules: document.Programme) -> TransferTerms:
    """The terms of gifts."""
    return TransferTerms(
        is_offered=rules.transfers.is_offered,
        minimum_points=rules.transfers.minimum_points,
        daily_limit_points=rules.transfers.daily_limit_points,
        minimum_account_age_days=rules.transfers.minimum_account_age_days,
    )


def households(rules: document.Programme) -> HouseholdTerms:
    """The terms of households."""
    return HouseholdTerms(
        maximum_members=rules.households.maximum_members,
        rejoin_wait_days=rules.households.rejoin_wait_days,
        minimum_account_age_days=rules.households.minimum_account_age_days,
    )


def payouts(rules: document.Programme, money: Pricing) -> PayoutTerms:
    """The terms of payouts."""
    limit_minor = rules.payouts.daily_limit_minor
    return PayoutTerms(
        minimum=money(rules.payouts.minimum_minor),
        daily_limit=money(limit_minor) if limit_minor else None,
    )


def adjustments(rules: document.Programme, money: Pricing) -> AdjustmentTerms:
    """The terms of corrections."""
    return AdjustmentTerms(
        second_person_above_points=rules.adjustments.second_person_above_points,
        second_person_above=money(rules.adjustments.second_person_above_minor),
    )


def approvals(rules: document.Programme, money: Pricing) -> ApprovalTerms:
    """The terms of approvals."""
    return ApprovalTerms(
        second_person_above_budget=money(rules.approvals.second_person_above_budget_minor)
    )
