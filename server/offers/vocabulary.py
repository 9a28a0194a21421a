"""The facts that conditions of offers may mention: those of the member, and those of the basket."""

from collections.abc import Mapping
from typing import Any

from server.conditions import Condition, FactType, InvalidCondition, Vocabulary
from server.offers.evaluation import Basket, Shopper
from server.segments import facts as member_facts

BASKET_FACTS: Mapping[str, tuple[FactType, str]] = {
    "basket_total_minor": (
        FactType.WHOLE,
        "What the lines cost less the till's coupons, before any offer, in minor units.",
    ),
    "basket_quantity": (FactType.WHOLE, "Units in the basket."),
    "basket_departments": (FactType.TEXTS, "Its departments, in the order of the alphabet."),
    "basket_products": (FactType.TEXTS, "Its product ids, in the order of the alphabet."),
    "spend_by_department": (
        FactType.WHOLES_BY_NAME,
        "What the lines of each of its departments cost, as `basket_total_minor`.",
    ),
    "store": (FactType.TEXT, "The store's id."),
    "channel": (FactType.TEXT, "The channel, such as `store` or `web`."),
    "partner": (FactType.TEXT, "The partner's key; empty for the operator's own."),
    "tier": (FactType.TEXT, "The name of the member's tier before the basket."),
}
"""The facts that only an offer's condition has, each with its meaning."""
VOCABULARY = Vocabulary(
    member_facts.VOCABULARY.facts | {name: kind for name, (kind, _) in BASKET_FACTS.items()}
)


def condition_of(text: str | None) -> Condition | None:
    """The condition; None for none, or for one that is none any more and so does not hold."""
    if text is None:
        return None
    try:
        return VOCABULARY.condition(text)
    except InvalidCondition:
        return None


def values_of(basket: Basket, shopper: Shopper) -> dict[str, Any]:
    """The values of all facts about the basket, and of those about the member that are known."""
    spends: dict[str, int] = {}
    for line in basket.lines:
        spends[line.department] = spends.get(line.department, 0) + line.net_minor
    return {
        **shopper.facts,
        "basket_total_minor": sum(spends.values()),
        "basket_quantity": sum(line.quantity for line in basket.lines),
        "basket_departments": sorted(spends),
        "basket_products": sorted({line.product_id for line in basket.lines}),
        "spend_by_department": dict(sorted(spends.items())),
        "store": basket.store_id,
        "channel": basket.channel,
        "partner": basket.partner,
        "tier": shopper.tier,
    }
