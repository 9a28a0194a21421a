"""The arithmetic of paying at the till: what points take off, what may be used, what comes back.

Two roundings, both in the programme's minor units and whole points. Money off is rounded down: the
points that do not make up a whole minor unit take off nothing. Only as many points are charged as
that money off needs, rounded up to whole points: no point is wasted on a part of a minor unit.
"""

from typing import NamedTuple

import msgspec

from server.clock import Instant
from server.errors import InsufficientCashback, InsufficientPoints, InvalidInput, NotAllowed, phrase
from server.ledger.rules import MAXIMUM_BALANCE
from server.money import BASIS_POINTS_PER_UNIT, floor_basis_points, floor_share
from server.payments import errors
from server.programme.document import Holds, PointsWorth, Programme
from server.rewards.rules import grace_expires_at

__all__ = ["grace_expires_at"]

_MICROSECONDS_PER_SECOND = 1_000_000


class Basket(msgspec.Struct, frozen=True):
    """What is to be paid for: its net sum in minor units of the currency."""

    net_minor: int
    currency: str


class Charge(NamedTuple):
    """What a payment costs the member, and what it takes off the basket."""

    amount: int  # points, or minor units
    value_minor: int


class Bounds(NamedTuple):
    """How many points may be offered for a basket, both included; none if the least is more."""

    least: int
    most: int


def check_basket(basket: Basket, *, currency: str) -> None:
    """Raise InvalidInput for a net sum that no basket has, or another currency than `currency`."""
    if not 1 <= basket.net_minor <= MAXIMUM_BALANCE:
        raise InvalidInput(
            "payment.basket",
            path=("basket", "netMinor"),
            value=basket.net_minor,
            accepted=phrase("accepted.range", minimum=1, maximum=MAXIMUM_BALANCE),
        )
    if basket.currency != currency:
        raise errors.wrong_currency(
            basket.currency, accepted=currency, path=("basket", "currencyCode")
        )


def money_off_minor(points: int, rate: PointsWorth) -> int:
    """What the points take off, rounded down to the minor unit."""
    return floor_share(points, rate.worth_minor, rate.points)


def points_needed(value_minor: int, rate: PointsWorth) -> int:
    """The fewest points that take off so much: the exact share, rounded up to whole points."""
    return -floor_share(-value_minor, rate.points, rate.worth_minor)


def offered_rate(programme: Programme) -> PointsWorth:
    """What points take off a basket. Raises NotAllowed if the programme does not offer it."""
    rate = programme.money_off_rate
    if not rate.is_offered or not programme.paying_with_points.maximum_share_basis_points:
        raise NotAllowed("payment.not_offered", path=("points",))
    return rate


def least_points(programme: Programme) -> int:
    """The fewest points that may be offered: the programme's minimum, or what takes off one minor
    unit if that is more."""
    least = programme.paying_with_points.minimum_points
    return max(least, points_needed(1, offered_rate(programme)))


def bounds(basket: Basket, programme: Programme) -> Bounds:
    """How many points may be offered for the basket.

    The most take off the maximum share of its net, rounded down to the minor unit; the points over
    that make up no whole minor unit are none too many, for they aren't charged.
    """
    rate = offered_rate(programme)
    share = programme.paying_with_points.maximum_share_basis_points
    value_minor = floor_basis_points(basket.net_minor, share)
    most = ((value_minor + 1) * rate.points - 1) // rate.worth_minor
    return Bounds(least_points(programme), min(most, MAXIMUM_BALANCE))


def points_charge(
    asked: int | None, basket: Basket, programme: Programme, *, available: int
) -> Charge:
    """What is charged for `asked` points, None for as many as the rules and `available` allow.

    Raises NotAllowed if the programme does not offer it, InvalidInput for a basket or points
    outside its rules, InsufficientPoints if less is available than is charged.
    """
    least, most = bounds(basket, programme)
    if most < least:
        raise _too_small(basket, programme, least)
    if asked is None:
        if available < least:
            raise InsufficientPoints(available=available, required=least, path=("points",))
        asked = min(available, most)
    elif not least <= asked <= most:
        raise InvalidInput(
            "payment.below_minimum" if asked < least else "payment.above_share",
            path=("points",),
            value=asked,
            accepted=phrase("accepted.range", minimum=least, maximum=most),
        )
    rate = programme.money_off_rate
    value_minor = money_off_minor(asked, rate)
    points = points_needed(value_minor, rate)
    if available < points:
        raise InsufficientPoints(available=available, required=points, path=("points",))
    return Charge(points, value_minor)


def _too_small(basket: Basket, programme: Programme, least: int) -> InvalidInput:
    """The basket's share is less than what the fewest points take off."""
    value_minor = money_off_minor(least, programme.money_off_rate)
    share = programme.paying_with_points.maximum_share_basis_points
    smallest = -(-value_minor * BASIS_POINTS_PER_UNIT // share)
    return InvalidInput(
        "payment.basket_too_small",
        path=("basket", "netMinor"),
        value=basket.net_minor,
        accepted=phrase("accepted.or_more", minimum=smallest),
    )


def checked_minor(asked: int, basket: Basket) -> int:
    """The amount of money asked for. Raises InvalidInput unless it is 1 up to the basket's net."""
    if not 1 <= asked <= basket.net_minor:
        raise InvalidInput(
            "payment.amount",
            path=("amountMinor",),
            value=asked,
            accepted=phrase("accepted.range", minimum=1, maximum=basket.net_minor),
        )
    return asked


def cashback_charge(
    asked: int | None, basket: Basket, programme: Programme, *, available: int
) -> Charge:
    """What is charged for `asked` minor units, None for as many as the basket and `available` take.

    Raises InvalidInput for an amount that the basket does not take, InsufficientCashback.
    """
    if asked is None:
        amount_minor = max(1, min(available, basket.net_minor))
    else:
        amount_minor = checked_minor(asked, basket)
    if available < amount_minor:
        raise too_little_cashback(available, amount_minor, programme)
    return Charge(amount_minor, amount_minor)


def voucher_charge(asked: int | None, basket: Basket, *, remaining_minor: int) -> int:
    """What of a voucher is used for `asked` minor units, None for as much as it has and the basket
    takes. Raises InvalidInput for more than either."""
    most = min(remaining_minor, basket.net_minor)
    if asked is None:
        return most
    if not 1 <= asked <= most:
        raise InvalidInput(
            "payment.amount",
            path=("amountMinor",),
            value=asked,
            accepted=phrase("accepted.range", minimum=1, maximum=most),
        )
    return asked


def too_little_cashback(
    available_minor: int, required_minor: int, programme: Programme
) -> InsufficientCashback:
    """The refusal of cashback that is not there, in the programme's currency."""
    identity = programme.programme
    return InsufficientCashback(
        available=available_minor,
        required=required_minor,
        currency=identity.currency,
        digits=identity.minor_unit_digits,
        path=("amountMinor",),
    )


def hold_ends_at(ttl_seconds: int | None, limits: Holds, *, now: Instant) -> Instant:
    """When a hold of so many seconds expires, None for the programme's default.

    Raises InvalidInput for less than a second or more than the programme's maximum.
    """
    ttl = limits.ttl_seconds if ttl_seconds is None else ttl_seconds
    if not 1 <= ttl <= limits.maximum_ttl_seconds:
        raise InvalidInput(
            "hold.ttl",
            path=("ttlSeconds",),
            value=ttl,
            accepted=phrase("accepted.range", minimum=1, maximum=limits.maximum_ttl_seconds),
        )
    return Instant(now + ttl * _MICROSECONDS_PER_SECOND)


def amount_back(
    value_minor: int, *, amount: int, whole_minor: int, restored_minor: int, restored_amount: int
) -> int:
    """How much of a payment's `amount` comes back with `value_minor` of the `whole_minor` that it
    took off, after `restored_minor` and `restored_amount` came back before.

    Cumulative and exact: so far it is always the proportional part rounded down, and all of it in
    the end, whatever the parts.
    """
    return floor_share(amount, restored_minor + value_minor, whole_minor) - restored_amount
