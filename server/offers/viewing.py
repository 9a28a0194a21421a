"""A basket as the offers see it: lines in an order of their own, and which of them are alike.

Lines are sorted by what they say, so that the order in which they came does not matter; of equal
lines the earlier comes first. A set of lines is an integer, with one bit for each line.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter, itemgetter
from typing import Any

from server.offers.documents import Goods
from server.offers.evaluation import Basket

Lines = int
"""A set of lines: bit n is the line n of the view."""
NO_LINES: Lines = 0
Exclusions = tuple[tuple[str, str], ...]
"""(field, value) of the lines that earn nothing in the programme."""


class View:
    """A basket's lines, sorted, with what there is to know of each."""

    __slots__ = (
        "_numbers",
        "_pickers",
        "_placed",
        "all_lines",
        "basket",
        "by_field",
        "earning",
        "negative",
        "nets",
        "open_minor",
        "places",
        "quantities",
        "total_minor",
    )

    def __init__(self, basket: Basket, exclusions: Exclusions) -> None:
        lines = basket.lines
        self.basket = basket
        self._numbers: dict[Lines, tuple[int, ...]] = {}
        self._pickers: dict[Lines, itemgetter[Any]] = {}
        self._placed: dict[Lines, tuple[int, ...]] = {}
        self.places = sorted(range(len(lines)), key=lambda place: (lines[place], place))
        ordered = [lines[place] for place in self.places]
        self.nets = [line.sales_minor - line.coupon_minor for line in ordered]
        self.open_minor = [max(0, net) for net in self.nets]  # what offers may take off
        self.quantities = [line.quantity for line in ordered]
        self.negative: Lines = sum(1 << one for one, net in enumerate(self.nets) if net < 0)
        self.total_minor = max(0, sum(self.nets))
        self.all_lines: Lines = (1 << len(lines)) - 1
        self.by_field: dict[str, dict[str, Lines]] = {}
        bits = [1 << number for number in range(len(lines))]
        for field in FIELDS:
            alike: dict[str, Lines] = {}
            for value, bit in zip(map(attrgetter(field), ordered), bits, strict=True):
                alike[value] = alike.get(value, NO_LINES) | bit
            self.by_field[field] = alike
        self.earning = self.all_lines & ~self._excluded(exclusions)

    def _excluded(self, exclusions: Exclusions) -> Lines:
        excluded = NO_LINES
        for field, equals in exclusions:
            excluded |= self.by_field[field].get(equals, NO_LINES)
        return excluded

    def numbers(self, lines: Lines) -> tuple[int, ...]:
        """The numbers of the lines of a set, ascending."""
        known = self._numbers.get(lines)
        if known is None:
            known = self._numbers[lines] = numbers_of(lines)
        return known

    def placed(self, lines: Lines) -> tuple[int, ...]:
        """Where the lines of a set stand in the basket, ascending."""
        known = self._placed.get(lines)
        if known is None:
            places = sorted([self.places[number] for number in self.numbers(lines)])
            known = self._placed[lines] = tuple(places)
        return known

    def picker(self, lines: Lines) -> "itemgetter[Any]":
        """What picks the items of these lines, one or more, from a sequence with one for each."""
        known = self._pickers.get(lines)
        if known is None:
            known = self._pickers[lines] = itemgetter(*self.numbers(lines))
        return known

    def net_minor(self, lines: Lines) -> int:
        """What the lines cost before offers, coupon lines taken off; at least 0."""
        return max(0, sum([self.nets[number] for number in self.numbers(lines)]))

    def units(self, lines: Lines) -> int:
        """How many units the lines have."""
        return sum([self.quantities[number] for number in self.numbers(lines)])

    def products(self, ids: Iterable[str]) -> Lines:
        """The lines of these products."""
        by_product = self.by_field["product_id"]
        found = NO_LINES
        for one in ids:
            found |= by_product.get(one, NO_LINES)
        return found


FIELDS = ("product_id", "product_type", "product_category", "brand", "department")
"""The fields of a line that goods are named by; those with the most values first."""


class Matcher:
    """Goods, made ready to be looked for in many baskets."""

    __slots__ = ("excluded_departments", "excluded_products", "goods", "has_exclusions", "wanted")

    def __init__(self, goods: Goods) -> None:
        self.goods = Goods(
            goods.products,
            goods.product_types,
            goods.product_categories,
            goods.departments,
            goods.brands,
            goods.excluded_products,
            goods.excluded_departments,
        )
        stated = (
            goods.products,
            goods.product_types,
            goods.product_categories,
            goods.brands,
            goods.departments,
        )
        self.wanted = tuple(
            (field, frozenset(values))
            for field, values in zip(FIELDS, stated, strict=True)
            if values
        )
        self.excluded_products = frozenset(goods.excluded_products)
        self.excluded_departments = frozenset(goods.excluded_departments)
        self.has_exclusions = bool(self.excluded_products or self.excluded_departments)

    def lines(self, view: View) -> Lines:
        """The lines that are of these goods."""
        if not self.wanted:
            return self.rest(view, view.all_lines)
        field, values = self.wanted[0]
        return self.rest(view, _any_of(view.by_field[field], values))

    def rest(self, view: View, found: Lines) -> Lines:
        """Those of the lines that are of these goods; the first list of `wanted` is not looked at
        again."""
        for field, values in self.wanted[1:]:
            found &= _any_of(view.by_field[field], values)
        if self.excluded_products:
            found &= ~_any_of(view.by_field["product_id"], self.excluded_products)
        if self.excluded_departments:
            found &= ~_any_of(view.by_field["department"], self.excluded_departments)
        return found


def _any_of(alike: Mapping[str, Lines], values: frozenset[str]) -> Lines:
    found = NO_LINES
    if len(values) < len(alike):
        for value in values:
            found |= alike.get(value, NO_LINES)
        return found
    for value, lines in alike.items():
        if value in values:
            found |= lines
    return found


def numbers_of(lines: Lines) -> tuple[int, ...]:
    """The numbers of the lines of a set, ascending."""
    numbers = []
    while lines:
        lowest = lines & -lines
        numbers.append(lowest.bit_length() - 1)
        lines ^= lowest
    return tuple(numbers)
