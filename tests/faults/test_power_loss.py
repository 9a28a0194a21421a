"""The power goes, at any moment, and with it what was not synced: on SQLite. What was acknowledged
is there afterwards, and nothing is there by half."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from server.principal import Scope
from server.storage import sql
from server.storage.database import DATABASE_FILE, Address
from tests.api.redeeming import rich
from tests.api.test_idempotency import CASES
from tests.faults import disk
from tests.faults.apps import KEY, app, prepared
from tests.faults.disk import Disk
from tests.faults.survival import Files, Platter, Recovered, Rows, rows


@dataclass
class History:
    """What was acknowledged when."""

    disk: Disk
    file: Path
    lost: Path
    """The folder for what a power loss leaves."""
    at_first: Files
    states: list[Rows] = field(default_factory=list)
    """The rows at the start, and after each mutation."""
    acknowledged: list[int] = field(default_factory=list)
    """For each of the states, how many calls the disk had seen."""

    def acknowledge(self) -> None:
        """The caller has its answer."""
        self.states.append(rows(self.file))
        self.acknowledged.append(len(self.disk.calls))

    def lost_at_some_moment(self) -> list[str]:
        """At each moment since the first acknowledgement the power goes: what was lost or
        half-written, in words."""
        platter, recovered = Platter(self.at_first), Recovered(self.lost)
        chance = random.Random(1)
        found: list[str] = []
        seen: set[int] = set()
        for number, call in enumerate(self.disk.calls, start=1):
            platter.do(call)
            known = sum(number >= acknowledged for acknowledged in self.acknowledged)
            if not known:
                continue
            for what, files in (
                ("synced", platter.synced),
                ("everything", platter.everything),
                ("torn", platter.torn(chance)),
            ):
                it = hash((known, *sorted(files.items())))
                if it in seen:
                    continue
                seen.add(it)
                survived = recovered.rows(files)
                # What is not yet acknowledged may be there, but only the next, and whole.
                if survived not in self.states[known - 1 : known + 1]:
                    state = self.states.index(survived) if survived in self.states else "none"
                    found.append(f"call {number}, {what}: state {state}, of {known}")
        return found


@pytest.fixture
def history(tmp_path: Path, sqlite_template: Path) -> Iterator[History]:
    """A database on a disk that is watched."""
    folder = tmp_path / "data"
    folder.mkdir()
    file = Path(shutil.copy(sqlite_template, folder / DATABASE_FILE))
    with disk.watched(folder) as watched:
        yield History(watched, file, tmp_path / "lost", {file.name: file.read_bytes()})


@pytest.mark.parametrize("name", CASES)
async def test_an_acknowledged_mutation_survives(history: History, name: str) -> None:
    async with app(Address("sqlite", str(history.file))) as api:
        case = await prepared(api, name)
        history.acknowledge()
        told = await api.mutate(name, case.input, case.caller, key=KEY)
        assert told["__typename"] == CASES[name][0]
        history.acknowledge()
    assert history.states[0] != history.states[1]
    assert history.lost_at_some_moment() == []


async def _busy_day(history: History, *, pragma: str) -> None:
    """Many mutations, with checkpoints in between."""
    async with app(Address("sqlite", str(history.file))) as api:
        await prepared(api, "signOut")
        client = sql._client()
        await client._connection.execute(f"PRAGMA {pragma}")
        till = await api.key(*Scope)
        await rich(api, "anna", 20_000)
        history.acknowledge()
        wish = {"member": {"externalId": "anna"}, "points": 1000}
        for _ in range(4):
            await api.record(till, member={"externalId": "anna"})
            history.acknowledge()
            await api.mutate("redeemPoints", wish, till)
            history.acknowledge()


async def test_so_do_many_across_checkpoints(history: History) -> None:
    await _busy_day(history, pragma="wal_autocheckpoint = 16")
    synced = {call.file for call in history.disk.calls if call.kind == "sync"}
    assert DATABASE_FILE in synced, "there was no checkpoint"
    assert history.lost_at_some_moment() == []


async def test_without_full_syncing_they_would_not(history: History) -> None:
    await _busy_day(history, pragma="synchronous = NORMAL")
    assert [lost for lost in history.lost_at_some_moment() if ", synced: state " in lost]
