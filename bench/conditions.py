"""What a round is measured under: with a programme's balance row, with a network to the database.

Both are put around `server.storage.sql` for the length of a round, so that the product's code is
the same in every one.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any
from unittest import mock

from server.ledger.service import Side
from server.storage import exchange, sql

CREATE_BALANCES = (
    "CREATE TABLE programme_balances (asset VARCHAR(6) PRIMARY KEY,"
    " issued BIGINT NOT NULL, redeemed BIGINT NOT NULL)"
)
OPEN_BALANCE = sql.insert("programme_balances", "asset, issued, redeemed")
ADD_TO_BALANCE = (
    "UPDATE programme_balances SET issued = issued + $1, redeemed = redeemed + $2 WHERE asset = $3"
)
_POSTINGS = "INSERT INTO postings ("


def totals(
    statement: str, rows: Iterable[sql.Row], assets: Mapping[int, str]
) -> list[tuple[int, int, str]]:
    """(issued, redeemed, asset) that the rows of an INSERT of postings add up to, by asset.

    `assets` tells the asset of each account. Another statement adds nothing.
    """
    if not statement.startswith(_POSTINGS):
        return []
    columns = statement[len(_POSTINGS) : statement.index(")")].split(", ")
    sums: dict[str, list[int]] = {}
    for row in rows:
        posting = dict(zip(columns, row, strict=True))
        both = sums.setdefault(assets[posting["account_id"]], [0, 0])
        if posting["debit"] == Side.ISSUED.value:
            both[0] += posting["amount"]
        if posting["credit"] == Side.REDEEMED.value:
            both[1] += posting["amount"]
    return [(issued, redeemed, asset) for asset, (issued, redeemed) in sorted(sums.items())]


@contextmanager
def programme_row(assets: Mapping[int, str]) -> Iterator[None]:
    """Within the block each transaction adds its postings to the programme's balance rows.

    One exchange more, just before the postings: a ledger that keeps such rows writes into each
    posting what they stand at, so that they are locked from there to the commit.
    """
    write_many, write_together = sql.execute_many, exchange._execute_together
    is_added: ContextVar[bool] = ContextVar("is_added", default=False)

    async def execute_many(statement: str, rows: Iterable[sql.Row]) -> None:
        values: Sequence[sql.Row] = rows if isinstance(rows, list) else list(rows)
        if not is_added.get():
            await write_many(ADD_TO_BALANCE, totals(statement, values, assets))
        await write_many(statement, values)

    async def execute_together(group: Sequence[exchange.Written]) -> None:
        for statement, rows in group:
            await write_many(ADD_TO_BALANCE, totals(statement, rows, assets))
        token = is_added.set(True)  # where the group is written one by one after all
        try:
            await write_together(group)
        finally:
            is_added.reset(token)

    with (
        mock.patch.object(sql, "execute_many", execute_many),
        mock.patch.object(exchange, "_execute_together", execute_together),
    ):
        yield


@contextmanager
def network(wait_milliseconds: int) -> Iterator[None]:
    """Within the block each exchange with the database takes so much longer, without any work."""

    async def wait() -> None:
        await asyncio.sleep(wait_milliseconds / 1000)

    def waiting(exchange: Any) -> Any:
        async def exchanged(*values: Any) -> Any:
            await wait()
            return await exchange(*values)

        return exchanged

    begun = sql.transaction

    @asynccontextmanager
    async def transaction() -> AsyncIterator[None]:
        inner: AbstractAsyncContextManager[None] = begun()
        await wait()
        async with inner:
            yield
            await wait()

    with (
        mock.patch.object(sql, "fetch", waiting(sql.fetch)),
        mock.patch.object(sql, "execute", waiting(sql.execute)),
        mock.patch.object(sql, "execute_many", waiting(sql.execute_many)),
        mock.patch.object(sql, "transaction", transaction),
    ):
        yield
