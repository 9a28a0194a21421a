"""Members who do what members do, read through an app that remembers its answers and through one
that doesn't."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import httpx2
from starlette.routing import BaseRoute, Route
from tortoise.connection import get_connections

from server import clock
from server.app import create_app
from server.clock import Instant, LocalDay
from server.edge.executing import Operations
from server.edge.http import GraphQLEndpoint
from server.edge.memory import Memory
from server.integrations import firebase
from server.members import remembering
from server.members import service as members
from server.principal import Scope, StaffRole
from server.programme import service as programme
from server.settings import Settings, SimulatedTime
from server.storage import sql
from tests.api import remembering_documents as documents
from tests.api.calling import DAY, NOW, SECOND, Api, Caller, Json, line, purchase_input, shown
from tests.integrations.believing import Believing
from tests.ledger.books import grant, granted
from tests.programme.demo import demo_yaml

WITHOUT_MEMORY = 0
NAMES = ("Anna", "Bob", "Carl")
LANGUAGES = ("en", "lv", "zh-Hant", None)
"""What the phones ask for; None leaves it to the member's own language."""
SESSIONS = 3
_ZONE = "America/New_York"


def settings(*, answers_mebibytes: int) -> Settings:
    """Of an app that keeps so much of its answers, and lets everybody ask as much as they like."""
    return Settings(
        simulated_time=SimulatedTime.ACCEPT,
        cost_budget_percent=0,
        answers_mebibytes=answers_mebibytes,
    )


@dataclass(frozen=True)
class Remembering:
    """An app on the open database, and what it remembers."""

    api: Api
    memory: Memory


@asynccontextmanager
async def app(*, answers_mebibytes: int) -> AsyncIterator[Remembering]:
    """The app in this process."""
    made = create_app(settings(answers_mebibytes=answers_mebibytes), opens_database=False)
    firebase.use(Believing())
    transport = httpx2.ASGITransport(app=made)
    async with httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as client:
        yield Remembering(Api(client), _operations(made.routes).memory)


def _operations(routes: list[BaseRoute]) -> Operations:
    (endpoint,) = (
        route.app
        for route in routes
        if isinstance(route, Route) and isinstance(route.app, GraphQLEndpoint)
    )
    return endpoint._operations


@contextmanager
def unknown_callers() -> Iterator[None]:
    """Within the block no caller is remembered, and those who were are afterwards."""
    connections = get_connections()
    kept = remembering.callers()
    remembering._callers[connections] = remembering.Callers()
    try:
        yield
    finally:
        remembering._callers[connections] = kept


# ---------------------------------------------------------------- who there is


@dataclass
class Person:
    """A member as the test knows them."""

    name: str
    sessions: list[Caller]
    purchases: list[str] = field(default_factory=list)
    payments: list[str] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    payouts: list[str] = field(default_factory=list)
    vouchers: list[str] = field(default_factory=list)
    merges: list[str] = field(default_factory=list)  # into this one
    signed_out: list[Caller] = field(default_factory=list)

    @property
    def caller(self) -> Caller:
        """The session that is in use."""
        return self.sessions[0]

    @property
    def reference(self) -> Json:
        """Whom staff and tills mean."""
        return {"member": {"id": self.caller.id}}


@dataclass
class World:
    """Three members, of whom two share a household, and those who serve them, at an instant.

    `there` is where everything is written; it remembers nothing.
    """

    there: Api
    people: list[Person]
    till: Caller
    support: Caller
    manager: Caller
    now: Instant = NOW

    async def ask(self, name: str, input: Json, caller: Caller) -> Json:
        """What the mutation answers now."""
        return await self.there.mutate(name, input, caller, at=self.now)


async def made(there: Api, here: Api) -> World:
    """The world on an empty, migrated database that `here` and `there` have open."""
    await members.prepare_keys(issuer=settings(answers_mebibytes=0).token_issuer, audience="laurel")
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(document_of(0), published_by="test")
    people = []
    for name in NAMES:
        first = await here.member(name.lower(), name=name)
        more = [await _another_session(first) for _ in range(SESSIONS - 1)]
        people.append(Person(name, [first, *more]))
        for asset in ("POINTS", "USD"):
            await grant(first.member_id, granted(3000, at=NOW, asset=asset), now=NOW)
    world = World(
        there,
        people,
        await here.key(*Scope),
        await here.staff(StaffRole.SUPPORT),
        await here.staff(StaffRole.MANAGER),
    )
    await _found(world, people[0], 0)
    await _join(world, people[1], 0)
    return world


async def _another_session(caller: Caller) -> Caller:
    async with sql.transaction():
        opened = await members.open_session(caller.account_id)
    tokens = await members.session_tokens(opened)
    return replace(caller, token=tokens.access_token, refresh_token=tokens.refresh_token)


def document_of(amount: int) -> str:
    """The demo programme, with other rules for each amount."""
    return demo_yaml(
        {
            ("challenges", "weekly_visits", "reward_points"): 50 + amount,
            ("challenges", "weekly_visits", "visit_days"): 1 + amount % 3,
            ("points", "base", "points"): 10 + amount % 3,
            ("points", "expiry_days"): 20 if amount % 3 else 180,
            ("tiers", "window_days"): 30 if amount % 2 else 365,
            ("tiers", "levels", 1, "min_spend_minor"): 15_000 + 1_000 * amount,
            ("tiers", "levels", 1, "name"): "Silver" if amount % 2 else "Argent",
            ("cashback", "monthly_cap_minor"): 500 + amount,
            ("transfers",): {
                "minimum_points": 1,
                "daily_limit_points": 10_000,
                "minimum_account_age_days": 0,
            },
            ("households",): {
                "maximum_members": 4,
                "rejoin_wait_days": 0,
                "minimum_account_age_days": 0,
            },
        }
    )


# ---------------------------------------------------------------- what is read


class Seen(NamedTuple):
    """The data of an answer, as it was sent."""

    status: int
    data: bytes


async def read(
    api: Api,
    asked: documents.Asked,
    caller: Caller,
    at: Instant,
    language: str | None,
) -> Seen:
    """The answer to an operation."""
    headers = {} if language is None else {"Accept-Language": language}
    response = await api.send(asked.document, asked.variables, caller, at=at, **headers)
    data, _, _cost = response.content.rpartition(b',"extensions":{"cost"')
    return Seen(response.status_code, data or response.content)


def part(seen: Seen, name: str) -> str:
    """What one field of the member is in the answer, in the order in which it was sent."""
    assert seen.status == 200, seen.data
    return json.dumps(json.loads(seen.data + b"}")["data"]["me"][name])


async def compare(world: World, warm: Api, turn: int) -> None:
    """Whatever a member is told from memory is what they are told without it."""
    for number, person in enumerate(world.people):
        language = LANGUAGES[(turn + number) % len(LANGUAGES)]
        caller, at = person.caller, world.now
        for asked in documents.whole():
            first = await read(warm, asked, caller, at, language)
            second = await read(warm, asked, caller, at, language)
            with unknown_callers():
                truth = await read(world.there, asked, caller, at, language)
            assert first == second == truth, (person.name, asked.document)
        with unknown_callers():
            everything = await read(world.there, documents.everything(), caller, at, None)
        for name, asked in documents.by_field().items():
            narrow = await read(warm, asked, caller, at, None)
            assert part(narrow, name) == part(everything, name), (person.name, name)
        for gone in person.signed_out:
            refused = await read(warm, documents.everything(), gone, at, None)
            assert refused.status == 401
