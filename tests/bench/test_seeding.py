"""Seeded members are members as the product makes them."""

from collections.abc import Iterator

import pytest

from bench import profiling, seeding
from bench.shots import Kind
from server.audit import service as audit
from server.storage import sql
from server.storage.database import Address, opened
from tests.postgres import create_database, drop_database

MEMBERS = 50


@pytest.fixture
def empty_url(postgres_server: str) -> Iterator[str]:
    url = create_database(postgres_server)
    yield url
    drop_database(url)


async def test_copies_of_members_pass_the_audit_and_see_their_home_screens(empty_url: str) -> None:
    reached: list[int] = []
    await seeding.seed(
        empty_url, MEMBERS, archetype_count=5, purchases_each=4, advance=reached.append
    )
    assert reached == [5, 45]
    async with opened(Address("postgres", empty_url)):
        report = await audit.audit_all()
        ledgers = await sql.fetch(
            "SELECT COUNT(*) FROM peer_postings p JOIN postings o USING (id, member_id, amount)"
        )
    assert (report.member_count, report.problem_count) == (MEMBERS, 0)
    assert report.posting_count == ledgers[0][0] > MEMBERS
    profile = await profiling.profiled(Kind.HOME, empty_url, requests=MEMBERS)
    assert len(profile.milliseconds) == MEMBERS  # an answer with an error would have raised


async def test_lean_members_have_the_same_worth_without_their_baskets(empty_url: str) -> None:
    await seeding.seed(empty_url, 4, archetype_count=2, purchases_each=2, is_lean=True)
    async with opened(Address("postgres", empty_url)):
        (postings,) = await sql.fetch(
            "SELECT COUNT(*), COUNT(DISTINCT member_id), COUNT(DISTINCT hash) FROM postings"
        )
        (lines,) = await sql.fetch("SELECT COUNT(DISTINCT member_id) FROM purchase_lines")
        (outcomes,) = await sql.fetch("SELECT COUNT(*) FROM purchases WHERE outcome = '{}'")
        (purchases,) = await sql.fetch("SELECT COUNT(*) FROM purchases")
    assert postings[1:] == (4, postings[0])
    assert lines[0] == 2
    assert outcomes[0] * 2 == purchases[0]
