"""Checking what offers gave for purchases: their lots, their uses, and what returns undid of both.

What is left of a share is reckoned here a second time, from the rows of the lines.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from server.audit import queries
from server.audit.rules import Check, Findings
from server.ledger.rules import Reason
from server.purchases.outcomes import OfferPart, Shares
from server.storage import sql

_USES = (
    "purchase_id, id, member_id, offer, version, status, discount_minor, points, cashback_minor,"
    " returned_discount_minor, returned_points, returned_cashback_minor"
)


async def uses_of(purchase_ids: Sequence[int]) -> Mapping[int, Sequence[sql.Row]]:
    """The uses of offers by these purchases, by purchase."""
    found: dict[int, list[sql.Row]] = {}
    if purchase_ids:
        for row in await queries.chosen("offer_uses", _USES, purchase_ids, by="purchase_id"):
            found.setdefault(row[0], []).append(row)
    return found


@dataclass(frozen=True, slots=True)
class Offered:
    """What offers gave for a purchase; `lines` are rows of baskets.LINE_COLUMNS."""

    place: tuple[str, int, int]
    parts: Sequence[OfferPart]
    lines: Sequence[sql.Row]
    lots: Sequence[sql.Row]  # id, member, reason, rule, amount, undone
    uses: Sequence[sql.Row]

    def check(self, found: Findings) -> None:
        """Hold the parts against the lines, the lots and the uses."""
        self._check_discounts(found)
        self._check_lots(found)
        self._check_uses(found)

    def _check_discounts(self, found: Findings) -> None:
        taken = [0] * len(self.lines)
        for part in self.parts:
            for number, amount in part.discounts_minor:
                taken[number] += amount
        for line, discount in zip(self.lines, taken, strict=True):
            if discount > line[9]:
                place = ("purchase_lines", line[0], self.place[2])
                found.add(
                    Check.PURCHASES, place, "coupon_minor, at least what offers took off",
                    expected=discount, found=line[9],
                )  # fmt: skip

    def _check_lots(self, found: Findings) -> None:
        expected = sorted(self._expected_lots())
        lots = sorted((x[3], x[4], x[5]) for x in self.lots if x[2] == Reason.OFFER)
        found.same(
            Check.PURCHASES,
            self.place,
            "lots of offers: offer, amount, undone",
            expected=expected,
            found=lots,
        )

    def _expected_lots(self) -> Iterator[tuple[str, int, int]]:
        for part in self.parts:
            for shares in (part.points, part.cashback_minor):
                if shares:
                    amount = sum(share for _number, share in shares)
                    yield part.offer, amount, amount - self._left(shares)

    def _check_uses(self, found: Findings) -> None:
        expected = sorted(
            (
                part.offer,
                part.version,
                *(part.discount_total_minor, part.points_total, part.cashback_total_minor),
                *(
                    sum(share for _number, share in shares) - self._left(shares)
                    for shares in (part.discounts_minor, part.points, part.cashback_minor)
                ),
            )
            for part in self.parts
        )
        found.same(
            Check.PURCHASES,
            self.place,
            "uses of offers, and what was returned of them",
            expected=expected,
            found=sorted((row[3], row[4], *row[6:12]) for row in self.uses),
        )

    def _left(self, shares: Shares) -> int:
        if all(line[7] == line[11] and line[8] - line[9] == line[12] for line in self.lines):
            return 0
        return sum(_left_of(amount, self.lines[number]) for number, amount in shares)


def _left_of(amount: int, line: sql.Row) -> int:
    units, price, units_back, price_back = line[7], line[8] - line[9], line[11], line[12]
    if price > 0:
        return int(amount * (price - price_back) // price)
    return int(amount * (units - units_back) // units) if units else amount
