"""What each kind of discount gives on the lines that it is for, to the cent."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from server.money import (
    BASIS_POINTS_PER_UNIT,
    PERCENT_PER_UNIT,
    floor_basis_points,
    floor_share,
    split_in_proportion,
)
from server.offers.documents import (
    Amount,
    BonusPoints,
    BuyGet,
    Cashback,
    FixedPrice,
    FreeShipping,
    Gift,
    Percent,
    PointsMultiplier,
)
from server.offers.viewing import NO_LINES, Lines, View
from server.programme.document import PointsRate

Shares = Sequence[tuple[int, int]]
"""Amounts above 0, each with the number of its line in the view."""


class Taken(Struct, frozen=True):
    """What comes off the lines, and how many times over."""

    amount_minor: int
    shares: Shares
    times: int = 1


NOTHING = Taken(0, ())
MONEY = (Percent, Amount, FixedPrice, BuyGet)
"""The discounts that lower what lines cost. They come before all others, which go by what is to be
paid in the end."""


BY_SPEND = (PointsMultiplier, Cashback)
"""The discounts that go by what is to be paid for lines that earn."""


class Given(Struct, frozen=True):
    """What an offer gives besides, once it is known what is to be paid."""

    shipping_minor: int = 0
    points: int = 0
    cashback_minor: int = 0
    on: Lines = NO_LINES  # that points or cashback fall on
    gift: Gift | None = None


def taken(
    discount: Any, lines: Sequence[int], others: Lines, left_minor: Sequence[int], view: View
) -> Taken:
    """What a discount of MONEY takes off the lines with these numbers, of which so much is left.

    `others` are the lines that the cheaper units of buy-and-get come from.
    """
    if isinstance(discount, Percent):
        worth = sum([left_minor[number] for number in lines])
        amount = floor_basis_points(worth, discount.rate_bps)
        return _split(_at_most(amount, discount.maximum_minor), lines, left_minor)
    if isinstance(discount, BuyGet):
        return _bought_and_got(discount, lines, others, left_minor, view)
    if isinstance(discount, FixedPrice):
        return _each(
            lines,
            [
                left_minor[number] - discount.price_minor * view.quantities[number]
                if view.quantities[number]  # a line without units has no price for one
                else 0
                for number in lines
            ],
        )
    assert isinstance(discount, Amount)
    if discount.per == "unit":
        off = discount.amount_minor
        return _each(
            lines, [min(off * view.quantities[number], left_minor[number]) for number in lines]
        )
    worth = sum([left_minor[number] for number in lines])
    return _split(min(discount.amount_minor, worth), lines, left_minor)


def cut(found: Taken, most_minor: int) -> Taken:
    """The same, but at most so much in all: each line gives in proportion to what it gave."""
    if found.amount_minor <= most_minor:
        return found
    parts = split_in_proportion(most_minor, [amount for _, amount in found.shares])
    shares = [(number, part) for (number, _), part in zip(found.shares, parts, strict=True) if part]
    return Taken(most_minor, shares, found.times)


def given(
    discount: Any,
    lines: Lines,
    left_minor: Sequence[int],
    *,
    earning_minor: int,
    shipping_minor: int,
    rate: PointsRate,
    view: View,
) -> Given:
    """What a discount that is not of MONEY gives, where so much of each line, of all lines that
    earn and of shipping is to be paid. `rate` is that of base points."""
    if isinstance(discount, BY_SPEND):
        eligible = lines & view.earning
        numbers = view.numbers(eligible)
        # lines that cost less than nothing are taken off, as the programme does for base points
        owed = sum([view.nets[one] for one in view.numbers(eligible & view.negative)])
        spend = max(0, min(sum([left_minor[one] for one in numbers]) + owed, earning_minor))
        if isinstance(discount, Cashback):
            amount = floor_basis_points(spend, discount.rate_bps)
            amount = _at_most(amount, discount.maximum_minor)
            return Given(cashback_minor=amount, on=eligible)
        base = floor_share(spend, rate.points, rate.per_minor)
        more = floor_share(base, discount.percent - PERCENT_PER_UNIT, PERCENT_PER_UNIT)
        return Given(points=more, on=eligible)
    if isinstance(discount, FreeShipping):
        return Given(shipping_minor=_at_most(shipping_minor, discount.maximum_minor))
    if isinstance(discount, BonusPoints):
        return Given(points=discount.points, on=lines)
    if isinstance(discount, Gift):
        return Given(gift=discount)
    return Given()  # the till has given it


def shares_of(found: Given, amount: int, left_minor: Sequence[int], view: View) -> Shares:
    """Points or cashback on the lines that they fall on: in proportion to what is to be paid for
    each; where that is nothing, to what they cost; where that is nothing as well, alike."""
    if not amount:
        return ()
    numbers = view.numbers(found.on)
    weights = [left_minor[one] for one in numbers]
    if not any(weights):
        weights = [view.open_minor[one] for one in numbers]
    if not any(weights):
        weights = [1] * len(numbers)
    parts = split_in_proportion(amount, weights)
    return [(number, part) for number, part in zip(numbers, parts, strict=True) if part]


def _at_most(amount: int, maximum: int | None) -> int:
    return amount if maximum is None else min(amount, maximum)


def _split(
    amount: int, lines: Sequence[int], left_minor: Sequence[int] | Mapping[int, int]
) -> Taken:
    if not amount:
        return NOTHING
    parts = split_in_proportion(amount, [left_minor[number] for number in lines])
    return Taken(
        amount, [(number, part) for number, part in zip(lines, parts, strict=True) if part]
    )


def _each(lines: Sequence[int], amounts: Sequence[int]) -> Taken:
    shares = [(number, amount) for number, amount in zip(lines, amounts, strict=True) if amount > 0]
    return Taken(sum([amount for _, amount in shares]), shares) if shares else NOTHING


class Missing(Struct, frozen=True):
    """How many more units buy-and-get needs; of the goods to get, or of those to buy."""

    units: int
    is_to_get: bool


def missing_units(discount: BuyGet, lines: Lines, others: Lines, view: View) -> Missing | None:
    """What a basket lacks to buy and get once; None if it lacks nothing."""
    both = lines & others
    bought, got, shared = view.units(lines), view.units(others), view.units(both)
    if bought < discount.buy:
        # where units can serve for either, those to get are missing as well
        either = discount.buy + discount.get - (bought + got - shared)
        return Missing(max(discount.buy - bought, either if lines == others else 0), False)
    if got < discount.get:
        return Missing(discount.get - got, True)
    short = discount.buy + discount.get - (bought + got - shared)
    return Missing(short, False) if short > 0 else None


def _bought_and_got(
    discount: BuyGet,
    lines: Sequence[int],
    others: Lines,
    left_minor: Sequence[int],
    view: View,
) -> Taken:
    """The cheapest units to get cost less: as many as leave enough units to be bought."""
    buying, getting = frozenset(lines), view.numbers(others)
    quantities = view.quantities
    bought = sum([quantities[number] for number in lines])
    got = sum([quantities[number] for number in getting])
    shared = sum([quantities[number] for number in getting if number in buying])
    times = min(
        bought // discount.buy,
        got // discount.get,
        (bought + got - shared) // (discount.buy + discount.get),
    )
    if discount.maximum_times is not None:
        times = min(times, discount.maximum_times)
    if not times:
        return NOTHING
    from_shared = shared - max(0, times * discount.buy - (bought - shared))
    worth: dict[int, int] = {}
    units = times * discount.get
    for price, number, count in _units(getting, left_minor, quantities):
        most = min(units, count, from_shared) if number in buying else min(units, count)
        units -= most
        if number in buying:
            from_shared -= most
        worth[number] = worth.get(number, 0) + price * most
    free = sum(worth.values())
    amount = floor_share(free, discount.rate_bps, BASIS_POINTS_PER_UNIT)
    numbers = sorted(worth)
    found = _split(amount, numbers, worth)
    return Taken(found.amount_minor, found.shares, times)


def _units(
    lines: Sequence[int], left_minor: Sequence[int], quantities: Sequence[int]
) -> list[tuple[int, int, int]]:
    """(price, line, how many of them) of the units, the cheapest first. A line's amount is split
    over its units evenly, so that their prices differ by one at most."""
    found = []
    for number in lines:
        quantity = quantities[number]
        if quantity:
            price, dearer = divmod(left_minor[number], quantity)
            found.append((price, number, quantity - dearer))
            if dearer:
                found.append((price + 1, number, dearer))
    found.sort()
    return found
