"""What is in memory belongs to the open database."""

from server.clock import Instant
from server.programme import rules, service
from server.storage import sql
from server.storage.database import Address, opened
from tests.programme.demo import demo_yaml


async def rewritten(expiry_days: int) -> None:
    """As in another database: the same row id and number stand for other rules."""
    checked = rules.checked(demo_yaml({("points", "expiry_days"): expiry_days}))
    async with sql.transaction():
        await sql.execute("DELETE FROM programme_versions")
        await sql.execute(
            "INSERT INTO programme_versions (id, version, document, digest, effective_at,"
            " published_at, published_by) VALUES (1, 1, $1, $2, 0, 0, 'test')",
            checked.canonical,
            checked.digest,
        )


async def test_another_database_with_the_same_row_ids_has_its_own_rules(
    database_address: Address,
) -> None:
    for expiry_days in (100, 200):
        async with opened(database_address):
            await rewritten(expiry_days)
            for _ in range(2):
                rules_now = (await service.rulebook()).at(Instant(1)).programme
                assert rules_now.points.expiry_days == expiry_days
