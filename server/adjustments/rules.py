"""What staff may give or take, and from where on it needs a second person."""

from enum import StrEnum

from server.errors import InvalidInput, phrase
from server.ledger.rules import MAXIMUM_BALANCE
from server.programme.document import Programme

MINIMUM_REASON_LENGTH = 3
MAXIMUM_REASON_LENGTH = 500


class AdjustmentStatus(StrEnum):
    """What has become of an adjustment."""

    PENDING = "pending"  # waits for a second person
    APPLIED = "applied"  # the value was given or taken
    REJECTED = "rejected"  # a second person refused it


def checked_reason(text: str, *, field: str) -> str:
    """The reason without spaces around it. Raises InvalidInput for what says nothing."""
    reason = text.strip()
    is_said = MINIMUM_REASON_LENGTH <= len(reason) <= MAXIMUM_REASON_LENGTH
    if not is_said or not reason.isprintable():
        raise InvalidInput(
            "adjustment.reason",
            path=(field,),
            value=text,
            accepted=phrase(
                "accepted.printable", minimum=MINIMUM_REASON_LENGTH, maximum=MAXIMUM_REASON_LENGTH
            ),
        )
    return reason


def checked_amount(amount: int, *, field: str) -> int:
    """The amount, in points or minor units. Raises InvalidInput for 0 and what no account holds."""
    if amount == 0 or abs(amount) > MAXIMUM_BALANCE:
        raise InvalidInput(
            "adjustment.amount",
            path=(field,),
            value=amount,
            accepted=phrase(
                "accepted.whole_number_but_0", minimum=-MAXIMUM_BALANCE, maximum=MAXIMUM_BALANCE
            ),
        )
    return amount


def may_apply_alone(amount: int, *, applied_today: int, limit: int) -> bool:
    """Whether one person may apply the amount, having applied so much for the member today.

    Gifts and takings count alike, and what comes to just the limit still passes: an adjustment
    in several parts needs a second person where the whole of it would.
    """
    return abs(amount) + applied_today <= limit


def limit_of(programme: Programme, *, is_points: bool) -> int:
    """Up to where one person decides, in points or minor units."""
    limits = programme.adjustments
    return limits.second_person_above_points if is_points else limits.second_person_above_minor
