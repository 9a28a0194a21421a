"""The catalogue's arithmetic: what becomes of orders, in which language, how soon in reach."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from server import clock
from server.catalogue import errors
from server.catalogue.documents import Audience, RewardDocument, RewardText
from server.catalogue.errors import NotInAudience
from server.clock import NEVER, Instant, LocalDay
from server.errors import InvalidInput, Path, phrase

MAXIMUM_QUANTITY = 100
MAXIMUM_STOCK_SHOWN = 100
MAXIMUM_ORDER = 2**31 - 1


class OrderStatus(StrEnum):
    """What has become of an order."""

    ISSUED = "issued"  # the member has paid for it in points
    READY = "ready"  # it can be picked up, or is on its way
    DELIVERED = "delivered"  # the member has it
    CANCELLED = "cancelled"  # the points are given back


NEXT: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.ISSUED: frozenset(
        {OrderStatus.READY, OrderStatus.DELIVERED, OrderStatus.CANCELLED}
    ),
    OrderStatus.READY: frozenset({OrderStatus.DELIVERED, OrderStatus.CANCELLED}),
    OrderStatus.DELIVERED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
}
"""What each status may become; what was delivered at once may be cancelled as well."""


def check_transition(status: OrderStatus, to: OrderStatus, *, is_instant: bool, path: Path) -> None:
    """Raise AlreadyDecided for an order of which something else has become."""
    is_taken_back = to is OrderStatus.CANCELLED and is_instant
    if to in NEXT[status] or (is_taken_back and status is OrderStatus.DELIVERED):
        return
    raise errors.decided(status.value, path)


def check_quantity(quantity: int, document: RewardDocument) -> None:
    """Raise InvalidInput for fewer than one unit, too many, or more than points can be counted."""
    most = min(MAXIMUM_QUANTITY, MAXIMUM_ORDER // document.price.points)
    if not 1 <= quantity <= most:
        raise InvalidInput(
            "reward.quantity",
            path=("quantity",),
            value=quantity,
            accepted=phrase("accepted.range", minimum=1, maximum=most),
        )


def is_in_audience(audience: Audience, *, tier: str | None, segments: frozenset[str]) -> bool:
    """Whether who has the tier and is in the segments may have it."""
    has_tier = not audience.tiers or tier in audience.tiers
    return has_tier and is_shown(audience, segments=segments)


def is_shown(audience: Audience, *, segments: frozenset[str]) -> bool:
    """Whether who is in the segments sees it: what is for a segment is for nobody else to see, and
    what is for a tier for everybody, for a tier can be reached."""
    return not audience.segments or not segments.isdisjoint(audience.segments)


def not_in_audience(audience: Audience, *, path: Path) -> NotInAudience:
    """The refusal that says who may have it."""
    return NotInAudience(tiers=list(audience.tiers), segments=list(audience.segments), path=path)


def expires_at(valid_days: int | None, now: Instant, zone_name: str) -> Instant:
    """When a code lapses that is good for so many days after that of now: at a local midnight."""
    if valid_days is None:
        return NEVER
    return clock.start_of_day(LocalDay(clock.local_day(now, zone_name) + valid_days + 1), zone_name)


def text_of(document: RewardDocument, language: str) -> tuple[str, RewardText]:
    """The language and the text for who reads the language: that of it, of its longest beginning
    that there is a text in, or of the document's own language."""
    by_tag = {tag.lower(): tag for tag in document.texts}
    subtags = language.lower().split("-")
    while subtags:
        found = by_tag.get("-".join(subtags))
        if found is not None:
            return found, document.texts[found]
        subtags.pop()
    return document.default_language, document.texts[document.default_language]


def reachable_in_purchases(short_by: int, recent_points: Sequence[int]) -> int | None:
    """After how many purchases like the recent ones the points that are missing are there:
    ceil(short_by / average), whose average is the sum of `recent_points` by their number; 0 if none
    are missing, None if the recent ones give no idea."""
    if short_by <= 0:
        return 0
    total = sum(recent_points)
    if total <= 0:
        return None
    return -(-short_by * len(recent_points) // total)


def stock_left(document: RewardDocument, sold: int) -> int | None:
    """How many units are left; None without end."""
    return None if document.stock is None else max(0, document.stock - sold)
