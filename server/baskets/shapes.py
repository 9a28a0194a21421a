"""What a basket is, and what is told of it, as data: kept with it and answered again."""

from enum import StrEnum

import msgspec

from server.cards.service import MemberReference
from server.clock import Instant
from server.offers.evaluation import Basket, Evaluation
from server.purchases.service import EarnedRule, OfferPart, RecordedPurchase


class SentLine(msgspec.Struct, frozen=True):
    """A line as a caller sends it; money in minor units. None stands for the programme's unknown
    label, and of a brand for none."""

    product_id: str
    department: str | None
    product_category: str | None
    product_type: str | None
    brand: str | None
    quantity: int
    sales_minor: int
    coupon_minor: int


class SentBasket(msgspec.Struct, frozen=True):
    """A basket as a caller sends it; `member` None is the signed-in one, `occurred_at` None now."""

    member: MemberReference | None
    store_id: str
    channel: str
    occurred_at: Instant | None
    currency: str
    lines: tuple[SentLine, ...]
    shipping_minor: int = 0
    coupon_codes: tuple[str, ...] = ()
    partner: str | None = None


class Buyer(msgspec.Struct, frozen=True):
    """For whom a caller may ask: the signed-in member, or anyone at a partner's till."""

    member_id: int | None  # of a signed-in member
    partner: str | None  # whose till it is; None for a member


class RefusedCoupon(msgspec.Struct, frozen=True):
    """A coupon that can't be used: its place among those sent, and the refusal as data."""

    place: int
    reason: str
    facts: dict[str, str | int]
    is_unknown: bool = False  # it may have been guessed


class Quote(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a basket costs and brings at `quoted_at`. `purchase` is what it would bring as a
    purchase, which has neither an id nor an external id yet."""

    member_id: int
    partner: str
    basket: Basket
    evaluation: Evaluation
    purchase: RecordedPurchase
    quoted_at: Instant
    expires_at: Instant
    refused_coupons: tuple[RefusedCoupon, ...] = ()

    @property
    def parts(self) -> tuple[OfferPart, ...]:
        """What each offer does for it."""
        return self.purchase.offers


class DifferenceKind(StrEnum):
    """What is not as it was quoted."""

    EXPIRED = "expired"  # the quote is too old
    MEMBER = "member"  # another member
    PLACE = "place"  # another partner, store, channel or currency
    LINES = "lines"  # more or fewer lines
    PRODUCT = "product"  # a line is of another product, or has other labels
    QUANTITY = "quantity"  # of a line
    PRICE = "price"  # a line's sales
    COUPON = "coupon"  # what a coupon of the till's takes off a line
    SHIPPING = "shipping"  # what the delivery costs
    OFFER_GONE = "offer_gone"  # an offer applies no longer
    OFFER_NEW = "offer_new"  # an offer applies that did not
    OFFER_CHANGED = "offer_changed"  # an offer has another version
    OFFER_DISCOUNT = "offer_discount"  # what an offer takes off
    OFFER_POINTS = "offer_points"  # the points that an offer gives
    OFFER_CASHBACK = "offer_cashback"  # the cashback that an offer gives
    OFFER_SHIPPING = "offer_shipping"  # what an offer takes off the delivery
    OFFER_GIFT = "offer_gift"  # the gift of an offer
    DISCOUNT = "discount"  # what offers take off a line
    POINTS = "points"  # the points of a rule
    CASHBACK = "cashback"  # the programme's own cashback
    TIER = "tier"  # the tier that applies, or the one after it


class Difference(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is not as it was quoted; amounts are minor units, points, units or versions,
    as the kind says."""

    kind: DifferenceKind
    line: int | None = None
    offer: str | None = None
    rule: EarnedRule | None = None
    quoted: int | None = None
    now: int | None = None
    quoted_text: str | None = None
    now_text: str | None = None
    why_not: str | None = None  # of an offer that applies no longer, if that is known


class BasketStatus(StrEnum):
    """What became of a basket."""

    RESERVED = "reserved"  # its offers and coupons are held
    EXPIRED = "expired"  # its time is over: what was held is free again
    CONFIRMED = "confirmed"  # it is a purchase
    CANCELLED = "cancelled"  # it was given up


class BasketView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A basket that was reserved or confirmed."""

    id: int
    partner: str
    status: BasketStatus
    quote: Quote
    held_until: Instant | None
    decided_at: Instant | None
    purchase_id: int | None


class Confirmed(msgspec.Struct, frozen=True, tag="confirmed"):
    """A basket that became a purchase."""

    basket: BasketView
    purchase: RecordedPurchase


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """That a basket is not confirmed: what is not as it was quoted, and what it is now."""

    differences: tuple[Difference, ...]
    quote: Quote


class Confirmation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A basket to confirm: one that is reserved, or one that was quoted, with the quote's token."""

    external_id: str
    basket_id: int | None = None
    basket: SentBasket | None = None
    token: str | None = None
    payment_ids: tuple[int, ...] = ()
