"""What a purchase did, as data: answered to the till and kept for ever."""

from enum import StrEnum

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


class EarnedPoints(msgspec.Struct, frozen=True):
    """Points that one rule gave; `challenge` names the challenge of a CHALLENGE or STREAK."""

    rule: EarnedRule
    points: int
    challenge: str | None
    available_at: Instant
    expires_at: Instant


class CashbackAccrued(msgspec.Struct, frozen=True):
    """Cashback of one purchase, in minor units."""

    accrued_minor: int
    capped_minor: int
    available_at: Instant


class RecordedPurchase(msgspec.Struct, frozen=True, tag="recorded"):
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


class Submission(msgspec.Struct, frozen=True):
    """A purchase and whether to enrol its member if the external id is unknown."""

    draft: Draft
    enrol_if_unknown: bool


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
