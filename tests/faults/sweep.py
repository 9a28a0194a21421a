"""One mutation, killed wherever it can be: what is left, and what repeating it comes to."""

import asyncio
import gc
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from server.audit import service as audit
from server.storage import sql
from server.storage.database import Address
from server.storage.sqlite import ImmediateTransaction
from tests.api.calling import Json, dump
from tests.api.contract import mutation_document
from tests.api.test_idempotency import Case
from tests.faults.apps import KEY, app, client, prepared
from tests.faults.determined import determine
from tests.faults.nursery import Killed, born
from tests.faults.stops import Stop, installed
from tests.faults.survival import Rows, rows
from tests.postgres_copies import Copies, told

SECONDS_TO_NOTICE = 30

Dump = dict[str, list[str]]
_Answer = TypeVar("_Answer")

PREPARING, DYING, REPEATING = range(3)
"""Seeds: a process that repeats must not draw what the one that died has left in the database."""


@dataclass(frozen=True)
class Undisturbed:
    """A run that nothing kills."""

    answer: Json
    after: Dump
    stops: list[str]
    left: list[str]
    """At each stop, what a process that dies there would leave; see `Databases.told`."""


@dataclass(frozen=True)
class Repeated:
    """What a new process finds, and what the same request comes to in it."""

    found: Dump
    answer: Json
    after: Dump


# ---------------------------------------------------------------- in a process


async def _read(name: str) -> None:
    """Read and validate the mutation's document, which all forks of this process then have."""
    async with client() as api:
        await api.codes(mutation_document(name))


async def _prepared(address: Address, name: str) -> tuple[Case, Dump]:
    async with app(address) as api:
        return await prepared(api, name), await dump()


async def _once(
    address: Address, name: str, case: Case, stop: Stop, left: list[str]
) -> Undisturbed:
    async with app(address) as api:
        stop.watch()
        answer = await api.mutate(name, case.input, case.caller, key=KEY)
        stop.last()
        return Undisturbed(answer, await dump(), stop.stops, left)


async def _repeated(address: Address, name: str, case: Case) -> Repeated:
    async with app(address) as api:
        await _rest(address)
        found = await dump()
        answer = await api.mutate(name, case.input, case.caller, key=KEY)
        repeated = Repeated(found, answer, await dump())
        report = await audit.audit_all()
        assert not report.problems, [problem.line for problem in report.problems]
        return repeated


async def _rest(address: Address) -> None:
    """Waits until the server has noticed that the killed process is gone."""
    if address.engine == "sqlite":
        assert await sql.fetch("PRAGMA integrity_check") == [("ok",)]
        assert await sql.fetch("PRAGMA foreign_key_check") == []
        return
    others = (
        "SELECT COUNT(*) FROM pg_stat_activity one"
        " JOIN pg_stat_activity mine ON mine.pid = pg_backend_pid()"
        " WHERE one.datname = current_database() AND one.backend_start < mine.backend_start"
    )
    async with asyncio.timeout(SECONDS_TO_NOTICE):
        while (await sql.fetch(others))[0][0] > 0:  # noqa: ASYNC110 - it is elsewhere
            await asyncio.sleep(0.002)


# ---------------------------------------------------------------- databases to die on


class Databases:
    """Copies of one template."""

    def __init__(self, template: Address, folder: Path, server: str | None) -> None:
        self._template = template
        self._folder = folder
        self._copies = None if server is None else Copies(server, template.location)

    @contextmanager
    def copy(self, *, name: str) -> Iterator[Address]:
        """A copy for the block."""
        if self._copies is not None:
            with self._copies.one() as url:
                yield Address("postgres", url)
            return
        folder = self._folder / name
        folder.mkdir()
        file = folder / "laurel.sqlite3"
        shutil.copyfile(self._template.location, file)
        yield Address("sqlite", str(file))
        shutil.rmtree(folder)

    def told(self, address: Address, *, is_open: bool = False) -> str:
        """Which rows a process that is killed now leaves, or has left unless its database
        `is_open`. Its own files are not opened: how they come back is for the next one to show."""
        if address.engine == "postgres":
            rows = json.dumps(told(address.location, is_alone=not is_open))
        else:
            rows = repr(_rows_of_a_copy(Path(address.location), self._folder / "told"))
        return hashlib.sha256(rows.encode()).hexdigest()

    def close(self) -> None:
        """Nobody wants another copy."""
        if self._copies is not None:
            self._copies.close()


def _rows_of_a_copy(file: Path, folder: Path) -> Rows:
    shutil.copytree(file.parent, folder, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
    try:
        return rows(folder / file.name, left_out=())
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Sweep:
    """The runs of one mutation, each in a process and on a database of its own."""

    name: str
    databases: Databases
    now_ns: int
    is_sabotaged: bool = False

    def in_a_process(self, seed: int, work: Callable[[], Coroutine[Any, Any, _Answer]]) -> _Answer:
        """What the work answers in a process without chance. Raises Killed if it doesn't."""

        def live() -> _Answer:
            determine(seed, now_ns=self.now_ns)
            return asyncio.run(work())

        return born(live)

    def undisturbed(self, address: Address, case: Case, *, seed: int) -> Undisturbed:
        """The mutation, in a process that looks at each stop at what it would leave."""
        left: list[str] = []

        def look() -> None:
            left.append(self.databases.told(address, is_open=True))

        # What the one that repeats would leave, were it killed as well, nobody asks.
        looks = look if seed == DYING else None
        return self.in_a_process(
            seed, lambda: self._once(address, case, installed(address.engine, look=looks), left)
        )

    def killed(self, address: Address, case: Case, *, at: int) -> str:
        """What the mutation leaves in a process that dies at stop number `at`."""
        with suppress(Killed):
            self.in_a_process(
                DYING, lambda: self._once(address, case, installed(address.engine, at=at), [])
            )
            raise AssertionError(f"it lived past stop {at}")
        return self.databases.told(address)

    async def _once(self, address: Address, case: Case, stop: Stop, left: list[str]) -> Undisturbed:
        if self.is_sabotaged:
            ImmediateTransaction.begin = _begin_nothing  # type: ignore[method-assign]
        return await _once(address, self.name, case, stop, left)

    def tried_again(self, address: Address, case: Case) -> Repeated | RuntimeError:
        """What a new process finds, and the same request in it; or how that failed."""
        try:
            return self.in_a_process(REPEATING, lambda: _repeated(address, self.name, case))
        except RuntimeError as error:
            return error


async def _begin_nothing(self: ImmediateTransaction) -> None:
    """What makes each statement a transaction of its own."""


def run(
    *, name: str, template: str, server: str | None, folder: Path, is_sabotaged: bool = False
) -> Json:
    """Looks at each stop of the mutation at what a process that dies there would leave. For each of
    the states found, which are two unless something is half done, one is killed, must have left
    just that, and is repeated. Answers {"stops": what stood there, in order; "outcomes": for each,
    "nothing" or "all" was done; "faults": what was wrong, in words}."""
    engine = "sqlite" if server is None else "postgres"
    asyncio.run(_read(name))
    gc.freeze()
    with ExitStack() as stack:
        empty = stack.enter_context(closing(Databases(Address(engine, template), folder, server)))
        copied = stack.enter_context(empty.copy(name="prepared"))
        databases = stack.enter_context(closing(Databases(copied, folder, server)))
        sweep = Sweep(name, databases, time.time_ns(), is_sabotaged)
        case, before = sweep.in_a_process(PREPARING, lambda: _prepared(copied, name))
        runs = []
        for seed in (DYING, REPEATING):
            with sweep.databases.copy(name="undisturbed") as address:
                runs.append(sweep.undisturbed(address, case, seed=seed))
        died, repeats = runs
        outcomes, faults = [], []
        repeats_of: dict[str, Repeated | RuntimeError] = {}  # by all that was left
        for number, (stop, left) in enumerate(zip(died.stops, died.left, strict=True)):
            if left not in repeats_of:  # without chance, equal rows come to equal rows
                with databases.copy(name="killed") as address:
                    if sweep.killed(address, case, at=number) != left:
                        faults.append(f"killed {stop}: it left other rows than were seen there")
                    repeats_of[left] = sweep.tried_again(address, case)
            repeated = repeats_of[left]
            if isinstance(repeated, RuntimeError):
                faults.append(f"killed {stop}: the repetition failed: {repeated}")
                continue
            is_done = repeated.found == died.after
            outcomes.append("all" if is_done else "nothing")
            expected = (died.after, died) if is_done else (before, repeats)
            faults += [f"killed {stop}: {wrong}" for wrong in _wrong(repeated, *expected)]
        return {"stops": died.stops, "outcomes": outcomes, "faults": faults}


def _wrong(repeated: Repeated, left: Dump, undisturbed: Undisturbed) -> Iterator[str]:
    """What is not as it should be."""
    for what, here, there in (
        ("left", repeated.found, left),
        ("after the repetition", repeated.after, undisturbed.after),
        ("answered", repeated.answer, undisturbed.answer),
    ):
        if here != there:
            yield f"{what} {_difference(here, there)}"


def _difference(here: Json, there: Json) -> str:
    """What stands only here, and only there."""
    return "; ".join(
        f"{key}: {_only(here.get(key), there.get(key))} not {_only(there.get(key), here.get(key))}"
        for key in here.keys() | there.keys()
        if here.get(key) != there.get(key)
    )


def _only(here: Any, there: Any) -> Any:
    if isinstance(here, list) and isinstance(there, list):
        return [one for one in here if one not in there]
    return here
