"""A disk that is full or fails: on SQLite. The caller is told to come back, nothing is left by
half, and once the disk is well again the same process goes on."""

import itertools
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.members import service as members
from server.principal import Scope
from server.storage import sql
from server.storage.database import DATABASE_FILE, Address, opened
from tests.api.calling import NOW, Json, enrolled, purchase_input
from tests.api.contract import mutation_document
from tests.api.test_idempotency import CASES
from tests.conftest import run_apart
from tests.faults import disk
from tests.faults.apps import KEY, app, prepared
from tests.faults.disk import FULL, SYNC_FAILED, TRUNCATE_FAILED, WRITE_FAILED, Disk
from tests.faults.survival import rows

FAULTS = {
    "full": {"write": FULL},
    "writes fail": {"write": WRITE_FAILED, "truncate": TRUNCATE_FAILED},
    "syncs fail": {"sync": SYNC_FAILED},
}
MOST_CALLS = 1000


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


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", CASES)
async def test_a_mutation_on_a_failing_disk_is_refused_whole(
    file: Path, watched: Disk, name: str, fault: str
) -> None:
    async with app(Address("sqlite", str(file))) as api:
        case = await prepared(api, name)
        before = rows(file)
        sent = mutation_document(name), {"input": {"idempotencyKey": KEY, **case.input}}
        # Each time the disk fails a call later, until it is late enough for the mutation.
        for number in range(MOST_CALLS):
            watched.fail_from(number, FAULTS[fault])
            response = (await api.send(*sent, case.caller, at=NOW)).json()
            watched.heal()
            if "errors" not in response:
                break
            (error,) = response["errors"]
            assert error["extensions"]["code"] == "UNAVAILABLE"
            assert response["data"] is None
            assert rows(file) == before
        else:
            pytest.fail("it never succeeded")
        assert number > 0
        answer = response["data"]["answer"]
        assert answer["__typename"] == CASES[name][0]
        after = rows(file)
        assert after != before
        assert await api.mutate(name, case.input, case.caller, key=KEY) == answer
        assert rows(file) == after
