"""The verbs of purchases: recording what tills send, exactly once, many in one commit."""

from collections.abc import Sequence

import msgspec

from server.clock import Instant
from server.errors import DomainError, InvalidInput
from server.purchases import models, rules
from server.purchases.outcomes import (
    CashbackAccrued,
    EarnedPoints,
    EarnedRule,
    RecordedBatch,
    RecordedPurchase,
    Submission,
    decoded,
)
from server.purchases.recording import Answer, Recording
from server.purchases.rules import Draft, Line

__all__ = [
    "Answer",
    "CashbackAccrued",
    "Draft",
    "EarnedPoints",
    "EarnedRule",
    "Line",
    "PurchaseMonth",
    "RecordedBatch",
    "RecordedPurchase",
    "Submission",
    "active_by_cohort",
    "check_count",
    "months",
    "outcomes",
    "record",
    "record_many",
]


async def record(submission: Submission, *, partner: str, now: Instant) -> RecordedPurchase:
    """Record one purchase. Writes; call it inside a transaction.

    The same external id with the same content is answered as the first time and changes nothing.
    Raises InvalidInput, NotFound, CardUnusable or ExternalIdConflict, with paths below it.
    """
    (answer,) = await record_many([submission], partner=partner, now=now)
    if isinstance(answer, DomainError):
        raise answer
    return answer


async def record_many(
    submissions: Sequence[Submission], *, partner: str, now: Instant
) -> list[Answer]:
    """Record purchases in the order given; an answer for each, a refusal spoils no other.

    Writes; call it inside a transaction. The number of statements does not depend on the number
    of purchases. Raises InvalidInput if there are none or too many.
    """
    check_count(len(submissions))
    return await Recording(submissions, partner, now).answers()


def check_count(purchases: int) -> None:
    """Raise InvalidInput for a number of purchases that no batch may have."""
    if not 1 <= purchases <= rules.MAXIMUM_PURCHASES:
        raise InvalidInput(
            "purchase.count",
            path=("purchases",),
            value=f"{purchases} purchases",
            accepted=f"1 to {rules.MAXIMUM_PURCHASES} purchases",
        )


async def outcomes(purchase_ids: Sequence[int]) -> dict[int, RecordedPurchase]:
    """What the purchases did, as first answered, by id."""
    if not purchase_ids:
        return {}
    return {row[0]: decoded(row[1]) for row in await models.outcomes(purchase_ids)}


class PurchaseMonth(msgspec.Struct, frozen=True):
    """The purchases of one local month; money is in minor units."""

    local_month: int  # year * 100 + month
    active_members: int  # with a purchase
    repeat_members: int  # with two or more
    purchases: int
    net_minor: int  # may be negative
    eligible_minor: int


async def months(at: Instant) -> list[PurchaseMonth]:
    """Every local month with a purchase up to the instant, ascending; one statement."""
    return [PurchaseMonth(*row) for row in await models.month_rows(at)]


async def active_by_cohort(at: Instant) -> dict[tuple[int, int], int]:
    """How many of the members enrolled in one month made a purchase in another, up to the instant,
    by (month of enrolment, month of purchase), each as year * 100 + month; without zeros."""
    return {(row[0], row[1]): row[2] for row in await models.cohort_rows(at)}
