"""What a return is, and what it did, as data: answered to the till and kept for ever."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from server.clock import Instant
from server.ledger.service import Undone
from server.purchases.outcomes import EarnedRule
from server.purchases.reversal import LineReturn
from server.purchases.stored import PurchaseReference


class ReturnDraft(msgspec.Struct, frozen=True):
    """A return as a till sends it; no lines are everything that is left."""

    external_id: str
    purchase: PurchaseReference
    occurred_at: Instant
    lines: tuple[LineReturn, ...] | None = None


class Refund(msgspec.Struct, frozen=True):
    """What goes back for the returned goods, in minor units: their net, of which a part came back
    as the value that had paid for it. The rest is money."""

    net_minor: int
    points_minor: int
    cashback_minor: int
    voucher_minor: int

    @property
    def money_minor(self) -> int:
        """What the till pays out; below 0 if only what had lowered the price came back."""
        return self.net_minor - self.points_minor - self.cashback_minor - self.voucher_minor


class ReversedPoints(msgspec.Struct, frozen=True):
    """Points that one rule gave and that are undone; below 0 for a TIER that took points away."""

    rule: EarnedRule
    points: int
    challenge: str | None = None
    offer: str | None = None


class WithdrawnChallenge(msgspec.Struct, frozen=True):
    """A completed challenge, or a streak of it, that no longer holds."""

    challenge: str
    is_streak: bool
    period_start: Instant
    points: int  # of its reward that were undone


class RestoredValue(msgspec.Struct, frozen=True):
    """Value that had paid for the goods and is the member's again; points or minor units."""

    points: int = 0
    points_with_grace: int = 0  # of them: their own expiry had passed, so they got a new one
    cashback_minor: int = 0
    voucher_minor: int = 0


class ReturnedLine(msgspec.Struct, frozen=True):
    """What of one line came back with one return."""

    number: int
    quantity: int
    amount_minor: int


class ReturnedPurchase(msgspec.Struct, frozen=True):
    """What a return did, as it was first answered. Money is in minor units of `currency`, of which
    a major unit has 10**`digits`."""

    return_id: int
    external_id: str
    purchase_id: int
    member_id: int
    currency: str
    digits: int
    lines: tuple[ReturnedLine, ...]
    refund: Refund
    reversed: tuple[ReversedPoints, ...]
    points_taken: Undone
    cashback_taken: Undone
    restored: RestoredValue
    tier_before: str
    tier_after: str
    withdrawn: tuple[WithdrawnChallenge, ...]
    points_available_after: int = 0
    cashback_available_after_minor: int = 0
    referral_taken: Undone = Undone()  # of a referral's rewards, from both and in all assets

    def event_facts(self, partner: str) -> dict[str, Any]:
        """What the event says that goods came back: the points and the cashback that are undone,
        and the money that the till pays out."""
        return {
            "purchase_id": self.purchase_id,
            "return_id": self.return_id,
            "external_id": self.external_id,
            "partner": partner,
            "points": self.points_taken.amount,
            "cashback_minor": self.cashback_taken.amount,
            "refund_minor": self.refund.money_minor,
        }


def return_hash(draft: ReturnDraft, purchase_id: int) -> str:
    """SHA-256, in hexadecimal, of what is returned: equal for a repetition, and only for one,
    whichever way the purchase and in whichever order the lines were named."""
    lines: Sequence[LineReturn] | None = draft.lines
    if lines is not None:
        lines = sorted(lines, key=lambda line: line.number)
    content = (draft.external_id, purchase_id, draft.occurred_at, lines)
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def encoded_return(outcome: ReturnedPurchase) -> str:
    """The outcome as it is stored."""
    return msgspec.json.encode(outcome).decode()


def decoded_return(outcome: str) -> ReturnedPurchase:
    """The stored outcome of a return."""
    return msgspec.json.decode(outcome, type=ReturnedPurchase)
