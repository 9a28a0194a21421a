"""Filling a PostgreSQL database with members: archetypes by the product, copies of them by COPY."""

import asyncio
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import asyncpg

from bench import archetypes, cloning
from bench.cloning import Ids, Stencil
from server.members import service as members
from server.storage import migrate
from server.storage.database import Address, opened

ISSUER = "https://bench.example"
ARCHETYPES = 200
_COPIES_AT_ONCE = 500
_TABLES_OF_MEMBERS = """
    SELECT c.table_name FROM information_schema.columns c
    JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.column_name = 'member_id'
    ORDER BY c.table_name
"""
PEERS = """
    CREATE TABLE peer_accounts (
        id BIGINT PRIMARY KEY, member_id BIGINT NOT NULL UNIQUE, external_id VARCHAR(64) UNIQUE,
        last_sequence INT NOT NULL, balance BIGINT NOT NULL
    );
    INSERT INTO peer_accounts
        SELECT a.id, a.member_id, m.external_id, a.last_sequence, a.balance
        FROM ledger_accounts a JOIN members m ON m.id = a.member_id WHERE a.asset = 'POINTS';
    CREATE TABLE peer_postings (LIKE postings INCLUDING ALL);
    INSERT INTO peer_postings SELECT * FROM postings;
    CREATE SEQUENCE peer_ids START 9000000000000000000;
    ALTER TABLE peer_postings ALTER id SET DEFAULT nextval('peer_ids');
    ALTER TABLE peer_postings ALTER hash SET DEFAULT '';
"""
"""The peers' own ledger: the same points, in tables with the same indexes."""

Advance = Callable[[int], None]


def _nothing(_count: int) -> None:
    """Where nobody watches."""


async def seed(
    url: str,
    count: int,
    *,
    archetype_count: int = ARCHETYPES,
    purchases_each: int = archetypes.PURCHASES,
    is_lean: bool = False,
    advance: Advance = _nothing,
) -> None:
    """Migrate the empty database and fill it with so many members, of whom the first few hundred
    are archetypes. A lean one has nothing that the measured operations don't read: no tables of the
    peers, and of the copies neither lines of purchases nor what the till was answered."""
    own = min(count, archetype_count)
    async with opened(Address("postgres", url)):
        await migrate.apply_pending()
        await members.prepare_keys(issuer=ISSUER)
        await archetypes.make(own, purchases_each=purchases_each)
    advance(own)
    connection = await asyncpg.connect(url)
    try:
        stencils = await _stencils(connection, is_lean=is_lean)
        await _multiply(connection, stencils, count - own, advance)
        if not is_lean:
            await connection.execute(PEERS)
        await connection.execute("VACUUM (FREEZE, ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _stencils(connection: Any, *, is_lean: bool) -> list[Stencil]:
    """One for each member in the database."""
    owned = {row[0] for row in await connection.fetch(_TABLES_OF_MEMBERS)}
    if is_lean:
        owned.discard("purchase_lines")
    of_member: dict[str, dict[str, list[dict[str, str | None]]]] = {}
    for table, owner in (
        ("members", "t.id"),
        *((name, "t.member_id") for name in sorted(owned)),
        ("sessions", "(SELECT member_id FROM accounts a WHERE a.id = t.account_id)"),
    ):
        columns = await _columns(connection, table)
        shown = ", ".join(f't."{column}"::text' for column in columns)
        rows = await connection.fetch(
            f"SELECT ({owner})::text, {shown} FROM {table} t ORDER BY t.id"  # noqa: S608
        )
        for member, *values in rows:
            if member is not None:
                row = dict(zip(columns, values, strict=True))
                if is_lean and table == "purchases":
                    row["outcome"] = "{}"
                of_member.setdefault(member, {}).setdefault(table, []).append(row)
    return [cloning.cut(tables) for tables in of_member.values()]


async def _columns(connection: Any, table: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position",
        table,
    )
    return [row[0] for row in rows]


async def _multiply(
    connection: Any, stencils: Sequence[Stencil], count: int, advance: Advance
) -> None:
    # Foreign keys hold by the way the copies are made, and checking millions takes minutes.
    await connection.execute("SET session_replication_role = replica")
    ids = Ids()

    def copies(first: int) -> dict[tuple[str, tuple[str, ...]], bytes]:
        texts: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for number in range(first, min(first + _COPIES_AT_ONCE, count)):
            stencil = stencils[number % len(stencils)]
            for table, text in stencil.copy(number, ids.take(stencil.id_count)).items():
                texts.setdefault((table, stencil.columns[table]), []).append(text)
        return {key: "".join(parts).encode() for key, parts in texts.items()}

    following = asyncio.create_task(asyncio.to_thread(copies, 0))
    for first in range(0, count, _COPIES_AT_ONCE):
        made = await following
        following = asyncio.create_task(asyncio.to_thread(copies, first + _COPIES_AT_ONCE))
        for (table, columns), text in made.items():
            await connection.copy_to_table(
                table, source=BytesIO(text), columns=columns, format="text"
            )
        advance(min(_COPIES_AT_ONCE, count - first))
    await following
    await connection.execute("SET session_replication_role = origin")
