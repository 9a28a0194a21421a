"""No request asks for more than a server can bear; what people send stays far below the limits."""

import pytest
from graphql import get_introspection_query

from server.edge.context import Context
from server.edge.graphiql import Example
from server.edge.limits import MAXIMUM_ALIASES, MAXIMUM_DEPTH, MAXIMUM_TOKENS
from server.examples import EXAMPLES
from server.schema import schema


async def errors_of(query: str) -> list[str]:
    answer = await schema.execute(query, context_value=Context())
    return [error.message for error in answer.errors or ()]


def aliased(count: int) -> str:
    return "{" + " ".join(f"a{number}: __typename" for number in range(count)) + "}"


def nested(depth: int) -> str:
    return "{ me " + "{ me " * (depth - 1) + "{ id }" + " }" * depth


async def test_aliases_are_limited() -> None:
    assert await errors_of(aliased(MAXIMUM_ALIASES)) == []
    assert await errors_of(aliased(31)) == ["31 aliases found. Allowed: 30"]


async def test_depth_is_limited() -> None:
    [refusal] = [text for text in await errors_of(nested(20)) if "depth" in text]
    assert str(MAXIMUM_DEPTH) in refusal
    assert not any("depth" in text for text in await errors_of(nested(MAXIMUM_DEPTH)))


async def test_tokens_are_limited() -> None:
    [refusal] = await errors_of("{" + " __typename" * MAXIMUM_TOKENS + "}")
    assert f"more than {MAXIMUM_TOKENS} tokens" in refusal


async def test_tools_may_ask_for_the_whole_schema() -> None:
    assert await errors_of(get_introspection_query(directive_is_repeatable=True)) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)
async def test_the_examples_are_below_the_limits(example: Example) -> None:
    assert not any(
        word in text
        for text in await errors_of(example.query)
        for word in ("aliases", "depth", "tokens")
    )
