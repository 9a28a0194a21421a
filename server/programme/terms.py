"""The programme's terms as the schema shows them: types without behaviour, and their making."""

from enum import Enum

import strawberry

from server.clock import Instant
from server.edge.nodes import Node, global_id
from server.edge.permissions import EVERYONE, shown_to
from server.edge.scalars import CurrencyCode, Money
from server.programme import document, optional_terms
from server.programme.optional_terms import (
    AdjustmentTerms,
    ApprovalTerms,
    CashbackCapTerms,
    HoldTerms,
    HouseholdTerms,
    PayingWithPointsTerms,
    PayoutTerms,
    Pricing,
    ReturnTerms,
    TierCashbackRate,
    TransferTerms,
)
from server.programme.service import PublishedProgramme


@strawberry.enum(description="A field of a purchase line that an exclusion looks at.")
class LineField(Enum):
    """The fields of `document.LineField`."""

    DEPARTMENT = strawberry.enum_value("department", description="The line's department.")
    PRODUCT_CATEGORY = strawberry.enum_value(
        "product_category", description="The category of the line's product."
    )
    PRODUCT_TYPE = strawberry.enum_value(
        "product_type", description="The type of the line's product."
    )
    PRODUCT_ID = strawberry.enum_value("product_id", description="The line's product itself.")


@shown_to(EVERYONE)
@strawberry.type(description="Purchase lines that earn nothing and count for nothing.")
class ExcludedLines:
    """Lines that match are excluded."""

    field: LineField = strawberry.field(description="The field of the line that is looked at.")
    equals: str = strawberry.field(
        description="A line is excluded if the field is exactly this, capital letters included."
    )


@shown_to(EVERYONE)
@strawberry.type(description="One tier of the programme.")
class TierTerms:
    """A tier."""

    name: str = strawberry.field(description="The tier's name, unique in the programme.")
    min_spend: Money = strawberry.field(
        description="A member has this tier from this much qualifying spend on, exactly included."
    )
    multiplier_percent: int = strawberry.field(
        description="What the tier makes of base points: 125 gives a quarter more, 100 nothing."
    )


@shown_to(EVERYONE)
@strawberry.type(description="So many points for so much spend.")
class PointsRate:
    """A rate."""

    points: int = strawberry.field(description="Points for every `perSpend`.")
    per_spend: Money = strawberry.field(
        description="The spend that gives `points`; parts of it give their share, rounded down to "
        "whole points once for each purchase."
    )


@shown_to(EVERYONE)
@strawberry.type(description="Points on top for spend in some departments.")
class CategoryBonus(PointsRate):
    """A bonus by department."""

    departments: list[str] = strawberry.field(
        description="The departments, in alphabetical order; none means that there is no bonus."
    )


@shown_to(EVERYONE)
@strawberry.type(description="How points are earned, when they can be spent and when they expire.")
class EarningTerms:
    """The terms of points."""

    base: PointsRate = strawberry.field(
        description="Points for eligible spend, before the tier's multiplier."
    )
    category_bonus: CategoryBonus = strawberry.field(
        description="Points on top for spend in some departments; the tier doesn't multiply them."
    )
    pending_days: int = strawberry.field(
        description="Points of a purchase can be spent from the start of the day that is this many "
        "days after it; 0 means at once."
    )
    expiry_days: int = strawberry.field(
        description="Points expire at the start of the day that is this many days after they were "
        "earned."
    )
    welcome_points: int = strawberry.field(description="Points for joining; they are not pending.")
    excluded_lines: list[ExcludedLines] = strawberry.field(
        description="Lines that match any of these earn nothing and count for nothing."
    )


@shown_to(EVERYONE)
@strawberry.type(description="What part of the spend in some departments is paid back as money.")
class CashbackTerms:
    """The terms of cashback."""

    departments: list[str] = strawberry.field(
        description="The departments, in alphabetical order; none means that there is no cashback."
    )
    rate_basis_points: int = strawberry.field(
        description="The part that is paid back, in hundredths of a percent: 200 is 2 %. Tiers can "
        "have another one: `tierRates` has them all."
    )
    tier_rates: list[TierCashbackRate] = strawberry.field(
        description="The part that members of each tier are paid back, lowest tier first."
    )
    monthly_cap: Money = strawberry.field(
        description="The most that one member gets in a calendar month."
    )
    caps: list[CashbackCapTerms] = strawberry.field(
        description="Further caps, each period at most once; `monthlyCap` counts besides them."
    )
    pending_days: int = strawberry.field(
        description="Cashback is available from the start of the day that is this many days after "
        "the purchase."
    )


@shown_to(EVERYONE)
@strawberry.type(description="What points can be exchanged for.")
class RedemptionTerms:
    """The terms of redemption."""

    step_points: int = strawberry.field(
        description="Points are exchanged in multiples of this many, at least once this many."
    )
    voucher_value: Money = strawberry.field(
        description="What a voucher for `stepPoints` is worth; for twice as many, twice as much."
    )


@shown_to(EVERYONE)
@strawberry.type(description="A reward for completing the weekly challenge in weeks in a row.")
class StreakTerms:
    """The terms of a streak."""

    consecutive_weeks: int = strawberry.field(
        description="After this many weeks in a row the reward is given and counting starts anew."
    )
    reward_points: int = strawberry.field(description="Points for the streak.")


@shown_to(EVERYONE)
@strawberry.type(description="Shop on several different days of one week, Monday to Sunday.")
class WeeklyVisitsTerms:
    """The terms of the weekly challenge."""

    visit_days: int = strawberry.field(description="On how many days to shop, 1 to 7.")
    reward_points: int = strawberry.field(description="Points for it, once a week.")
    streak: StreakTerms = strawberry.field(description="The reward for weeks in a row.")


@shown_to(EVERYONE)
@strawberry.type(description="Shop in several different departments in one calendar month.")
class DepartmentsTerms:
    """The terms of the challenge of departments."""

    distinct_departments: int = strawberry.field(description="In how many departments to shop.")
    ignored_departments: list[str] = strawberry.field(
        description="Departments that don't count, in alphabetical order."
    )
    reward_points: int = strawberry.field(description="Points for it, once a month.")


@shown_to(EVERYONE)
@strawberry.type(description="Spend an amount in one calendar month.")
class MonthSpendTerms:
    """The terms of the challenge of spend."""

    spend: Money = strawberry.field(description="How much eligible spend the month needs.")
    reward_points: int = strawberry.field(description="Points for it, once a month.")


@shown_to(EVERYONE)
@strawberry.type(description="The challenges of the programme, each with its target and reward.")
class ChallengeTerms:
    """The terms of challenges."""

    weekly_visits: WeeklyVisitsTerms = strawberry.field(description="Days of shopping in a week.")
    departments: DepartmentsTerms = strawberry.field(description="Departments in a month.")
    month_spend: MonthSpendTerms = strawberry.field(description="Spend in a month.")


@shown_to(EVERYONE)
@strawberry.type(description="The terms of the loyalty programme in one published version.")
class Programme(Node):
    """One version of the rules."""

    version: int = strawberry.field(description="The number of the version, from 1.")
    digest: str = strawberry.field(
        description="SHA-256 of the rules in hexadecimal: equal digests mean equal rules."
    )
    effective_at: Instant | None = strawberry.field(
        description="From when on the version counts; null for always, as the first one does."
    )
    currency_code: CurrencyCode = strawberry.field(
        description="The currency of purchases, cashback and vouchers."
    )
    time_zone: str = strawberry.field(
        description="The IANA time zone whose days, weeks and months count: Europe/Vilnius."
    )
    tier_window_days: int = strawberry.field(
        description="Spend of the last this many days, today included, qualifies for tiers."
    )
    tiers: list[TierTerms] = strawberry.field(description="The tiers, lowest first.")
    earning: EarningTerms = strawberry.field(description="How points are earned and expire.")
    cashback: CashbackTerms = strawberry.field(description="How cashback is earned.")
    challenges: ChallengeTerms = strawberry.field(description="The challenges.")
    redemption: RedemptionTerms = strawberry.field(description="What points buy.")
    returns: ReturnTerms = strawberry.field(description="What happens when goods come back.")
    paying_with_points: PayingWithPointsTerms = strawberry.field(
        description="How points take money off a basket."
    )
    holds: HoldTerms = strawberry.field(description="How long value stays held for a basket.")
    transfers: TransferTerms = strawberry.field(description="Gifts of points between members.")
    households: HouseholdTerms = strawberry.field(description="Members who share one balance.")
    payouts: PayoutTerms = strawberry.field(description="Cashback that is paid out as money.")
    adjustments: AdjustmentTerms = strawberry.field(
        description="Which corrections of balances by staff need a second person."
    )
    approvals: ApprovalTerms = strawberry.field(
        description="Which offers and the like need a second person before they count."
    )


def programme_shown(published: PublishedProgramme) -> Programme:
    """The terms of a version as the schema shows them."""
    rules = published.programme
    identity = rules.programme

    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, identity.currency, identity.minor_unit_digits)

    return Programme(
        id=global_id("Programme", published.version),
        version=published.version,
        digest=published.digest,
        effective_at=effective_at(published),
        currency_code=CurrencyCode[identity.currency],
        time_zone=identity.timezone,
        tier_window_days=rules.tiers.window_days,
        tiers=[
            TierTerms(
                name=level.name,
                min_spend=money(level.min_spend_minor),
                multiplier_percent=level.multiplier_percent,
            )
            for level in rules.tiers.levels
        ],
        earning=_earning(rules, money),
        cashback=CashbackTerms(
            departments=sorted(rules.cashback.departments),
            rate_basis_points=rules.cashback.rate_basis_points,
            tier_rates=optional_terms.tier_rates(rules),
            monthly_cap=money(rules.cashback.monthly_cap_minor),
            caps=optional_terms.caps(rules, money),
            pending_days=rules.cashback.pending_days,
        ),
        challenges=_challenges(rules.challenges, money),
        redemption=RedemptionTerms(
            step_points=rules.redemption_policy.redeem_points,
            voucher_value=money(rules.redemption_policy.voucher_value_minor),
        ),
        returns=optional_terms.returns(rules),
        paying_with_points=optional_terms.paying_with_points(rules, money),
        holds=optional_terms.holds(rules),
        transfers=optional_terms.transfers(rules),
        households=optional_terms.households(rules),
        payouts=optional_terms.payouts(rules, money),
        adjustments=optional_terms.adjustments(rules, money),
        approvals=optional_terms.approvals(rules, money),
    )


def effective_at(published: PublishedProgramme) -> Instant | None:
    """From when on the version counts; None for always."""
    return None if published.counts_from_the_beginning else published.effective_at


def _earning(rules: document.Programme, money: Pricing) -> EarningTerms:
    (bonus,) = rules.points.category_bonus
    return EarningTerms(
        base=PointsRate(
            points=rules.points.base.points, per_spend=money(rules.points.base.per_minor)
        ),
        category_bonus=CategoryBonus(
            points=bonus.points,
            per_spend=money(bonus.per_minor),
            departments=sorted(bonus.departments),
        ),
        pending_days=rules.points.purchase_pending_days,
        expiry_days=rules.points.expiry_days,
        welcome_points=rules.points.welcome_bonus_points,
        excluded_lines=[
            ExcludedLines(field=LineField(match.field), equals=match.equals)
            for match in rules.excluded_lines
        ],
    )


def _challenges(rules: document.Challenges, money: Pricing) -> ChallengeTerms:
    weekly = rules.weekly_visits
    return ChallengeTerms(
        weekly_visits=WeeklyVisitsTerms(
            visit_days=weekly.visit_days,
            reward_points=weekly.reward_points,
            streak=StreakTerms(
                consecutive_weeks=weekly.streak.consecutive_weeks,
                reward_points=weekly.streak.reward_points,
            ),
        ),
        departments=DepartmentsTerms(
            distinct_departments=rules.departments.distinct_departments,
            ignored_departments=sorted(rules.departments.ignored_departments),
            reward_points=rules.departments.reward_points,
        ),
        month_spend=MonthSpendTerms(
            spend=money(rules.month_spend.spend_minor),
            reward_points=rules.month_spend.reward_points,
        ),
    )
