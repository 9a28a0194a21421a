"""Several questions about the same members as one statement."""

import asyncio

from server.storage import parts, sql
from server.storage.database import Address
from server.storage.parts import Branch, Question
from tests.ledger.books import new_members

IDS = Branch(
    "ids",
    member="id",
    numbers=("id + {0}",),
    source="FROM members WHERE id IN ({members})",
    value_count=1,
)
TEXTS = Branch(
    "texts",
    member="id",
    texts=("locale", "time_zone"),
    source="FROM members WHERE id IN ({members}) AND locale <> {0}",
    value_count=1,
)


async def test_each_member_gets_the_rows_of_each_branch(database: Address) -> None:
    members = await new_members(3)
    with sql.counted_statements() as statements:
        found = await parts.read(Question(((IDS, (5,)), (TEXTS, ("xx",)))), [*members, 1])
    assert len(statements) == 1
    for member in members:
        own = found[member]
        assert [row[parts.FIRST_COLUMN] for row in own.rows(IDS)] == [member + 5]
        [row] = own.rows(TEXTS)
        assert list(row[own.text_at : own.text_at + 2]) == ["en", "UTC"]
        assert IDS in own
    assert found[1].rows(IDS) == []
    none = await parts.read(Question(((TEXTS, ("en",)),)), members)
    assert [none[member].rows(TEXTS) for member in members] == [[], [], []]
    assert IDS not in none[members[0]]


async def test_who_asks_the_same_at_once_shares_the_statement(database: Address) -> None:
    members = await new_members(3)
    asks = ((IDS, (5,)),)
    with sql.counted_statements() as statements:
        await asyncio.gather(*(parts.shared(asks, [member]) for member in members))
    assert len(statements) == 1
    async with sql.snapshot():
        with sql.counted_statements() as statements:
            found = await parts.shared(asks, members[:1])
    assert [row[parts.FIRST_COLUMN] for row in found[members[0]].rows(IDS)] == [members[0] + 5]
    assert len(statements) == 1
