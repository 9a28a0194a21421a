"""What may become of a payout, and how much one may be."""

from collections.abc import Mapping
from enum import StrEnum

from server.errors import InvalidInput, LimitReached, phrase
from server.payouts import errors
from server.programme.document import Payouts

MAXIMUM_TEXT_LENGTH = 200


class PayoutStatus(StrEnum):
    """What has become of a payout."""

    REQUESTED = "requested"  # its cashback is held
    APPROVED = "approved"  # the same, and the money is on its way
    REJECTED = "rejected"  # the cashback is free again
    CANCELLED = "cancelled"  # the same, as the member wished
    PAID = "paid"  # the member has the money
    FAILED = "failed"  # the money didn't arrive; the cashback is free again


NEXT: Mapping[PayoutStatus, frozenset[PayoutStatus]] = {
    PayoutStatus.REQUESTED: frozenset(
        {PayoutStatus.APPROVED, PayoutStatus.REJECTED, PayoutStatus.CANCELLED}
    ),
    PayoutStatus.APPROVED: frozenset({PayoutStatus.PAID, PayoutStatus.FAILED}),
    PayoutStatus.PAID: frozenset({PayoutStatus.FAILED}),  # the bank has sent it back
    PayoutStatus.REJECTED: frozenset(),
    PayoutStatus.CANCELLED: frozenset(),
    PayoutStatus.FAILED: frozenset(),
}
"""What each status may become."""


def check_transition(status: PayoutStatus, to: PayoutStatus) -> None:
    """Raise NotAllowed for a payout that nobody has approved yet, AlreadyDecided for one of which
    something else has become."""
    if to in NEXT[status]:
        return
    if status is PayoutStatus.REQUESTED:
        raise errors.not_approved()
    raise errors.already(status.value)


def check_amount(amount_minor: int, terms: Payouts) -> None:
    """Raise InvalidInput for less than the programme pays out."""
    if amount_minor < terms.minimum_minor:
        raise InvalidInput(
            "payout.minimum",
            path=("amountMinor",),
            value=amount_minor,
            accepted=phrase("accepted.minor_units", minimum=terms.minimum_minor),
        )


def check_daily_limit(amount_minor: int, terms: Payouts, *, counting_minor: int) -> None:
    """Raise LimitReached if the amount exceeds what the day's limit leaves besides what counts
    already."""
    left = terms.daily_limit_minor - counting_minor
    if terms.daily_limit_minor and amount_minor > left:
        raise LimitReached(
            "payout.daily_limit",
            limit=terms.daily_limit_minor,
            left=max(0, left),
            path=("amountMinor",),
        )


def check_text(text: str, name: str, *, is_shown: bool) -> None:
    """Raise InvalidInput for a text that is empty, too long or not printable; the refusal repeats
    it only if it may be shown."""
    is_said = bool(text.strip()) and text.isprintable()
    if not is_said or len(text) > MAXIMUM_TEXT_LENGTH:
        raise InvalidInput(
            "input.text",
            path=(name,),
            value=text if is_shown else None,
            accepted=phrase("accepted.printable", minimum=1, maximum=MAXIMUM_TEXT_LENGTH),
        )
