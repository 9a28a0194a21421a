"""The ledger's arithmetic: what is available, what is spent first, and the journal's hash chain."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from server.clock import NEVER, Instant

GENESIS_HASH = "0" * 64
"""What the first posting of an account is chained to."""

MAXIMUM_BALANCE = 2**31 - 1
"""The most points or minor units that a member's account may hold: what GraphQL's Int can show."""


class Side(StrEnum):
    """The accounts that a posting moves value between."""

    MEMBER = "member"  # what the member has
    ISSUED = "issued"  # granted by the programme
    REDEEMED = "redeemed"  # exchanged for a reward
    EXPIRED = "expired"  # lapsed unused (breakage)


class Reason(StrEnum):
    """Why a posting was made."""

    PURCHASE = "purchase"  # earned on a purchase: base, tier and category points
    WELCOME = "welcome"  # given at enrolment
    CHALLENGE = "challenge"  # given for a completed challenge
    STREAK = "streak"  # given for challenges completed in a row
    CASHBACK = "cashback"  # money accrued on a purchase
    REDEMPTION = "redemption"  # exchanged for a voucher
    EXPIRY = "expiry"  # lapsed unused


@dataclass(slots=True)
class OpenLot:
    """A lot with something left, as a writer sees it."""

    id: int
    sequence: int
    remaining: int
    available_at: Instant
    expires_at: Instant
    rule: str
    programme_version: int

    def is_available(self, at: Instant) -> bool:
        """Whether it can be spent at the instant."""
        return self.available_at <= at < self.expires_at


@dataclass(frozen=True, slots=True)
class Take:
    """What is taken from one lot."""

    lot: OpenLot
    amount: int


class Balance(msgspec.Struct, frozen=True):
    """One account at one instant, in points or minor units."""

    available: int = 0
    pending: int = 0
    granted_total: int = 0
    redeemed_total: int = 0
    expired_total: int = 0


class OpenValue(NamedTuple):
    """What is left of a lot, and when it can be used."""

    remaining: int
    available_at: Instant
    expires_at: Instant


class ExpiringValue(msgspec.Struct, frozen=True):
    """What expires at one instant if it is not spent before."""

    expires_at: Instant
    amount: int


class Holding(msgspec.Struct, frozen=True):
    """A balance, and what of it expires when, first expiring first; what never expires is left
    out."""

    balance: Balance
    expiring: tuple[ExpiringValue, ...] = ()


def holding(
    at: Instant,
    granted_total: int,
    redeemed_total: int,
    expired_total: int,
    *,
    lots: Sequence[OpenValue],
) -> Holding:
    """What an account with these open lots holds at the instant; expired lots count as expired."""
    usable = pending = lapsed = 0
    expiring: dict[Instant, int] = {}
    for remaining, available_at, expires_at in lots:
        if expires_at <= at:
            lapsed += remaining
            continue
        if available_at <= at:
            usable += remaining
        else:
            pending += remaining
        if expires_at != NEVER:
            expiring[expires_at] = expiring.get(expires_at, 0) + remaining
    return Holding(
        Balance(usable, pending, granted_total, redeemed_total, expired_total + lapsed),
        tuple(ExpiringValue(expires_at, expiring[expires_at]) for expires_at in sorted(expiring)),
    )


def available(lots: Iterable[OpenLot], at: Instant) -> int:
    """What can be spent at the instant."""
    return sum(lot.remaining for lot in lots if lot.is_available(at))


def takes(lots: Sequence[OpenLot], amount: int, at: Instant) -> list[Take]:
    """From which lots `amount` is spent at the instant: first expiring first, then first made.

    The caller has seen to it that enough is available.
    """
    chosen: list[Take] = []
    for lot in sorted(lots, key=lambda lot: (lot.expires_at, lot.sequence)):
        if amount == 0:
            break
        if lot.remaining and lot.is_available(at):
            taken = min(lot.remaining, amount)
            chosen.append(Take(lot, taken))
            amount -= taken
    assert amount == 0, "the caller checks what is available"
    return chosen


def chained_hash(previous: str, posting: Sequence[object]) -> str:
    """SHA-256, in hexadecimal, of the posting's fields in the order of its columns, joined by line
    feeds after the hash of the posting before it. Any later change breaks the chain from there."""
    return hashlib.sha256("\n".join((previous, *map(str, posting))).encode()).hexdigest()
