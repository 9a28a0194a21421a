"""Offers with coupons and members who may use them, written through the services."""

from typing import Any

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant
from server.coupons import service as coupons
from server.coupons import stock
from server.coupons.redeeming import CouponRedeemed, Wish, redeem_many
from server.coupons.rules import Usable
from server.definitions import importing
from server.definitions.bundles import Item
from server.errors import DomainError
from server.offers import kinds as _offers  # noqa: F401 - makes its kinds known
from server.programme import service as programme
from server.storage import sql
from tests.api.calling import NOW, enrolled
from tests.programme.demo import demo_text

Json = dict[str, Any]
NOON = NOW
MINUTE = Instant(60 * clock.MICROSECONDS_PER_SECOND)
DAY = 24 * 60 * MINUTE
EARLIER = Instant(NOON - 30 * DAY)
SHARED = {"kind": "shared", "codes": [{"code": "Spring-10"}, {"code": "MAY 5", "products": ["7"]}]}
SINGLE = {"kind": "single_use"}


def offer(**changes: Any) -> Json:
    """An offer whose discount the till takes off."""
    return {
        "default_language": "en",
        "texts": {"en": {"title": "Spring"}},
        "discount": {"kind": "till"},
        "needs_coupon": True,
        **changes,
    }


def listed(*external_ids: str) -> Json:
    """A segment of these members."""
    return {"name": "Chosen", "members": {"kind": "list", "external_ids": list(external_ids)}}


async def publish(*items: tuple[str, str, Json], at: Instant = EARLIER) -> None:
    """Publish the documents: kind, key and document of each."""
    with clock.moved_to(at):
        async with sql.transaction():
            given = [Item(kind, key, None, document) for kind, key, document in items]
            await importing.bring_in(given, by="command line", now=at)


async def open_shop(
    codes: Json, *names: str, terms: Json | None = None, **of_offer: Any
) -> list[int]:
    """The demo programme, members with these names, and the coupon "spring" of an offer of that
    key; the members' ids."""
    with clock.moved_to(Instant(NOON - 40 * DAY)):
        async with sql.transaction():
            await programme.publish(demo_text(), published_by="test")
    ids = [await enrolled(name, at=Instant(NOON - 35 * DAY)) for name in names]
    await publish(
        ("offer", "spring", offer(**of_offer)),
        ("coupon", "spring", {"offer": "spring", "codes": codes, **(terms or {})}),
    )
    return ids


async def stocked(number: int, *, coupon: str = "spring") -> list[str]:
    """So many single-use codes."""
    async with sql.transaction():
        _batch, made = await stock.derived_batch(coupon, number, by="test", now=NOON)
    return made


async def redeemed(*wishes: tuple[str, str], at: Instant = NOON) -> list[str]:
    """What becomes of wishes, each (external id, code), at a till: "taken" or why not."""
    given = [Wish(MemberReference(external_id=name), code, at) for name, code in wishes]
    async with sql.transaction():
        answers = await redeem_many(given, now=at)
    return ["taken" if isinstance(one, CouponRedeemed) else one.reason for one in answers]


async def usable(
    member_id: int, code: str, *, at: Instant = NOON, basket: int | None = None
) -> str:
    """ "usable", or why the member can't use the code."""
    found = (await coupons.look_up([code], member_id, occurred_at=at, now=at, basket_id=basket))[
        code
    ]
    return found.reason if isinstance(found, DomainError) else "usable"


async def looked_up(member_id: int, code: str, *, at: Instant = NOON) -> Usable:
    """The coupon."""
    found = (await coupons.look_up([code], member_id, occurred_at=at, now=at))[code]
    assert isinstance(found, Usable), found
    return found
