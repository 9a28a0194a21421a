import asyncio
from random import Random
from typing import Any

import pytest
import strawberry
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLUnionType, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from graphql_compiler import Attribute, Direct, Outcome, Resolve, compile_operation
from graphql_compiler.strawberry_fields import StrawberryBinder
from tests.compiler.comparing import by_compiler, by_graphql_core
from tests.compiler.operations import random_operation
from tests.compiler.shops import Context, Grade, Named, Person, Problem, Shop, Town, schema

SCHEMA = schema._schema
BINDER = StrawberryBinder(schema)

# What graphql-core cancels before it has begun, it leaves unawaited.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")


async def compare(seed: int, kind: str, trouble: float, late: float) -> None:
    random = Random(seed)
    document, variables = random_operation(SCHEMA, random, kind, depth=5)
    compiled = compile_operation(SCHEMA, document, bind=BINDER)
    for _ in range(2):  # what has been learnt of classes must not change anything
        town = Town(random, trouble, late)
        root = town.query() if kind == "query" else None
        shops = [town.shop(1) for _ in range(2)]

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


# Who fails beside a sibling's resolver leaves that one unawaited, as graphql-core itself does.
@pytest.mark.filterwarnings("ignore:coroutine .*_async_resolver. was never awaited:RuntimeWarning")
# It may be noticed in the middle of code of the library that has no builtins to warn with.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <coroutine object GraphQLCoreConverter")
@settings(max_examples=40, deadline=None)
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


def test_what_is_around_a_resolver_is_left_out_only_where_it_does_nothing() -> None:
    shop = SCHEMA.type_map["Shop"]
    assert isinstance(shop, GraphQLObjectType)
    kinds = {name: BINDER(shop, name, field) for name, field in shop.fields.items()}
    names = {
        kind: {name for name, one in kinds.items() if type(one) is kind}
        for kind in (Attribute, Direct, Resolve)
    }
    assert names == {
        Attribute: {"id", "name", "rating", "visits", "price", "tones", "owner", "neighbours"},
        Direct: {
            "computed",
            "later",
            "choose",
            "friend",
            "friends",
            "guarded",
            "outcome",
            "page",
            "renamed",
        },
        Resolve: {"permitted"},
    }
    assert {name for name, one in kinds.items() if isinstance(one, Direct) and one.is_async} == {
        *("later", "choose", "friends", "guarded", "page"),
    }


def test_classes_decide_unless_a_type_has_its_own_way() -> None:
    @strawberry.type
    class Other:
        name: str

        @classmethod
        def is_type_of(cls, obj: object, info: object) -> bool:
            return True

    other = strawberry.Schema(Other)._schema.type_map["Other"]
    named, outcome = SCHEMA.type_map["Named"], SCHEMA.type_map["Outcome"]
    assert isinstance(other, GraphQLObjectType)
    assert isinstance(named, GraphQLInterfaceType)
    assert isinstance(outcome, GraphQLUnionType)
    assert BINDER.is_decided_by_class(named, Person)
    assert BINDER.is_decided_by_class(outcome, Problem)
    assert not BINDER.is_decided_by_class(named, dict)
    assert not BINDER.is_decided_by_class(named, Problem)
    assert not BINDER.is_decided_by_class(other, Other)


def test_an_object_that_is_cast_has_the_type_that_it_is_cast_to() -> None:
    compiled = compile_operation(SCHEMA, parse("{ named { __typename } }"), bind=BINDER)
    shown = []
    for is_cast in (False, True, False):
        town = Town(Random(0), 0, 0)
        one: Named = town.person()
        found = strawberry.cast(Shop, one) if is_cast else one
        outcome = compiled.run(None, root=_Root([found]))
        assert isinstance(outcome, Outcome)
        shown.append(outcome.data)
    person = b'{"named":[{"__typename":"Person"}]}'
    assert shown == [person, b'{"named":[{"__typename":"Shop"}]}', person]


class _Root:
    def __init__(self, named: list[Named]) -> None:
        self.named = named


def test_arguments_and_enums_are_those_of_strawberry() -> None:
    document = parse("{ shop { renamed(arg: 4) owner { best } } }")
    shop = Town(Random(0), 0, 0).shop(1)
    shop.owner = Person(
        id=strawberry.ID("1"), name=None, active=True, best=Grade.HIGH, plan=shop.plan
    )
    root = _Root([])
    root.shop = shop  # type: ignore[attr-defined] # whatever has the attribute
    outcome = compile_operation(SCHEMA, document, bind=BINDER).run(None, root=root)
    assert isinstance(outcome, Outcome)
    assert outcome.data == b'{"shop":{"renamed":11,"owner":{"best":"HIGH"}}}'
