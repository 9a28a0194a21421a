"""The running app, and a database with a programme, for tests of the catalogue."""

import pytest

from server.storage.database import Address
from tests.api.conftest import api, empty_api, till
from tests.catalogue.shop import opened

__all__ = ["api", "empty_api", "till"]


@pytest.fixture
async def shop(database: Address) -> Address:
    """A database with a programme and nothing else."""
    await opened()
    return database
