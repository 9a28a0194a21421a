"""What all checks of one batch of members look at."""

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass

from server.audit import queries
from server.audit.journals import LotTally, Walk, Walked
from server.audit.rules import Findings
from server.programme.service import Rulebook
from server.storage import sql

POSTINGS_PER_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Some members, the rules, and what their journals add up to."""

    member_ids: Collection[int]
    book: Rulebook
    accounts: Mapping[int, sql.Row]  # ACCOUNT_COLUMNS by id
    walked: Walked
    found: Findings
    joined: frozenset[int]  # those who were in a merge, as it stands or undone


async def walked(member_ids: Collection[int], book: Rulebook, found: Findings) -> Batch:
    """Walk the journals of the members' accounts."""
    accounts = {row[0]: row for row in await queries.accounts(member_ids)}
    result = Walked()
    result.lots = {row[0]: LotTally(row) for row in await queries.lots(accounts)}
    walks = {
        account_id: Walk(row, result.lots, result, found) for account_id, row in accounts.items()
    }
    async for page in _pages(accounts):
        found.posting_count += len(page)
        for posting in page:
            walks[posting[2]].step(posting)
    for walk in walks.values():
        walk.finish()
    found.member_count += len(member_ids)
    found.account_count += len(accounts)
    merges = await queries.merges(member_ids)
    joined = frozenset(member_id for merge in merges for member_id in merge)
    return Batch(member_ids, book, accounts, result, found, joined)


async def _pages(accounts: Mapping[int, sql.Row]) -> AsyncIterator[Collection[sql.Row]]:
    """All postings of the accounts, each account's in their order, so many at a time; what is read
    at once is reckoned from what the accounts say of themselves."""
    together: list[int] = []
    size = 0
    for account_id, account in accounts.items():
        if account[3] >= POSTINGS_PER_PAGE:
            async for page in _pages_of(account_id):
                yield page
            continue
        if together and size + account[3] > POSTINGS_PER_PAGE:
            yield await queries.postings(together)
            together, size = [], 0
        together.append(account_id)
        size += account[3]
    if together:
        yield await queries.postings(together)


async def _pages_of(account_id: int) -> AsyncIterator[Collection[sql.Row]]:
    last = -1
    while page := await queries.postings_after(account_id, last, POSTINGS_PER_PAGE):
        yield page
        last = page[-1][3]
