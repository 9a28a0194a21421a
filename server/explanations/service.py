"""The verbs of explanations: read only, exact at any instant."""

from collections.abc import Iterable

import msgspec

from server.clock import Instant
from server.explanations import models, rules
from server.explanations.rules import ExplainedLot, LotState, Movement
from server.ledger import service as ledger
from server.storage import sql

__all__ = ["BalanceExplanation", "ExplainedLot", "LotState", "Movement", "balances", "lots"]

_NEWEST = 2**31 - 1


class BalanceExplanation(msgspec.Struct, frozen=True):
    """A balance at an instant."""

    member_id: int
    asset: str
    at: Instant
    balance: ledger.Balance


async def balances(
    member_ids: Iterable[int], asset: str, at: Instant
) -> dict[int, BalanceExplanation]:
    """What each member had, could use, and owed at the instant, past or future: in the future what
    is there now and neither used nor added to. One statement."""
    found = await ledger.balances_at(member_ids, asset, at)
    return {id_: BalanceExplanation(id_, asset, at, balance) for id_, balance in found.items()}


async def lots(
    member_ids: Iterable[int], asset: str, at: Instant, *, before: int | None, limit: int
) -> dict[int, list[ExplainedLot]]:
    """Each member's newest `limit` lots granted by the instant, or those before number `before`,
    newest first; two statements."""
    explained: dict[int, list[ExplainedLot]] = {member_id: [] for member_id in member_ids}
    below = _NEWEST if before is None else min(before, _NEWEST)
    pages = await models.lot_pages(explained, asset, at, before=below, limit=limit)
    if not pages:
        return explained
    postings: dict[int, list[sql.Row]] = {row[2]: [] for row in pages}
    accounts, oldest = {row[1] for row in pages}, min(row[3] for row in pages)
    for row in await models.movements(accounts, postings, at, since=oldest):
        postings[row[0]].append(row)
    for member_id, *lot in sorted(pages, key=lambda row: -row[3]):
        explained[member_id].append(rules.explained(lot, postings[lot[1]], at))
    return explained
