"""The order of a replay: batches of purchases, with the redemption runs between them.

The steps follow from the programme and the baskets alone, so that a replay that was cut short makes
the very same steps, with the same idempotency keys, from where it stopped.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from msgspec import Struct

from server import clock
from server.replay.baskets import Basket, Line
from server.replay.policy import PolicyDay

PURCHASES_PER_BATCH = 500
BYTES_PER_BATCH = 900_000
"""Many proxies let bodies of 1 MiB pass; the rest is room for the document."""


class _MemberReference(Struct, rename="camel"):
    external_id: str


class _LineInput(Struct, rename="camel", omit_defaults=True, gc=False):
    """A line as the schema takes it; a coupon of 0, which most lines have, is left out."""

    product_id: str
    department: str
    product_category: str
    product_type: str
    quantity: int
    sales_minor: int
    coupon_minor: int = 0


class _PurchaseInput(Struct, rename="camel"):
    external_id: str
    member: _MemberReference
    enrol_if_unknown: bool
    occurred_at: datetime
    store_id: str
    currency_code: str
    lines: list[_LineInput]


@dataclass(frozen=True)
class Batch:
    """Purchases of one request: `first` to `last` count the played baskets from 0."""

    first: int
    last: int
    at: clock.Instant  # of the last basket
    basket_ids: tuple[str, ...]
    purchases: bytes  # JSON objects with commas between them


@dataclass(frozen=True)
class RedemptionRun:
    """The start of a day on which members redeem; `households` are all that enrolled before it."""

    number: int
    day: PolicyDay
    households: tuple[str, ...]


Step = Batch | RedemptionRun


@dataclass(frozen=True)
class Limits:
    """How much fits into one batch."""

    purchases: int = PURCHASES_PER_BATCH
    body_bytes: int = BYTES_PER_BATCH


@dataclass
class _Collected:
    """The batch that is being filled."""

    limits: Limits
    first: int
    at: clock.Instant = field(default=clock.Instant(0))
    basket_ids: list[str] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def has_room_for(self, part: bytes) -> bool:
        return not self.parts or (
            len(self.parts) < self.limits.purchases
            and self.size + len(part) < self.limits.body_bytes
        )

    def add(self, basket_id: str, instant: clock.Instant, part: bytes) -> None:
        self.at = instant
        self.basket_ids.append(basket_id)
        self.parts.append(part)
        self.size += len(part) + 1

    def batch(self) -> Batch:
        return Batch(
            first=self.first,
            last=self.first + len(self.parts) - 1,
            at=self.at,
            basket_ids=tuple(self.basket_ids),
            purchases=b",".join(self.parts),
        )


def steps(
    baskets: Iterable[tuple[clock.Instant, Basket]],
    days: list[PolicyDay],
    *,
    currency: str,
    baskets_done: int = 0,
    runs_done: int = 0,
    limits: Limits = Limits(),
) -> Iterator[Step]:
    """What remains to be done after so many baskets and runs, in the order in which it counts.

    A batch may hold several local dates, as each purchase counts at its own instant; it never
    holds purchases from both sides of a redemption run.
    """
    encoder = msgspec.json.Encoder()
    households: set[str] = set()
    run = runs_done
    filling = _Collected(limits, first=baskets_done)
    for ordinal, (instant, basket) in enumerate(baskets):
        if ordinal < baskets_done:
            households.add(basket.household_id)
            continue
        while run < len(days) and days[run].at <= instant:
            if filling.parts:
                yield filling.batch()
                filling = _Collected(limits, first=ordinal)
            yield RedemptionRun(run, days[run], in_order(households))
            run += 1
        part = encoder.encode(_purchase(basket, currency))
        if not filling.has_room_for(part):
            yield filling.batch()
            filling = _Collected(limits, first=ordinal)
        filling.add(basket.basket_id, instant, part)
        households.add(basket.household_id)
    if filling.parts:
        yield filling.batch()
    for number in range(run, len(days)):
        yield RedemptionRun(number, days[number], in_order(households))


def in_order(households: Iterable[str]) -> tuple[str, ...]:
    """Households in one fixed order: numbers by their value."""
    return tuple(sorted(households, key=lambda household: (len(household), household)))


def _purchase(basket: Basket, currency: str) -> _PurchaseInput:
    return _PurchaseInput(
        external_id=basket.basket_id,
        member=_MemberReference(basket.household_id),
        enrol_if_unknown=True,
        occurred_at=basket.timestamp,
        store_id=basket.store_id,
        currency_code=currency,
        lines=[_line(line) for line in basket.lines],
    )


def _line(line: Line) -> _LineInput:
    return _LineInput(
        line.product_id,
        line.department,
        line.product_category,
        line.product_type,
        line.quantity,
        line.sales_minor,
        line.coupon_minor,
    )
