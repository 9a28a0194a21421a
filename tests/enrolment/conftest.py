"""A deployment that takes Firebase's ID tokens."""

from collections.abc import AsyncIterator, Iterator

import pytest

from server.integrations.firebase import Firebase
from server.members import service as members
from server.storage.database import Address
from tests.enrolment.signing_in import using
from tests.integrations.firebase_google import PROJECT, KeyServer, serving_keys
from tests.purchases.baskets import publish


@pytest.fixture(scope="module")
def google() -> Iterator[KeyServer]:
    """The server of the keys that the tokens are signed with."""
    with serving_keys() as server:
        yield server


@pytest.fixture
async def programme(database: Address, google: KeyServer) -> AsyncIterator[None]:
    """A deployment with a programme, which takes the ID tokens of a Firebase project."""
    await members.prepare_keys()
    await publish()
    with using(Firebase(PROJECT, certificates_url=google.url)):
        yield
