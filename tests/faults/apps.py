"""The real app in this process, on a database that a test can take away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from server import clock
from server.app import create_app
from server.edge import idempotency
from server.integrations import billing, firebase
from server.members import service as members
from server.programme import service as programme
from server.storage import sql
from server.storage.database import Address, opened
from server.webhooks import signing
from tests.api.calling import NOW, Api
from tests.api.conftest import SETTINGS
from tests.api.prepared_documents import prepared_once
from tests.api.test_idempotency import CASES, Case
from tests.integrations.believing import Believing
from tests.integrations.billing_server import Obliging
from tests.members.letterbox import opened_letterbox
from tests.programme.demo import demo_text

APP = create_app(SETTINGS, opens_database=False)
KEY = "the same each time"


@asynccontextmanager
async def client() -> AsyncIterator[Api]:
    """The real app in this process, as its callers see it."""
    firebase.use(Believing())
    billing.use(Obliging())
    transport = httpx2.ASGITransport(app=APP)
    with prepared_once():
        async with httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as http:
            yield Api(http)


@asynccontextmanager
async def app(address: Address) -> AsyncIterator[Api]:
    """The app on the database."""
    async with opened(address, pool_size=2), opened_letterbox(), client() as api:
        await members.prepare_keys(issuer=SETTINGS.token_issuer, audience=SETTINGS.audience)
        yield api


async def prepared(api: Api, name: str) -> Case:
    """The demo programme, and what the mutation needs besides."""
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(demo_text(), published_by="test")
    # Made by whoever asks first, in a transaction of its own.
    await idempotency.caller_hash("anybody")
    await signing.derived_secret(1)
    return await CASES[name][1](api)
