"""The verbs of baskets: quote one, reserve it, confirm it exactly as it was quoted, cancel it."""

from server.baskets import quoting, tokens
from server.baskets.comparing import quoted_of
from server.baskets.confirming import NotConfirmed, confirm
from server.baskets.reserving import cancel, reserve
from server.baskets.shapes import (
    BasketStatus,
    BasketView,
    Buyer,
    Changed,
    Confirmation,
    Confirmed,
    Difference,
    DifferenceKind,
    Quote,
    SentBasket,
    SentLine,
)
from server.baskets.stored import find, unknown
from server.clock import Instant
from server.offers import service as offers
from server.plans import service as plans
from server.principal import AsOf

__all__ = [
    "BasketStatus",
    "BasketView",
    "Buyer",
    "Changed",
    "Confirmation",
    "Confirmed",
    "Difference",
    "DifferenceKind",
    "NotConfirmed",
    "Quote",
    "SentBasket",
    "SentLine",
    "cancel",
    "confirm",
    "find",
    "quote",
    "quote_anew",
    "reserve",
    "token_of",
]

offers.register_plans(plans.plans_of)


async def quote(
    sent: SentBasket, buyer: Buyer, *, now: Instant, as_of: AsOf | None = None
) -> Quote:
    """What the basket costs and brings now. Writes nothing.

    `as_of` are the versions that were read for this request already (`Principal.as_of`).
    Raises InvalidInput, NotFound or CardUnusable, with the path below the basket.
    """
    seeking = await quoting.sought(sent, buyer, now=now, as_of=as_of)
    return (await quoting.reckon(seeking, now=now)).quote


async def token_of(quoted: Quote) -> str:
    """What `confirm` takes to compare with."""
    return await tokens.token_of(quoted_of(quoted))


async def quote_anew(wish: Confirmation, buyer: Buyer, *, now: Instant) -> Quote:
    """What the basket that was not confirmed costs and brings now. Writes nothing."""
    if wish.basket is not None:
        return await quote(wish.basket, buyer, now=now)
    view = await find(wish.basket_id or 0, partner=buyer.partner, now=now)
    if view is None:
        raise unknown()
    return await quoting.foreseen_again(view.quote, now=now)
