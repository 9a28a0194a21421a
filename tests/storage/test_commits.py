"""Transactions on SQLite that share a commit: nobody is told before it, nor spoils another."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tortoise.exceptions import OperationalError

from server.storage import changes, commits, sql
from server.storage.changes import MEMBER, Change
from server.storage.database import Address, opened
from server.storage.ids import new_id
from server.storage.secrets import SharedSecret
from tests.conftest import run_apart
from tests.faults import disk
from tests.faults.disk import FULL

ROOT = Path(__file__).parents[2]
HOURS = 10_000.0
IS_FULL = "OperationalError('database or disk is full')"


@pytest.fixture
def closed_file(sqlite_template: Path, tmp_path: Path) -> Path:
    """A migrated SQLite file that nobody has opened."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Path(shutil.copy(sqlite_template, folder / "laurel.sqlite3"))


@pytest.fixture
async def file(closed_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A migrated SQLite file, open in this process, which shares commits however busy it is."""
    monkeypatch.setattr(commits, "MAXIMUM_SECONDS", HOURS)
    async with opened(Address("sqlite", str(closed_file))):
        yield closed_file


async def insert(name: str) -> None:
    await sql.execute(
        sql.insert("shared_secrets", "id, name, value, created_at"), new_id(), name, "0", 1
    )


async def write(name: str, *, fails: bool = False, shares_commit: bool = True) -> None:
    async with sql.transaction(shares_commit=shares_commit):
        await insert(name)
        changes.note(MEMBER, 7)
        if fails:
            raise ZeroDivisionError


def on_disk(file: Path) -> list[str]:
    """What another process sees."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name FROM shared_secrets ORDER BY id").fetchall()
    return [row[0] for row in rows]


@contextmanager
def traced(word: str) -> Iterator[list[str]]:
    """The statements that begin with the word, as SQLite runs them within the block."""
    connection = sql._client()._connection._conn
    seen: list[str] = []

    def trace(text: str) -> None:
        if text.startswith(word):
            seen.append(text)

    connection.set_trace_callback(trace)
    try:
        yield seen
    finally:
        connection.set_trace_callback(None)


@dataclass
class Holder:
    """Somebody in a transaction for as long as the test likes."""

    may_end: asyncio.Event
    task: "asyncio.Task[None]"

    async def end(self) -> None:
        self.may_end.set()
        await self.task


async def holding(name: str = "holder") -> Holder:
    """A holder who has begun."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with sql.transaction():
            await insert(name)
            begun.set()
            await may_end.wait()

    holder = Holder(may_end, asyncio.create_task(hold()))
    await begun.wait()
    return holder


async def turns_of_the_loop() -> None:
    """Until everybody has come as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_transactions_at_the_same_time_share_commits(file: Path) -> None:
    await write("first")
    with traced("COMMIT") as seen:
        await asyncio.gather(*(write(str(number)) for number in range(100)))
    assert len(seen) == 2  # no more than 64 share one
    assert on_disk(file) == ["first", *map(str, range(100))]


async def test_one_after_another_each_has_its_own_at_once(file: Path) -> None:
    await write("first")
    with traced("") as seen:
        for number in range(3):
            async with sql.transaction():
                await insert(str(number))
    words = [text.split()[0] for text in seen if not text.startswith("PRAGMA")]
    assert words == ["BEGIN", "INSERT", "COMMIT"] * 3


async def test_who_waits_too_long_for_others_is_committed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write("first")
    monkeypatch.setattr(commits, "MAXIMUM_SECONDS", 0)
    with traced("COMMIT") as seen:
        await asyncio.gather(*(write(str(number)) for number in range(10)))
    assert len(seen) == 10


async def test_long_work_has_a_commit_of_its_own(file: Path) -> None:
    holder = await holding()
    with traced("COMMIT") as seen:
        short = asyncio.create_task(write("short"))
        await turns_of_the_loop()
        long = asyncio.create_task(write("long", shares_commit=False))
        await turns_of_the_loop()
        late = asyncio.create_task(write("late"))
        await turns_of_the_loop()
        await holder.end()
        await asyncio.gather(short, long, late)
    assert len(seen) == 3
    assert on_disk(file) == ["holder", "short", "long", "late"]


async def test_one_who_fails_spoils_no_other(file: Path) -> None:
    outcomes = await asyncio.gather(
        *(write(str(number), fails=number % 3 == 0) for number in range(30)),
        return_exceptions=True,
    )
    assert [isinstance(one, ZeroDivisionError) for one in outcomes] == [True, False, False] * 10
    assert on_disk(file) == [str(number) for number in range(30) if number % 3]


async def test_nobody_is_told_before_it_is_on_disk(file: Path) -> None:
    heard: list[list[str]] = []

    def look(_changes: frozenset[Change]) -> None:
        heard.append(on_disk(file))

    first, middle = await holding("first"), asyncio.create_task(write("middle"))
    refused = asyncio.create_task(write("refused", fails=True))
    await turns_of_the_loop()
    last = asyncio.create_task(holding("last"))
    await turns_of_the_loop()
    with changes.announced_to(look):
        first.may_end.set()
        holder = await last
        await turns_of_the_loop()
        assert [task.done() for task in (first.task, middle, refused)] == [False] * 3
        assert heard == []
        assert on_disk(file) == []
        holder.may_end.set()
        await first.task
        assert on_disk(file) == ["first", "middle", "last"]
        await asyncio.gather(middle, holder.task)
        with pytest.raises(ZeroDivisionError):
            await refused
    assert heard == [["first", "middle", "last"]]


async def test_others_read_nothing_that_is_not_committed(file: Path) -> None:
    first = await holding("first")
    second = asyncio.create_task(holding("second"))
    await turns_of_the_loop()
    first.may_end.set()
    holder = await second
    assert await sql.fetch("SELECT name FROM shared_secrets") == []
    async with sql.snapshot():
        assert await sql.fetch("SELECT name FROM shared_secrets") == []
    await holder.end()
    assert len(await sql.fetch("SELECT name FROM shared_secrets")) == 2


async def test_the_orm_writes_alone_when_nobody_is_amid_a_transaction(file: Path) -> None:
    holder = await holding()
    orm = asyncio.create_task(SharedSecret.create(id=new_id(), name="orm", value="x", created_at=1))
    await turns_of_the_loop()
    others = [asyncio.create_task(write(str(number), fails=True)) for number in range(3)]
    await turns_of_the_loop()
    await holder.end()
    await orm
    await asyncio.gather(*others, return_exceptions=True)
    assert on_disk(file) == ["holder", "orm"]


async def test_who_is_cancelled_while_waiting_holds_up_nobody(file: Path) -> None:
    holder = await holding()
    waiting = [asyncio.create_task(write(str(number))) for number in range(4)]
    await turns_of_the_loop()
    waiting[0].cancel()
    waiting[3].cancel()
    await turns_of_the_loop()
    holder.may_end.set()
    waiting[2].cancel()  # perhaps its turn comes now
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in outcomes] == [
        asyncio.CancelledError,
        type(None),
        asyncio.CancelledError,
        asyncio.CancelledError,
    ]
    await holder.task
    await write("after")
    assert on_disk(file) == ["holder", "1", "after"]


async def test_who_is_cancelled_after_their_end_is_told_when_it_is_on_disk(file: Path) -> None:
    heard: list[list[str]] = []
    first = await holding("first")
    ended = asyncio.create_task(write("ended"))
    await turns_of_the_loop()
    last = asyncio.create_task(holding("last"))
    await turns_of_the_loop()
    await asyncio.gather(_ended(first), _cancelled_amid(ended, last, file, heard))
    assert heard == [["first", "ended", "last"]]


async def _ended(holder: Holder) -> None:
    await holder.end()


async def _cancelled_amid(
    ended: "asyncio.Task[None]",
    last: "asyncio.Task[Holder]",
    file: Path,
    heard: list[list[str]],
) -> None:
    holder = await last
    with changes.announced_to(lambda _changes: heard.append(on_disk(file))):
        ended.cancel()
        await turns_of_the_loop()
        assert not ended.done()
        await holder.end()
        with pytest.raises(asyncio.CancelledError):
            await ended


async def test_who_is_cancelled_amid_their_work_undoes_it_alone(file: Path) -> None:
    first = await holding("first")
    second = asyncio.create_task(holding("second"))
    await turns_of_the_loop()
    third = asyncio.create_task(write("third"))
    await turns_of_the_loop()
    first.may_end.set()
    holder = await second
    holder.task.cancel()
    await asyncio.gather(first.task, third)
    with pytest.raises(asyncio.CancelledError):
        await holder.task
    assert on_disk(file) == ["first", "third"]


async def test_who_fails_to_commit_fails_for_all_and_nothing_is_left(closed_file: Path) -> None:
    with disk.watched(closed_file.parent) as watched:
        async with opened(Address("sqlite", str(closed_file))):
            await write("before")
            watched.fail({"write": FULL}, since=lambda _call: True)
            outcomes = await asyncio.gather(
                *(write(str(number), fails=number == 2) for number in range(5)),
                return_exceptions=True,
            )
            assert all(
                isinstance(one, BaseException) and sql.is_unavailable(one) for one in outcomes
            )
            assert len({id(one) for one in outcomes}) == len(outcomes)
            assert on_disk(closed_file) == ["before"]
            watched.heal()
            await asyncio.gather(write("after"), write("after too"))
            assert on_disk(closed_file) == ["before", "after", "after too"]


async def test_what_sqlite_gives_up_is_given_up_by_all(file: Path) -> None:
    await write("before")
    (pages,) = (await sql.fetch("PRAGMA page_count"))[0]
    first = await holding("first")

    async def too_much() -> None:
        async with sql.transaction():
            await sql.fetch(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(sqlite3.OperationalError, match="full"):
                await insert("x" * 1_000_000)
            assert not sql._client()._connection.in_transaction
            await insert("alone")

    second = asyncio.create_task(too_much())
    await turns_of_the_loop()
    third = asyncio.create_task(write("third"))
    await turns_of_the_loop()
    first.may_end.set()
    outcomes = await asyncio.gather(first.task, second, third, return_exceptions=True)
    assert [repr(one) for one in outcomes] == [IS_FULL, IS_FULL, "None"]
    assert all(one is None or sql.is_unavailable(one) for one in outcomes)
    assert on_disk(file) == ["before", "third"]


async def test_who_cannot_begin_lets_the_next_try(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.storage.sqlite.BUSY_TIMEOUT_MILLISECONDS", 1)
    await write("before")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(*(write(str(i)) for i in range(3)), return_exceptions=True)
    assert [type(one) for one in outcomes] == [OperationalError] * 3
    other.execute("ROLLBACK")
    other.close()
    await write("after")
    assert on_disk(file) == ["before", "after"]


DYING = """
import asyncio, sys
from server.storage import sql
from server.storage.database import Address, opened
from server.storage.ids import new_id

INSERT = sql.insert("shared_secrets", "id, name, value, created_at")

async def write(name):
    async with sql.transaction():
        await sql.execute(INSERT, new_id(), name, "0", 1)
    print(name, flush=True)

async def main():
    async with opened(Address("sqlite", sys.argv[1])):
        for turn in range(1000):
            await asyncio.gather(*(write(f"{turn}-{number}") for number in range(20)))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_the_process(closed_file: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DYING, closed_file], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [next(process.stdout).strip() for _ in range(70)]
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert set(acknowledged) <= set(on_disk(closed_file))


@dataclass(frozen=True)
class Planned:
    """A transaction, and what becomes of it."""

    starts_after: int
    steps: int
    fails: bool
    inner_fails: bool
    shares_commit: bool
    cancelled_after: int | None


PLANS = st.lists(
    st.builds(
        Planned,
        starts_after=st.integers(0, 30),
        steps=st.integers(0, 3),
        fails=st.booleans(),
        inner_fails=st.booleans(),
        shares_commit=st.sampled_from([True, True, True, False]),
        cancelled_after=st.none() | st.integers(0, 60),
    ),
    max_size=12,
)


async def carried_out(number: int, plan: Planned) -> None:
    for _ in range(plan.starts_after):
        await asyncio.sleep(0)
    async with sql.transaction(shares_commit=plan.shares_commit):
        await insert(f"{number}")
        for _ in range(plan.steps):
            await asyncio.sleep(0)
        try:
            async with sql.transaction():
                await insert(f"{number} inner")
                await asyncio.sleep(0)
                if plan.inner_fails:
                    raise LookupError
        except LookupError:
            pass
        if plan.fails:
            raise ZeroDivisionError


async def cancelled(task: "asyncio.Task[None]", after: int | None) -> None:
    if after is not None:
        for _ in range(after):
            await asyncio.sleep(0)
        task.cancel()


async def agree(plans: list[Planned], template: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(shutil.copy(template, folder))
        async with opened(Address("sqlite", str(file))):
            tasks = [
                asyncio.create_task(carried_out(number, plan)) for number, plan in enumerate(plans)
            ]
            async with asyncio.TaskGroup() as group:
                for task, plan in zip(tasks, plans, strict=True):
                    group.create_task(cancelled(task, plan.cancelled_after))
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.wait_for(write("after"), 60)
            found = on_disk(file)
    assert found.pop() == "after"
    for number, (plan, outcome) in enumerate(zip(plans, outcomes, strict=True)):
        names = [f"{number}"] if plan.inner_fails else [f"{number}", f"{number} inner"]
        here = [name for name in found if name.split()[0] == f"{number}"]
        if isinstance(outcome, asyncio.CancelledError):
            assert here in ([], names)
        else:
            assert here == ([] if plan.fails else names)
            assert isinstance(outcome, ZeroDivisionError) == plan.fails


@settings(max_examples=40)
@given(plans=PLANS)
def test_whatever_comes_at_once_is_done_or_not(sqlite_template: Path, plans: list[Planned]) -> None:
    run_apart(agree(plans, sqlite_template))
