"""The verbs of explanations: read only, exact at any instant."""

import msgspec

from server.clock import Instant
from server.explanations import models, rules
from server.explanations.rules import ExplainedLot, LotState, Movement
from server.ledger import service as ledger
from server.storage import sql

__all__ = ["BalanceExplanation", "ExplainedLot", "LotState", "Movement", "balance", "lots"]

_NEWEST = 2**31 - 1


class BalanceExplanation(msgspec.Struct, frozen=True):
    """A balance at an instant."""

    member_id: int
    asset: str
    at: Instant
    balance: ledger.Balance


async def balance(member_id: int, asset: str, at: Instant) -> BalanceExplanation:
    """What the member had, could use, and owed at the instant, past or future: in the future what
    is there now and neither used nor added to."""
    return BalanceExplanation(member_id, asset, at, await ledger.balance_at(member_id, asset, at))


async def lots(
    member_id: int, asset: str, at: Instant, *, before: int | None, limit: int
) -> list[ExplainedLot]:
    """The newest `limit` lots granted by the instant, or those before number `before`, newest
    first; two statements."""
    page = await models.lot_page(
        member_id, asset, at, before=_NEWEST if before is None else before, limit=limit
    )
    if not page:
        return []
    postings: dict[int, list[sql.Row]] = {row[1]: [] for row in page}
    oldest = min(row[2] for row in page)
    for row in await models.movements(page[0][0], postings, at, since=oldest):
        postings[row[0]].append(row)
    return [rules.explained(lot, postings[lot[1]], at) for lot in page]
