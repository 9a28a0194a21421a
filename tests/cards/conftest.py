from collections.abc import Awaitable, Callable

import pytest

from server.clock import Instant
from server.storage import sql
from server.storage.database import Address
from server.storage.ids import new_id

Enrol = Callable[..., Awaitable[int]]

NOW = Instant(1_500_000_000_000_000)


@pytest.fixture
def enrol(database: Address) -> Enrol:
    """Adds a member, without a card, and gives the id."""

    async def add(external_id: str | None = None) -> int:
        member_id = new_id()
        async with sql.transaction():
            await sql.execute(
                sql.insert(
                    "members",
                    "id, external_id, locale, time_zone, enrolled_at, enrolled_local_month",
                ),
                member_id,
                external_id,
                "en",
                "UTC",
                NOW,
                201707,
            )
        return member_id

    return add
