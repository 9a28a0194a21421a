"""Quoting a basket: what it costs and brings, by everything that counts now; nothing is written.

The programme, the offers and the coupons' terms are in memory. What is read is of one member and of
the offers that could apply, in a number of statements that does not depend on how many members,
offers, uses and lines there are.

An offer counts as it is published now, and its schedule is held against when the basket was bought.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from server import clock
from server.baskets import queries
from server.baskets.checking import basket_of
from server.baskets.shapes import Buyer, Quote, RefusedCoupon, SentBasket
from server.cards import errors as card_errors
from server.cards import service as cards
from server.cards.service import MemberReference
from server.clock import Instant
from server.coupons import service as coupons
from server.coupons.service import Usable
from server.definitions import service as definitions
from server.definitions.service import Shelves
from server.errors import DomainError, NotFound
from server.offers import engine, standings
from server.offers.evaluation import Applied, Basket, Coupon, Evaluation, Shopper
from server.offers.kinds import OFFER
from server.offers.shoppers import plans_of
from server.principal import AsOf
from server.programme import service as programme
from server.programme.service import Rulebook
from server.purchases import service as purchases
from server.purchases.service import Draft, Foreseen, Line, OfferPart
from server.segments import service as segments
from server.storage.exchange import fetch_each

QUOTE_TTL_SECONDS = 15 * 60
"""For how long what was quoted may be confirmed, if it still holds."""
MAXIMUM_NOT_APPLIED = 100
"""Of the offers that do not apply, so many are told: those for which least is missing."""


@dataclass(frozen=True, slots=True)
class Sought:
    """A basket, its member found and its values checked, and what it is held against."""

    sent: SentBasket
    member_id: int
    basket: Basket
    book: Rulebook
    shelves: Shelves


@dataclass(frozen=True, slots=True)
class Reckoned:
    """A quote, and the coupons that its offers take."""

    quote: Quote
    coupons: tuple[Usable, ...]


async def sought(
    sent: SentBasket, buyer: Buyer, *, now: Instant, as_of: AsOf | None = None
) -> Sought:
    """Find the basket's member and what it is held against; one exchange.

    `as_of` are the versions that were read for this request already; in a transaction, None.
    Raises InvalidInput, NotFound or CardUnusable, with the path below the basket.
    """
    references = [] if sent.member is None else [sent.member]
    seeking = cards.SoughtMembers(references)
    if as_of is None:
        newest, marker, *found = await fetch_each(
            [programme.NEWEST, definitions.MARKER, *seeking.asked]
        )
        shelves = await definitions.shelves(marker)
    else:
        newest, *found = await fetch_each([programme.NEWEST, *seeking.asked])
        shelves = await definitions.shelves(as_of.programme)
    member_id = _member(seeking.found(found), buyer)
    book = await programme.rulebook(newest)
    occurred_at = now if sent.occurred_at is None else sent.occurred_at
    partner = (sent.partner or "") if buyer.partner is None else buyer.partner
    basket = basket_of(
        sent, book.at(occurred_at).programme, partner=partner, occurred_at=occurred_at
    )
    return Sought(sent, member_id, basket, book, shelves)


def _member(found: Sequence[int | DomainError], buyer: Buyer) -> int:
    if not found:
        if buyer.member_id is None:
            raise card_errors.member_missing(("member",))
        return buyer.member_id
    [member] = found
    if isinstance(member, DomainError):
        raise member.below("member")
    if buyer.member_id not in (None, member):
        raise card_errors.unknown_member(("member",))
    return member


async def reckon(seeking: Sought, *, now: Instant) -> Reckoned:
    """Quote the basket. Raises InvalidInput, with the path below the basket."""
    basket, member_id = seeking.basket, seeking.member_id
    foreseen = await purchases.foresee(
        draft_of(basket, member_id), member_id, seeking.book, now=now
    )
    usable, refused = await _coupons(seeking, now)
    evaluation = await _evaluated(seeking, foreseen, usable, now)
    parts = parts_of(evaluation)
    taken = {place for one in evaluation.applied for place in one.coupons}
    quote = Quote(
        member_id=member_id,
        partner=basket.partner,
        basket=basket,
        evaluation=evaluation,
        purchase=foreseen.outcome(draft_of(basket, member_id, evaluation), parts),
        quoted_at=now,
        expires_at=Instant(now + QUOTE_TTL_SECONDS * clock.MICROSECONDS_PER_SECOND),
        refused_coupons=refused,
    )
    return Reckoned(quote, tuple(usable[place] for place in sorted(taken)))


async def foreseen_again(quote: Quote, *, now: Instant) -> Quote:
    """The quote with the same offers, and with what the basket brings now."""
    book = await programme.rulebook()
    draft = draft_of(quote.basket, quote.member_id, quote.evaluation)
    foreseen = await purchases.foresee(draft, quote.member_id, book, now=now)
    return msgspec.structs.replace(
        quote,
        purchase=foreseen.outcome(draft, quote.parts),
        quoted_at=now,
        expires_at=Instant(now + QUOTE_TTL_SECONDS * clock.MICROSECONDS_PER_SECOND),
    )


async def _coupons(seeking: Sought, now: Instant) -> tuple[list[Usable], tuple[RefusedCoupon, ...]]:
    """The coupons that may be used, each once, and why the others may not."""
    codes = seeking.sent.coupon_codes
    if not codes:
        return [], ()
    found = await coupons.look_up(
        codes, seeking.member_id, occurred_at=seeking.basket.occurred_at, now=now
    )
    usable: dict[tuple[str, str], Usable] = {}
    refused: list[RefusedCoupon] = []
    for place, code in enumerate(codes):
        one = found[code]
        if isinstance(one, Usable):
            usable.setdefault((one.coupon, one.code), one)
        else:
            is_unknown = isinstance(one, NotFound)
            refused.append(RefusedCoupon(place, one.reason, dict(one.facts), is_unknown))
    return list(usable.values()), tuple(refused)


async def _evaluated(
    seeking: Sought, foreseen: Foreseen, usable: Sequence[Usable], now: Instant
) -> Evaluation:
    basket, member_id, at = seeking.basket, seeking.member_id, seeking.basket.occurred_at
    rules = foreseen.published.programme
    prepared = engine.prepared(seeking.shelves, rules, now)
    shown = [Coupon(one.offer, one.products) for one in usable]
    keys = engine.wanted(prepared, basket, shown, at)
    live = seeking.shelves.of(OFFER.name).live(now).by_key
    day = clock.local_day(at, rules.programme.timezone)
    used = standings.Sought(member_id, {key: live[key] for key in keys}, day=day, now=now)
    profile, *rows = await fetch_each([queries.profile_asked(member_id, before=at), *used.asked])
    [(external_id, name, birthday, enrolled_at, last_visit_at, version)] = profile
    known = await segments.shopper(
        member_id,
        names=engine.facts_wanted(prepared, keys),
        segments=engine.segments_wanted(prepared, keys),
        now=now,
        versions=(version, seeking.shelves.marker),
    )
    plans = frozenset[str]()
    if any(live[key].document.audience.plans for key in keys):
        plans = (await plans_of([member_id], now)).get(member_id, plans)
    shopper = Shopper(
        member_id=member_id,
        tier=foreseen.tier,
        segments=known.segments,
        plans=plans,
        external_id=external_id or "",
        name=name or "",
        birthday=birthday,
        enrolled_at=enrolled_at,
        last_visit_at=last_visit_at,
        facts=known.facts,
    )
    return engine.evaluate(
        prepared,
        basket,
        shopper,
        used.found(rows),
        shown,
        rules=rules,
        now=at,
        most_refused=MAXIMUM_NOT_APPLIED,
    )


def draft_of(basket: Basket, member_id: int, evaluation: Evaluation | None = None) -> Draft:
    """The basket as a purchase: what offers take off a line is a part of its coupon."""
    discounts = (
        [0] * len(basket.lines)
        if evaluation is None
        else [one.discount_minor for one in evaluation.lines]
    )
    return Draft(
        external_id=purchases.UNKNOWN_ID,
        member=MemberReference(id=member_id),
        occurred_at=basket.occurred_at,
        store_id=basket.store_id,
        currency=basket.currency,
        lines=tuple(
            Line(
                line.product_id,
                line.department,
                line.product_category,
                line.product_type,
                line.quantity,
                line.sales_minor,
                line.coupon_minor + discount,
            )
            for line, discount in zip(basket.lines, discounts, strict=True)
        ),
    )


def parts_of(evaluation: Evaluation) -> tuple[OfferPart, ...]:
    """What each offer does for a purchase, by key."""
    return tuple(_part(one) for one in sorted(evaluation.applied, key=lambda one: one.offer))


def _part(one: Applied) -> OfferPart:
    return OfferPart(
        offer=one.offer,
        version=one.version,
        discounts_minor=one.line_shares,
        points=one.point_shares,
        cashback_minor=one.cashback_shares,
        shipping_minor=one.shipping_minor,
    )
