"""What is in memory is what the database has: other processes, rollbacks and time included."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.shelves import Live
from server.storage import changes, sql
from server.storage.database import Address, opened
from tests.definitions.things import (
    ANNA,
    HOUR,
    NOW,
    live,
    poster,
    programme_published,
    published,
)

_ROOT = Path(__file__).parents[2]
_ELSEWHERE = """
import asyncio, json, sys
from server.storage.database import Address, opened
from tests.definitions.things import published

async def main(engine, where, key):
    async with opened(Address(engine, where)):
        await published(key)

asyncio.run(main(*json.loads(sys.argv[1])))
"""


async def elsewhere(address: Address, key: str) -> None:
    """Publish a poster in another process."""
    given = json.dumps([address.engine, address.location, key])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ELSEWHERE, given, cwd=_ROOT
    )
    assert await process.wait() == 0


async def test_what_another_process_publishes_is_seen_at_the_next_question(
    database_address: Address,
) -> None:
    if database_address.engine == "sqlite":  # one process has the file at a time
        async with opened(database_address):
            await programme_published()
            await published("summer")
        await elsewhere(database_address, "winter")
        async with opened(database_address):
            assert await live() == {"summer": 1, "winter": 1}
        return
    async with opened(database_address, pool_size=2):
        await programme_published()
        await published("summer")
        assert await live() == {"summer": 1}
        await elsewhere(database_address, "winter")
        assert await live() == {"summer": 1, "winter": 1}


@pytest.mark.usefixtures("shop")
async def test_what_is_undone_is_seen_by_nobody() -> None:
    await published("summer")
    before = await definitions.shelves()

    async def undone() -> None:
        async with sql.transaction():
            await definitions.save_draft("poster", "winter", poster(), by=ANNA, now=NOW)
            await definitions.publish("poster", "winter", 1, by=ANNA, now=NOW)
            assert await live() == {"summer": 1, "winter": 1}
            raise KeyError

    with pytest.raises(KeyError):
        await undone()
    assert await definitions.shelves() is before
    await published("spring")
    assert await live() == {"spring": 1, "summer": 1}


@pytest.mark.usefixtures("shop")
async def test_what_is_not_committed_yet_is_seen_by_its_transaction_alone() -> None:
    await published("summer")
    written = asyncio.Event()

    async def other() -> dict[str, int]:
        await written.wait()
        return await live()

    asked = asyncio.create_task(other())
    await asyncio.sleep(0)  # it has begun, outside of the transaction
    async with sql.transaction():
        await definitions.save_draft("poster", "winter", poster(), by=ANNA, now=NOW)
        await definitions.publish("poster", "winter", 1, by=ANNA, now=NOW)
        written.set()
        assert await asked == {"summer": 1}
        assert await live() == {"summer": 1, "winter": 1}
    assert await live() == {"summer": 1, "winter": 1}


@pytest.mark.usefixtures("shop")
async def test_time_alone_lets_a_version_count_and_the_live_set_says_when() -> None:
    await published("summer")
    later = Instant(NOW + HOUR)
    await published("summer", poster("Autumn"), at=later)
    shelf = (await definitions.shelves()).of("poster")
    first, second = shelf.live(NOW), shelf.live(later)
    assert (first.by_key["summer"].version, first.starts_at, first.ends_at) == (1, NOW, later)
    assert second.by_key["summer"].version == 2
    assert second.starts_at == later
    assert shelf.live(Instant(later - 1)) is first
    with sql.counted_statements() as statements:
        assert (await definitions.shelves()).of("poster").live(later) is second
    assert len(statements) == 1


@pytest.mark.usefixtures("shop")
async def test_what_is_derived_is_kept_while_nothing_of_its_kind_is_published() -> None:
    await published("summer")
    worked_out: list[Live] = []

    def derive(found: Live) -> list[str]:
        worked_out.append(found)
        return sorted(found.by_key)

    async def derived() -> Any:
        found = (await definitions.shelves()).of("poster").live(NOW)
        return definitions.derived(found, derive)

    assert await derived() == ["summer"]
    await published("x", {"poster": "summer"}, kind="leaflet")
    assert await derived() == ["summer"]
    assert len(worked_out) == 1
    await published("winter")
    assert await derived() == ["summer", "winter"]
    assert len(worked_out) == 2


@pytest.mark.usefixtures("shop")
async def test_a_change_of_the_programme_alone_reads_no_document_again() -> None:
    await published("summer")
    await live()
    async with sql.transaction():
        changes.note(changes.PROGRAMME, 0)
    with sql.counted_statements() as statements:
        assert await live() == {"summer": 1}
    assert not any("document" in one for one in statements)
