"""`python -m server audit` as a process of its own, while another has the database open."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from server.storage import sql
from server.storage.database import Address
from tests.audit.life import ANNA, lively, member_id

ROOT = Path(__file__).parents[2]


async def audit(address: Address, *options: str) -> tuple[int, str, str]:
    """The exit code, and what was printed and said."""
    where = (
        ("--data", str(Path(address.location).parent))
        if address.engine == "sqlite"
        else ("--database", address.location)
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "audit", *where, *options,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, said = await process.communicate()
    return process.returncode or 0, printed.decode(), said.decode()


async def test_it_says_that_all_is_well(database: Address) -> None:
    await lively()
    code, printed, said = await audit(database)
    assert (code, said) == (0, "")
    assert printed.startswith("Clean: 5 members, 10 accounts, ")
    code, printed, _said = await audit(database, "--json")
    assert code == 0
    shown = json.loads(printed)
    assert (shown["members"], shown["problems"], shown["first"]) == (5, 0, [])


async def test_it_names_the_first_wrong_row_of_each_check(database: Address) -> None:
    await lively()
    anna = await member_id(ANNA)
    async with sql.transaction():
        await sql.execute(
            "UPDATE vouchers SET points = points + 1 WHERE id = (SELECT MIN(id) FROM vouchers)"
        )
        await sql.execute("UPDATE tier_states SET level = 'Gold' WHERE member_id = $1", anna)
    [[state]] = await sql.fetch("SELECT id FROM tier_states WHERE member_id = $1", anna)
    code, printed, _said = await audit(database)
    uses, tiers, counts = printed.splitlines()
    assert code == 1
    assert uses.startswith("uses: vouchers ")
    assert tiers.startswith(f"tiers: tier_states {state} of member {anna}: level: expected ")
    assert counts.startswith("2 problems in 5 members, ")
    assert counts.endswith("uses 1, tiers 1.")
    code, printed, _said = await audit(database, "--json")
    shown = json.loads(printed)
    assert code == 1
    assert shown["counts"] == {"uses": 1, "tiers": 1}
    assert [each["check"] for each in shown["first"]] == ["uses", "tiers"]
    assert shown["first"][1]["rowId"] == str(state)
    assert shown["first"][1]["found"] == "Gold"


@pytest.mark.parametrize(
    "options",
    [
        ("--data", "no-such-folder"),
        ("--database", "mysql://host/name"),
        ("--database", "postgres://nobody@127.0.0.1:1/nothing"),
    ],
    ids=["no file", "unknown kind", "no server"],
)
async def test_what_can_not_be_opened_is_told_in_one_line(
    options: tuple[str, str], tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "audit", *options,
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, said = await process.communicate()
    assert (process.returncode, printed) == (2, b"")
    assert said.startswith(b"laurel: ")
    assert said.count(b"\n") == 1
