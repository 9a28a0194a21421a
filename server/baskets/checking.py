"""Whether a basket as a caller sends it can be looked at. What is a purchase's too is checked as
that of a purchase."""

from server.baskets.shapes import SentBasket, SentLine
from server.clock import Instant
from server.errors import InvalidInput, Path, phrase
from server.offers.evaluation import Basket, Line
from server.programme.document import Programme

MAXIMUM_CODES = 20
MAXIMUM_CODE_LENGTH = 64
MAXIMUM_CHANNEL_LENGTH = 64
MAXIMUM_PARTNER_LENGTH = 64
MAXIMUM_BRAND_LENGTH = 120
MAXIMUM_SHIPPING_MINOR = 2**31 - 1


def basket_of(
    sent: SentBasket, programme: Programme, *, partner: str, occurred_at: Instant
) -> Basket:
    """The basket as offers see it, unknown labels filled in. Raises InvalidInput, with the path
    below the basket, for what only a basket has; the rest is checked as a purchase is."""
    _check_text(sent.channel, ("channel",), MAXIMUM_CHANNEL_LENGTH)
    if partner:
        _check_text(partner, ("partner",), MAXIMUM_PARTNER_LENGTH)
    _check_range(sent.shipping_minor, ("shippingMinor",))
    if len(sent.coupon_codes) > MAXIMUM_CODES:
        raise InvalidInput(
            "basket.codes",
            path=("couponCodes",),
            value=len(sent.coupon_codes),
            accepted=phrase("accepted.range", minimum=0, maximum=MAXIMUM_CODES),
        )
    for place, code in enumerate(sent.coupon_codes):
        if not 1 <= len(code) <= MAXIMUM_CODE_LENGTH or not code.isprintable():
            raise _bad_text(None, ("couponCodes", place), MAXIMUM_CODE_LENGTH)
    for number, line in enumerate(sent.lines):
        if line.brand:
            _check_text(line.brand, ("lines", number, "brand"), MAXIMUM_BRAND_LENGTH)
    unknown = programme.data_source.unknown_label
    return Basket(
        lines=tuple(_line(line, unknown) for line in sent.lines),
        store_id=sent.store_id,
        partner=partner,
        channel=sent.channel,
        occurred_at=occurred_at,
        currency=sent.currency,
        shipping_minor=sent.shipping_minor,
    )


def _line(line: SentLine, unknown: str) -> Line:
    return Line(
        product_id=line.product_id,
        # An empty label is refused as that of a purchase, not taken for one that was left out.
        department=unknown if line.department is None else line.department,
        product_category=unknown if line.product_category is None else line.product_category,
        product_type=unknown if line.product_type is None else line.product_type,
        brand=line.brand or "",
        quantity=line.quantity,
        sales_minor=line.sales_minor,
        coupon_minor=line.coupon_minor,
    )


def _check_text(text: str, path: Path, maximum: int) -> None:
    if not 1 <= len(text) <= maximum or not text.isprintable():
        raise _bad_text(text, path, maximum)


def _bad_text(text: str | None, path: Path, maximum: int) -> InvalidInput:
    return InvalidInput(
        "input.text",
        path=path,
        value=text,
        accepted=phrase("accepted.printable", minimum=1, maximum=maximum),
    )


def _check_range(number: int, path: Path) -> None:
    if not 0 <= number <= MAXIMUM_SHIPPING_MINOR:
        raise InvalidInput(
            "input.range",
            path=path,
            value=number,
            accepted=phrase("accepted.whole_number", minimum=0, maximum=MAXIMUM_SHIPPING_MINOR),
        )
