"""A disk that is full or fails: on SQLite. The caller is told to come back, nothing is left by
half, and once the disk is well again the same process goes on."""

import itertools
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.principal import Scope
from server.storage import sql
from server.storage.database import DATABASE_FILE, Address
from tests.api.calling import NOW, Caller, Json, enrolled, purchase_input
from tests.api.contract import mutation_document
from tests.api.redeeming import ANNA, rich
from tests.api.test_idempotency import CASES
from tests.conftest import run_apart
from tests.faults import disk
from tests.faults.apps import KEY, app, prepared
from tests.faults.calls import posted, serving
from tests.faults.disk import (
    FULL,
    SYNC_FAILED,
    TRUNCATE_FAILED,
    WRITE_FAILED,
    Call,
    Disk,
    commits,
)
from tests.faults.survival import rows

FULL_DISK = {"write": FULL}
BROKEN_DISK = {"write": WRITE_FAILED, "truncate": TRUNCATE_FAILED, "sync": SYNC_FAILED}


def at_once(_call: Call) -> bool:
    return True


def in_the_middle() -> Callable[[Call], bool]:
    """From the third write on: the first page is in the log, the second is begun."""
    numbers = itertools.count(1)
    return lambda call: call.kind == "write" and next(numbers) == 3


def synced(call: Call) -> bool:
    return call.kind == "sync"


def faults() -> Iterator[tuple[dict[str, int], Callable[[Call], bool]]]:
    """What breaks, and when."""
    for errors in (FULL_DISK, BROKEN_DISK):
        for since in (at_once, in_the_middle(), commits):
            yield errors, since
    yield BROKEN_DISK, synced


@pytest.fixture
def file(tmp_path: Path, sqlite_template: Path) -> Path:
    """A migrated SQLite file."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Path(shutil.copy(sqlite_template, folder / DATABASE_FILE))


@pytest.fixture
def watched(file: Path) -> Iterator[Disk]:
    """The disk under it."""
    with disk.watched(file.parent) as watched:
        yield watched


@pytest.mark.parametrize("name", CASES)
async def test_a_mutation_on_a_failing_disk_is_refused_whole(
    file: Path, watched: Disk, name: str
) -> None:
    async with app(Address("sqlite", str(file))) as api:
        case = await prepared(api, name)
        before = rows(file)
        sent = mutation_document(name), {"input": {"idempotencyKey": KEY, **case.input}}
        for errors, since in faults():
            watched.fail(errors, since=since)
            with capture_logs():
                response = (await api.send(*sent, case.caller, at=NOW)).json()
            watched.heal()
            (error,) = response["errors"]
            assert error["extensions"]["code"] == "UNAVAILABLE"
            assert response["data"] is None
            assert rows(file) == before
        answer = await api.mutate(name, case.input, case.caller, key=KEY)
        assert answer["__typename"] == CASES[name][0]
        after = rows(file)
        assert after != before
        assert await api.mutate(name, case.input, case.caller, key=KEY) == answer
        assert rows(file) == after


async def test_a_failed_checkpoint_fails_no_mutation(file: Path, watched: Disk) -> None:
    """What is in the log is committed; the checkpoint is made up for later."""
    async with app(Address("sqlite", str(file))) as api:
        await prepared(api, "signOut")
        till = await api.key(*Scope)
        await rich(api, "anna", 5000)
        async with sql.transaction():
            await sql.fetch("PRAGMA wal_autocheckpoint = 1")
        watched.fail(BROKEN_DISK, since=lambda call: call.file == DATABASE_FILE)
        told = await api.mutate("redeemPoints", {**ANNA, "points": 1000}, till)
        assert told["__typename"] == "PointsRedeemed"
        assert len(rows(file)["vouchers"]) == 1
        watched.heal()
        told = await api.mutate("redeemPoints", {**ANNA, "points": 1000}, till)
        assert told["__typename"] == "PointsRedeemed"
        assert len(rows(file)["vouchers"]) == 2
    assert [call for call in watched.calls if call.kind == "sync" and call.file == DATABASE_FILE]


def test_a_server_that_may_write_no_more_says_so_and_goes_on_when_it_may(file: Path) -> None:
    address = Address("sqlite", str(file))
    tills: list[Caller] = []

    async def prepare() -> None:
        async with app(address) as api:
            await prepared(api, "signOut")
            await enrolled("anna")
            tills.append(await api.key(*Scope))

    run_apart(prepare())
    first, second = ({"idempotencyKey": key, "purchase": purchase_input()} for key in "12")
    with serving(address, file.parent) as server:

        def record(given: Json) -> Json:
            return posted(server.url, "recordPurchase", given, tills[0])

        assert "errors" not in record(first)
        before = rows(file)
        # The kernel refuses every byte beyond, as it would on a full disk.
        log = file.with_name(file.name + "-wal")
        _limit_files(server.process.pid, log.stat().st_size)
        refused = record(second)
        assert refused["data"] is None
        assert refused["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        assert rows(file) == before
        _limit_files(server.process.pid, resource.RLIM_INFINITY)
        answer = record(second)
        assert answer["data"]["answer"]["__typename"] == "RecordedPurchase"
        assert record(second) == answer
        assert server.stop() == 0


def _limit_files(process: int, size_bytes: int) -> None:
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))
