"""What was quoted, as much of it as decides, and what is not as it was quoted. Pure."""

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from server.baskets.shapes import Difference, DifferenceKind, Quote
from server.offers.evaluation import Line, NotApplied
from server.purchases.service import EarnedRule

_LABEL_BYTES = 8
_Kind = DifferenceKind


class QuotedLine(msgspec.Struct, frozen=True, array_like=True):
    """One line; money in minor units."""

    label: bytes  # what tells products apart, hashed
    quantity: int
    sales_minor: int
    coupon_minor: int
    discount_minor: int


class QuotedOffer(msgspec.Struct, frozen=True, array_like=True):
    """What one offer does; money in minor units."""

    offer: str
    version: int
    discount_minor: int
    points: int
    cashback_minor: int
    shipping_minor: int
    gift: str  # product and quantity; empty without


class Quoted(msgspec.Struct, frozen=True, array_like=True):
    """All that confirming a basket must find as it was."""

    member_id: int
    place: tuple[str, str, str, str]  # partner, store, channel, currency
    shipping_minor: int
    lines: tuple[QuotedLine, ...]
    offers: tuple[QuotedOffer, ...]  # by key
    points: tuple[tuple[str, str, int], ...]  # rule, challenge, points; without offers'
    cashback_minor: int
    tiers: tuple[str, str]
    expires_at: int


def quoted_of(quote: Quote) -> Quoted:
    """What of the quote decides."""
    basket, purchase = quote.basket, quote.purchase
    return Quoted(
        member_id=quote.member_id,
        place=(quote.partner, basket.store_id, basket.channel, basket.currency),
        shipping_minor=basket.shipping_minor,
        lines=tuple(
            QuotedLine(
                _label(line), line.quantity, line.sales_minor, line.coupon_minor, one.discount_minor
            )
            for line, one in zip(basket.lines, quote.evaluation.lines, strict=True)
        ),
        offers=tuple(
            QuotedOffer(
                one.offer,
                one.version,
                one.discount_minor,
                one.points,
                one.cashback_minor,
                one.shipping_minor,
                "" if one.gift is None else f"{one.gift.quantity} {one.gift.product_id}",
            )
            for one in sorted(quote.evaluation.applied, key=lambda one: one.offer)
        ),
        points=tuple(
            sorted(
                (one.rule.value, one.challenge or "", one.points)
                for one in purchase.earned
                if one.rule is not EarnedRule.OFFER
            )
        ),
        cashback_minor=purchase.cashback.accrued_minor,
        tiers=(purchase.tier_before, purchase.tier_after),
        expires_at=quote.expires_at,
    )


def _label(line: Line) -> bytes:
    labels = (
        line.product_id,
        line.department,
        line.product_category,
        line.product_type,
        line.brand,
    )
    packed = msgspec.msgpack.encode(labels)
    return hashlib.blake2b(packed, digest_size=_LABEL_BYTES).digest()


def differences(
    quoted: Quoted, now: Quoted, why_not: Sequence[NotApplied] = ()
) -> tuple[Difference, ...]:
    """What is not as it was quoted, in the order of the basket; empty if everything is."""
    if quoted.lines == now.lines and _same_but_lines(quoted, now):
        return ()
    return (
        *_of_basket(quoted, now),
        *_of_lines(quoted, now),
        *_of_offers(quoted, now, {one.offer: one.reason.value for one in why_not}),
        *_of_purchase(quoted, now),
    )


def _same_but_lines(quoted: Quoted, now: Quoted) -> bool:
    return msgspec.structs.replace(quoted, lines=(), expires_at=0) == msgspec.structs.replace(
        now, lines=(), expires_at=0
    )


def _of_basket(quoted: Quoted, now: Quoted) -> Iterator[Difference]:
    if quoted.member_id != now.member_id:
        yield Difference(_Kind.MEMBER)
    for was, is_now in zip(quoted.place, now.place, strict=True):
        if was != is_now:
            yield Difference(_Kind.PLACE, quoted_text=was, now_text=is_now)
    if quoted.shipping_minor != now.shipping_minor:
        yield Difference(_Kind.SHIPPING, quoted=quoted.shipping_minor, now=now.shipping_minor)
    if len(quoted.lines) != len(now.lines):
        yield Difference(_Kind.LINES, quoted=len(quoted.lines), now=len(now.lines))


def _of_lines(quoted: Quoted, now: Quoted) -> Iterator[Difference]:
    for number, (was, line) in enumerate(zip(quoted.lines, now.lines, strict=False)):
        if was.label != line.label:
            yield Difference(_Kind.PRODUCT, line=number)
        for kind, before, after in (
            (_Kind.QUANTITY, was.quantity, line.quantity),
            (_Kind.PRICE, was.sales_minor, line.sales_minor),
            (_Kind.COUPON, was.coupon_minor, line.coupon_minor),
            (_Kind.DISCOUNT, was.discount_minor, line.discount_minor),
        ):
            if before != after:
                yield Difference(kind, line=number, quoted=before, now=after)


def _of_offers(quoted: Quoted, now: Quoted, reasons: dict[str, str]) -> Iterator[Difference]:
    before = {one.offer: one for one in quoted.offers}
    after = {one.offer: one for one in now.offers}
    for key in sorted(before.keys() | after.keys()):
        was, one = before.get(key), after.get(key)
        if one is None:
            yield Difference(_Kind.OFFER_GONE, offer=key, why_not=reasons.get(key))
        elif was is None:
            yield Difference(_Kind.OFFER_NEW, offer=key)
        else:
            yield from _of_offer(was, one)


def _of_offer(was: QuotedOffer, one: QuotedOffer) -> Iterator[Difference]:
    for kind, before, after in (
        (_Kind.OFFER_CHANGED, was.version, one.version),
        (_Kind.OFFER_DISCOUNT, was.discount_minor, one.discount_minor),
        (_Kind.OFFER_POINTS, was.points, one.points),
        (_Kind.OFFER_CASHBACK, was.cashback_minor, one.cashback_minor),
        (_Kind.OFFER_SHIPPING, was.shipping_minor, one.shipping_minor),
    ):
        if before != after:
            yield Difference(kind, offer=one.offer, quoted=before, now=after)
    if was.gift != one.gift:
        yield Difference(_Kind.OFFER_GIFT, offer=one.offer, quoted_text=was.gift, now_text=one.gift)


def _of_purchase(quoted: Quoted, now: Quoted) -> Iterator[Difference]:
    before, after = _by_rule(quoted), _by_rule(now)
    for rule in EarnedRule:
        was, is_now = before.get(rule, 0), after.get(rule, 0)
        if was != is_now:
            yield Difference(_Kind.POINTS, rule=rule, quoted=was, now=is_now)
    if quoted.cashback_minor != now.cashback_minor:
        yield Difference(_Kind.CASHBACK, quoted=quoted.cashback_minor, now=now.cashback_minor)
    for was_tier, tier in zip(quoted.tiers, now.tiers, strict=True):
        if was_tier != tier:
            yield Difference(_Kind.TIER, quoted_text=was_tier, now_text=tier)


def _by_rule(quoted: Quoted) -> dict[EarnedRule, int]:
    points: dict[EarnedRule, int] = {}
    for rule, _challenge, amount in quoted.points:
        points[EarnedRule(rule)] = points.get(EarnedRule(rule), 0) + amount
    return points
