"""The arithmetic of a return: what comes back of each line, and what is kept of what it earned.

Everything is a function of what has been returned so far, and of nothing else: the order and the
size of the parts do not matter, and a return undoes the difference. Only what lines with net spend
above 0 earn is ever taken away, so no return raises what a purchase has earned.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from server.errors import InvalidInput, Path, phrase
from server.money import floor_basis_points, floor_share
from server.programme.document import Programme
from server.purchases.outcomes import CashbackAccrued
from server.purchases.rules import Amounts, Line, PurchasePoints, earning_amounts, points_of


class LineReturn(msgspec.Struct, frozen=True):
    """What is to be returned of one line: so many units, or so much of its net, in minor units."""

    number: int  # from 0
    quantity: int | None = None
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class LineState:
    """A line as it was bought, and what of it was paid with value and returned since."""

    line: Line
    paid_minor: int = 0
    returned_quantity: int = 0
    returned_minor: int = 0

    @property
    def net_minor(self) -> int:
        """Sales less coupon; below 0 for a coupon."""
        return self.line.sales_minor - self.line.coupon_minor

    @property
    def quantity_left(self) -> int:
        """Units that can still be returned."""
        return self.line.quantity - self.returned_quantity

    @property
    def minor_left(self) -> int:
        """Of the net, what was not returned."""
        return self.net_minor - self.returned_minor

    @property
    def is_left(self) -> bool:
        """Whether anything can still be returned."""
        return bool(self.quantity_left or self.minor_left)

    @property
    def value_back_minor(self) -> int:
        """Of what was paid with value, what has come back: the exact share of what was returned,
        rounded down, and all of it at the end."""
        if self.net_minor <= 0:
            return 0
        return floor_share(self.paid_minor, self.returned_minor, self.net_minor)

    def earning_minor(self, programme: Programme) -> int:
        """What of the line earns. A line that costs nothing, or less, counts as it was bought."""
        if self.net_minor <= 0:
            return self.net_minor
        if programme.paying_with_points.earns_on_value:
            return self.minor_left
        return self.minor_left - (self.paid_minor - self.value_back_minor)


def all_returned(state: LineState) -> LineState:
    """The line when everything of it is returned."""
    return replace(state, returned_quantity=state.line.quantity, returned_minor=state.net_minor)


def with_quantity(state: LineState, quantity: int) -> LineState:
    """The line when so many more units are returned, at most those that are left.

    Rounding: units give back the exact share of the net for all units returned so far, rounded down
    to the minor unit, so all of it with the last one; beside what was returned as amounts, and at
    most what is left.
    """
    before = _of_units_minor(state, state.returned_quantity)
    after = _of_units_minor(state, state.returned_quantity + quantity)
    returned = state.returned_minor + after - before
    if state.net_minor > 0:
        returned = min(returned, state.net_minor)
    return replace(
        state,
        returned_quantity=state.returned_quantity + quantity,
        returned_minor=returned,
    )


def _of_units_minor(state: LineState, quantity: int) -> int:
    return floor_share(state.net_minor, quantity, state.line.quantity) if quantity else 0


def with_amount(state: LineState, amount_minor: int) -> LineState:
    """The line when so much more of its net is returned, at most what is left."""
    return replace(state, returned_minor=state.returned_minor + amount_minor)


def returned(
    states: Sequence[LineState], wishes: Sequence[LineReturn] | None
) -> dict[int, LineState]:
    """The lines that a return changes, by number, as they are after it; None is all that is left.

    Raises InvalidInput, with the path below the return, for what is not there (any more).
    """
    if wishes is None:
        left = {at: all_returned(state) for at, state in enumerate(states) if state.is_left}
        if not left:
            raise InvalidInput(
                "return.nothing_left", path=("lines",), accepted=phrase("accepted.nothing_more")
            )
        return left
    if not wishes:
        raise InvalidInput(
            "return.lines",
            path=("lines",),
            value=phrase("given.purchase_lines", number=0),
            accepted=phrase("accepted.purchase_lines", maximum=len(states)),
        )
    after: dict[int, LineState] = {}
    for place, wish in enumerate(wishes):
        path = ("lines", place)
        if not 0 <= wish.number < len(states) or wish.number in after:
            raise InvalidInput(
                "return.line",
                path=(*path, "number"),
                value=wish.number,
                accepted=phrase("accepted.line_numbers", maximum=len(states) - 1),
            )
        after[wish.number] = _line_returned(states[wish.number], wish, path)
    return after


def _line_returned(state: LineState, wish: LineReturn, path: Path) -> LineState:
    if (wish.quantity is None) == (wish.amount_minor is None):
        raise InvalidInput(
            "return.how_much", path=path, accepted=phrase("accepted.quantity_or_amount")
        )
    if wish.quantity is not None:
        _check_left(wish.quantity, state.quantity_left, (*path, "quantity"))
        return with_quantity(state, wish.quantity)
    assert wish.amount_minor is not None
    _check_left(wish.amount_minor, max(0, state.minor_left), (*path, "amountMinor"))
    return with_amount(state, wish.amount_minor)


def _check_left(wanted: int, left: int, path: Path) -> None:
    if not 1 <= wanted <= left:
        raise InvalidInput(
            "return.too_much",
            path=path,
            value=wanted,
            accepted=(
                phrase("accepted.range", minimum=1, maximum=left)
                if left
                else phrase("accepted.none_is_left")
            ),
        )


def amounts_left(states: Sequence[LineState], programme: Programme) -> Amounts:
    """The amounts of what is left of a basket."""
    return earning_amounts(
        [state.line for state in states],
        programme,
        [state.earning_minor(programme) for state in states],
        net_minor=sum(state.minor_left for state in states),
    )


def points_kept(amounts: Amounts, programme: Programme, tier: str) -> PurchasePoints:
    """The points of what is left, for the tier that applied to the purchase."""
    level = next(level for level in programme.tiers.levels if level.name == tier)
    return points_of(amounts, programme, level.multiplier_percent)


@dataclass(frozen=True, slots=True)
class CashbackKept:
    """What is left of a purchase's cashback, and of what the caps cut off it; minor units."""

    accrued_minor: int
    capped_minor: int


def cashback_kept(
    amounts: Amounts, programme: Programme, tier: str, *, first: CashbackAccrued
) -> CashbackKept:
    """The cashback of what is left: the caps, which cut the purchase's at first, cut it last."""
    rate_bps = programme.cashback.rate_for_tier_basis_points(tier)
    whole = first.accrued_minor + first.capped_minor
    earned = min(whole, floor_basis_points(amounts.cashback_minor, rate_bps))
    accrued = min(first.accrued_minor, earned)
    return CashbackKept(accrued, earned - accrued)
