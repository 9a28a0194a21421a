"""Who gets to each field of each type: every kind of caller asks for every one of them."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

import pytest

from server.settings import Settings, SimulatedTime
from tests.api.calling import NOBODY, Api, Caller, Json, dump
from tests.api.kinds import WORDS_OF, caller_of
from tests.api.test_access import request_for
from tests.api.test_limits import asking
from tests.api.ways import (
    WORDS,
    Coordinate,
    Way,
    by_type,
    fields,
    may,
    may_call,
    selected,
    ways,
    ways_by_node,
)

FIELDS_IN_ONE_DOCUMENT = 25
REFUSALS = {"UNAUTHENTICATED", "FORBIDDEN"}
ANYBODY = frozenset((*WORDS, "NOBODY"))
PARTS = 8
"""Of the fields, so that tests in parallel share them."""
ON_ONE_ENGINE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""The rules don't know which database there is."""


@pytest.fixture
async def api(api: Api) -> AsyncIterator[Api]:
    """The app, where everybody may ask as much as they like: who is told to wait is not told
    whether the field is theirs."""
    async with asking(
        Settings(simulated_time=SimulatedTime.ACCEPT, cost_budget_percent=0)
    ) as unhurried:
        yield unhurried


def request(operation: str, root: str, shown: str) -> tuple[str, Json]:
    """A request for the root field; a mutation has a key that can't be one, so it does nothing."""
    return request_for(operation, root, shown, idempotencyKey="")


def allowed_requests(words: frozenset[str]) -> Iterator[tuple[str, Json]]:
    """Requests for all fields that the caller may use, many in one."""
    reached = ways(words)
    allowed = [one for one in fields() if may(words, one) and one[0] in reached]
    by_root: dict[tuple[str, str], list[Coordinate]] = {}
    for coordinate in allowed:
        way = reached[coordinate[0]]
        by_root.setdefault((way.operation, way.root), []).append(coordinate)
    for (operation, root), wanted in by_root.items():
        for start in range(0, len(wanted), FIELDS_IN_ONE_DOCUMENT):
            part = wanted[start : start + FIELDS_IN_ONE_DOCUMENT]
            yield request(operation, root, _below(reached, part))


def _below(reached: Mapping[str, Way], wanted: Iterable[Coordinate]) -> str:
    return " ".join(
        selected(reached[type_name], type_name, names)
        for type_name, names in by_type(wanted).items()
    )


def way_to_denied(words: frozenset[str], type_name: str) -> Way:
    """How to ask for a field of the type that the caller may not use: by their own way to the type;
    without one by `node`, which they may call; and if no thing leads to it, by others' way."""
    found = ways(words).get(type_name) or ways_by_node().get(type_name)
    return found or ways(ANYBODY)[type_name]


@ON_ONE_ENGINE
@pytest.mark.parametrize("kind", WORDS_OF)
async def test_a_caller_gets_to_all_fields_that_name_it(api: Api, anna: int, kind: str) -> None:
    caller = await caller_of(api, kind)
    for document, variables in allowed_requests(WORDS_OF[kind]):
        codes = await api.codes(document, variables, caller)
        assert REFUSALS.isdisjoint(map(str, codes)), document


@ON_ONE_ENGINE
@pytest.mark.parametrize("part", range(PARTS))
async def test_a_caller_gets_to_no_other_field(api: Api, part: int) -> None:
    callers = {kind: await caller_of(api, kind) for kind in WORDS_OF}
    before = await dump()
    for coordinate in sorted(fields())[part::PARTS]:
        for kind, words in WORDS_OF.items():
            if not may(words, coordinate):
                way = way_to_denied(words, coordinate[0])
                shown = selected(way, coordinate[0], [coordinate[1]])
                document, variables = request(way.operation, way.root, shown)
                body = (await api.send(document, variables, callers[kind])).json()
                (error,) = body["errors"]
                assert error["extensions"]["code"] == _code(callers[kind]), (kind, document)
                if coordinate[0] in ways(words):
                    assert ".".join(coordinate) in error["message"], (kind, document)
                if may_call(words, way.root):
                    assert "data" not in body, "the operation was not executed"
                else:
                    assert not any((body["data"] or {}).values()), (kind, document)
    assert await dump() == before


def _code(caller: Caller) -> str:
    return "UNAUTHENTICATED" if caller == NOBODY else "FORBIDDEN"


def test_there_is_a_way_to_every_field() -> None:
    """So that none is left out above."""
    assert {type_name for type_name, _ in fields()} == ways(ANYBODY).keys()
