"""Explanations in words: short sentences for a member, in a language."""

from dataclasses import dataclass

from server import clock, messages
from server.clock import NEVER, Instant
from server.explanations.rules import ExplainedLot, LotState, Movement
from server.ledger.rules import Balance, Reason
from server.messages.formatting import shown_day, shown_money


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells of one asset in one language; `currency` is None for points."""

    language: str
    zone_name: str
    currency: str | None
    digits: int
    at: Instant

    def amount(self, amount: int) -> str:
        """An amount with its unit: 1,500 points, or $12.34."""
        if self.currency is None:
            return messages.text("explain.points", self.language, points=amount)
        return shown_money(amount, self.currency, digits=self.digits, language=self.language)

    def day(self, instant: Instant) -> str:
        """The programme's local day of the instant."""
        return shown_day(clock.local_day(instant, self.zone_name), self.language)

    def balance(self, balance: Balance) -> str:
        """A balance in a few sentences; what is zero and of no interest is left out."""
        parts = [self._text("available", amount=self.amount(max(0, balance.available)))]
        for key, amount in (
            ("pending", balance.pending),
            ("held", balance.held),
            ("owed", balance.owed),
        ):
            if amount:
                parts.append(self._text(key, amount=self.amount(amount)))
        return " ".join(parts)

    def lot(self, lot: ExplainedLot) -> str:
        """Where a lot came from, what is left of it, and until when."""
        parts = [
            self._text(
                "lot",
                source=self._what(lot.reason, lot.rule),
                amount=self.amount(lot.amount),
                day=self.day(lot.earned_at),
                rule=lot.rule,
                version=lot.programme_version,
            )
        ]
        if lot.state is LotState.PENDING:
            parts.append(self._text("usable", day=self.day(lot.available_at)))
        if lot.remaining != lot.amount:
            parts.append(self._text("left", amount=self.amount(lot.remaining)))
        if lot.held:
            parts.append(self._text("held", amount=self.amount(lot.held)))
        if lot.state is LotState.EXPIRED:
            parts.append(self._text("expired", day=self.day(lot.expires_at)))
        elif lot.remaining or lot.held:
            parts.append(
                self._text("never")
                if lot.expires_at == NEVER
                else self._text("expires", day=self.day(lot.expires_at))
            )
        return " ".join(parts)

    def movement(self, movement: Movement, rule: str) -> str:
        """What was done with a part of a lot."""
        return self._text(
            "movement",
            day=self.day(movement.occurred_at),
            what=self._what(movement.reason, rule),
            amount=self.amount(movement.amount),
        )

    def _what(self, reason: Reason, rule: str) -> str:
        facts: dict[str, str] = {}
        if reason in (Reason.CHALLENGE, Reason.STREAK):
            facts["title"] = messages.text(f"challenge.{rule}.title", self.language)
        return messages.text(f"statement.{reason.value}", self.language, **facts)

    def _text(self, key: str, **facts: str | int) -> str:
        # A day that is written with a full stop of its own ends a sentence with one, not two.
        return messages.text(f"explain.{key}", self.language, **facts).replace("..", ".")
