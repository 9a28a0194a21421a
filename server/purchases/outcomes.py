"""What a purchase did, as data: answered to the till and kept for ever."""

from enum import StrEnum
from typing import Any

import msgspec

from server.clock import Instant
from server.purchases.rules import Draft
from server.refusals import Refusal


class EarnedRule(StrEnum):
    """Which rule gave points."""

    BASE = "BASE"  # eligible spend at the base rate
    TIER = "TIER"  # the tier's multiplier on the base points
    CATEGORY = "CATEGORY"  # the bonus on some departments
    WELCOME = "WELCOME"  # enrolment
    CHALLENGE = "CHALLENGE"  # a completed challenge
    STREAK = "STREAK"  # a challenge completed in enough periods in a row
    OFFER = "OFFER"  # an offer of the shop


Shares = tuple[tuple[int, int], ...]
"""What falls on the lines of a basket: a line's number, from 0, and an amount above 0."""


class OfferPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one offer does for a basket: what it takes off the lines, which is a part of their
    coupons, what it gives beside what they earn anyway, and what it takes off the delivery."""

    offer: str
    version: int
    discounts_minor: Shares = ()
    points: Shares = ()
    cashback_minor: Shares = ()
    shipping_minor: int = 0

    @property
    def discount_total_minor(self) -> int:
        """What it takes off all lines."""
        return sum([amount for _number, amount in self.discounts_minor])

    @property
    def points_total(self) -> int:
        """All points that it gives."""
        return sum([amount for _number, amount in self.points])

    @property
    def cashback_total_minor(self) -> int:
        """All cashback that it gives."""
        return sum([amount for _number, amount in self.cashback_minor])


class EarnedPoints(msgspec.Struct, frozen=True, omit_defaults=True):
    """Points that one rule gave; `challenge` names the challenge of a CHALLENGE or STREAK, `offer`
    that of an OFFER."""

    rule: EarnedRule
    points: int
    challenge: str | None
    available_at: Instant
    expires_at: Instant
    offer: str | None = None


class CashbackAccrued(msgspec.Struct, frozen=True):
    """Cashback of one purchase by the programme's own rule, in minor units."""

    accrued_minor: int
    capped_minor: int
    available_at: Instant


class RecordedPurchase(msgspec.Struct, frozen=True, omit_defaults=True, tag="recorded"):
    """What a purchase did, as it was first answered. Money is in minor units of `currency`, of
    which a major unit has 10**`digits`."""

    purchase_id: int
    external_id: str
    member_id: int
    enrolled: bool
    programme_version: int
    currency: str
    digits: int
    net_minor: int
    eligible_minor: int
    points: int
    earned: tuple[EarnedPoints, ...]
    cashback: CashbackAccrued
    tier_before: str
    tier_after: str
    paid_minor: int = 0  # what value took off the basket
    offers: tuple[OfferPart, ...] = ()  # of a basket that was quoted
    referral_id: int = 0  # that it counts for; what it gave is not the purchase's own

    def event_facts(self, partner: str) -> dict[str, Any]:
        """What the event says that the purchase was recorded; cashback of offers included."""
        by_offers_minor = sum([part.cashback_total_minor for part in self.offers])
        return {
            "purchase_id": self.purchase_id,
            "external_id": self.external_id,
            "partner": partner,
            "currency": self.currency,
            "net_minor": self.net_minor,
            "eligible_minor": self.eligible_minor,
            "points": self.points,
            "cashback_minor": self.cashback.accrued_minor + by_offers_minor,
        }


class Submission(msgspec.Struct, frozen=True):
    """A purchase, whether to enrol its member if the external id is unknown, and what offers do for
    it: what they take off stands in the lines' coupons already."""

    draft: Draft
    enrol_if_unknown: bool
    offers: tuple[OfferPart, ...] = ()


class Sent(msgspec.Struct, frozen=True):
    """A submission, and the partner whose till has sent it."""

    submission: Submission
    partner: str


class RecordedBatch(msgspec.Struct, frozen=True):
    """The answers to a batch, as they are kept: a purchase's id, or why it was refused."""

    answers: tuple[int | Refusal, ...]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(RecordedPurchase)


def encoded(outcome: RecordedPurchase) -> str:
    """The outcome as it is stored."""
    return _ENCODER.encode(outcome).decode()


def decoded(outcome: str) -> RecordedPurchase:
    """The stored outcome of a purchase."""
    return _DECODER.decode(outcome)
