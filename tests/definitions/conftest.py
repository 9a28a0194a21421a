"""A database with a programme, for the tests of definitions."""

import pytest

from server.storage.database import Address
from tests.definitions.things import POSTED, programme_published


@pytest.fixture
async def shop(database: Address) -> Address:
    """A database with a programme, and nothing written down."""
    POSTED.clear()
    await programme_published()
    return database
