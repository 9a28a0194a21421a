"""The real app over HTTP, on both engines, with the demo programme published."""

from collections.abc import AsyncIterator
from itertools import count

import httpx2
import pytest

from server import clock
from server.app import create_app
from server.edge import attempts
from server.members import service as members
from server.principal import Scope
from server.programme import service as programme
from server.settings import Settings, SimulatedTime
from server.storage import sql
from server.storage.database import Address
from tests.api import example
from tests.api.calling import NOW, Api, Caller, enrolled
from tests.api.prepared_documents import prepared_once
from tests.members.letterbox import opened_letterbox
from tests.programme.demo import demo_text

SETTINGS = Settings(simulated_time=SimulatedTime.ACCEPT)


@pytest.fixture
async def empty_api(database: Address) -> AsyncIterator[Api]:
    """The app before a programme is published."""
    await members.prepare_keys(issuer=SETTINGS.token_issuer, audience=SETTINGS.audience)
    app = create_app(SETTINGS, opens_database=False)
    transport = httpx2.ASGITransport(app=app)
    with prepared_once():
        async with (
            opened_letterbox(),
            httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as client,
        ):
            yield Api(client)


@pytest.fixture(autouse=True)
def no_cleaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hundredth attempt of a process cleans up: each test begins to count anew, so that what
    its statements are doesn't depend on the tests before it."""
    monkeypatch.setattr(attempts, "_taken", count(1))


@pytest.fixture
async def api(empty_api: Api) -> Api:
    """The app with the demo programme."""
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(demo_text(), published_by="test")
    return empty_api


@pytest.fixture
async def till(api: Api) -> Caller:
    """A key with every scope, which names the time of its requests."""
    return await api.key(*Scope)


@pytest.fixture
async def anna(api: Api) -> int:
    """A member with the external id "anna" and the welcome points of NOW; the id."""
    return await enrolled("anna", name="Anna")


@pytest.fixture
async def household(api: Api, till: Caller) -> Caller:
    """The household of the worked example at the end of its year, signed in."""
    return await example.played(api, till)
