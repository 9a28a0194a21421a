"""Checking purchases: what each of them earned, and what its returns have undone of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from server import clock
from server.audit import baskets, queries
from server.audit.baskets import Bought, Sums, Terms
from server.audit.batches import Batch
from server.audit.offers import Offered, uses_of
from server.audit.rules import Check, Findings
from server.ledger.rules import Reason
from server.purchases.outcomes import RecordedPurchase, decoded
from server.purchases.return_outcomes import decoded_return
from server.storage import sql

PURCHASES_PER_PAGE = 500
_COLUMNS = (
    "id, member_id, occurred_at, local_month, net_minor, eligible_minor, programme_version,"
    " outcome, paid_minor, returned_net_minor, returned_eligible_minor, currency"
)
_LOT_COLUMNS = "id, member_id, reason, rule, amount, undone, reference"
_BY_LINES = ("BASE", "TIER", "CATEGORY")
_OFFERS = '"offers":'
"""Stands in the outcome of a purchase that had offers."""


@dataclass(frozen=True, slots=True)
class _Page:
    """What belongs to some purchases, by purchase."""

    lines: Mapping[int, Sequence[sql.Row]]
    lots: Mapping[int, Sequence[sql.Row]]
    returns: Mapping[int, Sequence[sql.Row]]
    returned: Mapping[int, Mapping[int, tuple[int, int]]]  # by line: units, minor units
    value_minor: Mapping[int, tuple[int, int]]  # paid with value; of that, given back
    uses: Mapping[int, Sequence[sql.Row]]  # of offers


async def check_purchases(batch: Batch) -> dict[int, list[Bought]]:
    """Hold each purchase of the members against its lines and lots; the purchases by member, in the
    order in which they were recorded."""
    terms = {each.version: baskets.terms_of(each) for each in batch.book.ordered}
    bought: dict[int, list[Bought]] = defaultdict(list)
    rows = await queries.chosen("purchases", _COLUMNS, batch.member_ids)
    batch.found.purchase_count += len(rows)
    for start in range(0, len(rows), PURCHASES_PER_PAGE):
        some = rows[start : start + PURCHASES_PER_PAGE]
        page = await _page(batch, some)
        for row in some:
            if row[6] not in terms:
                place = ("purchases", row[0], row[1])
                batch.found.add(
                    Check.PURCHASES, place, "programme_version", expected="a published one",
                    found=row[6],
                )  # fmt: skip
                continue
            one = _Purchase(row, terms[row[6]], page, batch.found)
            bought[row[1]].append(one.checked())
    return bought


async def _page(batch: Batch, rows: Sequence[sql.Row]) -> _Page:
    ids = [row[0] for row in rows]
    lines = await queries.chosen(
        "purchase_lines", baskets.LINE_COLUMNS, ids, by="purchase_id", order="purchase_id, number"
    )
    lots = await queries.chosen("lots", _LOT_COLUMNS, ids, by="reference")
    returns = await queries.chosen(
        "purchase_returns", "id, member_id, purchase_id, net_minor, outcome", ids, by="purchase_id"
    )
    paid = await queries.chosen(
        "payments", "purchase_id, value_minor, restored_minor",
        [row[0] for row in rows if row[8]], by="purchase_id",
    )  # fmt: skip
    value: dict[int, tuple[int, int]] = {}
    for purchase_id, value_minor, restored_minor in paid:
        before = value.get(purchase_id, (0, 0))
        value[purchase_id] = (before[0] + value_minor, before[1] + restored_minor)
    return _Page(
        _grouped(lines, 1),
        _grouped(lots, 6),
        _grouped(returns, 2),
        await _check_returns(batch, returns),
        value,
        await uses_of([row[0] for row in rows if _OFFERS in row[7]]),
    )


def _grouped(rows: Iterable[sql.Row], place: int) -> dict[int, list[sql.Row]]:
    groups: dict[int, list[sql.Row]] = {}
    for row in rows:
        groups.setdefault(row[place], []).append(row)
    return groups


async def _check_returns(
    batch: Batch, returns: Sequence[sql.Row]
) -> dict[int, dict[int, tuple[int, int]]]:
    """Hold returns against their lines and what they posted; what they took of each line."""
    taken: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    if not returns:
        return taken
    ids = [row[0] for row in returns]
    lines = _grouped(
        await queries.chosen(
            "return_lines", "purchase_return_id, number, quantity, amount_minor", ids,
            by="purchase_return_id",
        ), 0,
    )  # fmt: skip
    posted: dict[tuple[int, str], int] = defaultdict(int)
    for reference, _asset, debit, credit, reason, amount, _first in await queries.posted(ids):
        if credit == "reversed":
            posted[reference, f"{reason} {debit}"] += amount
    for return_id, member_id, purchase_id, net_minor, stored in returns:
        row = ("purchase_returns", return_id, member_id)
        own = lines.get(return_id, [])
        total = sum(line[3] for line in own)
        batch.found.same(Check.PURCHASES, row, "net_minor", expected=total, found=net_minor)
        outcome = decoded_return(stored)
        parts = (outcome.points_taken, outcome.cashback_taken, outcome.referral_taken)
        for what, said in (
            ("return member", sum(part.from_lot for part in parts)),
            # What came back with the return may have been withheld for an earlier one.
            ("recall member", sum(part.from_balance for part in parts)),
            ("recall owed", sum(part.owed for part in parts)),
        ):
            taken_back = posted[return_id, what]
            if what == "recall member":
                taken_back = min(taken_back, said)
            batch.found.same(
                Check.PURCHASES, row, f"posted, {what}", expected=said, found=taken_back
            )
        for _id, number, quantity, amount_minor in own:
            before = taken[purchase_id].get(number, (0, 0))
            taken[purchase_id][number] = (before[0] + quantity, before[1] + amount_minor)
    return taken


class _Purchase:
    """One purchase; `checked` looks at all of it."""

    def __init__(self, row: sql.Row, terms: Terms, page: _Page, found: Findings) -> None:
        self._row = row
        self._terms = terms
        self._lines = page.lines.get(row[0], ())
        self._lots = page.lots.get(row[0], ())
        self._returned = page.returned.get(row[0], {})
        self._value_minor = page.value_minor.get(row[0], (0, 0))
        self._uses = page.uses.get(row[0], ())
        self._found = found
        self._outcome = decoded(row[7])
        self._day = clock.local_day(row[2], terms.zone)

    def _same(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            place = ("purchases", self._row[0], self._row[1])
            self._found.add(Check.PURCHASES, place, what, expected=expected, found=found)

    def checked(self) -> Bought:
        """Hold the purchase against everything; what is left of it."""
        row, terms, outcome = self._row, self._terms, self._outcome
        self._check_lines()
        was = baskets.sums_of(self._lines, terms, is_left=False)
        is_touched = bool(self._returned)
        left = baskets.sums_of(self._lines, terms, is_left=True) if is_touched else was
        self._same("net_minor by its lines", was.net, row[4])
        self._same("eligible_minor by its lines", was.eligible, row[5])
        self._same("returned_net_minor by its lines", was.net - left.net, row[9])
        self._same("returned_eligible_minor by its lines", was.eligible - left.eligible, row[10])
        self._same("local_month", clock.month_of(self._day), row[3])
        self._check_outcome(outcome)
        multiplier = self._multiplier(outcome.tier_before)
        if multiplier is not None:
            self._check_points(was, left, multiplier)
        accrued, capped = self._check_cashback(was, left)
        self._check_offers()
        return Bought(
            purchase_id=row[0],
            member_id=row[1],
            occurred_at=row[2],
            day=self._day,
            terms=terms,
            spend_minor=row[5] - row[10],
            eligible_minor=left.eligible,
            departments=left.departments,
            is_gone=any(line[12] for line in self._lines)
            and not (left.eligible or left.departments),
            is_touched=is_touched,
            accrued_minor=accrued,
            capped_minor=capped,
        )

    def _check_lines(self) -> None:
        for number, line in enumerate(self._lines):
            place = ("purchase_lines", line[0], self._row[1])
            units, minor = self._returned.get(line[2], (0, 0))
            if (line[2], line[11], line[12]) != (number, units, minor):
                for what, expected, found in (
                    ("number", number, line[2]),
                    ("returned_quantity by its returns", units, line[11]),
                    ("returned_minor by its returns", minor, line[12]),
                ):
                    self._found.same(Check.PURCHASES, place, what, expected=expected, found=found)
        if self._row[8] or any(line[10] for line in self._lines):
            paid, given_back = self._value_minor
            back = sum(
                line[10] * line[12] // (line[8] - line[9])
                for line in self._lines
                if line[8] > line[9]
            )
            self._same("paid_minor by its payments", paid, self._row[8])
            self._same("paid_minor by its lines", sum(x[10] for x in self._lines), self._row[8])
            self._same("value given back by its payments", back, given_back)

    def _check_outcome(self, outcome: RecordedPurchase) -> None:
        """Hold what the till was answered against the row."""
        row = self._row
        said = (outcome.purchase_id, outcome.net_minor, outcome.eligible_minor,
                outcome.programme_version, outcome.paid_minor, outcome.currency)  # fmt: skip
        stored = (row[0], row[4], row[5], row[6], row[8], row[11])
        self._same("outcome", stored, said)
        self._same("points of the outcome", sum(x.points for x in outcome.earned), outcome.points)

    def _check_offers(self) -> None:
        """Hold what offers gave against their lots and uses."""
        parts = self._outcome.offers
        if parts or any(lot[2] == Reason.OFFER for lot in self._lots):
            place = ("purchases", self._row[0], self._row[1])
            Offered(place, parts, self._lines, self._lots, self._uses).check(self._found)

    def _multiplier(self, tier: str) -> int | None:
        for level in self._terms.programme.tiers.levels:
            if level.name == tier:
                return level.multiplier_percent
        self._same("tier_before of the outcome", "a tier of its version", tier)
        return None

    def _check_points(self, was: Sums, left: Sums, multiplier: int) -> None:
        """Hold the outcome's points, and the lots that they made, against the lines."""
        expected = baskets.points_by_rule(was, self._terms, multiplier)
        said = {x.rule.value: x.points for x in self._outcome.earned if x.rule in _BY_LINES}
        self._same("points of the outcome by rule", expected, said)
        total = sum(expected.values())
        kept = sum(baskets.points_by_rule(left, self._terms, multiplier).values())
        self._check_lot(Reason.PURCHASE, total, undone=total - kept)
        rewards = Counter(
            (x.rule.value.lower(), x.challenge, x.points)
            for x in self._outcome.earned
            if x.challenge is not None and x.points
        )
        lots = Counter(
            (x[2], x[3], x[4]) for x in self._lots if x[2] in (Reason.CHALLENGE, Reason.STREAK)
        )
        if rewards != lots:
            self._same("rewards that became lots", sorted(rewards), sorted(lots))

    def _check_lot(self, reason: Reason, amount: int, *, undone: int) -> None:
        own = [lot for lot in self._lots if lot[2] == reason]
        if not own or len(own) > 1:
            self._same(f"lots of the reason {reason.value}", int(amount > 0), len(own))
            return
        [lot] = own
        place = ("lots", lot[0], lot[1])
        for what, expected, found in (
            ("amount by the purchase's lines", amount, lot[4]),
            ("undone by what is left of the purchase's lines", undone, lot[5]),
        ):
            self._found.same(Check.PURCHASES, place, what, expected=expected, found=found)

    def _check_cashback(self, was: Sums, left: Sums) -> tuple[int, int]:
        """Hold the cashback against the lines; what of it, and of what the caps cut, is left."""
        first, tier = self._outcome.cashback, self._outcome.tier_before
        whole = baskets.cashback_before_caps(was, self._terms, tier)
        self._same(
            "cashback of the outcome, accrued and capped",
            whole,
            first.accrued_minor + first.capped_minor,
        )
        remains = min(whole, baskets.cashback_before_caps(left, self._terms, tier))
        accrued = min(first.accrued_minor, remains)
        self._check_lot(Reason.CASHBACK, first.accrued_minor, undone=first.accrued_minor - accrued)
        return accrued, remains - accrued
