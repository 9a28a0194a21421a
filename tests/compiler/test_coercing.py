"""Input values are coerced as graphql-core coerces them, or left to it."""

from enum import Enum
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    build_schema,
)
from graphql.pyutils import Undefined
from graphql.utilities.coerce_input_value import coerce_input_value
from hypothesis import given
from hypothesis import strategies as st

from graphql_compiler.coercing import coercion_of


class Tone(Enum):
    LOUD = 1
    LOW = 2


def _made() -> GraphQLSchema:
    schema = build_schema(
        """
        scalar Even
        enum Tone { LOUD LOW }
        input Reference @oneOf { id: ID name: String }
        input Line { product: String! quantity: Int = 1 price: Float even: Even tones: [Tone!] }
        input Basket {
          lines: [Line!]! grid: [[Int!]] of: Reference! first: Line = {product: "p", tones: [LOW]}
          isPaid: Boolean! = false
        }
        input Endless { next: Endless, many: [Endless!] }
        input AroundEndless { endless: Endless }
        type Query { field(a: Basket, b: Endless, c: AroundEndless): Int }
        """
    )
    even: Any = schema.type_map["Even"]
    even.coerce_input_value = _even
    tones = GraphQLEnumType("Tone", Tone, names_as_values=None)
    schema.type_map["Tone"].values = tones.values  # type: ignore[attr-defined]
    basket: Any = schema.type_map["Basket"]
    basket.fields["isPaid"].out_name = "is_paid"
    line: Any = schema.type_map["Line"]
    line.out_type = staticmethod(lambda value: ("line", value))
    return schema


def _even(value: object) -> object:
    if type(value) is not int:
        raise GraphQLError("not a number")
    return value // 2 if value % 2 == 0 else Undefined


SCHEMA = _made()


def named(name: str) -> GraphQLInputObjectType:
    found = SCHEMA.type_map[name]
    assert isinstance(found, GraphQLInputObjectType)
    return found


def coerced(value: object, type_: GraphQLInputType) -> object:
    coerce = coercion_of(type_)
    assert coerce is not None
    try:
        return coerce(value)
    except Exception:  # what it is, graphql-core tells
        return Undefined


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1, 2, -(2**31), 2**31, 1.5, float("inf"), "", "LOUD", "loud", "x", [], {}, [None]]
)
REFERENCE = st.dictionaries(st.sampled_from(["id", "name", "other"]), ODD, max_size=2)
LINE = st.dictionaries(
    st.sampled_from(["product", "quantity", "price", "even", "tones", "odd"]),
    st.one_of(ODD, st.lists(ODD, max_size=2)),
    max_size=5,
) | st.just({"product": "p"})
BASKET = st.fixed_dictionaries(
    {"lines": st.lists(LINE, max_size=2), "of": REFERENCE},
    optional={
        "grid": ODD | st.lists(ODD | st.lists(ODD, max_size=2), max_size=2),
        "first": LINE | ODD,
        "isPaid": ODD,
        "other": ODD,
    },
)


@given(BASKET | ODD)
def test_what_is_coerced_is_what_graphql_core_makes_of_it(value: object) -> None:
    for type_ in (named("Basket"), GraphQLNonNull(named("Basket"))):
        ours = coerced(value, type_)
        if ours is not Undefined:
            assert repr(ours) == repr(coerce_input_value(value, type_))


def test_usual_values_are_not_left_to_graphql_core() -> None:
    value = {
        "lines": [
            {"product": "a", "quantity": 2, "price": 0.5, "even": 4, "tones": ["LOUD", "LOW"]},
            {"product": "b", "tones": None},
        ],
        "grid": [[1], None],
        "of": {"name": "n"},
    }
    assert coerced(value, named("Basket")) == {
        "lines": [
            (
                "line",
                {
                    "product": "a",
                    "quantity": 2,
                    "price": 0.5,
                    "even": 2,
                    "tones": [Tone.LOUD, Tone.LOW],
                },
            ),
            ("line", {"product": "b", "quantity": 1, "tones": None}),
        ],
        "grid": [[1], None],
        "of": {"name": "n"},
        "first": ("line", {"product": "p", "quantity": 1, "tones": [Tone.LOW]}),
        "is_paid": False,
    }


@pytest.mark.parametrize(
    "reference", [{}, {"id": "1", "name": "n"}, {"id": None}, {"other": 1}, {"id": "1", "x": 1}]
)
def test_not_exactly_one_of_them_is_left_to_graphql_core(reference: object) -> None:
    assert coerced(reference, named("Reference")) is Undefined


def test_a_default_that_could_be_changed_is_made_for_each_value() -> None:
    value = {"lines": [], "of": {"id": "1"}}
    first, second = (coerced(value, named("Basket")) for _ in range(2))
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["first"] == second["first"]
    theirs = [coerce_input_value(value, named("Basket"))["first"] for _ in range(2)]
    assert (first["first"] is second["first"]) == (theirs[0] is theirs[1])


def test_a_type_that_contains_itself_is_left_to_graphql_core() -> None:
    for _ in range(2):  # whether it has been tried before or not
        assert coercion_of(named("Endless")) is None
        assert coercion_of(GraphQLList(named("AroundEndless"))) is None


def test_types_deep_inside_one_another_are_left_to_graphql_core() -> None:
    type_: GraphQLInputType = GraphQLInt
    for _ in range(40):
        type_ = GraphQLList(type_)
    assert coercion_of(type_) is None
