"""A database in which the keys of tokens are made, and the clock to stand still in."""

from collections.abc import Iterator

import pytest
import time_machine

from server.members import service as members
from server.storage.database import Address
from tests.members.people import START


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The time, standing at `START` until it's moved."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
async def keys(database: Address, clock: time_machine.Traveller) -> Address:
    """An open database after the first start, at `START`."""
    await members.prepare_keys()
    return database
