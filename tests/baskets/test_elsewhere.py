"""A basket that one process has reserved is confirmed, and shown, by another."""

import shutil
from pathlib import Path

from server.storage.database import Address
from tests.api.test_idempotency import CASES
from tests.faults.apps import app, prepared


async def test_who_has_quoted_nothing_confirms_what_another_has_reserved(
    sqlite_template: Path, tmp_path: Path
) -> None:
    file = tmp_path / "laurel.sqlite3"
    shutil.copyfile(sqlite_template, file)
    address = Address("sqlite", str(file))
    success, _prepare = CASES["confirmBasket"]
    async with app(address) as api:
        case = await prepared(api, "confirmBasket")
    async with app(address) as api:  # nothing is in memory
        told = await api.mutate("confirmBasket", case.input, case.caller, key="k")
    assert told["__typename"] == success
    async with app(address) as api:
        again = await api.mutate("confirmBasket", case.input, case.caller, key="k")
    assert again == told
