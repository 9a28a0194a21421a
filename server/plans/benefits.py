"""The benefits of a plan as offers for those who have it: baskets meet them as any others."""

from collections.abc import Iterator, Mapping
from typing import Any

from server.plans.documents import MAXIMUM_PRICES, Plan

Document = Mapping[str, Any]


def offers_of(key: str, plan: Plan) -> dict[str, Document]:
    """The documents of the kind `offer` that give the plan's benefits, by key."""
    shared = {
        "default_language": plan.default_language,
        "texts": {language: {"title": text.title} for language, text in plan.texts.items()},
        "audience": {"plans": [key]},
    }
    return {f"plan-{key}-{name}": {**shared, **parts} for name, parts in _parts(plan)}


def _parts(plan: Plan) -> Iterator[tuple[str, Document]]:
    benefits = plan.benefits
    if benefits.free_shipping:
        yield "shipping", {"discount": {"kind": "free_shipping"}}
    if benefits.points_multiplier_percent is not None:
        percent = benefits.points_multiplier_percent
        yield "points", {"discount": {"kind": "points_multiplier", "percent": percent}}
    for number, one in enumerate(benefits.member_prices, start=1):
        yield (
            f"price-{number}",
            {
                "discount": {"kind": "fixed_price", "price_minor": one.price_minor},
                "scope": {"products": list(one.products)},
            },
        )


def keys_of(key: str) -> list[str]:
    """The keys of all offers that a plan with the key may have, now or in other versions."""
    names = ["shipping", "points", *(f"price-{number}" for number in range(1, MAXIMUM_PRICES + 1))]
    return [f"plan-{key}-{name}" for name in names]
