"""What referrals are reckoned by: doubts, caps, milestones and codes. Pure."""

import hmac
from collections.abc import Collection, Iterable
from enum import StrEnum

from msgspec import Struct

from server import codes
from server.clock import LocalDay
from server.referrals.documents import Caps, Milestone, Reaction, ReferralProgramme, Review

CODE_LENGTH = 9
CODE_BITS = CODE_LENGTH * codes.BITS_EACH
_LOW_BITS = 23
_LOW = (1 << _LOW_BITS) - 1
_HIGH = (1 << (CODE_BITS - _LOW_BITS)) - 1
_ROUNDS = 6
GOOGLE_DOMAINS = frozenset({"gmail.com", "googlemail.com"})


class ReferralState(StrEnum):
    """What has become of a referral."""

    WAITING = "waiting"  # for the friend's purchase
    HELD = "held"  # for staff to decide
    BLOCKED = "blocked"  # a doubt is enough; staff may decide otherwise
    REJECTED = "rejected"  # staff have refused it
    REWARDED = "rewarded"  # both have got what was promised
    RETURNED = "returned"  # the purchase was returned, and what was given taken back


OPEN = frozenset({ReferralState.WAITING, ReferralState.HELD, ReferralState.BLOCKED})
"""Those for which the friend's purchase is still noted."""
DECIDABLE = frozenset({ReferralState.HELD, ReferralState.BLOCKED})


class Doubt(StrEnum):
    """Why somebody should look at a referral."""

    SAME_PERSON = "same_person"
    SAME_DEVICE = "same_device"
    SAME_PAYMENT = "same_payment"
    SAME_ADDRESS = "same_address"
    SAME_HOUSEHOLD = "same_household"
    RING = "ring"
    VELOCITY = "velocity"


def state_of(doubts: Iterable[Doubt], review: Review) -> tuple[ReferralState, tuple[Doubt, ...]]:
    """What the doubts lead to, and those of them that are not allowed, in the order of `Doubt`."""
    found = set(doubts)
    reactions = {
        doubt: Reaction.REVIEW if doubt is Doubt.VELOCITY else getattr(review, doubt.value)
        for doubt in Doubt
        if doubt in found
    }
    counting = tuple(one for one, reaction in reactions.items() if reaction is not Reaction.ALLOW)
    if Reaction.BLOCK in reactions.values():
        return ReferralState.BLOCKED, counting
    return ReferralState.HELD if counting else ReferralState.WAITING, counting


def mailbox(email_key: str) -> str:
    """What all addresses of one mailbox have in common: nothing from a + on, no dots at Google."""
    local, _, domain = email_key.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in GOOGLE_DOMAINS:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"


# ---------------------------------------------------------------- what is given


class Standing(Struct):
    """For how many friends an inviter was rewarded, by local month (year * 100 + month), and the
    milestones that they have."""

    by_month: dict[int, int]
    milestones: set[int]

    @property
    def friends(self) -> int:
        """For how many friends altogether."""
        return sum(self.by_month.values())


def is_capped(standing: Standing, month: int, caps: Caps) -> bool:
    """Whether the inviter is rewarded for no more friends whose purchase is of the month."""
    by_month = standing.by_month
    year = sum(count for one, count in by_month.items() if one // 100 == month // 100)
    return any(
        cap is not None and count >= cap
        for cap, count in (
            (caps.per_month, by_month.get(month, 0)),
            (caps.per_year, year),
            (caps.total, standing.friends),
        )
    )


def reached(standing: Standing, milestones: Collection[Milestone]) -> list[Milestone]:
    """The milestones that the inviter has come to and not got, the smallest first."""
    return sorted(
        (
            one
            for one in milestones
            if one.friends <= standing.friends and one.friends not in standing.milestones
        ),
        key=lambda one: one.friends,
    )


def counts(
    terms: ReferralProgramme,
    *,
    eligible_minor: int,
    day: LocalDay,
    accepted_day: LocalDay,
    enrolled_day: LocalDay,
) -> bool:
    """Whether a purchase of the local day is one that the friend was brought for."""
    return (
        eligible_minor >= max(1, terms.minimum_purchase_minor)
        and accepted_day <= day <= enrolled_day + terms.within_days
    )


# ---------------------------------------------------------------- codes


def code_of(secret: bytes, number: int) -> str:
    """The code, without a dash, of the random part of a card's number."""
    high, low = number >> _LOW_BITS, number & _LOW
    for turn in range(0, _ROUNDS, 2):
        high ^= _mixed(secret, turn, low) & _HIGH
        low ^= _mixed(secret, turn + 1, high) & _LOW
    return codes.code_of(high << _LOW_BITS | low, length=CODE_LENGTH)


def number_of(secret: bytes, text: str) -> int | None:
    """The number that `code_of` made the code of, however it was typed; None for what is none."""
    mixed = codes.number_of(text, length=CODE_LENGTH)
    if mixed is None:
        return None
    high, low = mixed >> _LOW_BITS, mixed & _LOW
    for turn in range(_ROUNDS - 2, -1, -2):
        low ^= _mixed(secret, turn + 1, high) & _LOW
        high ^= _mixed(secret, turn, low) & _HIGH
    return high << _LOW_BITS | low


def _mixed(secret: bytes, turn: int, half: int) -> int:
    digest = hmac.digest(secret, bytes([turn]) + half.to_bytes(4, "big"), "sha256")
    return int.from_bytes(digest[:4], "big")


def shown(code: str) -> str:
    """The code as people read it: in two groups of five."""
    return f"{code[:5]}-{code[5:]}"


def rule_of(key: str, suffix: str | int = "") -> str:
    """What the ledger notes as the rule: `referral:KEY`, and for what it is besides."""
    return f"referral:{key}:{suffix}" if suffix else f"referral:{key}"
