"""The verbs of purchases: recording what tills send, exactly once, many in one commit; and undoing
it, when goods come back."""

from collections.abc import Collection, Sequence

import msgspec

from server.clock import Instant
from server.errors import DomainError, InvalidInput, phrase
from server.programme import service as programme
from server.purchases import funding, models, queries, rules
from server.purchases.foreseeing import UNKNOWN_ID, Foreseen, foresee
from server.purchases.outcomes import (
    CashbackAccrued,
    EarnedPoints,
    EarnedRule,
    OfferPart,
    RecordedBatch,
    RecordedPurchase,
    Sent,
    Submission,
    decoded,
)
from server.purchases.recording import Answer, Recording
from server.purchases.return_outcomes import (
    Refund,
    RestoredValue,
    ReturnDraft,
    ReturnedLine,
    ReturnedPurchase,
    ReversedPoints,
    WithdrawnChallenge,
    decoded_return,
)
from server.purchases.returning import take_back
from server.purchases.reversal import LineReturn, LineState
from server.purchases.rules import Draft, Line
from server.purchases.stored import (
    PurchaseReference,
    StoredPurchase,
    find,
    lines_of,
    purchases_by_id,
    purchases_of,
)
from server.storage.exchange import Companion

__all__ = [
    "UNKNOWN_ID",
    "Answer",
    "CashbackAccrued",
    "Draft",
    "EarnedPoints",
    "EarnedRule",
    "Foreseen",
    "Line",
    "LineReturn",
    "LineState",
    "OfferPart",
    "PurchaseMonth",
    "PurchaseReference",
    "PurchaseReturnView",
    "RecordedBatch",
    "RecordedPurchase",
    "Refund",
    "RestoredValue",
    "ReturnDraft",
    "ReturnedLine",
    "ReturnedPurchase",
    "ReversedPoints",
    "Sent",
    "StoredPurchase",
    "Submission",
    "WithdrawnChallenge",
    "active_by_cohort",
    "check_count",
    "find",
    "foresee",
    "lines_of",
    "months",
    "note_funding",
    "outcomes",
    "purchases_by_id",
    "purchases_of",
    "record",
    "record_many",
    "record_together",
    "returns_of",
    "take_back",
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
    sent = [Sent(submission, partner) for submission in submissions]
    answers = await Recording(sent, now).answers()
    return [answer for answer in answers if answer is not None]


async def record_together(
    sent: Sequence[Sent], *, now: Instant, companion: Companion[Answer]
) -> list[Answer | None]:
    """As `record_many`, of purchases of different partners, in the company of something else that
    says which of them are left to do; None in the place of the others."""
    return await Recording(sent, now, companion).answers()


def check_count(purchases: int) -> None:
    """Raise InvalidInput for a number of purchases that no batch may have."""
    if not 1 <= purchases <= rules.MAXIMUM_PURCHASES:
        raise InvalidInput(
            "purchase.count",
            path=("purchases",),
            value=phrase("given.purchases", number=purchases),
            accepted=phrase("accepted.purchases", maximum=rules.MAXIMUM_PURCHASES),
        )


async def note_funding(outcome: RecordedPurchase, *, occurred_at: Instant, now: Instant) -> None:
    """Note who pays for what the offers of a new purchase gave. Writes; call it inside the
    transaction that has quoted and recorded it."""
    book = programme.remembered()
    rules_then = book.numbered(outcome.programme_version).programme
    await funding.note(outcome, rules_then, occurred_at=occurred_at, now=now)


async def outcomes(purchase_ids: Sequence[int]) -> dict[int, RecordedPurchase]:
    """What the purchases did, as first answered, by id."""
    if not purchase_ids:
        return {}
    return {row[0]: decoded(row[1]) for row in await models.outcomes(purchase_ids)}


class PurchaseReturnView(msgspec.Struct, frozen=True):
    """A return, as it was first answered, and when it was."""

    outcome: ReturnedPurchase
    occurred_at: Instant
    recorded_at: Instant


async def returns_of(purchase_ids: Collection[int]) -> dict[int, list[PurchaseReturnView]]:
    """The purchases' returns by purchase, the first recorded first; those without are left out."""
    found: dict[int, list[PurchaseReturnView]] = {}
    for purchase_id, outcome, occurred_at, recorded_at in (
        await queries.returns_of(purchase_ids) if purchase_ids else ()
    ):
        view = PurchaseReturnView(decoded_return(outcome), occurred_at, recorded_at)
        found.setdefault(purchase_id, []).append(view)
    return found


class PurchaseMonth(msgspec.Struct, frozen=True):
    """The purchases of one local month; money is in minor units."""

    local_month: int  # year * 100 + month
    active_members: int  # with a purchase
    repeat_members: int  # with two or more
    purchases: int
    net_minor: int  # less returns; may be negative
    eligible_minor: int  # less returns


async def months(at: Instant) -> list[PurchaseMonth]:
    """Every local month with a purchase up to the instant, ascending; one statement."""
    return [PurchaseMonth(*row) for row in await models.month_rows(at)]


async def active_by_cohort(at: Instant) -> dict[tuple[int, int], int]:
    """How many of the members enrolled in one month made a purchase in another, up to the instant,
    by (month of enrolment, month of purchase), each as year * 100 + month; without zeros."""
    return {(row[0], row[1]): row[2] for row in await models.cohort_rows(at)}
