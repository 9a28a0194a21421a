"""Walking an account's journal from its first posting to its last, and what it adds up to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from server.audit.rules import Check, Findings
from server.clock import Instant
from server.ledger.rules import GENESIS_HASH, Reason, Side, chained_hash
from server.storage import sql

_OWN = frozenset({Side.MEMBER.value, Side.HELD.value, Side.OWED.value})
_SIDES = frozenset(side.value for side in Side)
_MEMBER, _HELD, _OWED = Side.MEMBER.value, Side.HELD.value, Side.OWED.value
_TRANSFERRED, _REVERSED = Side.TRANSFERRED.value, Side.REVERSED.value

TABLE_OF_REASON = {
    Reason.PURCHASE.value: "purchases",
    Reason.CHALLENGE.value: "purchases",
    Reason.STREAK.value: "purchases",
    Reason.CASHBACK.value: "purchases",
    Reason.OFFER.value: "purchases",
    Reason.REFERRAL.value: "referrals",
    Reason.ACTION.value: "action_completions",
    Reason.REDEMPTION.value: "vouchers",
    Reason.ORDER.value: "reward_orders",
    Reason.PAYMENT.value: "payments",
    Reason.RETURN.value: "purchase_returns",
    Reason.HOLD.value: "holds",
    Reason.RELEASE.value: "holds",
    Reason.GIFT_SENT.value: "gifts",
    Reason.GIFT_RECEIVED.value: "gifts",
    Reason.PAYOUT.value: "payouts",
    Reason.ADJUSTMENT.value: "adjustments",
    Reason.OPENING.value: "balance_import_lines",
}
"""What the postings of a reason refer to."""


@dataclass(slots=True)
class LotTally:
    """What the postings of a lot leave in it."""

    row: sql.Row  # LOT_COLUMNS
    left: int = 0
    held: int = 0
    returned: int = 0
    is_made: bool = False
    is_sound: bool = True


@dataclass(slots=True)
class Walked:
    """What the journals of a batch refer to, for the checks that follow."""

    lots: dict[int, LotTally] = field(default_factory=dict)
    references: dict[str, dict[int, sql.Row]] = field(default_factory=dict)
    """By table, the ids referred to; each with the first posting that does."""
    transfers: dict[int, sql.Row] = field(default_factory=dict)
    """The same for what went from one member to another."""
    last_recorded_at: dict[int, Instant] = field(default_factory=dict)
    """By account, when it was last written."""
    recalls: dict[int, int] = field(default_factory=dict)
    """By account, what was taken for grants that were undone after they were used."""


class Walk:
    """One account on the way; `step` takes its postings in the order of their numbers."""

    def __init__(
        self, account: sql.Row, lots: Mapping[int, LotTally], walked: Walked, found: Findings
    ) -> None:
        self._account = account  # ACCOUNT_COLUMNS
        self._lots = lots
        self._walked = walked
        self._found = found
        self._number = 0
        self._hash = GENESIS_HASH
        self._worth = 0
        self._sides: Counter[str] = Counter()
        self._is_sound = True
        self._last: sql.Row | None = None

    def step(self, posting: sql.Row) -> None:
        """Take the next posting (POSTING_COLUMNS)."""
        debit, credit, amount, lot_id = posting[4], posting[5], posting[6], posting[8]
        sides = self._sides
        sides[debit] -= amount
        sides[credit] += amount
        if (debit in _OWN) != (credit in _OWN):
            self._worth += amount if credit in _OWN else -amount
        if self._is_sound:
            self._link(posting)
        if posting[9] == Reason.RECALL and credit == _REVERSED:
            recalls = self._walked.recalls
            recalls[posting[2]] = recalls.get(posting[2], 0) + amount
        if lot_id is not None:
            self._move(posting, lot_id)
        elif _OWED not in (debit, credit):
            self._wrong_lot(posting, expected="a lot")
        if posting[12] is not None:
            self._refer(posting, posting[12])
        elif _TRANSFERRED in (debit, credit):
            row = ("postings", posting[0], posting[1])
            self._found.add(
                Check.CONSERVATION, row, "reference", expected="what moved it", found=None
            )
        self._last = posting

    def _link(self, posting: sql.Row) -> None:
        """Hold the posting against the one before it; the first wrong one is told."""
        account, row = self._account, ("postings", posting[0], self._account[1])
        self._number += 1
        hashed = chained_hash(self._hash, posting[1:-1])
        sides = (posting[4], posting[5])
        checks: tuple[tuple[str, object, object], ...] = (
            ("sequence (an earlier posting is missing)", self._number, posting[3]),
            ("hash (the posting is not what was written)", hashed, posting[15]),
            ("member_id", account[1], posting[1]),
            ("balance_after", self._worth, posting[7]),
            ("sides known", True, sides[0] in _SIDES and sides[1] in _SIDES),
            ("sides of which one is the member's", True, not _OWN.isdisjoint(sides)),
        )
        for what, expected, is_found in checks:
            if expected != is_found:
                self._found.add(Check.CHAIN, row, what, expected=expected, found=is_found)
                self._is_sound = False
                return
        if self._number > account[3]:
            self._found.add(
                Check.CHAIN,
                row,
                "sequence (a posting after the account's last)",
                expected=f"at most {account[3]}",
                found=self._number,
            )
            self._is_sound = False
        self._hash = posting[15]

    def _move(self, posting: sql.Row, lot_id: int) -> None:
        debit, credit, amount = posting[4], posting[5], posting[6]
        tally = self._lots.get(lot_id)
        if tally is None or tally.row[2] != self._account[0]:
            self._wrong_lot(posting, expected="a lot of the same account")
            return
        if not tally.is_made:
            tally.is_made = True
            self._made(posting, tally.row)
        if credit == _MEMBER:
            tally.left += amount
        elif debit == _MEMBER:
            tally.left -= amount
        if credit == _HELD:
            tally.held += amount
        elif debit == _HELD:
            tally.held -= amount
        if credit == _REVERSED and posting[9] == Reason.RETURN:
            tally.returned += amount
        if tally.is_sound and not 0 <= tally.left <= tally.row[4]:
            tally.is_sound = False
            self._found.add(
                Check.LOTS,
                ("postings", posting[0], self._account[1]),
                f"what is left in lot {lot_id} after it",
                expected=f"0 to {tally.row[4]}",
                found=tally.left,
            )

    def _made(self, posting: sql.Row, lot: sql.Row) -> None:
        """Hold a lot against the posting that granted it."""
        row = ("lots", lot[0], self._account[1])
        granted: tuple[tuple[str, object, object], ...] = (
            ("member_id", self._account[1], lot[1]),
            ("sequence", posting[3], lot[3]),
            ("side of the posting that made it", _MEMBER, posting[5]),
            ("amount", posting[6], lot[4]),
            ("earned_at", posting[13], lot[6]),
            ("reason", posting[9], lot[9]),
            ("rule", posting[10], lot[10]),
            ("programme_version", posting[11], lot[11]),
            ("reference", posting[12], lot[12]),
        )
        for what, expected, is_found in granted:
            if expected != is_found:
                self._found.add(Check.LOTS, row, what, expected=expected, found=is_found)

    def _wrong_lot(self, posting: sql.Row, *, expected: str) -> None:
        row = ("postings", posting[0], self._account[1])
        self._found.add(Check.LOTS, row, "lot_id", expected=expected, found=posting[8])

    def _refer(self, posting: sql.Row, reference: int) -> None:
        table = TABLE_OF_REASON.get(posting[9])
        if table is not None:
            self._walked.references.setdefault(table, {}).setdefault(reference, posting)
        if _TRANSFERRED in (posting[4], posting[5]):
            self._walked.transfers.setdefault(reference, posting)

    def finish(self) -> None:
        """Hold the account's row against its journal."""
        account, sides = self._account, self._sides
        row = ("ledger_accounts", account[0], account[1])
        if self._is_sound:
            self._found.same(
                Check.CHAIN,
                row,
                "last_sequence (the last posting is missing)",
                expected=self._number,
                found=account[3],
            ) and self._found.same(
                Check.CHAIN, row, "last_hash", expected=self._hash, found=account[4]
            )
        if self._last is not None:
            self._walked.last_recorded_at[account[0]] = self._last[14]
        moved = -sum(
            sides[side.value]
            for side in (Side.ADJUSTED, Side.OPENED, Side.TRANSFERRED, Side.PAID_OUT)
        )
        sums: tuple[tuple[str, int, int], ...] = (
            ("balance", self._worth, account[5]),
            ("held", sides[_HELD], account[6]),
            ("owed", -sides[_OWED], account[7]),
            ("granted_total", -sides[Side.ISSUED.value], account[8]),
            ("redeemed_total", sides[Side.REDEEMED.value], account[9]),
            ("expired_total", sides[Side.EXPIRED.value], account[10]),
            ("reversed_total", sides[_REVERSED], account[11]),
            ("moved_total", moved, account[12]),
            ("balance by its totals", account[8] - sum(account[9:12]) + account[12], account[5]),
        )
        for what, expected, is_found in sums:
            if expected != is_found:
                self._found.add(Check.ACCOUNT, row, what, expected=expected, found=is_found)
