"""Auditing a lively database: it is clean, and each change behind its back is found."""

from collections import Counter
from contextlib import suppress

from server.audit import service
from server.audit.service import Check
from server.storage import sql
from server.storage.database import Address
from tests.audit.life import lively
from tests.audit.tampering import TAMPERINGS, Tampering, tamper


async def test_a_lively_database_is_clean(database: Address) -> None:
    await lively()
    report = await service.audit_all(members_per_batch=2)
    assert [problem.line for problem in report.problems] == []
    assert report.problem_count == 0
    assert report.member_count == 5
    assert report.posting_count > 100


async def test_every_tampering_is_found_in_its_row(database: Address) -> None:
    await lively()
    missed = {}
    for tampering in TAMPERINGS:
        if lines := await _missed(tampering):
            missed[tampering.name] = lines
    assert missed == {}


async def _missed(tampering: Tampering) -> list[str]:
    """What the audit said instead of naming the row, within a transaction that is undone."""
    said: list[str] = []
    with suppress(_Undone):
        async with sql.transaction():
            named = (tampering.check, *await tamper(tampering))
            problems = (await service.audit_all(members_per_batch=2)).problems
            of_check = [
                (problem.check, problem.table, problem.row_id)
                for problem in problems
                if problem.check is tampering.check
            ]
            # What comes after the first wrong posting is not to be blamed.
            if named not in of_check or (tampering.check is Check.CHAIN and len(of_check) > 1):
                said = [f"wanted {named}", *(problem.line for problem in problems)]
            raise _Undone
    return said


class _Undone(Exception):
    """What a test did is not to stay."""


def test_there_is_a_tampering_for_every_check() -> None:
    counts = Counter(tampering.check for tampering in TAMPERINGS)
    assert set(counts) == set(Check)
    assert len(TAMPERINGS) == len({tampering.name for tampering in TAMPERINGS}) >= 25
