"""How the mutations of members' offers are called."""

from typing import Any

from server.definitions import service as definitions
from server.edge.nodes import global_id
from server.offers.eligible import number_of
from server.storage import sql
from tests.api.calling import Api
from tests.api.cases import Case, case
from tests.offers.using import publish_offer


async def published(key: str = "clip", **changes: Any) -> str:
    """Publish an offer to be activated; its id in the API."""
    async with sql.transaction():
        await publish_offer(key, activation="clip", **changes)
    return await offer_id(key)


async def offer_id(key: str) -> str:
    """The id in the API of the offer with the key."""
    return global_id("Offer", number_of((await definitions.shelves()).of("offer"), key))


@case("activateOffer", "OfferActivated")
async def _activate(api: Api) -> Case:
    wish, other = [{"offerId": await published(key)} for key in ("clip", "other")]
    return Case(await api.member(), wish, other, await api.member(), wish)


@case("deactivateOffer", "OfferActivated")
async def _deactivate(api: Api) -> Case:
    wish, other = [{"offerId": await published(key)} for key in ("clip", "other")]
    callers = [await api.member() for _ in range(2)]
    for caller in callers:
        assert "code" not in await api.mutate("activateOffer", wish, caller)
    return Case(callers[0], wish, other, callers[1], wish)
