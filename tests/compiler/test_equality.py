import asyncio
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from graphql import build_schema, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_compiler import compile_operation
from tests.compiler.comparing import by_compiler, by_graphql_core
from tests.compiler.operations import random_operation
from tests.compiler.worlds import World, schema_of_everything

SCHEMA = schema_of_everything()

# What graphql-core cancels before it has begun, it leaves unawaited.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")


async def compare(seed: int, kind: str, trouble: float, late: float) -> None:
    random = Random(seed)
    document, variables = random_operation(SCHEMA, random, kind)
    compiled = compile_operation(SCHEMA, document)
    root_type = SCHEMA.query_type if kind == "query" else SCHEMA.mutation_type
    assert root_type is not None
    for _ in range(2):  # what has been learnt of classes must not change anything
        root = World(SCHEMA, random, trouble, late).root(root_type)
        hides = random.random() < 0.5
        expected = await by_graphql_core(SCHEMA, document, variables, root, hide_suggestions=hides)
        told = await by_compiler(compiled, variables, root, hide_suggestions=hides)
        assert told == expected


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(["query", "query", "query", "mutation"]),
    trouble=st.sampled_from([0.0, 0.03, 0.15]),
    late=st.sampled_from([0.0, 0.0, 0.1, 0.4]),
)
def test_any_operation_on_any_data_has_the_bytes_errors_and_calls_of_graphql_core(
    seed: int, kind: str, trouble: float, late: float
) -> None:
    asyncio.run(compare(seed, kind, trouble, late))


class Text(str):
    __slots__ = ()


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 10**20),
    *(0.0, -0.0, 1.0, 1.5, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", "1", "1.5", "A", "B", "true", "\u2028", Text("A"), b"A", Decimal(2), Fraction(1, 3)),
    *([], ["A"], {}, {"a": 1}, (), set(), object, ValueError("bad"), range(2)),
]


@pytest.mark.parametrize("named", ["Int", "Float", "String", "Boolean", "ID", "Letter", "Any"])
async def test_every_leaf_shows_every_value_alike(named: str) -> None:
    schema = build_schema(
        f"""
        scalar Any
        enum Letter {{ A B }}
        type Query {{ one: {named}, sure: {named}!, many: [{named}], all: [{named}!] }}
        """
    )
    for field in ("one", "sure", "many", "all"):
        document = parse(f"{{ {field} }}")
        compiled = compile_operation(schema, document)
        for value in VALUES:
            found = [value, value] if field in {"many", "all"} else value
            try:
                expected = await by_graphql_core(schema, document, {}, {field: found})
            except TypeError:  # a scalar that makes what JSON has no way to say
                with pytest.raises(TypeError):
                    await by_compiler(compiled, {}, {field: found})
            else:
                assert await by_compiler(compiled, {}, {field: found}) == expected
