"""A key server on this machine, and the ID tokens that are checked with its keys; FCM, and who
sends push messages by it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.integrations.fcm import FirebasePusher
from server.integrations.firebase import Firebase
from tests.fcm import ServedFcm, serving
from tests.integrations.firebase_google import PROJECT, KeyServer, serving_keys


@pytest.fixture
def google() -> Iterator[KeyServer]:
    """The key server."""
    with serving_keys() as server:
        yield server


@pytest.fixture
def tokens(google: KeyServer) -> Firebase:
    """The tokens of the project."""
    return Firebase(PROJECT, certificates_url=google.url)


@pytest.fixture
def fcm() -> Iterator[ServedFcm]:
    """A loopback FCM."""
    with serving() as served:
        yield served


@pytest.fixture
async def pusher(fcm: ServedFcm, tmp_path: Path) -> AsyncIterator[FirebasePusher]:
    """Who sends by it."""
    own = FirebasePusher(fcm.account.write(tmp_path), url=fcm.url)
    yield own
    await own.close()


@pytest.fixture
async def impatient(fcm: ServedFcm, tmp_path: Path) -> AsyncIterator[FirebasePusher]:
    """Who waits for half a second."""
    own = FirebasePusher(fcm.account.write(tmp_path), url=fcm.url, timeout_seconds=0.5)
    yield own
    await own.close()
