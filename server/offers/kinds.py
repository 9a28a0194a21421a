"""The kinds `offer` and `stacking`, made known to the definitions."""

from typing import Any

from server.definitions import service as definitions
from server.definitions.service import Misfits, Surroundings, Version
from server.offers import fitting
from server.offers.documents import STACKING_KEY, BasketStacking, Offer
from server.offers.limits import is_common
from server.offers.uses import begin_counting
from server.programme.document import Programme


def _budget(offer: Offer, programme: Programme) -> int | None:
    return fitting.highest_cost_minor(offer, programme.liability.point_value_minor_per_1000)


async def _count_uses(version: Version, offer: Offer) -> None:
    """From the first version on that limits what all members use."""
    if is_common(offer.limits):
        await begin_counting(version.key)


def _stacking_misfits(_document: BasketStacking, surroundings: Surroundings) -> Misfits:
    if surroundings.key != STACKING_KEY:
        yield (), f"a document under the key {STACKING_KEY}; there is only this one"


_EXAMPLE: dict[str, Any] = {
    "default_language": "en",
    "texts": {"en": {"title": "10 % off fruit and vegetables"}},
    "discount": {"kind": "percent", "rate_bps": 1000},
    "scope": {"departments": ["PRODUCE"]},
    "requires": {"minimum_spend_minor": 500},
    "schedule": {"starts_on": "2026-12-01", "ends_on": "2026-12-24"},
    "limits": {"per_member_per_day": 1, "budget_minor": 100_000},
}
OFFER = definitions.register(
    definitions.Kind(
        "offer",
        Offer,
        misfits=fitting.misfits,
        budget=_budget,
        on_published=_count_uses,
        after=("segment", "plan", "partner"),
        example=_EXAMPLE,
    )
)
STACKING = definitions.register(
    definitions.Kind(
        "stacking",
        BasketStacking,
        misfits=_stacking_misfits,
        example={"maximum_share_bps": 5000, "maximum_offers": 10},
    )
)
