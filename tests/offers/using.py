"""Members who use offers, and what they have left."""

from collections.abc import Sequence
from typing import Any

from server import clock
from server.clock import Instant, LocalDay
from server.definitions import service as definitions
from server.ledger import service as ledger
from server.money import POINTS
from server.offers import kinds, uses
from server.offers.evaluation import Applied, Standing
from server.offers.limits import OfferExhausted
from server.offers.returning import Share, give_back
from server.offers.standings import standings
from server.programme import service as programme
from server.storage import sql
from tests.api.calling import NOW, SECOND, ZONE, enrolled
from tests.programme.demo import demo_text

TODAY = clock.local_day(NOW, str(ZONE))
HELD_UNTIL = Instant(NOW + 600 * SECOND)

assert kinds.OFFER.name == uses.KIND


async def publish(*, at: Instant = NOW, **offers: dict[str, Any]) -> None:
    """Publish the demo programme, and an automatic offer of 1.00 off a basket for each keyword,
    its key with hyphens, with what is said of it."""
    async with sql.transaction():
        with clock.moved_to(at):
            await programme.publish(demo_text(), published_by="test")
        for name, changes in offers.items():
            await publish_offer(name.replace("_", "-"), at=at, **changes)


async def publish_offer(key: str, *, at: Instant = NOW, **changes: Any) -> None:
    """Publish a version of the offer; call it inside a transaction."""
    document = {
        "default_language": "en",
        "texts": {"en": {"title": key}},
        "discount": {"kind": "amount", "amount_minor": 100},
        **changes,
    }
    await definitions.publish_document("offer", key, document, by="command line", now=at)


def applied(offer: str = "one", *, version: int = 1, minor: int = 100, points: int = 0) -> Applied:
    """What the engine says of an offer that takes this off a basket."""
    return Applied(
        offer=offer,
        version=version,
        times=1,
        lines=(0,),
        discount_minor=minor,
        points=points,
        budget_minor=minor,
        budget_points=points,
    )


async def held(
    member_id: int,
    basket_id: int,
    *wanted: Applied,
    day: LocalDay = TODAY,
    until: Instant = HELD_UNTIL,
    now: Instant = NOW,
) -> tuple[OfferExhausted, ...]:
    """Hold offers for a basket, as a till's request does."""

    async def work() -> tuple[OfferExhausted, ...]:
        async with (
            sql.transaction(),
            ledger.journal([member_id], [POINTS], recorded_at=now),
        ):
            return await uses.hold(
                member_id, basket_id, wanted or [applied()], day=day, held_until=until, now=now
            )

    return await sql.retried(work)


async def used(
    member_id: int,
    *wanted: Applied,
    purchase_id: int = 1,
    day: LocalDay = TODAY,
    now: Instant = NOW,
) -> tuple[OfferExhausted, ...]:
    """Use offers in a purchase at once."""

    async def work() -> tuple[OfferExhausted, ...]:
        async with (
            sql.transaction(),
            ledger.journal([member_id], [POINTS], recorded_at=now),
        ):
            return await uses.use(
                member_id, wanted or [applied()], purchase_id=purchase_id, day=day, now=now
            )

    return await sql.retried(work)


async def confirmed(
    basket_id: int, *, purchase_id: int = 1, now: Instant = NOW
) -> tuple[OfferExhausted, ...] | uses.HoldOver:
    """Use what is held for the basket."""
    async with sql.transaction():
        return await uses.use_held(basket_id, purchase_id=purchase_id, now=now)


async def released(basket_id: int) -> int:
    """Let go what is held for the basket."""
    async with sql.transaction():
        return await uses.release(basket_id)


async def returned(
    purchase_id: int, *, is_everything: bool = False, **shares: Share
) -> dict[str, Share]:
    """Return a part of a purchase, or all that is left."""
    async with sql.transaction():
        return await give_back(
            purchase_id,
            {name.replace("_", "-"): share for name, share in shares.items()},
            is_everything=is_everything,
        )


async def standing(
    member_id: int,
    offer: str = "one",
    *,
    day: LocalDay = TODAY,
    now: Instant = NOW,
    apart_from: int | None = None,
) -> Standing:
    """How the member stands with the offer."""
    live = (await definitions.shelves()).of("offer").live(now)
    found = await standings(
        member_id, {offer: live.by_key[offer]}, day=day, now=now, apart_from=apart_from
    )
    return found[offer]


async def people(count: int) -> Sequence[int]:
    """New members."""
    return [await enrolled() for _ in range(count)]
