"""The ledger's arithmetic: what is available, what is spent first, and the journal's hash chain."""

import hashlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from server.clock import NEVER, Instant

GENESIS_HASH = "0" * 64
"""What the first posting of an account is chained to."""

MAXIMUM_BALANCE = 2**31 - 1
"""The most points or minor units that a member's account may hold: what GraphQL's Int can show."""


class Side(StrEnum):
    """The accounts that a posting moves value between."""

    MEMBER = "member"  # what the member has, lot by lot
    HELD = "held"  # what of it is reserved
    OWED = "owed"  # below 0 by what the member owes
    ISSUED = "issued"  # granted by the programme
    REDEEMED = "redeemed"  # exchanged for a reward or taken off a basket
    EXPIRED = "expired"  # lapsed unused (breakage)
    REVERSED = "reversed"  # taken back because a purchase was returned
    ADJUSTED = "adjusted"  # given or taken by staff
    OPENED = "opened"  # brought along from another system
    TRANSFERRED = "transferred"  # on its way between two members
    PAID_OUT = "paid_out"  # paid to the member in money


OWN_SIDES = frozenset({Side.MEMBER, Side.HELD, Side.OWED})
"""The sides that are the member's; a posting between two of them changes no one's net worth."""


class Reason(StrEnum):
    """Why a posting was made."""

    __hash__ = str.__hash__  # an enum's own is written in Python

    PURCHASE = "purchase"  # earned on a purchase: base, tier and category points
    WELCOME = "welcome"  # given at enrolment
    CHALLENGE = "challenge"  # given for a completed challenge
    STREAK = "streak"  # given for challenges completed in a row
    CASHBACK = "cashback"  # money accrued on a purchase
    OFFER = "offer"  # points or money that an offer adds to a purchase
    REFERRAL = "referral"  # for bringing a friend, or for being brought
    ACTION = "action"  # for a review, a survey and the like
    REDEMPTION = "redemption"  # exchanged for a voucher
    ORDER = "order"  # exchanged for something in the rewards catalogue
    PAYMENT = "payment"  # taken off a basket
    EXPIRY = "expiry"  # lapsed unused
    RETURN = "return"  # a grant undone, taken from the lot that it made
    RECALL = "recall"  # a grant undone whose value had been used: taken from elsewhere
    RESTORED = "restored"  # given back, because what it had bought was undone
    SETTLEMENT = "settlement"  # what came in filled the hole first
    HOLD = "hold"  # reserved
    RELEASE = "release"  # no longer reserved
    GIFT_SENT = "gift_sent"  # given to another member
    GIFT_RECEIVED = "gift_received"  # given by another member
    PAYOUT = "payout"  # paid to the member in money
    ADJUSTMENT = "adjustment"  # by staff, with a stated reason
    OPENING = "opening"  # balance brought along from another system
    MERGE = "merge"  # from or to a duplicate of the member


class ReturnPolicy(StrEnum):
    """What is done about a grant that is undone after its value was used."""

    ONLY_PENDING = "only_pending"  # only what is still pending of the grant is taken back
    WITHIN_BALANCE = "within_balance"  # other lots make up for it, as far as they reach
    INTO_NEGATIVE = "into_negative"  # the rest is owed: what comes in next fills the hole first


class OpenLot(msgspec.Struct):
    """A lot as a writer sees it; most have something left."""

    id: int
    account_id: int
    sequence: int
    amount: int
    remaining: int
    available_at: Instant
    expires_at: Instant
    reason: str
    rule: str
    programme_version: int
    reference: int | None = None
    origin_id: int | None = None
    undone: int = 0
    recalled: int = 0
    let_go: int = 0

    def is_available(self, at: Instant) -> bool:
        """Whether it can be spent at the instant."""
        return self.available_at <= at < self.expires_at


class OpenPortion(msgspec.Struct):
    """What a hold still holds of one lot, or held when it expired."""

    id: int
    hold_id: int
    account_id: int
    lot_id: int
    remaining: int
    releases_at: Instant
    lot_expires_at: Instant


class Take(msgspec.Struct, frozen=True):
    """What is taken from one lot."""

    lot: OpenLot
    amount: int


class Due(msgspec.Struct, frozen=True):
    """A posting that time alone makes: a hold that expired, a hole filled by it, or an expiry."""

    debit: Side
    credit: Side
    amount: int
    lot_id: int
    reason: Reason
    reference: int | None
    occurred_at: Instant


def due(
    lots: Iterable[OpenLot], portions: Iterable[OpenPortion], *, owed: int, at: Instant
) -> list[Due]:
    """What time alone has done to an account by the instant, one thing after the other, so that
    what comes later changes no line. `lots` holds at least the open lots that are due by then and
    those of the portions that are.

    A hold that expires gives back what it held: that fills what is owed, and the rest of it lapses
    at once if its lot has lapsed meanwhile. At one instant, holds come before lots.
    """
    known = {lot.id: lot for lot in lots}
    left = {lot.id: lot.remaining for lot in known.values()}
    events: list[tuple[Instant, int, int, OpenLot | OpenPortion]] = [
        *((one.releases_at, 0, one.id, one) for one in portions if one.remaining),
        *((lot.expires_at, 1, lot.sequence, lot) for lot in known.values()),
    ]
    lines: list[Due] = []

    def add(
        debit: Side, credit: Side, amount: int, lot_id: int, why: Reason, of: int | None = None
    ) -> None:
        if amount:
            lines.append(Due(debit, credit, amount, lot_id, why, of, when))

    for when, _kind, _number, thing in sorted(events, key=lambda event: event[:3]):
        if when > at:
            break
        if isinstance(thing, OpenLot):
            add(Side.MEMBER, Side.EXPIRED, left[thing.id], thing.id, Reason.EXPIRY)
            continue
        lot_id, filled = thing.lot_id, min(owed, thing.remaining)
        owed -= filled
        rest = thing.remaining - filled
        add(Side.HELD, Side.MEMBER, thing.remaining, lot_id, Reason.RELEASE, thing.hold_id)
        add(Side.MEMBER, Side.OWED, filled, lot_id, Reason.SETTLEMENT)
        if thing.lot_expires_at > when:
            left[lot_id] += rest
        else:
            add(Side.MEMBER, Side.EXPIRED, rest, lot_id, Reason.EXPIRY)
    return lines


class Balance(msgspec.Struct, frozen=True):
    """One account at one instant, in points or minor units.

    Always `available + pending + held == granted_total - redeemed_total - expired_total -
    reversed_total + moved_total`, and `available` is below 0 while more is `owed` than there is.
    """

    available: int = 0  # less what is owed
    pending: int = 0
    held: int = 0
    owed: int = 0
    granted_total: int = 0
    redeemed_total: int = 0
    expired_total: int = 0
    reversed_total: int = 0
    moved_total: int = 0  # adjusted, opened, transferred and paid out: came less went


class OpenValue(NamedTuple):
    """What is left of a lot, and when it can be used; or what a hold holds, until it expires."""

    remaining: int
    available_at: Instant
    expires_at: Instant
    releases_at: Instant | None = None  # of a hold
    portion_id: int = 0  # of a hold: what expires first and was made first comes back first


class Totals(NamedTuple):
    """What an account has booked so far."""

    granted: int
    redeemed: int
    expired: int
    reversed: int
    moved: int
    owed: int


class ExpiringValue(msgspec.Struct, frozen=True):
    """What expires at one instant if it is not spent before."""

    expires_at: Instant
    amount: int


class Holding(msgspec.Struct, frozen=True):
    """A balance, and what of it expires when, first expiring first; what never expires is left
    out."""

    balance: Balance
    expiring: tuple[ExpiringValue, ...] = ()


class Released(NamedTuple):
    """What is free at an instant, what holds still hold, and what is owed."""

    free: list[OpenValue]
    held: int
    owed: int


def released(at: Instant, values: Iterable[OpenValue], *, owed: int) -> Released:
    """Let the holds that have expired by the instant give back what they held, as `due` does: it
    fills what is owed, the first expired first."""
    free: list[OpenValue] = []
    expired: list[tuple[Instant, int, OpenValue]] = []
    held = 0
    for value in values:
        if value.releases_at is None:
            free.append(value)
        elif at < value.releases_at:
            held += value.remaining
        else:
            expired.append((value.releases_at, value.portion_id, value))
    for _releases_at, _portion_id, value in sorted(expired):
        filled = min(owed, value.remaining)
        owed -= filled
        if filled < value.remaining:
            free.append(value._replace(remaining=value.remaining - filled))
    return Released(free, held, owed)


def holding(at: Instant, totals: Totals, *, values: Sequence[OpenValue]) -> Holding:
    """What an account with these open lots and holds has at the instant; what has lapsed by then
    counts as expired, and a hold that has expired holds nothing."""
    free, held, owed = released(at, values, owed=totals.owed)
    lots = [value[:3] for value in free]
    return holding_now(at, totals, free=lots, held=held, owed=owed).holding


class HoldingNow(NamedTuple):
    """What is held of an asset, and the first instant at which free value becomes available or
    lapses."""

    holding: Holding
    changes_at: Instant


def holding_now(
    at: Instant, totals: Totals, *, free: Iterable[Sequence[Any]], held: int, owed: int
) -> HoldingNow:
    """`holding` with what is free known: what an OpenValue begins with, up to its expiry."""
    usable = pending = lapsed = 0
    changes_at: int = NEVER
    expiring: dict[Instant, int] = {}
    for remaining, available_at, expires_at in free:
        if expires_at <= at:
            lapsed += remaining
            continue
        if expires_at in expiring:
            expiring[expires_at] += remaining
        else:
            expiring[expires_at] = remaining
        if available_at <= at:
            usable += remaining
        else:
            pending += remaining
            changes_at = min(changes_at, available_at)
    if expiring:
        changes_at = min(changes_at, *expiring)
        expiring.pop(NEVER, None)
    balance = Balance(
        available=usable - owed,
        pending=pending,
        held=held,
        owed=owed,
        granted_total=totals.granted,
        redeemed_total=totals.redeemed,
        expired_total=totals.expired + lapsed,
        reversed_total=totals.reversed,
        moved_total=totals.moved,
    )
    return HoldingNow(
        Holding(
            balance,
            tuple(ExpiringValue(moment, expiring[moment]) for moment in sorted(expiring)),
        ),
        Instant(changes_at),
    )


class Undoing(NamedTuple):
    """How a part of a grant is undone; the three add up to it."""

    from_lot: int  # still in the lot, or in those that go on with its value
    lapsed: int  # lapsed unused: nothing was gained, so there is nothing to take
    elsewhere: int  # used: to be taken from elsewhere


def undoing(
    amount: int, *, undone: int, recalled: int, takeable: int, lapsed: int, returned: int
) -> Undoing:
    """How to undo `amount` of a grant, `undone` of which was undone before.

    `takeable` is what is there of it and may be taken, `lapsed` what of it lapsed. `returned` was
    taken back from it before and `recalled` from elsewhere; for the rest of `undone`, something had
    lapsed. So whatever the order and size of the parts, what was used is taken back once.
    """
    from_lot = min(amount, takeable)
    gone = min(amount - from_lot, lapsed - (undone - returned - recalled))
    return Undoing(from_lot, gone, amount - from_lot - gone)


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
