import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_compiler import compile_operation
from graphql_compiler.strawberry_fields import StrawberryBinder
from tests.compiler.comparing import by_compiler, by_graphql_core
from tests.compiler.operations import random_operation
from tests.compiler.shops import Context, Town, schema

SCHEMA = schema._schema
BINDER = StrawberryBinder(schema)

# What graphql-core cancels before it has begun, it leaves unawaited.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")


async def compare(seed: int, kind: str, trouble: float, late: float) -> None:
    random = Random(seed)
    document, variables = random_operation(SCHEMA, random, kind, depth=5)
    compiled = compile_operation(SCHEMA, document, bind=BINDER)
    for _ in range(3):  # what has been learnt of classes must not change anything
        town = Town(random, trouble, late)
        root = town.query() if kind == "query" else None
        shops = [town.shop(1) for _ in range(3)]

        def context(log: list[Any], shops: list[Any] = shops) -> Context:
            return Context(log, shops)

        expected = await by_graphql_core(
            SCHEMA,
            document,
            variables,
            root,
            executor_class=schema.execution_context_class,
            make_context=context,
        )
        told = await by_compiler(compiled, variables, root, make_context=context)
        assert told == expected


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(["query", "query", "query", "mutation"]),
    trouble=st.sampled_from([0.0, 0.02, 0.1]),
    late=st.sampled_from([0.0, 0.0, 0.1]),
)
def test_any_operation_of_a_strawberry_schema_is_answered_alike(
    seed: int, kind: str, trouble: float, late: float
) -> None:
    asyncio.run(compare(seed, kind, trouble, late))
