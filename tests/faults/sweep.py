"""One mutation, killed wherever it can be: what is left, and what repeating it comes to."""

import asyncio
import gc
import shutil
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
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
from tests.postgres import create_database, drop_database

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


async def _once(address: Address, name: str, case: Case, stop: Stop) -> Undisturbed:
    async with app(address) as api:
        stop.watch()
        answer = await api.mutate(name, case.input, case.caller, key=KEY)
        stop.last()
        return Undisturbed(answer, await dump(), stop.stops)


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
        self._server = server

    @contextmanager
    def copy(self, *, name: str) -> Iterator[Address]:
        """A copy for the block."""
        if self._server is None:
            folder = self._folder / name
            folder.mkdir()
            file = folder / "laurel.sqlite3"
            shutil.copyfile(self._template.location, file)
            yield Address("sqlite", str(file))
            shutil.rmtree(folder)
            return
        url = create_database(self._server, template=self._template.location)
        try:
            yield Address("postgres", url)
        finally:
            drop_database(url)


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

    def run(self, address: Address, case: Case, *, seed: int, at: int | None) -> Undisturbed:
        """The mutation, in a process that dies at stop number `at` if there is one."""

        async def work() -> Undisturbed:
            if self.is_sabotaged:
                ImmediateTransaction.begin = _begin_nothing  # type: ignore[method-assign]
            return await _once(address, self.name, case, installed(address.engine, at=at))

        return self.in_a_process(seed, work)

    def repeated(self, address: Address, case: Case) -> Repeated:
        """What a new process finds, and the same request in it."""
        return self.in_a_process(REPEATING, lambda: _repeated(address, self.name, case))


async def _begin_nothing(self: ImmediateTransaction) -> None:
    """What makes each statement a transaction of its own."""


def run(
    *, name: str, template: str, server: str | None, folder: Path, is_sabotaged: bool = False
) -> Json:
    """Kills the mutation at each stop. Answers {"stops": what stood there, in order;
    "outcomes": for each, "nothing" or "all" was done; "faults": what was wrong, in words}."""
    engine = "sqlite" if server is None else "postgres"
    asyncio.run(_read(name))
    gc.freeze()
    with ExitStack() as stack:
        empty = Databases(Address(engine, template), folder, server)
        copied = stack.enter_context(empty.copy(name="prepared"))
        sweep = Sweep(name, Databases(copied, folder, server), time.time_ns(), is_sabotaged)
        case, before = sweep.in_a_process(PREPARING, lambda: _prepared(copied, name))
        runs = []
        for seed in (DYING, REPEATING):
            with sweep.databases.copy(name="undisturbed") as address:
                runs.append(sweep.run(address, case, seed=seed, at=None))
        died, repeats = runs
        outcomes, faults = [], []
        for number, stop in enumerate(died.stops):
            with sweep.databases.copy(name="killed") as address:
                with suppress(Killed):
                    sweep.run(address, case, seed=DYING, at=number)
                    raise AssertionError(f"it lived past stop {number}, {stop}")
                try:
                    repeated = sweep.repeated(address, case)
                except RuntimeError as error:
                    faults.append(f"killed {stop}: the repetition failed: {error}")
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
