"""What a basket earns, reckoned from its lines a second time and in another way than when it was
recorded, so that a fault of either shows.

A line is a row of LINE_COLUMNS. What earns is its sales less its coupon, without what value paid
for unless the programme says otherwise, and without what was returned; a line that costs nothing or
less counts as it was bought.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from server.clock import Instant, LocalDay
from server.programme.document import Programme
from server.programme.service import PublishedProgramme
from server.storage import sql

LINE_COLUMNS = (
    "id, purchase_id, number, product_id, department, product_category, product_type, quantity,"
    " sales_minor, coupon_minor, paid_minor, returned_quantity, returned_minor"
)
_PLACE_OF = {"product_id": 3, "department": 4, "product_category": 5, "product_type": 6}


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a version of the programme a basket is held against."""

    published: PublishedProgramme
    excluded: tuple[tuple[int, str], ...]  # a place in the row, and the text that excludes it
    bonus: frozenset[str]
    cashback: frozenset[str]
    earns_on_value: bool
    zone: str

    @property
    def programme(self) -> Programme:
        """The rules."""
        return self.published.programme


def terms_of(published: PublishedProgramme) -> Terms:
    """The terms of a version."""
    programme = published.programme
    return Terms(
        published,
        tuple((_PLACE_OF[match.field], match.equals) for match in programme.excluded_lines),
        programme.points.category_bonus[0].departments,
        programme.cashback.departments,
        programme.paying_with_points.earns_on_value,
        programme.programme.timezone,
    )


@dataclass(frozen=True, slots=True)
class Sums:
    """What a basket adds up to, in minor units."""

    net: int
    eligible: int
    bonus: int
    cashback: int
    departments: frozenset[str]


def sums_of(lines: Sequence[sql.Row], terms: Terms, *, is_left: bool) -> Sums:
    """The sums of the basket as it was bought, or of what is left of it after its returns."""
    net = eligible = bonus = cashback = 0
    departments: set[str] = set()
    excluded, with_value = terms.excluded, terms.earns_on_value
    for line in lines:
        price = line[8] - line[9]
        paid, returned = line[10], line[12] if is_left else 0
        net += price - returned
        if any(line[place] == text for place, text in excluded):
            continue
        counts = price
        if price > 0:
            counts = price - returned
            if not with_value:
                counts -= paid - paid * returned // price
        department = line[4]
        eligible += counts
        if department in terms.bonus:
            bonus += counts
        if department in terms.cashback:
            cashback += counts
        if counts > 0:
            departments.add(department)
    eligible = max(eligible, 0)
    return Sums(
        net,
        eligible,
        min(max(bonus, 0), eligible),
        min(max(cashback, 0), eligible),
        frozenset(departments),
    )


def points_by_rule(sums: Sums, terms: Terms, multiplier_percent: int) -> dict[str, int]:
    """The points of a basket by rule, for a member whose tier has the multiplier; each rounded
    down by itself, and rules that give nothing left out."""
    earning = terms.programme.points
    [extra] = earning.category_bonus
    base = sums.eligible * earning.base.points // earning.base.per_minor
    by_rule = {
        "BASE": base,
        "TIER": base * (multiplier_percent - 100) // 100,
        "CATEGORY": sums.bonus * extra.points // extra.per_minor,
    }
    return {rule: points for rule, points in by_rule.items() if points}


def cashback_before_caps(sums: Sums, terms: Terms, tier: str) -> int:
    """The cashback of a basket, in minor units, as if nothing were capped."""
    cashback = terms.programme.cashback
    rate = cashback.tier_rates_basis_points.get(tier, cashback.rate_basis_points)
    return sums.cashback * rate // 10_000


@dataclass(frozen=True, slots=True)
class Bought:
    """A purchase as tiers, challenges and cashback look at it: what is left of it."""

    purchase_id: int
    member_id: int
    occurred_at: Instant
    day: LocalDay
    terms: Terms
    spend_minor: int  # by its row
    eligible_minor: int
    departments: frozenset[str]
    is_gone: bool  # something was returned, and nothing that counts is left
    is_touched: bool  # something was returned
    accrued_minor: int
    capped_minor: int
