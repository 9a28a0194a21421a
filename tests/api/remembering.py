"""Members of whom an app remembers what it has answered, beside one that remembers nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from tortoise.connection import get_connections

from server import clock
from server.app import create_app
from server.clock import Instant
from server.edge.executing import Operations
from server.edge.http import GraphQLEndpoint
from server.edge.memory import Memory
from server.edge.metrics import Metrics
from server.integrations import firebase
from server.members import remembering
from server.members import service as members
from server.principal import Scope, StaffRole
from server.programme import service as programme
from server.settings import Settings, SimulatedTime
from server.storage import sql
from tests.api import remembering_documents as documents
from tests.api.calling import NOW, Api, Caller, Json
from tests.api.remembering_sending import Near
from tests.integrations.believing import Believing
from tests.ledger.books import grant, granted
from tests.programme.demo import demo_yaml

WITH_MEMORY = Settings(
    simulated_time=SimulatedTime.ACCEPT,
    cost_budget_percent=0,  # everybody may ask as much as they like
    answers_mebibytes=8,
)
WITHOUT_MEMORY = WITH_MEMORY.model_copy(update={"answers_mebibytes": 0})
NAMES = ("Anna", "Bob", "Carl")
LANGUAGES = ("en", "lv", "zh-Hant", None)
"""What the phones ask for; None leaves it to the member's own language."""
SESSIONS = 3


@dataclass(frozen=True)
class Remembering:
    """An app on the open database, and what it remembers."""

    asgi: Starlette
    api: Api
    memory: Memory


def app(settings: Settings, metrics: Metrics | None = None) -> Remembering:
    """An app in this process."""
    made = create_app(settings, opens_database=False, metrics=metrics)
    firebase.use(Believing())
    return Remembering(made, Near(made), _operations(made.routes).memory)


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


async def prepare_keys() -> None:
    """Have the keys of whoever serves the open database at hand."""
    await members.prepare_keys(issuer=WITH_MEMORY.token_issuer, audience=WITH_MEMORY.audience)


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
    codes: list[str] = field(default_factory=list)  # of the vouchers
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

    def after(self, person: Person, places: int = 1) -> Person:
        """Somebody else."""
        return self.people[(self.people.index(person) + places) % len(self.people)]


async def made(there: Api) -> World:
    """The world, on the open, migrated, empty database; `there` may be another process."""
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(document_of(0), published_by="test")
    here = app(WITHOUT_MEMORY).api
    people = [await _person(here, name) for name in NAMES]
    till = await here.key(*Scope)
    support, manager = [await here.staff(role) for role in (StaffRole.SUPPORT, StaffRole.MANAGER)]
    world = World(there, people, till, support, manager)
    await world.ask("foundHousehold", {"name": "Home"}, people[0].caller)
    await join(world, people[1], "SPENDER")
    return world


async def _person(here: Api, name: str) -> Person:
    first = await here.member(name.lower(), name=name)
    more = [await _another_session(first) for _ in range(SESSIONS - 1)]
    for asset in ("POINTS", "USD"):
        await grant(first.member_id, granted(3000, at=NOW, asset=asset), now=NOW)
    return Person(name, [first, *more])


async def _another_session(caller: Caller) -> Caller:
    async with sql.transaction():
        opened = await members.open_session(caller.account_id)
    tokens = await members.session_tokens(opened)
    return replace(caller, token=tokens.access_token, refresh_token=tokens.refresh_token)


async def join(world: World, person: Person, role: str) -> None:
    """The member joins the household of the first one who may invite them."""
    for other in world.people:
        told = await world.ask("inviteToHousehold", {"role": role}, other.caller)
        if other is not person and "invitationCode" in told:
            code = {"code": told["invitationCode"]}
            await world.ask("joinHousehold", code, person.caller)
            return


def document_of(number: int) -> str:
    """The demo programme, with other rules for each number."""
    return demo_yaml(
        {
            ("challenges", "weekly_visits", "reward_points"): 50 + number,
            ("challenges", "weekly_visits", "visit_days"): 1 + number % 3,
            ("points", "base", "points"): 10 + number % 3,
            ("points", "expiry_days"): 20 if number % 3 else 180,
            ("tiers", "window_days"): 30 if number % 2 else 365,
            ("tiers", "levels", 1, "min_spend_minor"): 15_000 + 1_000 * number,
            ("tiers", "levels", 1, "name"): "Silver" if number % 2 else "Argent",
            ("cashback", "monthly_cap_minor"): 500 + number,
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
    api: Api, asked: documents.Asked, caller: Caller, at: Instant, language: str | None = None
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
        await _compare_whole(world, warm, person, language)
        await _compare_fields(world, warm, person)
        for gone in person.signed_out:
            refused = await read(warm, documents.everything(), gone, world.now)
            assert refused.status == 401, "signed out"


async def _compare_whole(world: World, warm: Api, person: Person, language: str | None) -> None:
    caller, at = person.caller, world.now
    for asked in documents.whole():
        first = await read(warm, asked, caller, at, language)
        second = await read(warm, asked, caller, at, language)
        with unknown_callers():
            truth = await read(world.there, asked, caller, at, language)
        assert truth.status == 200, truth
        assert first == truth, (person.name, asked.document)
        assert second == truth, (person.name, asked.document)


async def _compare_fields(world: World, warm: Api, person: Person) -> None:
    caller, at = person.caller, world.now
    with unknown_callers():
        truth = await read(world.there, documents.everything(), caller, at)
    for name, asked in documents.by_field().items():
        narrow = await read(warm, asked, caller, at)
        assert part(narrow, name) == part(truth, name), (person.name, name)
