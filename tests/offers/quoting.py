"""Baskets, members and live offers without a database, for tests of the engine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from msgspec.structs import replace

from server import clock
from server.clock import Instant
from server.definitions import checking
from server.definitions.rules import canonical, digest_of
from server.definitions.service import Published, Shelves, Surroundings
from server.offers import fitting, kinds
from server.offers.documents import BasketStacking, Offer
from server.offers.engine import Prepared, evaluate, prepared
from server.offers.evaluation import (
    Applied,
    Basket,
    Coupon,
    Evaluation,
    Line,
    NotApplied,
    Shopper,
    Standing,
)
from server.programme import rules as programme_rules
from server.programme.document import Programme
from tests.programme.demo import demo_text

assert kinds.OFFER.document is Offer

OTHERS = [("partner", "mill"), ("partner", "a"), ("partner", "b"), ("segment", "regulars")]
"""What else is published where documents are checked."""


def at(text: str) -> Instant:
    """The instant that ISO 8601 text with an offset names."""
    return clock.instant_of(datetime.fromisoformat(text))


NOW = at("2017-06-14T12:00:00-04:00")  # a Wednesday, in the demo programme's zone


@cache
def demo_programme() -> Programme:
    return programme_rules.checked(demo_text()).programme


def offer(discount: str = "amount", /, **parts: Any) -> dict[str, Any]:
    """An offer's document; what is not the discount's own stands beside it: scope, limits, ..."""
    own = parts.pop("gives", {"amount_minor": 100} if discount == "amount" else {})
    return {
        "default_language": "en",
        "texts": {"en": {"title": "An offer"}},
        "discount": {"kind": discount, **own},
        **parts,
    }


def published(kind: str, key: str, document: Any, number: int, version: int = 1) -> Published:
    text = canonical(document)
    return Published(number, kind, key, version, digest_of(text), Instant(0), document, text)


def shelves(
    offers: Mapping[str, dict[str, Any]], stacking: dict[str, Any] | None = None
) -> Shelves:
    """What is published, in the order of the mapping."""
    found = [
        published("offer", key, checking.checked(plain, Offer), number)
        for number, (key, plain) in enumerate(offers.items())
    ]
    if stacking is not None:
        document = checking.checked(stacking, BasketStacking)
        found.append(published("stacking", "basket", document, len(found)))
    return Shelves(0, {one.id: one for one in found})


def live(
    offers: Mapping[str, dict[str, Any]],
    stacking: dict[str, Any] | None = None,
    *,
    rules: Programme | None = None,
) -> Prepared:
    return prepared(shelves(offers, stacking), rules or demo_programme(), NOW)


def line(
    product: str = "1",
    sales_minor: int = 1000,
    quantity: int = 1,
    *,
    department: str = "GROCERY",
    coupon_minor: int = 0,
    **fields: Any,
) -> Line:
    labels = {"product_category": "C", "product_type": "T", "brand": "B"} | fields
    return Line(
        product,
        department,
        quantity=quantity,
        sales_minor=sales_minor,
        coupon_minor=coupon_minor,
        **labels,
    )


def basket(*lines: Line, **fields: Any) -> Basket:
    stated: dict[str, Any] = {
        "store_id": "330",
        "partner": "",
        "channel": "store",
        "occurred_at": NOW,
        "currency": "USD",
    }
    return Basket(lines, **(stated | fields))


SHOPPER = Shopper(
    member_id=7,
    tier="Bronze",
    segments=frozenset(),
    plans=frozenset(),
    external_id="900",
    name="Anna Example",
    birthday=None,
    enrolled_at=at("2017-01-01T12:00:00-05:00"),
    last_visit_at=at("2017-06-01T12:00:00-04:00"),
    facts={},
)


def shopper(**fields: Any) -> Shopper:
    return replace(SHOPPER, **fields)


def quote(
    offers: Mapping[str, dict[str, Any]] | Prepared,
    bought: Basket | Sequence[Line],
    member: Shopper = SHOPPER,
    *,
    stacking: dict[str, Any] | None = None,
    standings: Mapping[str, Standing] | None = None,
    coupons: Sequence[Coupon] = (),
    rules: Programme | None = None,
    now: Instant = NOW,
    most_refused: int | None = None,
) -> Evaluation:
    """What the offers make of the basket for the member."""
    programme = rules or demo_programme()
    known = offers if isinstance(offers, Prepared) else live(offers, stacking, rules=programme)
    return evaluate(
        known,
        bought if isinstance(bought, Basket) else basket(*bought),
        member,
        standings or {},
        coupons,
        rules=programme,
        now=now,
        most_refused=most_refused,
    )


def quote_one(document: dict[str, Any], *lines: Line, **fields: Any) -> Applied | NotApplied:
    """What becomes of an offer that is alone."""
    bought = fields.pop("basket", None) or basket(*lines)
    found = quote({"one": document}, bought, **fields)
    answers: list[Applied | NotApplied] = [*found.applied, *found.not_applied]
    (answer,) = answers
    return answer


def discounts(found: Evaluation) -> list[int]:
    """What comes off each line."""
    return [one.discount_minor for one in found.lines]


def misfits_of(plain: dict[str, Any], programme: Programme | None = None) -> dict[str, str]:
    """What of an offer's document does not fit, by the place."""
    others = [
        Published(number, kind, key, 1, "", Instant(0), key, "")
        for number, (kind, key) in enumerate(OTHERS)
    ]
    known = Shelves(0, {one.id: one for one in others})
    surroundings = Surroundings(programme or demo_programme(), known, NOW, "one")
    found = fitting.misfits(checking.checked(plain, Offer), surroundings)
    return {".".join(str(step) for step in path): accepted for path, accepted in found}
