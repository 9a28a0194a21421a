"""What a programme says about every purchase, worked out once for each programme."""

from server.programme.derived import derived
from server.programme.document import Programme


class Terms:
    """What the arithmetic of purchases looks at of a programme, at hand."""

    __slots__ = (
        "base_rate",
        "bonus_departments",
        "bonus_rate",
        "cashback_departments",
        "currency",
        "digits",
        "exclusions",
        "fixed_points",
        "highest_cashback_bps",
        "highest_cashback_minor",
        "highest_multiplier_percent",
        "unknown",
        "zone",
    )

    def __init__(self, programme: Programme) -> None:
        identity, cashback = programme.programme, programme.cashback
        levels, challenges = programme.tiers.levels, programme.challenges
        bonus = programme.points.category_bonus[0]
        self.zone = identity.timezone
        self.currency = identity.currency
        self.digits = identity.minor_unit_digits
        self.unknown = programme.data_source.unknown_label
        self.exclusions = tuple((match.field, match.equals) for match in programme.excluded_lines)
        self.base_rate = (programme.points.base.points, programme.points.base.per_minor)
        self.bonus_departments = bonus.departments
        self.bonus_rate = (bonus.points, bonus.per_minor)
        self.cashback_departments = cashback.departments
        self.highest_multiplier_percent = max(level.multiplier_percent for level in levels)
        self.fixed_points = (
            programme.points.welcome_bonus_points
            + challenges.weekly_visits.reward_points
            + challenges.weekly_visits.streak.reward_points  # a week completes one streak at most
            + challenges.departments.reward_points
            + challenges.month_spend.reward_points
        )
        """What a purchase can bring beside what depends on its amounts, welcome points included."""
        self.highest_cashback_bps = max(
            cashback.rate_for_tier_basis_points(level.name) for level in levels
        )
        self.highest_cashback_minor = min(
            cashback.monthly_cap_minor, *(cap.minor for cap in cashback.caps), 2**63 - 1
        )
        """What no purchase's cashback exceeds, whatever it costs."""


terms_of = derived(Terms)
"""The terms of a programme."""
