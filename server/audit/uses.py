"""Checking that what vouchers, orders, payments, payouts, gifts, staff and files say was posted."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from server.audit import queries
from server.audit.batches import Batch
from server.audit.rules import Check
from server.money import POINTS
from server.storage import sql

_OWN = ("member", "held", "owed")
_Posted = Mapping[int, Mapping[tuple[str, str], int]]
"""By reference: what was taken to a side of the programme's, less what came back, by asset."""

_VOUCHERS = "id, member_id, points, value_minor, status, remaining_minor"
_PAYMENTS = (
    "id, member_id, kind, asset, amount, restored_amount, hold_id, cancelled_at, value_minor,"
    " restored_minor, voucher_id"
)
_PAYOUTS = "id, member_id, hold_id, amount_minor, currency, status"
_HOLD_OF_PAYOUT = {
    "requested": (None,),
    "approved": (None,),
    "rejected": ("released",),
    "cancelled": ("released",),
    "paid": ("settled",),
    "failed": ("settled", "released"),
}


async def check_uses(batch: Batch) -> None:
    """Each use of value is what its postings say, whosever value it took; and what postings refer
    to exists."""
    of_batch = {
        table: await queries.chosen(table, columns, batch.member_ids)
        for table, columns in (
            ("vouchers", _VOUCHERS),
            ("payments", _PAYMENTS),
            ("payouts", _PAYOUTS),
            ("reward_orders", "id, member_id, points, status"),
            ("adjustments", "id, member_id, asset, amount, status"),
            ("balance_import_lines", "id, member_id, asset, amount"),
        )
    }
    of_batch["gifts"] = await queries.chosen(
        "gifts", "id, giver_id, asset, amount", batch.member_ids, by="giver_id"
    )
    references = {row[0] for rows in of_batch.values() for row in rows}
    posted, received = await _posted(references | batch.walked.transfers.keys())
    _check_conservation(batch, posted)
    await _check_vouchers(batch, of_batch["vouchers"], of_batch["payments"], posted)
    await _check_payments(batch, of_batch["payments"], posted)
    await _check_payouts(batch, of_batch["payouts"], posted)
    for gift_id, giver_id, asset, amount in of_batch["gifts"]:
        row = ("gifts", gift_id, giver_id)
        for what in ("gift_sent", "gift_received"):
            _same(batch, row, f"amount by what was posted as {what}",
                  received.get((gift_id, asset, what), 0), amount)  # fmt: skip
    for adjustment_id, member_id, asset, amount, status in of_batch["adjustments"]:
        given = -_net(posted, adjustment_id, asset, "adjusted")
        row = ("adjustments", adjustment_id, member_id)
        said = amount if status == "applied" else 0
        _same(batch, row, f"amount of what is {status}, by its postings", given, said)
    for order_id, member_id, points, status in of_batch["reward_orders"]:
        row = ("reward_orders", order_id, member_id)
        taken = _net(posted, order_id, POINTS, "redeemed")
        said = 0 if status == "cancelled" else points
        _same(batch, row, f"points of an order that is {status}, by its postings", taken, said)
    for line_id, member_id, asset, amount in of_batch["balance_import_lines"]:
        row = ("balance_import_lines", line_id, member_id)
        _same(batch, row, "amount by its postings", -_net(posted, line_id, asset, "opened"), amount)
    known = {table: {row[0] for row in rows} for table, rows in of_batch.items()}
    await _check_references(batch, known)


def _same(
    batch: Batch, row: tuple[str, int, int], what: str, expected: object, found: object
) -> None:
    batch.found.same(Check.USES, row, what, expected=expected, found=found)


async def _posted(
    references: set[int],
) -> tuple[dict[int, dict[tuple[str, str], int]], dict[tuple[int, str, str], int]]:
    """The net by reference, asset and side; and what was moved by reference, asset and reason."""
    net: dict[int, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    moved: dict[tuple[int, str, str], int] = defaultdict(int)
    for reference, asset, debit, credit, reason, amount, _first in await queries.posted(references):
        moved[reference, asset, reason] += amount
        if debit in _OWN and credit not in _OWN:
            net[reference][asset, credit] += amount
        elif credit in _OWN and debit not in _OWN:
            net[reference][asset, debit] -= amount
    return net, moved


def _net(posted: _Posted, reference: int, asset: str, side: str) -> int:
    return posted.get(reference, {}).get((asset, side), 0)


def _check_conservation(batch: Batch, posted: _Posted) -> None:
    """What left one member on its way to another has arrived: each movement nets to nothing, so all
    of them together do."""
    for reference, posting in batch.walked.transfers.items():
        for (asset, side), amount in posted.get(reference, {}).items():
            if side == "transferred" and amount:
                batch.found.add(
                    Check.CONSERVATION,
                    ("postings", posting[0], posting[1]),
                    f"{asset} under way between members, by reference {reference}",
                    expected=0,
                    found=amount,
                )


async def _check_vouchers(
    batch: Batch, rows: list[sql.Row], payments: list[sql.Row], posted: _Posted
) -> None:
    used: dict[int, int] = defaultdict(int)
    for payment in payments:
        if payment[10] is not None:
            used[payment[10]] += payment[4] - payment[5]
    unlike = {row[0] for row in rows if row[4] != "cancelled" and row[3] - used[row[0]] != row[5]}
    # Parting a merge leaves a voucher's payments with the member who made them: looked for only
    # where something seems wrong, because no index finds them.
    for voucher_id in unlike:
        found = await queries.chosen(
            "payments", "amount, restored_amount", [voucher_id], by="voucher_id"
        )
        used[voucher_id] = sum(amount - back for amount, back in found)
    for voucher_id, member_id, points, value_minor, status, remaining in rows:
        row = ("vouchers", voucher_id, member_id)
        is_cancelled = status == "cancelled"
        taken = _net(posted, voucher_id, POINTS, "redeemed")
        _same(batch, row, "points by its postings", taken, 0 if is_cancelled else points)
        left = 0 if is_cancelled else value_minor - used[voucher_id]
        _same(batch, row, "remaining_minor by its payments", left, remaining)


async def _check_payments(batch: Batch, rows: list[sql.Row], posted: _Posted) -> None:
    holds = await _holds(row[6] for row in rows)
    for payment in rows:
        row = ("payments", payment[0], payment[1])
        asset, amount, restored, hold_id = payment[3], payment[4], payment[5], payment[6]
        if payment[2] != "voucher":
            taken = _net(posted, payment[0], asset, "redeemed")
            _same(batch, row, "amount less restored_amount, by its postings", taken,
                  amount - restored)  # fmt: skip
        if payment[7] is not None:
            _same(batch, row, "restored_amount of a cancelled payment", amount, restored)
        elif payment[8] and payment[9] == payment[8]:
            what = "restored_amount of a payment whose value is all given back"
            _same(batch, row, what, amount, restored)
        if hold_id is not None:
            hold = holds.get(hold_id, (None, None))
            _same(batch, row, "hold that it settled", ("settled", amount), hold)


async def _check_payouts(batch: Batch, rows: list[sql.Row], posted: _Posted) -> None:
    holds = await _holds(row[2] for row in rows)
    for payout_id, member_id, hold_id, amount, currency, status in rows:
        row = ("payouts", payout_id, member_id)
        paid = _net(posted, payout_id, currency, "paid_out")
        _same(batch, row, f"amount paid out of a payout that is {status}, by its postings", paid,
              amount if status == "paid" else 0)  # fmt: skip
        resolution, settled = holds.get(hold_id, ("no hold", 0))
        may_be = _HOLD_OF_PAYOUT.get(status, ())
        if resolution not in may_be or settled not in (0, amount):
            batch.found.add(
                Check.USES,
                row,
                f"hold of a payout that is {status}",
                expected=" or ".join(each or "open" for each in may_be),
                found=resolution or "open",
            )


async def _holds(ids: Iterable[int | None]) -> dict[int, tuple[str | None, int]]:
    """What became of the holds, and how much of them was settled."""
    wanted = {each for each in ids if each is not None}
    rows = await queries.chosen("holds", "id, resolution, settled_amount", wanted, by="id")
    return {row[0]: (row[1], row[2]) for row in rows}


async def _check_references(batch: Batch, known: Mapping[str, set[int]]) -> None:
    """What the members' postings refer to exists, whoever's it is."""
    for table, references in batch.walked.references.items():
        unknown = references.keys() - known.get(table, set())
        if not unknown:
            continue
        lost = unknown - await queries.existing(table, unknown)
        for reference in sorted(lost):
            posting = references[reference]
            row = ("postings", posting[0], posting[1])
            _same(batch, row, f"reference to a row of {table}", "an existing row", reference)
