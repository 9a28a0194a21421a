"""The arithmetic of a purchase: its amounts, its points, and what of it is accepted."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from server import clock
from server.cards.service import MemberReference
from server.clock import Instant
from server.errors import InvalidInput, Path, phrase
from server.ledger.rules import MAXIMUM_BALANCE
from server.money import (
    PERCENT_PER_UNIT,
    floor_basis_points,
    floor_share,
    split_in_proportion,
)
from server.programme.document import Programme
from server.purchases.terms import Terms, terms_of

MAXIMUM_PURCHASES = 500
MAXIMUM_LINES = 500
MAXIMUM_PAYMENTS = 10
MAXIMUM_QUANTITY = 2**31 - 1
MAXIMUM_LINE_MINOR = 2**31 - 1
MAXIMUM_TEXT_LENGTH = 120
MAXIMUM_ID_LENGTH = 64
CLOCK_TOLERANCE_SECONDS = 60
"""How far a till's clock may run ahead of the server's."""
EARLIEST = Instant(0)
"""No purchase lies before 1970-01-01T00:00:00Z."""


class Line(msgspec.Struct, frozen=True):
    """One line of a basket; money in minor units. None stands for the programme's unknown label."""

    product_id: str
    department: str | None
    product_category: str | None
    product_type: str | None
    quantity: int
    sales_minor: int
    coupon_minor: int


class Draft(msgspec.Struct, frozen=True, omit_defaults=True):
    """A purchase as a till sends it. What was added later is left out of its hash while empty."""

    external_id: str
    member: MemberReference
    occurred_at: Instant
    store_id: str
    currency: str
    lines: tuple[Line, ...]
    payment_ids: tuple[int, ...] = ()


class Amounts(msgspec.Struct, frozen=True):
    """The amounts of one basket, in minor units. All but the first are of what earns: without
    what value paid for, unless that earns too, and without what was returned."""

    net_minor: int
    """Net spend over all lines; may be negative."""
    eligible_minor: int
    """Net spend over lines that are not excluded, at least 0."""
    bonus_minor: int
    """Eligible spend in the bonus departments, at most the eligible spend."""
    cashback_minor: int
    """Eligible spend in the cashback departments, at most the eligible spend."""
    departments: frozenset[str]
    """Departments of lines that are not excluded and have net spend above 0."""


class PurchasePoints(msgspec.Struct, frozen=True):
    """The points of one basket, each rounded down by itself."""

    base: int
    tier: int
    category: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.base + self.tier + self.category


def content_hash(draft: Draft) -> str:
    """SHA-256, in hexadecimal, of what the till sent: equal for a repetition, and only for one."""
    return hashlib.sha256(msgspec.json.encode(draft)).hexdigest()


def amounts_of(draft: Draft, programme: Programme) -> Amounts:
    """The basket's amounts under the programme's rules, when nothing is paid with value."""
    nets = [line.sales_minor - line.coupon_minor for line in draft.lines]
    return earning_amounts(draft.lines, programme, nets, net_minor=sum(nets))


def earning_amounts(
    lines: Sequence[Line], programme: Programme, earning: Sequence[int], *, net_minor: int
) -> Amounts:
    """The amounts of a basket whose net spend is given, and of each line what of it earns."""
    terms = terms_of(programme)
    unknown = terms.unknown
    bonus_departments, cashback_departments = terms.bonus_departments, terms.cashback_departments
    eligible = bonus = cashback = 0
    departments: set[str] = set()
    for line, amount in zip(lines, earning, strict=True):
        if _is_excluded(line, terms):
            continue
        department = line.department or unknown
        eligible += amount
        if department in bonus_departments:
            bonus += amount
        if department in cashback_departments:
            cashback += amount
        if amount > 0:
            departments.add(department)
    eligible = max(0, eligible)
    return Amounts(
        net_minor,
        eligible,
        min(eligible, max(0, bonus)),
        min(eligible, max(0, cashback)),
        frozenset(departments),
    )


def _is_excluded(line: Line, terms: Terms) -> bool:
    for field, equals in terms.exclusions:
        if (getattr(line, field) or terms.unknown) == equals:
            return True
    return False


def paid_shares(lines: Sequence[Line], value_minor: int) -> list[int]:
    """What of the value paid falls on each line: those with net spend above 0 in proportion."""
    nets = [max(0, line.sales_minor - line.coupon_minor) for line in lines]
    return split_in_proportion(value_minor, nets)


def paid_amounts(draft: Draft, programme: Programme, paid: Sequence[int]) -> Amounts:
    """The basket's amounts when of each line so much is paid with value."""
    nets = [line.sales_minor - line.coupon_minor for line in draft.lines]
    earns = programme.paying_with_points.earns_on_value
    earning = nets if earns else [net - share for net, share in zip(nets, paid, strict=True)]
    return earning_amounts(draft.lines, programme, earning, net_minor=sum(nets))


def check_paid(draft: Draft, value_minor: int) -> None:
    """Raise InvalidInput if value pays for more than the basket costs."""
    net = sum(line.sales_minor - line.coupon_minor for line in draft.lines)
    if value_minor > max(0, net):
        raise InvalidInput(
            "purchase.overpaid",
            path=("paymentIds",),
            value=value_minor,
            accepted=phrase("accepted.payments_within", most=max(0, net)),
        )


def check_points_share(draft: Draft, points_minor: int, programme: Programme) -> None:
    """Raise InvalidInput if points pay for more of the basket than the programme allows, however
    many payments they came in and whatever basket was stated when they were made."""
    net = sum(line.sales_minor - line.coupon_minor for line in draft.lines)
    share_bps = programme.paying_with_points.maximum_share_basis_points
    most = floor_basis_points(max(0, net), share_bps)
    if points_minor > most:
        raise InvalidInput(
            "payment.above_share",
            path=("paymentIds",),
            value=points_minor,
            accepted=phrase("accepted.points_within", most=most),
        )


def points_of(amounts: Amounts, programme: Programme, multiplier_percent: int) -> PurchasePoints:
    """The basket's points for a member whose tier has the multiplier."""
    terms = terms_of(programme)
    base = floor_share(amounts.eligible_minor, *terms.base_rate)
    return PurchasePoints(
        base=base,
        tier=floor_share(base, multiplier_percent - PERCENT_PER_UNIT, PERCENT_PER_UNIT),
        category=floor_share(amounts.bonus_minor, *terms.bonus_rate),
    )


def highest_points(amounts: Amounts, programme: Programme) -> int:
    """No member can earn more points than this on the basket, challenges and welcome included."""
    terms = terms_of(programme)
    highest = points_of(amounts, programme, terms.highest_multiplier_percent)
    return highest.total + terms.fixed_points


def highest_cashback_minor(amounts: Amounts, programme: Programme) -> int:
    """No member can accrue more cashback than this on the basket; at most its eligible spend."""
    terms = terms_of(programme)
    earned = floor_basis_points(amounts.cashback_minor, terms.highest_cashback_bps)
    return min(earned, terms.highest_cashback_minor)


def check(draft: Draft, programme: Programme, amounts: Amounts, *, now: Instant) -> None:
    """Raise InvalidInput, with the path below the purchase, for the first value not accepted."""
    _check_text(draft.external_id, ("externalId",), MAXIMUM_ID_LENGTH)
    _check_text(draft.store_id, ("storeId",), MAXIMUM_ID_LENGTH)
    _check_instant(draft.occurred_at, now)
    if draft.currency != programme.programme.currency:
        raise InvalidInput(
            "purchase.currency",
            path=("currencyCode",),
            value=draft.currency,
            accepted=programme.programme.currency,
        )
    if not 1 <= len(draft.lines) <= MAXIMUM_LINES:
        raise InvalidInput(
            "purchase.lines",
            path=("lines",),
            value=phrase("given.purchase_lines", number=len(draft.lines)),
            accepted=phrase("accepted.purchase_lines", maximum=MAXIMUM_LINES),
        )
    for number, line in enumerate(draft.lines):
        _check_line(line, number)
    _check_payments(draft.payment_ids)
    most = max(highest_points(amounts, programme), amounts.eligible_minor, abs(amounts.net_minor))
    if most > MAXIMUM_BALANCE:
        raise InvalidInput(
            "purchase.sum",
            path=("lines",),
            value=amounts.net_minor,
            accepted=phrase("accepted.lines_within", maximum=MAXIMUM_BALANCE),
        )


def check_sent(external_id: str, occurred_at: Instant, *, now: Instant) -> None:
    """Raise InvalidInput for an id or an instant that nothing which tills send may have."""
    _check_text(external_id, ("externalId",), MAXIMUM_ID_LENGTH)
    _check_instant(occurred_at, now)


def check_returned_after(returned_at: Instant, bought_at: Instant) -> None:
    """Raise InvalidInput for a return that lies before its purchase, clocks set apart."""
    if returned_at < bought_at - CLOCK_TOLERANCE_SECONDS * clock.MICROSECONDS_PER_SECOND:
        raise InvalidInput(
            "return.before_purchase",
            path=("occurredAt",),
            value=clock.datetime_of(returned_at).isoformat(),
            accepted=phrase("accepted.or_later", instant=clock.datetime_of(bought_at).isoformat()),
        )


def _check_instant(occurred_at: Instant, now: Instant) -> None:
    latest = now + CLOCK_TOLERANCE_SECONDS * clock.MICROSECONDS_PER_SECOND
    if not EARLIEST <= occurred_at <= latest:
        raise InvalidInput(
            "purchase.future" if occurred_at > latest else "purchase.past",
            path=("occurredAt",),
            value=clock.datetime_of(occurred_at).isoformat(),
            accepted=phrase(
                "accepted.range",
                minimum=clock.datetime_of(EARLIEST).isoformat(),
                maximum=clock.datetime_of(now).isoformat(),
            ),
        )


def _check_text(text: str, path: Path, maximum: int) -> None:
    if not _is_text(text, maximum):
        raise InvalidInput(
            "input.text",
            path=path,
            value=text,
            accepted=phrase("accepted.printable", minimum=1, maximum=maximum),
        )


def _is_text(text: str, maximum: int) -> bool:
    return 1 <= len(text) <= maximum and text.isprintable()


def _check_payments(payment_ids: Sequence[int]) -> None:
    if len(payment_ids) > MAXIMUM_PAYMENTS:
        raise InvalidInput(
            "purchase.payments",
            path=("paymentIds",),
            value=phrase("given.payments", number=len(payment_ids)),
            accepted=phrase("accepted.payments", maximum=MAXIMUM_PAYMENTS),
        )
    for place, payment_id in enumerate(payment_ids):
        if payment_id in payment_ids[:place]:
            raise InvalidInput(
                "purchase.payment_twice",
                path=("paymentIds", place),
                accepted=phrase("accepted.payments_once"),
            )


def _check_line(line: Line, number: int) -> None:
    product, department = line.product_id, line.department
    category, kind = line.product_category, line.product_type
    if (  # in one go, for there are thousands of lines a second
        0 <= line.quantity <= MAXIMUM_QUANTITY
        and 0 <= line.sales_minor <= MAXIMUM_LINE_MINOR
        and 0 <= line.coupon_minor <= MAXIMUM_LINE_MINOR
        and 1 <= len(product) <= MAXIMUM_ID_LENGTH
        and product.isprintable()
        and (department is None or _is_label(department))
        and (category is None or _is_label(category))
        and (kind is None or _is_label(kind))
    ):
        return
    _refuse_line(line, number)


@lru_cache(maxsize=1024)  # shops have few, and buy of them all day
def _is_label(text: str) -> bool:
    return _is_text(text, MAXIMUM_TEXT_LENGTH)


def _refuse_line(line: Line, number: int) -> None:
    if not 0 <= line.quantity <= MAXIMUM_QUANTITY:
        _refuse_number(number, "quantity", line.quantity, MAXIMUM_QUANTITY)
    if not 0 <= line.sales_minor <= MAXIMUM_LINE_MINOR:
        _refuse_number(number, "salesMinor", line.sales_minor, MAXIMUM_LINE_MINOR)
    if not 0 <= line.coupon_minor <= MAXIMUM_LINE_MINOR:
        _refuse_number(number, "couponMinor", line.coupon_minor, MAXIMUM_LINE_MINOR)
    if not _is_text(line.product_id, MAXIMUM_ID_LENGTH):
        _check_text(line.product_id, ("lines", number, "productId"), MAXIMUM_ID_LENGTH)
    for name, text in (
        ("department", line.department),
        ("productCategory", line.product_category),
        ("productType", line.product_type),
    ):
        if text is not None and not _is_text(text, MAXIMUM_TEXT_LENGTH):
            _check_text(text, ("lines", number, name), MAXIMUM_TEXT_LENGTH)


def _refuse_number(line: int, name: str, value: int, maximum: int) -> None:
    raise InvalidInput(
        "input.range",
        path=("lines", line, name),
        value=value,
        accepted=phrase("accepted.whole_number", minimum=0, maximum=maximum),
    )
