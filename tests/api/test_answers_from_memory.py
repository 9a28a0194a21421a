"""Answers from memory are those that the database would have given: whatever is written, by which
process, and however far the clock moves between two reads."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.edge.memory import Recall
from server.storage.database import Address, opened
from tests.api import remembering
from tests.api.remembering import VERBS, WITHOUT_MEMORY, app, compare, made
from tests.conftest import _postgres_database
from tests.properties import trying

NewDatabase = Callable[[], AbstractContextManager[Address]]


@pytest.fixture
def new_database(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
    """Makes the next migrated, empty database: each example has one of its own."""

    @contextmanager
    def postgres() -> Iterator[Address]:
        server = request.getfixturevalue("postgres_server")
        template = request.getfixturevalue("postgres_template")
        with _postgres_database(server, template=template) as url:
            yield Address("postgres", url)

    @contextmanager
    def sqlite() -> Iterator[Address]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        file = folder / "laurel.sqlite3"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield Address("sqlite", str(file))

    return sqlite if engine == "sqlite" else postgres


class Step(NamedTuple):
    """What happens next: a verb or a move of the clock, by whom, and how much."""

    what: str
    who: int
    amount: int


CLOCK = "the clock moves"
VERB_STEPS = st.builds(
    Step, st.sampled_from(sorted(VERBS)), st.integers(0, 2), st.integers(0, 3)
)
CLOCK_STEPS = st.builds(Step, st.just(CLOCK), st.just(0), st.integers(0, 10))
STEPS = st.lists(st.one_of(VERB_STEPS, VERB_STEPS, CLOCK_STEPS), min_size=8, max_size=20)


async def walked(world: remembering.World, warm: remembering.Remembering, steps: list[Step]) -> None:
    await compare(world, warm.api, 0)
    for turn, step in enumerate(steps, start=1):
        if step.what == CLOCK:
            world.now = await remembering.later(world.now, step.amount)
        else:
            await VERBS[step.what](world, world.people[step.who], step.amount)
        await compare(world, warm.api, turn)


@trying(8)
@given(steps=STEPS)
async def test_what_is_remembered_is_what_the_database_would_say(
    new_database: NewDatabase, steps: list[Step]
) -> None:
    with new_database() as address:
        async with (
            opened(address, pool_size=3),
            app(answers_mebibytes=8) as warm,
            app(answers_mebibytes=WITHOUT_MEMORY) as cold,
        ):
            world = await made(cold.api, cold.api)
            await walked(world, warm, steps)
            assert warm.memory.counts[Recall.HIT] > 3 * len(steps)
            assert cold.memory.counts[Recall.HIT] == 0
