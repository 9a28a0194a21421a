"""The arithmetic of coupons: on which days they are valid, and how often members may use them."""

from collections import Counter
from collections.abc import Collection
from datetime import date
from typing import Any

from msgspec import Struct

from server import clock
from server.clock import Instant, LocalDay
from server.coupons import errors
from server.coupons.documents import CouponTerms, Shared
from server.errors import DomainError

MAXIMUM_REDEMPTIONS = 200
"""How many redemptions one request has at most."""
MAXIMUM_GENERATED = 10_000
"""How many codes one request of the API generates at most."""
MAXIMUM_BATCH = 10_000_000
"""How many codes one command generates at most."""

SINGLE_USE_PREFIX = "#"
"""Before the hash of a single-use code where it stands in the place of a shared code."""


class Usable(Struct, frozen=True):
    """A coupon whose code was given, and that the member may use as far as it goes by itself; what
    its offer asks for is the offer's matter."""

    code: str  # a shared code, normalised, or "#" and the hash of a single-use code
    coupon: str  # the key of the definition
    offer: str  # the key of the offer
    products: frozenset[str] | None  # that it is good for within the offer; None: all
    terms: CouponTerms

    @property
    def is_single_use(self) -> bool:
        """Whether the code works once."""
        return self.code.startswith(SINGLE_USE_PREFIX)

    @property
    def code_hash(self) -> str:
        """Of a single-use code."""
        return self.code[len(SINGLE_USE_PREFIX) :]


def products_of(terms: CouponTerms) -> frozenset[str] | None:
    """What each of its single-use codes is good for; None: all."""
    return None if isinstance(terms.codes, Shared) else frozenset(terms.codes.products) or None


class Uses:
    """What one member has redeemed, and has reserved for other baskets."""

    def __init__(self) -> None:
        self._of_code: Counter[tuple[str, str]] = Counter()
        self._of_day: Counter[tuple[str, str, int]] = Counter()
        self._codes: dict[str, set[str]] = {}

    def add(self, coupon: str, code: str, local_day: int, number: int = 1) -> None:
        """Count so many more."""
        self._of_code[coupon, code] += number
        self._of_day[coupon, code, local_day] += number
        self._codes.setdefault(coupon, set()).add(code)

    def refusal(self, wanted: Usable, local_day: LocalDay) -> DomainError | None:
        """Why the member may not use it once more on the day."""
        coupon, code, terms = wanted.coupon, wanted.code, wanted.terms
        limit = terms.per_member_per_day
        if limit is not None and self._of_day[coupon, code, local_day] >= limit:
            return errors.limit_reached("day", limit)
        limit = terms.per_member
        if limit is not None and self._of_code[coupon, code] >= limit:
            return errors.limit_reached("member", limit)
        used = self._codes.get(coupon, set())
        limit = terms.different_per_member
        if limit is not None and code not in used and len(used) >= limit:
            return errors.limit_reached("different", limit)
        return None


def first_and_last(terms: CouponTerms, offer: Any) -> tuple[date | None, date | None]:
    """The local dates on which the coupon is valid, both included: its own, else the offer's."""
    schedule = offer.schedule
    first = terms.valid_from or schedule.starts_on
    return first, terms.valid_to or schedule.ends_on


def date_refusal(
    first: date | None, last: date | None, occurred_at: Instant, zone_name: str
) -> DomainError | None:
    """Why the coupon is not valid at the instant, by the local date in the zone."""
    today = clock.date_of(clock.local_day(occurred_at, zone_name))
    if (first is None or first <= today) and (last is None or today <= last):
        return None
    return errors.not_valid_then(
        first.isoformat() if first else "", last.isoformat() if last else ""
    )


def is_settled_by_till(offer: Any) -> bool:
    """Whether a use of the offer can be recorded without a basket: the till has taken it off, and
    who it is for and when is known without one."""
    if offer.discount.__struct_config__.tag != "till":
        return False
    audience, schedule, scope = offer.audience, offer.schedule, offer.scope
    is_for_known = not (
        audience.plans
        or audience.tiers
        or audience.birthday
        or audience.name_day
        or audience.new_within_days is not None
        or audience.lapsed_after_days is not None
    )
    is_any_day = not (
        schedule.weekdays
        or schedule.seasons
        or schedule.from_time
        or schedule.to_time
        or schedule.early_access
        or schedule.starts_at
        or schedule.ends_at
    )
    limits, requires = offer.limits, offer.requires
    is_unconditional = (
        requires.condition is None
        and requires.minimum_spend_minor is None
        and requires.minimum_quantity is None
    )
    is_unlimited = all(getattr(limits, name) is None for name in limits.__struct_fields__)
    is_anywhere = not (scope.partners or scope.stores or scope.channels)
    is_at_once = str(offer.activation) == "automatic"
    return all((is_for_known, is_any_day, is_unconditional, is_unlimited, is_anywhere, is_at_once))


def is_in_audience(audience: Any, segments: Collection[str], external_id: str | None) -> bool:
    """Whether a member is one of those that the offer lists, by segments or by name."""
    within = frozenset(segments)
    if audience.segments and within.isdisjoint(audience.segments):
        return False
    if not within.isdisjoint(audience.excluded_segments):
        return False
    return not audience.members or external_id in audience.members
