"""The kind `plan`, made known to the definitions; publishing one publishes its benefits' offers."""

from typing import Any

from server.definitions import service as definitions
from server.definitions.service import Misfits, Surroundings, Version
from server.plans.benefits import keys_of, offers_of
from server.plans.documents import MAXIMUM_KEY_LENGTH, Benefits, Plan
from server.programme.document import Programme

OFFER_KIND = "offer"


def _misfits(plan: Plan, surroundings: Surroundings) -> Misfits:
    if len(surroundings.key) > MAXIMUM_KEY_LENGTH:
        yield (), f"a document under a key of at most {MAXIMUM_KEY_LENGTH} characters"
    if plan.default_language not in plan.texts:
        yield ("default_language",), f"one of the languages of texts: {', '.join(plan.texts)}"
    if not plan.price_minor and plan.trial_days:
        yield ("trial_days",), "0, for a plan that costs nothing"
    guarantee = plan.benefits.guarantee
    if guarantee is not None and plan.default_language not in guarantee.texts:
        yield ("benefits", "guarantee", "texts"), f"a text in {plan.default_language}"
    yield from _repeated_products(plan)


def _repeated_products(plan: Plan) -> Misfits:
    seen: set[str] = set()
    for place, price in enumerate(plan.benefits.member_prices):
        for number, product in enumerate(price.products):
            if product in seen:
                path = ("benefits", "member_prices", place, "products", number)
                yield path, "each product once, with one price"
            seen.add(product)


def _budget(plan: Plan, _programme: Programme) -> int | None:
    """Nothing bounds what benefits cost; a promise is told, and costs nothing here."""
    quiet = Benefits(guarantee=plan.benefits.guarantee)
    return 0 if plan.benefits == quiet else None


async def _publish_offers(version: Version, plan: Plan) -> None:
    """The offers count from when the plan's version does, and end with the benefit in it; who
    approved the plan has approved them."""
    if OFFER_KIND not in {kind.name for kind in definitions.kinds()}:
        return
    starts, now = version.effective_at, version.decided_at
    assert starts is not None, "a published version has a start"
    assert now is not None, "a published version was decided on"
    by, wanted = version.requested_by or version.written_by, offers_of(version.key, plan)
    shelf = (await definitions.shelves()).of(OFFER_KIND)
    for key, document in wanted.items():
        await definitions.publish_document(
            OFFER_KIND, key, document, effective_at=starts, by=by, now=now, is_approved=True
        )
    for key in keys_of(version.key):
        if key not in wanted and shelf.at(key, starts) is not None:
            await definitions.withdraw(OFFER_KIND, key, effective_at=starts, by=by, now=now)


_EXAMPLE: dict[str, Any] = {
    "default_language": "en",
    "texts": {"en": {"title": "Laurel Plus"}},
    "price_minor": 499,
    "interval": "month",
    "trial_days": 30,
    "grace_days": 7,
    "benefits": {"free_shipping": True, "points_multiplier_percent": 200},
}
PLAN = definitions.register(
    definitions.Kind(
        "plan",
        Plan,
        misfits=_misfits,
        budget=_budget,
        on_published=_publish_offers,
        example=_EXAMPLE,
        ends_freely=True,  # who has paid keeps the benefits, which are offers
    )
)
