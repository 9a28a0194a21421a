"""The peer's row takes exactly what the postings say, and the network only waits."""

import random
import time
from pathlib import Path

import pytest

from bench import purchasing
from bench.conditions import network, programme_row, totals
from bench.limits import filesystem_of
from server import clock
from server.cards.service import MemberReference
from server.purchases import service as purchases
from server.storage import sql
from server.storage.database import Address

BALANCES = "SELECT asset, issued, redeemed FROM programme_balances ORDER BY asset"
POSTED = (
    "SELECT a.asset, CAST(SUM(p.amount) AS BIGINT), 0 FROM postings p"
    " JOIN ledger_accounts a ON a.id = p.account_id"
    " WHERE p.debit = 'issued' GROUP BY a.asset ORDER BY a.asset"
)
INSERT = "INSERT INTO postings (account_id, amount, debit, credit) VALUES ($1, $2, $3, $4)"


def test_totals_are_what_is_issued_and_redeemed_by_asset() -> None:
    rows = [
        (1, 10, "issued", "member"),
        (1, 4, "member", "redeemed"),
        (2, 7, "issued", "member"),
        (1, 1, "member", "expired"),
        (1, 5, "issued", "member"),
    ]
    assert totals(INSERT, rows, {1: "USD", 2: "POINTS"}) == [(7, 0, "POINTS"), (15, 4, "USD")]


def test_other_statements_add_nothing() -> None:
    assert totals("INSERT INTO lots (account_id) VALUES ($1)", [(1,)], {}) == []


@pytest.mark.usefixtures("database")
async def test_the_row_agrees_with_the_journal() -> None:
    await purchasing.prepare(2)
    before = {row[0]: row[1] for row in await sql.fetch(POSTED)}
    chance = random.Random(1)
    with programme_row(await purchasing.account_assets()), network(1):
        async with sql.transaction():
            await purchases.record(
                purchasing.submission(MemberReference(external_id="m-1"), "second", chance),
                partner=purchasing.PARTNER,
                now=clock.now(),
            )
    posted = [
        (asset, total - before[asset], zero) for asset, total, zero in await sql.fetch(POSTED)
    ]
    assert [tuple(row) for row in await sql.fetch(BALANCES)] == posted
    assert all(total for _, total, _ in posted)


async def test_a_client_buys_until_its_time_is_over(database: Address) -> None:
    await purchasing.prepare(1)
    (member,) = await purchasing.member_ids()
    until = time.monotonic() + 0.3
    taken = await purchasing.shop(0, [member], until)
    row = await sql.fetch_one("SELECT COUNT(*) FROM purchases")
    assert row is not None
    assert row[0] - 1 in (len(taken), len(taken) + 1), database  # the last may have come too late


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/x / ext4 rw 0 0\nnone {tmp_path} tmpfs rw 0 0\n")
    assert filesystem_of(tmp_path / "data", mounts) == "tmpfs"
    assert filesystem_of(Path("/elsewhere"), mounts) == "ext4"
    assert filesystem_of(tmp_path, tmp_path / "none") is None
