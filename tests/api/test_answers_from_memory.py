"""Answers from memory are those that the database would have given: whatever is written, by which
process, and however far the clock moves between two reads.

On SQLite only one process writes, and what a command wants written while it serves is done by that
process (`server.storage.errands`): there is no other one to hear of. So it's on PostgreSQL that
another process writes here.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server import clock
from server.clock import Instant
from server.edge import http, trusted
from server.edge.context import Context
from server.edge.memory import Recall
from server.edge.metrics import Metrics
from server.edge.requests import hash_of
from server.principal import Principal, PrincipalKind
from server.storage import sql, versions
from server.storage.changes import PROGRAMME_VERSION_ID
from server.storage.database import Address, opened
from tests.api import remembering_documents as documents
from tests.api.calling import NOW, SECOND, Api, Json
from tests.api.home import HOME
from tests.api.prepared_documents import executed
from tests.api.remembering import (
    WITH_MEMORY,
    WITHOUT_MEMORY,
    Remembering,
    World,
    app,
    compare,
    made,
    prepare_keys,
    read,
)
from tests.api.remembering_sending import another_process
from tests.api.remembering_verbs import VERBS, later
from tests.api.test_idempotency import CASES
from tests.conftest import _postgres_database
from tests.properties import trying

NewDatabase = Callable[[], AbstractContextManager[Address]]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of operations that nobody wants to read of."""
    monkeypatch.setattr(http, "log_operation", lambda *_facts, **_more: None)


@pytest.fixture
def new_postgres(postgres_server: str, postgres_template: str) -> NewDatabase:
    """Makes the next migrated, empty database: each example has one of its own."""

    @contextmanager
    def new() -> Iterator[Address]:
        with _postgres_database(postgres_server, template=postgres_template) as url:
            yield Address("postgres", url)

    return new


@pytest.fixture
def new_database(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
    """The same on both engines."""

    @contextmanager
    def new() -> Iterator[Address]:
        file = tmp_path / "laurel.sqlite3"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield Address("sqlite", str(file))
        file.unlink()

    if engine == "sqlite":
        return new
    made: NewDatabase = request.getfixturevalue("new_postgres")
    return made


# ---------------------------------------------------------------- whatever happens


class Step(NamedTuple):
    """What happens next: a verb or a move of the clock, by whom, and how much."""

    what: str
    who: int
    amount: int
    crowd: bool  # the members look at their phones while it happens


CLOCK = "the clock moves"
WRITTEN = st.builds(
    Step, st.sampled_from(sorted(VERBS)), st.integers(0, 2), st.integers(0, 3), st.booleans()
)
MOVED = st.builds(Step, st.just(CLOCK), st.just(0), st.integers(0, 10), st.just(False))
STEPS = st.lists(WRITTEN | WRITTEN | MOVED, min_size=10, max_size=25)


async def walk(world: World, warm: Remembering, steps: list[Step]) -> None:
    """Every step, and after each of them the comparison."""
    await compare(world, warm.api, 0)
    for turn, step in enumerate(steps, start=1):
        if step.what == CLOCK:
            world.now = await later(world.now, step.amount)
        else:
            writing = VERBS[step.what](world, world.people[step.who], step.amount)
            await asyncio.gather(writing, *(_looks(world, warm.api) for _ in range(step.crowd)))
        await compare(world, warm.api, turn)
    assert warm.memory.counts[Recall.HIT] > 10 * len(steps)
    assert warm.memory.counts[Recall.UNFIT] == 0


async def _looks(world: World, warm: Api) -> None:
    for person in world.people:
        for asked in documents.whole():
            await read(warm, asked, person.caller, world.now)


def steps_of(*acts: tuple[str, int]) -> list[Step]:
    """What Anna does, to which amount, and how the clock moves."""
    return [Step(what, 0, amount, crowd=False) for what, amount in acts]


@trying(4)
@given(steps=STEPS)
# Time alone: a month that ends while no value changes, and spend that leaves the tier's window.
@example(steps=steps_of(("buy", 3), (CLOCK, 9), (CLOCK, 6), (CLOCK, 10), (CLOCK, 10)))
@example(steps=steps_of(("publish", 2), (CLOCK, 1), (CLOCK, 2), ("redeem", 0), ("voucher_pay", 0)))
async def test_what_is_remembered_is_what_the_database_would_say(
    new_database: NewDatabase, steps: list[Step]
) -> None:
    with new_database() as address:
        async with opened(address, pool_size=4):
            await prepare_keys()
            warm, cold = app(WITH_MEMORY), app(WITHOUT_MEMORY)
            await walk(await made(cold.api), warm, steps)
            assert cold.memory.counts[Recall.HIT] == 0


@trying(3)
@given(steps=STEPS)
async def test_what_another_process_writes_is_never_missed(
    new_postgres: NewDatabase, steps: list[Step]
) -> None:
    with new_postgres() as address:
        async with another_process() as there, opened(address, pool_size=4):
            await prepare_keys()
            async with there.opened(address):
                await walk(await made(there), app(WITH_MEMORY), steps)


# ---------------------------------------------------------------- whatever is written


async def _seen_by(member_id: int) -> tuple[Json, tuple[int, ...]]:
    """All that is exact of what the member sees, and the versions that it hangs on."""
    principal = Principal(PrincipalKind.MEMBER, id=1, member_id=member_id)
    context = Context(principal=principal, at=Instant(NOW + SECOND))
    result = await executed(documents.everything().document, context)
    assert result.errors is None, result.errors
    assert result.data is not None
    return result.data, await versions.current([member_id, PROGRAMME_VERSION_ID])


async def _members() -> list[int]:
    return [row[0] for row in await sql.fetch("SELECT id FROM members")]


UNSEEN = {
    *("signUp", "signIn", "signInWithFirebase", "refreshSession", "signOut", "signOutEverywhere"),
    *("changePassword", "requestPasswordReset", "resetPassword"),
    *("revokeSession", "endMemberSessions"),
    *("enrolMember", "createApiKey", "replaceApiKey", "revokeApiKey", "publishDocuments"),
}
"""Mutations that change nothing that a member who was there before is shown."""


@pytest.mark.parametrize("name", CASES)
async def test_a_mutation_takes_the_version_of_all_whose_view_it_changes_a_step_on(
    api: Api, name: str
) -> None:
    success, prepare = CASES[name]
    case = await prepare(api)
    members = await _members()
    before = {one: await _seen_by(one) for one in members}
    told = await api.mutate(name, case.input, case.caller)
    assert told["__typename"] == success
    after = {one: await _seen_by(one) for one in members}
    seen = {one for one in members if before[one][0] != after[one][0]}
    assert not seen & {one for one in members if before[one][1] == after[one][1]}
    if name in UNSEEN:
        assert not seen


# ---------------------------------------------------------------- single promises


@pytest.fixture
async def world(database: Address) -> World:
    """Three members, and those who serve them."""
    await prepare_keys()
    return await made(app(WITHOUT_MEMORY).api)


async def _titles(api: Api, world: World, language: str | None = None) -> list[str]:
    asked = documents.Asked("{ me { challenges { title } } }")
    seen = await read(api, asked, world.people[0].caller, world.now, language)
    return [one["title"] for one in json.loads(seen.data + b"}")["data"]["me"]["challenges"]]


async def test_each_language_is_remembered_by_itself(world: World) -> None:
    warm, anna = app(WITH_MEMORY), world.people[0]
    english = await _titles(warm.api, world)
    assert await _titles(warm.api, world) == english
    latvian = await _titles(warm.api, world, "lv")
    assert latvian != english
    assert await _titles(warm.api, world, "lv") == latvian
    assert warm.memory.counts[Recall.HIT] == 2
    await world.ask("updateProfile", {"locale": "lv-LV"}, anna.caller)
    assert await _titles(warm.api, world) == latvian
    assert await _titles(warm.api, world, "en") == english
    assert warm.memory.counts[Recall.HIT] == 2


async def test_whoever_has_signed_out_is_told_nothing_of_what_is_remembered(world: World) -> None:
    warm, anna = app(WITH_MEMORY), world.people[0]
    for _ in range(2):
        assert (await read(warm.api, documents.everything(), anna.caller, world.now)).status == 200
    assert warm.memory.counts[Recall.HIT] == 1
    await world.ask("signOut", {}, anna.caller)
    assert (await read(warm.api, documents.everything(), anna.caller, world.now)).status == 401
    assert (await read(warm.api, documents.everything(), anna.sessions[1], world.now)).status == 200
    assert warm.memory.counts[Recall.HIT] == 2  # what is remembered is the member's, on any device


async def test_no_member_is_told_what_is_remembered_of_another(world: World) -> None:
    warm = app(WITH_MEMORY)
    for _ in range(2):
        seen = [
            await read(warm.api, documents.everything(), person.caller, world.now)
            for person in world.people
        ]
        names = [json.loads(one.data + b"}")["data"]["me"]["externalId"] for one in seen]
        assert names == ["anna", "bob", "carl"]
    assert warm.memory.counts[Recall.HIT] == 3


async def test_memory_stays_within_its_bounds_and_answers_the_same(world: World) -> None:
    warm = app(WITH_MEMORY)
    warm.memory._capacity_bytes = 20_000
    for turn in range(3):
        await compare(world, warm.api, turn)
        assert 10_000 < warm.memory.size_bytes <= 20_000
    assert warm.memory.counts[Recall.UNKNOWN] > 3 * len(documents.by_field())


async def test_what_is_remembered_is_counted(world: World) -> None:
    metrics = Metrics()
    warm = app(WITH_MEMORY, metrics)
    anna = world.people[0].caller
    for _ in range(3):
        await read(warm.api, documents.whole()[0], anna, world.now)
    shown = metrics.exposed().decode().splitlines()
    assert 'laurel_answers_recalled_total{recall="hit"} 2.0' in shown
    assert 'laurel_answers_recalled_total{recall="unknown"} 1.0' in shown
    assert "laurel_answers_kept 1.0" in shown
    assert f"laurel_answers_kept_bytes {float(warm.memory.size_bytes)}" in shown


async def test_a_phone_that_has_the_answer_is_not_sent_it_again(world: World) -> None:
    warm, anna = app(WITH_MEMORY), world.people[0]
    async with sql.transaction():
        await trusted.publish([trusted.NewDocument(HOME, "App")])
    at = {"documentId": f"sha256:{hash_of(HOME)}"}
    transport = httpx2.ASGITransport(app=warm.asgi)
    with clock.moved_to(world.now):
        async with httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as phone:
            phone.headers.update(anna.caller.headers)
            first = await phone.get("/graphql", params=at)
            phone.headers["If-None-Match"] = first.headers["ETag"]
            same = await phone.get("/graphql", params=at)
            await VERBS["buy"](world, anna, 0)
            other = await phone.get("/graphql", params=at)
    assert (first.status_code, same.status_code, other.status_code) == (200, 304, 200)
    assert same.content == b""
    assert same.headers["ETag"] == first.headers["ETag"] != other.headers["ETag"]
    assert first.json()["data"] != other.json()["data"]
    assert warm.memory.counts[Recall.HIT] == 1
