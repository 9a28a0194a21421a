"""Who gets to each field of each type: every kind of caller asks for every one of them."""

from collections.abc import Iterable, Iterator

import pytest
from graphql import FieldNode, OperationDefinitionNode, parse, print_ast

from tests.api.calling import NOBODY, Api, Caller, Json, dump
from tests.api.contract import mutations
from tests.api.kinds import WORDS_OF, caller_of
from tests.api.test_access import INPUTS, QUERIES
from tests.api.ways import WORDS, Coordinate, Way, by_type, fields, may, selected, ways

FIELDS_IN_ONE_DOCUMENT = 25
REFUSALS = {"UNAUTHENTICATED", "FORBIDDEN"}
ANYBODY = frozenset((*WORDS, "NOBODY"))


def request(operation: str, root: str, inner: str) -> tuple[str, Json]:
    """A request for the root field; a mutation has a key that can't be one, so it does nothing."""
    if operation == "mutation":
        kind = mutations()[root].args["input"].type
        given = {"idempotencyKey": "", **INPUTS[root]}
        return f"mutation ($input: {kind}) {{ {root}(input: $input) {{ {inner} }} }}", {
            "input": given
        }
    assert operation == "query", "subscriptions have a protocol of their own"
    (asked,) = parse(QUERIES[root]).definitions
    assert isinstance(asked, OperationDefinitionNode)
    (field,) = asked.selection_set.selections
    assert isinstance(field, FieldNode)
    arguments = ", ".join(map(print_ast, field.arguments or ()))
    called = f"{root}({arguments})" if arguments else root
    return f"{{ {called} {{ {inner} }} }}", {}


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


def _below(reached: dict[str, Way], wanted: Iterable[Coordinate]) -> str:
    return " ".join(
        selected(reached[type_name], type_name, names)
        for type_name, names in by_type(wanted).items()
    )


def denied_requests(words: frozenset[str]) -> Iterator[tuple[Coordinate, tuple[str, Json]]]:
    """A request for each field that the caller may not use, by a way that is theirs if there is
    one, and by the way of others if not."""
    reached = {**ways(ANYBODY), **ways(words)}
    for coordinate in fields():
        if not may(words, coordinate):
            type_name, name = coordinate
            way = reached[type_name]
            yield coordinate, request(way.operation, way.root, selected(way, type_name, [name]))


# The rules don't know which database there is: one engine is enough.
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", WORDS_OF)
async def test_a_caller_gets_to_exactly_the_fields_that_name_it(
    api: Api, anna: int, kind: str
) -> None:
    words, caller = WORDS_OF[kind], await caller_of(api, kind)
    for document, variables in allowed_requests(words):
        codes = await api.codes(document, variables, caller)
        assert REFUSALS.isdisjoint(map(str, codes)), document
    before = await dump()
    for (type_name, name), (document, variables) in denied_requests(words):
        body = (await api.send(document, variables, caller)).json()
        assert body.get("data") is None, document
        (error,) = body["errors"]
        assert error["extensions"]["code"] == _code(caller), document
        if type_name in ways(words):
            assert f"{type_name}.{name}" in error["message"], document
    assert await dump() == before


def _code(caller: Caller) -> str:
    return "UNAUTHENTICATED" if caller == NOBODY else "FORBIDDEN"


def test_there_is_a_way_to_every_field() -> None:
    """So that none is left out above."""
    assert {type_name for type_name, _ in fields()} == ways(ANYBODY).keys()
