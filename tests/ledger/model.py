"""The ledger as a few lists in memory: what the real one has to agree with."""

from dataclasses import dataclass, field

from server.clock import Instant
from server.ledger.rules import MAXIMUM_BALANCE


class TooLittle(Exception):
    """Less is available than was to be spent."""


class TooMuch(Exception):
    """The account can't hold so much."""


@dataclass
class ModelLot:
    """One grant."""

    sequence: int
    left: int
    available_at: Instant
    expires_at: Instant


@dataclass
class ModelLine:
    """One line of the journal; `amount` is negative for what left the account."""

    sequence: int
    amount: int
    balance_after: int
    reason: str
    occurred_at: Instant
    lot: ModelLot


@dataclass
class ModelAccount:
    """One member's account in one asset."""

    lots: list[ModelLot] = field(default_factory=list)
    lines: list[ModelLine] = field(default_factory=list)

    @property
    def balance(self) -> int:
        """Pending and available, as booked."""
        return self.lines[-1].balance_after if self.lines else 0

    def total(self, *reasons: str) -> int:
        """How much was posted for the reasons."""
        return sum(abs(line.amount) for line in self.lines if line.reason in reasons)

    def book(self, now: Instant) -> None:
        """Post what has expired, first expired first."""
        due = [lot for lot in self.lots if lot.left and lot.expires_at <= now]
        for lot in sorted(due, key=lambda lot: (lot.expires_at, lot.sequence)):
            self._post(-lot.left, "expiry", lot.expires_at, lot)

    def grant(
        self, amount: int, *, earned_at: Instant, available_at: Instant, expires_at: Instant
    ) -> None:
        """Make a lot. Raises TooMuch."""
        if amount == 0:
            return
        if self.balance + amount > MAXIMUM_BALANCE:
            raise TooMuch
        lot = ModelLot(len(self.lines) + 1, 0, available_at, expires_at)
        self.lots.append(lot)
        self._post(amount, "purchase", earned_at, lot)

    def spend(self, amount: int, now: Instant) -> int:
        """Take from the lots; what is available afterwards. Raises TooLittle."""
        usable = [lot for lot in self.lots if lot.available_at <= now < lot.expires_at]
        available = sum(lot.left for lot in usable)
        if available < amount:
            raise TooLittle
        missing = amount
        for lot in sorted(usable, key=lambda lot: (lot.expires_at, lot.sequence)):
            taken = min(lot.left, missing)
            if taken:
                self._post(-taken, "redemption", now, lot)
            missing -= taken
        return available - amount

    def _post(self, amount: int, reason: str, at: Instant, lot: ModelLot) -> None:
        lot.left += amount
        line = ModelLine(len(self.lines) + 1, amount, self.balance + amount, reason, at, lot)
        self.lines.append(line)

    def unbooked(self, now: Instant) -> int:
        """What has expired and was not posted yet."""
        return sum(lot.left for lot in self.lots if lot.expires_at <= now)

    def now(self, now: Instant) -> tuple[int, int]:
        """(available, pending) from what is left of the lots."""
        alive = [lot for lot in self.lots if now < lot.expires_at]
        available = sum(lot.left for lot in alive if lot.available_at <= now)
        return available, sum(lot.left for lot in alive) - available

    def as_of(self, at: Instant) -> tuple[int, int]:
        """(available, pending) at any instant, from what counted by then."""
        available = pending = 0
        for line in self.lines:
            if line.occurred_at <= at < line.lot.expires_at and line.reason != "expiry":
                if line.lot.available_at <= at:
                    available += line.amount
                else:
                    pending += line.amount
        return available, pending

    def statement(self, now: Instant) -> list[tuple[int, int, int, str, Instant]]:
        """All lines, newest first: sequence, amount, balance after, reason, instant."""
        lines = [
            (line.sequence, line.amount, line.balance_after, line.reason, line.occurred_at)
            for line in self.lines
        ]
        balance = self.balance
        due = [lot for lot in self.lots if lot.left and lot.expires_at <= now]
        for lot in sorted(due, key=lambda lot: (lot.expires_at, lot.sequence)):
            balance -= lot.left
            lines.append((len(lines) + 1, -lot.left, balance, "expiry", lot.expires_at))
        return lines[::-1]

    def edges(self) -> list[Instant]:
        """The instants at which something changes."""
        instants = {line.occurred_at for line in self.lines}
        instants |= {lot.available_at for lot in self.lots} | {lot.expires_at for lot in self.lots}
        return sorted(instants)
