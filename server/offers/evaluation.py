"""What offers are held against, and what comes of it: plain values, without any input or output.

All amounts are integers: money in minor units, points in points.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from server.clock import Instant
from server.offers.documents import Gift, Goods


class Line(Struct, frozen=True, order=True):
    """One line of a basket; money for the whole line. Unknown labels are the programme's label
    for them, an unknown brand is empty."""

    product_id: str
    department: str
    product_category: str
    product_type: str
    brand: str
    quantity: int
    sales_minor: int
    coupon_minor: int

    @property
    def net_minor(self) -> int:
        """What is to be paid for it before offers; may be negative."""
        return self.sales_minor - self.coupon_minor


class Basket(Struct, frozen=True):
    """What somebody wants to buy, and where."""

    lines: tuple[Line, ...]
    store_id: str
    partner: str
    channel: str
    occurred_at: Instant
    currency: str
    shipping_minor: int = 0


class Shopper(Struct, frozen=True):
    """The member whose basket it is. `segments` are those of `segments_wanted` that they are in;
    `facts` the values of the member's vocabulary, at least those of `facts_wanted`."""

    member_id: int
    tier: str
    segments: frozenset[str]
    plans: frozenset[str]
    external_id: str
    name: str
    birthday: str | None  # YYYY-MM-DD
    enrolled_at: Instant
    last_visit_at: Instant | None
    facts: Mapping[str, Any]


class Standing(Struct, frozen=True):
    """What of an offer was used so far, what is held for open baskets included."""

    is_activated: bool = False
    uses_by_member: int = 0
    uses_by_member_today: int = 0
    uses_today: int = 0
    uses_total: int = 0
    budget_spent_minor: int = 0
    budget_spent_points: int = 0


UNUSED, ACTIVATED = Standing(), Standing(is_activated=True)
"""How most members stand with most offers."""


class Coupon(Struct, frozen=True):
    """A coupon that was shown: for which offer, and for which of its products (None: all)."""

    offer: str
    products: frozenset[str] | None = None


class WhyNot(StrEnum):
    """Why an offer does not apply to a basket; the nearer a reason stands to the top, the less is
    missing."""

    SPEND_TOO_LOW = "spend_too_low"  # `shortfall_minor` more of the goods is needed
    QUANTITY_TOO_LOW = "quantity_too_low"  # `shortfall_quantity` more units are needed
    NOT_ACTIVATED = "not_activated"  # the member has to activate it first
    BETTER_OFFER_APPLIED = "better_offer_applied"  # `winner` of the same group saves more
    NOT_COMBINABLE = "not_combinable"  # it stands alone, and `winner` or others save more
    CAP_REACHED = "cap_reached"  # the offers before it took all that a basket may have
    CONDITION_NOT_MET = "condition_not_met"  # its condition is not true of basket and member
    BUDGET_EXHAUSTED = "budget_exhausted"  # less is left of its budget than it would give
    MEMBER_LIMIT = "member_limit"  # the member has used it as often as anybody may
    DAY_LIMIT = "day_limit"  # used up for today, by the member or by all
    TOTAL_LIMIT = "total_limit"  # all members together have used it up
    NOT_AT_THIS_TIME = "not_at_this_time"  # counts at other hours, days or seasons
    NOT_STARTED = "not_started"  # begins at `available_at`
    COUPON_NEEDED = "coupon_needed"  # a coupon has to be shown
    NOTHING_TO_DISCOUNT = "nothing_to_discount"  # what it applies to costs nothing any more
    NO_MATCHING_PRODUCT = "no_matching_product"  # nothing in the basket is what it is for
    WRONG_STORE = "wrong_store"  # counts in other stores
    WRONG_CHANNEL = "wrong_channel"  # counts in other channels
    WRONG_PARTNER = "wrong_partner"  # counts with other partners
    NOT_IN_AUDIENCE = "not_in_audience"  # is for other members
    ENDED = "ended"  # is over

    __hash__ = str.__hash__  # that of enums is slow, and a quote looks up hundreds of them


class NotApplied(Struct, frozen=True):
    """An offer that does not apply, and what is missing; other facts are None."""

    offer: str
    version: int
    reason: WhyNot
    shortfall_minor: int | None = None
    shortfall_quantity: int | None = None
    shortfall_of: Goods | None = None  # what is missing, in the words of the data
    available_at: Instant | None = None
    limit: int | None = None  # what is reached: uses, or the budget
    left: int | None = None  # of the budget, in minor units or points
    winner: str | None = None  # the offer that applies in its place


class Funded(Struct, frozen=True):
    """Who pays how much of what an offer gave; None is the operator."""

    partner: str | None
    amount_minor: int
    points: int


class Applied(Struct, frozen=True):
    """An offer that applies, and everything that it gives. Line numbers count from 0, and stand
    only for lines whose share is above 0; shares add up to the amount exactly."""

    offer: str
    version: int
    times: int  # of buy-and-get; 1 of all others
    lines: tuple[int, ...]  # that it is for
    discount_minor: int = 0
    line_shares: tuple[tuple[int, int], ...] = ()
    points: int = 0
    point_shares: tuple[tuple[int, int], ...] = ()
    cashback_minor: int = 0
    cashback_shares: tuple[tuple[int, int], ...] = ()
    shipping_minor: int = 0
    gift: Gift | None = None
    budget_minor: int = 0  # what it takes of its budget of money
    budget_points: int = 0  # what it takes of its budget of points
    funding: tuple[Funded, ...] = ()  # adds up to both budgets exactly
    coupons: tuple[int, ...] = ()  # the places of the coupons that it takes


class LineResult(Struct, frozen=True):
    """What all offers together make of one line."""

    discount_minor: int = 0
    points: int = 0
    cashback_minor: int = 0


class Evaluation(Struct, frozen=True):
    """What offers make of a basket. `lines` are in the basket's order, `applied` in the order in
    which they take theirs, `not_applied` with the nearest first."""

    applied: tuple[Applied, ...]
    not_applied: tuple[NotApplied, ...]
    lines: tuple[LineResult, ...]
    discount_minor: int  # of all lines; without shipping
    shipping_discount_minor: int
    bonus_points: int
    cashback_minor: int
    gifts: tuple[Gift, ...]
