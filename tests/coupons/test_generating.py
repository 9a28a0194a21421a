"""`coupons generate`: codes stand in one file, once, and count only if all of them were made."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.coupons import codes, commands, stock
from server.errors import InvalidInput, NotFound
from server.programme.commands import CommandRefused
from server.storage import sql
from server.storage.database import Address, opened
from tests.coupons.keeping import SHARED, SINGLE, open_shop, redeemed, stocked, usable

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS_AT_MOST = 60


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "CODES_DRAWN", 40)
    monkeypatch.setattr(commands, "CODES_AT_ONCE", 15)


@pytest.mark.usefixtures("database", "few_at_once")
async def test_all_codes_stand_in_a_file_for_its_owner_alone_and_work(tmp_path: Path) -> None:
    anna, bob = await open_shop(SINGLE, "anna", "bob")
    out = tmp_path / "codes.csv"
    said = await commands.generate("spring", 101, out)
    assert said.startswith(f"101 codes of spring are in {out}, and nowhere else (batch ")
    header, *codes = out.read_text().splitlines()
    assert (header, len(set(codes)), {len(code) for code in codes}) == ("code", 101, {14})
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert await redeemed(("anna", codes[0]), ("bob", codes[100])) == ["taken", "taken"]
    assert await usable(anna, codes[0]) == "coupon.used"
    assert await usable(bob, codes[50]) == "usable"
    (batch,) = await stock.batches("spring", before=2**63 - 1, limit=5)
    assert (batch.size, batch.status, batch.redeemed) == (101, "ready", 2)
    stored = "".join(str(row) for row in await sql.fetch("SELECT * FROM coupon_codes"))
    assert not any(code.replace("-", "") in stored for code in codes)


@pytest.mark.usefixtures("database")
async def test_what_cannot_be_generated_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    await open_shop(SHARED, "anna")
    out = tmp_path / "codes.csv"
    with pytest.raises(NotFound):
        await commands.generate("winter", 5, out)
    with pytest.raises(InvalidInput):
        await commands.generate("spring", 5, out)
    for number in (0, 10_000_001):
        with pytest.raises(CommandRefused, match="1 to 10,000,000"):
            await commands.generate("spring", number, out)
    assert not out.exists()
    assert await stock.batches(None, before=2**63 - 1, limit=5) == []


@pytest.mark.usefixtures("database")
async def test_no_file_is_written_over(tmp_path: Path) -> None:
    await open_shop(SINGLE, "anna")
    out = tmp_path / "codes.csv"
    out.write_text("mine")
    with pytest.raises(CommandRefused, match="codes are written once, into a new file"):
        await commands.generate("spring", 5, out)
    with pytest.raises(CommandRefused, match="can't write"):
        await commands.generate("spring", 5, tmp_path / "nowhere" / "codes.csv")
    assert out.read_text() == "mine"
    assert await stock.batches(None, before=2**63 - 1, limit=5) == []


@pytest.mark.usefixtures("database", "few_at_once")
async def test_a_run_that_fails_leaves_no_code_that_counts_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (anna,) = await open_shop(SINGLE, "anna")
    made: list[str] = []
    add = commands._added

    async def failing(batch_id: int, drawn: list[str], hashing: stock.Hasher) -> list[str]:
        made.extend(await add(batch_id, drawn, hashing))
        if len(made) > 20:
            raise OSError("the disk is full")
        return made

    monkeypatch.setattr(commands, "_added", failing)
    with pytest.raises(OSError, match="the disk is full"):
        await commands.generate("spring", 100, tmp_path / "codes.csv")
    assert not (tmp_path / "codes.csv").exists()
    assert await usable(anna, made[0]) == "coupon.unknown"
    (batch,) = await stock.batches(None, before=2**63 - 1, limit=5)
    assert batch.status == "void"


@pytest.mark.usefixtures("database")
async def test_a_code_that_is_there_already_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_shop(SINGLE, "anna")
    known = await stocked(1)
    draw = codes.new_codes
    taken = list(known)

    def with_a_known_one(count: int) -> list[str]:
        return [*draw(count - 1), taken.pop()] if taken else draw(count)

    monkeypatch.setattr(codes, "new_codes", with_a_known_one)
    await commands.generate("spring", 5, tmp_path / "codes.csv")
    assert len((tmp_path / "codes.csv").read_text().splitlines()) == 6
    assert (await sql.fetch("SELECT COUNT(*) FROM coupon_codes"))[0][0] == 6


def _killed(address: Address, out: Path) -> None:
    """A run that is killed once some of its codes are in the file."""
    where = (
        ["--data", str(Path(address.location).parent)]
        if address.engine == "sqlite"
        else ["--database", address.location]
    )
    words = ["coupons", "generate", "spring", "--number", "5000000", "--out", str(out), *where]
    with subprocess.Popen(
        [sys.executable, "-m", "server", *words],
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until = time.monotonic() + SECONDS_AT_MOST
        while not out.exists() or out.stat().st_size < 100:
            assert process.poll() is None, "it ended too early"
            assert time.monotonic() < until, "it took too long"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)


async def test_no_code_of_a_killed_run_ever_counts_and_the_next_run_clears_it_away(
    database_address: Address, tmp_path: Path
) -> None:
    async with opened(database_address, pool_size=2):
        (anna,) = await open_shop(SINGLE, "anna")
    out = tmp_path / "codes.csv"
    await asyncio.to_thread(_killed, database_address, out)
    codes = [line for line in out.read_text().splitlines()[1:] if len(line) == 14]
    assert codes
    async with opened(database_address, pool_size=2):
        assert await usable(anna, codes[0]) == "coupon.unknown"
        said = await commands.generate("spring", 3, tmp_path / "again.csv")
        assert said.endswith("Cleared away: 1 unfinished batch.")
        with pytest.raises(CommandRefused, match="its codes never count"):
            await commands.generate("spring", 3, out)
        assert (await sql.fetch("SELECT COUNT(*) FROM coupon_codes"))[0][0] == 3
        found = await stock.batches("spring", before=2**63 - 1, limit=5)
        assert [one.status for one in found] == ["ready", "void"]
        assert await usable(anna, codes[0]) == "coupon.unknown"
