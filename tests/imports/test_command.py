"""`python -m server import balances`: from a file to the ledger, whatever happens on the way."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from server import clock
from server.clock import NEVER
from server.ledger import service as ledger
from server.members import service as members
from server.money import POINTS
from server.programme import service as programme
from server.storage import sql
from server.storage.database import Address, opened
from tests.api.calling import enrolled
from tests.imports.files import ROOT, command, many, run, statuses, written
from tests.ledger.books import check_books
from tests.programme.demo import demo_text
from tests.serving.servers import ENVIRONMENT


@asynccontextmanager
async def looking(address: Address) -> AsyncIterator[None]:
    async with opened(address, pool_size=2):
        yield


@pytest.fixture
async def address(database_address: Address) -> Address:
    """A database with the demo programme and the members anna and bob, that nobody has open."""
    async with looking(database_address):
        async with sql.transaction():
            await programme.publish(demo_text(), published_by="test")
        for name in ("anna", "bob"):
            await enrolled(name, at=clock.now())
    return database_address


async def looked(address: Address, work: Callable[[], Awaitable[Any]]) -> Any:
    async with looking(address):
        return await work()


async def rows() -> dict[str, list[tuple[Any, ...]]]:
    tables = ("members", "cards", "ledger_accounts", "lots", "postings", "balance_imports",
              "balance_import_lines", "tier_states")  # fmt: skip
    return {
        table: [tuple(row) for row in await sql.fetch(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608
        for table in tables
    }


async def balance(external_id: str, asset: str = POINTS) -> int:
    ids = await members.members_by_external_id([external_id])
    found = await ledger.balances(ids.values(), clock.now())
    return found[ids[external_id], asset].available


LINES = (
    "\ufeffexternal_id;points;points_expire_on;cashback;name\r\n"
    'anna;250;2099-12-31;12.50;"Anna; Sample"\r\n'
    "bob;;;0.07;\r\n"
    "\r\n"
    'new;40;;;"New ""N"" One"\r\n'
)


async def test_a_file_is_taken_line_by_line(address: Address, tmp_path: Path) -> None:
    file, report = written(tmp_path, LINES), tmp_path / "report.csv"
    done = run(file, address, "--enrol", "--report", str(report))
    assert done.returncode == 0, done.stderr
    assert "3 lines: 2 taken, 1 enrolled, 0 already taken, 0 refused." in done.stdout
    assert statuses(report) == [
        ("1", "anna", "taken"),
        ("2", "bob", "taken"),
        ("3", "new", "enrolled"),
    ]

    async def look() -> None:
        assert await balance("anna") == 100 + 250
        assert (await balance("anna", "USD"), await balance("bob", "USD")) == (1250, 7)
        assert await balance("new") == 40, "without welcome points"
        [profile] = (
            await members.profiles((await members.members_by_external_id(["new"])).values())
        ).values()
        assert profile.name == 'New "N" One'
        lots = await sql.fetch(
            "SELECT l.reason, l.rule, b.number, b.asset, l.amount, l.expires_at FROM lots l"
            " JOIN balance_import_lines b ON b.id = l.reference ORDER BY b.number, l.amount"
        )
        zone = (await programme.current()).programme.programme.timezone
        day = clock.day_of(date(2099, 12, 31))
        assert [tuple(row) for row in lots][:3] == [
            ("opening", "opening", 1, "POINTS", 250, clock.start_of_day(day, zone)),
            ("opening", "opening", 1, "POINTS", 1250, NEVER),
            ("opening", "opening", 2, "USD", 7, NEVER),
        ]
        await check_books()

    await looked(address, look)
    before = await looked(address, rows)
    again = run(file, address, "--enrol")
    assert again.returncode == 0
    assert "Nothing to do: all lines of this content were taken before" in again.stdout
    assert await looked(address, rows) == before


async def test_a_dry_run_checks_everything_and_writes_nothing(
    address: Address, tmp_path: Path
) -> None:
    file, report = written(tmp_path, LINES), tmp_path / "report.csv"
    before = await looked(address, rows)
    done = run(file, address, "--dry-run", "--report", str(report))
    assert done.returncode == 1
    assert "A dry run: nothing was written." in done.stdout
    assert [status for _, _, status in statuses(report)] == ["taken", "taken", "refused"]
    done = run(file, address, "--dry-run", "--enrol")
    assert (done.returncode, await looked(address, rows)) == (0, before)


async def test_every_line_is_checked_and_told_what_would_be_accepted(
    address: Address, tmp_path: Path
) -> None:
    file = written(
        tmp_path,
        "external_id,points,points_expire_on,cashback\n"
        "nobody,1,,\n"
        "anna,-1,,\n"
        "anna,1.5,,\n"
        "anna,1,2001-01-31,\n"
        "anna,1,31.01.2099,\n"
        'anna,1,,"12,50"\n'
        "anna,1,,12.345\n"
        "anna,2147483647,,\n"
        "anna,99999999999,,\n"
        "anna,1\n"
        ",1,,\n"
        "anna,1,,0.01\n",
    )
    report = tmp_path / "report.csv"
    done = run(file, address, "--report", str(report))
    assert done.returncode == 1
    assert [status for _, _, status in statuses(report)] == ["refused"] * 11 + ["taken"]
    for told in (
        "line 1 (nobody): external_id: No member has this external id. Accepted: the id of a",
        "line 2 (anna): points: The points can't be taken as they are. Given: -1. Accepted: a",
        "line 4 (anna): points_expire_on: The expiry has passed, or is no date. Given: 2001-01-31.",
        "line 6 (anna): cashback: The cashback can't be taken as it is. Given: 12,50. Accepted: a",
        "such as 12.50",
        "line 8 (anna): points: The member's balance would exceed what an account can hold.",
        "line 10 (anna): The line has another number of values than the header. Given: 2 values.",
        "12 lines: 1 taken, 0 enrolled, 0 already taken, 11 refused.",
    ):
        assert told in done.stdout, told
    again = run(file, address)
    assert again.returncode == 1
    assert "12 lines: 0 taken, 0 enrolled, 1 already taken, 11 refused." in again.stdout
    assert await looked(address, lambda: balance("anna")) == 101


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file has no header"),
        ("anna,1\n", "the file has no header: accepted is a first line with names of external_id"),
        ("external_id,points,colour\n", "unknown columns: 'colour'; accepted are external_id,"),
        ("external_id,points,points\n", "columns that stand there twice: points"),
        ("points\n1\n", "the file lacks a column"),
        ("external_id,name\nanna,A\n", "the file lacks a column"),
        ('external_id,points\nanna,1\nbob,"2\n', "of the file can't be read"),
    ],
)
async def test_a_file_that_is_no_such_table_is_refused_as_a_whole(
    address: Address, tmp_path: Path, text: str, told: str
) -> None:
    before = await looked(address, rows)
    done = run(written(tmp_path, text), address)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert await looked(address, rows) == before


async def test_a_changed_file_is_another_import_and_warns(address: Address, tmp_path: Path) -> None:
    assert run(written(tmp_path, "external_id,points\nanna,5\n"), address).returncode == 0
    done = run(written(tmp_path, "external_id,points\nanna,6\nbob,1\n"), address)
    assert done.returncode == 0
    assert "Warning: 1 lines are of members who had an opening balance from an earlier" in (
        done.stdout
    )
    assert await looked(address, lambda: balance("anna")) == 111


async def test_bytes_that_are_no_utf_8_refuse_their_line_alone(
    address: Address, tmp_path: Path
) -> None:
    file = tmp_path / "latin.csv"
    file.write_bytes(b"external_id,points\nj\xfcrgen,1\nanna,1\n")
    done = run(file, address, "--enrol")
    assert done.returncode == 1
    assert "2 lines: 1 taken, 0 enrolled, 0 already taken, 1 refused." in done.stdout


async def test_killed_in_the_middle_it_goes_on_where_it_stopped(
    address: Address, tmp_path: Path
) -> None:
    count = 3000
    file = many(tmp_path, count)
    process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
        command(file, address, "--enrol", "--batch", "50"),
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    taken = 0
    for _ in range(600):
        await asyncio.sleep(0.1)
        taken = await looked_while_running(address)
        if taken or process.poll() is not None:
            break
    process.kill()
    process.wait()
    between = await looked(address, lines_taken)
    assert 0 < between < count, "it was killed in the middle"
    assert between % 50 == 0
    done = run(file, address, "--enrol")
    assert done.returncode == 0, done.stdout
    assert f"{between:,} already taken" in done.stdout

    async def look() -> None:
        assert await lines_taken() == count
        [sums] = await sql.fetch(
            "SELECT CAST(SUM(amount) AS BIGINT), COUNT(*) FROM lots WHERE reason = 'opening'"
        )
        assert tuple(sums) == (count * (count + 1), 2 * count)
        [row] = await sql.fetch("SELECT COUNT(*) FROM members")
        assert row[0] == count + 2

    await looked(address, look)


async def lines_taken() -> int:
    [row] = await sql.fetch("SELECT COUNT(*) FROM balance_import_lines")
    return int(row[0])


async def looked_while_running(address: Address) -> int:
    async with opened(address, writable=False, pool_size=2):
        return await lines_taken()


async def test_a_long_file_takes_little_memory(address: Address, tmp_path: Path) -> None:
    if address.engine == "postgres":
        pytest.skip("what is measured is the reading")
    file = many(tmp_path, 20_000)
    began = time.monotonic()
    short = _peak_kibibytes(many(tmp_path, 500, "short.csv"), address)
    long = _peak_kibibytes(file, address)
    assert time.monotonic() - began < 240
    assert long - short < 30_000


def _peak_kibibytes(file: Path, address: Address) -> int:
    """The most memory that a dry run over the file takes."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL,"
        " stderr=subprocess.DEVNULL);"
        " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    words = command(file, address, "--dry-run", "--enrol")
    done = subprocess.run(
        [words[0], "-c", script, *words],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


async def test_a_database_in_use_is_told(address: Address, tmp_path: Path) -> None:
    if address.engine == "postgres":
        pytest.skip("many processes may write there")
    async with opened(address):
        done = run(written(tmp_path, "external_id,points\nanna,5\n"), address)
    assert done.returncode == 1
    assert "in use by process" in done.stderr
