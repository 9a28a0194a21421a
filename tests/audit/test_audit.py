"""Auditing a lively database."""

from server.audit import service
from server.storage.database import Address
from tests.audit.life import lively


async def test_a_lively_database_is_clean(database: Address) -> None:
    await lively()
    report = await service.audit_all(members_per_batch=2)
    assert [problem.line for problem in report.problems] == []
    assert report.member_count == 5
    assert report.posting_count > 100
