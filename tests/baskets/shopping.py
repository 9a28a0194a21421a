"""Baskets of members, quoted, reserved, confirmed and cancelled as tills do."""

from typing import Any

from server import clock
from server.baskets import service
from server.baskets.service import (
    BasketView,
    Buyer,
    Confirmation,
    Confirmed,
    Difference,
    NotConfirmed,
    Quote,
    SentBasket,
    SentLine,
)
from server.cards.service import MemberReference
from server.clock import Instant
from server.definitions import service as definitions
from server.programme import service as programme
from server.purchases import service as purchases
from server.purchases.service import LineReturn, PurchaseReference, ReturnDraft, ReturnedPurchase
from server.storage import sql
from tests.api.calling import NOW, SECOND, enrolled
from tests.programme.demo import demo_text

TILL = Buyer(None, "shop")
TTL_SECONDS = 600
ANNA = MemberReference(external_id="anna")


def later(seconds: int) -> Instant:
    return Instant(NOW + seconds * SECOND)


async def open_shop(**offers: dict[str, Any]) -> int:
    """Publish the demo programme, and an offer for each keyword; a member's id."""
    async with sql.transaction():
        with clock.moved_to(NOW):
            await programme.publish(demo_text(), published_by="test")
        for name, document in offers.items():
            await publish_offer(name.replace("_", "-"), document)
    return await enrolled("anna")


async def publish_offer(key: str, document: dict[str, Any], *, at: Instant = NOW) -> None:
    """Publish a version of an offer; call it inside a transaction."""
    texts = {"default_language": "en", "texts": {"en": {"title": key.capitalize()}}}
    await definitions.publish_document(
        "offer", key, {**texts, **document}, by="command line", now=at
    )


async def withdraw_offer(key: str, *, at: Instant) -> None:
    async with sql.transaction():
        await definitions.withdraw("offer", key, by="command line", now=at)


def amount(minor: int, **parts: Any) -> dict[str, Any]:
    """So much off the basket."""
    return {"discount": {"kind": "amount", "amount_minor": minor}, **parts}


def percent(rate_bps: int, **parts: Any) -> dict[str, Any]:
    return {"discount": {"kind": "percent", "rate_bps": rate_bps}, **parts}


def points(number: int, **parts: Any) -> dict[str, Any]:
    return {"discount": {"kind": "bonus_points", "points": number}, **parts}


def cashback(rate_bps: int, **parts: Any) -> dict[str, Any]:
    return {"discount": {"kind": "cashback", "rate_bps": rate_bps}, **parts}


def line(
    sales_minor: int = 1000, department: str = "GROCERY", product: str = "1", **fields: Any
) -> SentLine:
    given: dict[str, Any] = {
        "product_category": None,
        "product_type": None,
        "brand": None,
        "quantity": 1,
        "coupon_minor": 0,
        **fields,
    }
    return SentLine(product_id=product, department=department, sales_minor=sales_minor, **given)


def basket(*lines: SentLine, **fields: Any) -> SentBasket:
    given: dict[str, Any] = {
        "member": ANNA,
        "store_id": "7",
        "channel": "store",
        "occurred_at": None,
        "currency": "USD",
        **fields,
    }
    return SentBasket(lines=lines or (line(),), **given)


async def quoted(sent: SentBasket | None = None, *, now: Instant = NOW) -> Quote:
    return await service.quote(basket() if sent is None else sent, TILL, now=now)


async def reserved(sent: SentBasket | None = None, *, now: Instant = NOW) -> BasketView:
    wanted = basket() if sent is None else sent

    async def work() -> BasketView:
        async with sql.transaction():
            return await service.reserve(wanted, TILL, ttl_seconds=TTL_SECONDS, now=now)

    return await sql.retried(work)


async def confirm(wish: Confirmation, *, now: Instant = NOW) -> Confirmed:
    """Raises NotConfirmed, or a refusal, with everything undone."""

    async def work() -> Confirmed:
        async with sql.transaction():
            return await service.confirm(wish, TILL, now=now)

    return await sql.retried(work)


async def agreed(
    sent: SentBasket, quote: Quote, external_id: str = "b-1", **fields: Any
) -> Confirmation:
    """The wish to confirm the basket as it was quoted."""
    token = await service.token_of(quote)
    return Confirmation(external_id=external_id, basket=sent, token=token, **fields)


async def bought(sent: SentBasket | None = None, external_id: str = "b-1") -> Confirmed:
    """A basket that was quoted and confirmed."""
    wanted = basket() if sent is None else sent
    return await confirm(await agreed(wanted, await quoted(wanted), external_id))


async def differences(wish: Confirmation, *, now: Instant = NOW) -> list[Difference]:
    """What is not as it was quoted; nothing is written."""
    try:
        await confirm(wish, now=now)
    except NotConfirmed as refusal:
        return list(refusal.differences)
    return []


async def cancelled(basket_id: int, *, now: Instant = NOW) -> BasketView:
    async with sql.transaction():
        return await service.cancel(basket_id, partner="shop", now=now)


async def returned(
    purchase_id: int, *lines: LineReturn, external_id: str = "r-1", now: Instant = NOW
) -> ReturnedPurchase:
    """A return of these lines, or of everything that is left."""
    draft = ReturnDraft(external_id, PurchaseReference(id=purchase_id), now, lines or None)
    async with sql.transaction():
        return await purchases.take_back(draft, partner="shop", now=now)
