"""What an operation asks for is known before it runs, exactly, whatever it looks like."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import strawberry
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

from server.edge import sizing
from server.edge.documents import Preparing
from server.edge.estimating import CEILING
from server.edge.executing import schema_of
from server.edge.limits import DocumentLimits
from server.edge.planning import OperationPlan, Planner
from server.edge.refusing import RequestRefused
from server.edge.sizing import assumed, sizes_of, weighs
from server.edge.sizing import given as sized_by
from server.examples import EXAMPLES
from server.schema import schema
from server.sizes import SECRETS


@strawberry.type
class Leaf:
    name: str


@strawberry.type
class Branch:
    name: str
    leaf: Leaf
    leaves: list[Leaf]

    @strawberry.field
    def branch(self) -> "Branch":
        raise NotImplementedError

    @strawberry.field
    def page(self, first: int = 20) -> "Page":
        raise NotImplementedError

    @strawberry.field
    def named(self, names: list[str]) -> list[Leaf]:
        raise NotImplementedError


@strawberry.type
class Page:
    nodes: list[Branch]
    edges: list[Leaf]
    size: Leaf


@strawberry.type
class Query(Branch):
    pass


@strawberry.input
class Batch:
    names: list[str]


@strawberry.type
class Done:
    answers: list[Leaf]


@strawberry.type
class Mutation:
    @strawberry.mutation
    def write(self) -> Leaf:
        raise NotImplementedError

    @strawberry.mutation
    def batch(self, input: Batch) -> Done:
        raise NotImplementedError

    @strawberry.mutation
    def guess(self, secret: str) -> Leaf:
        raise NotImplementedError


small = strawberry.Schema(Query, Mutation, types=sizing.DIRECTIVES)
sizing.state(
    small,
    {
        ("Branch", "leaves"): assumed(7),
        ("Query", "leaves"): assumed(7),
        ("Branch", "named"): sized_by("names"),
        ("Mutation", "batch"): sized_by("input.names", sizes="answers"),
        ("Mutation", "guess"): weighs(100),
    },
)
PLANNER = Planner(schema_of(small), sizes_of(schema_of(small)))
LIMITS = DocumentLimits()


def plan(text: str, limits: DocumentLimits = LIMITS) -> OperationPlan:
    (planned,) = PLANNER.planned(parse(text), limits)
    return planned


def refusal(text: str, limits: DocumentLimits = LIMITS) -> tuple[str, object, object]:
    with pytest.raises(RequestRefused) as refused:
        plan(text, limits)
    extensions = refused.value.extensions
    return refused.value.code, extensions["requested"], extensions["allowed"]


@pytest.mark.parametrize(
    ("text", "nodes", "cost"),
    [
        ("{ name }", 0, 1),
        ("{ leaf { name } }", 1, 1),
        ("{ leaves { name } }", 7, 7),
        ("{ branch { leaves { name } } }", 1 + 7, 8),
        ("{ page { nodes { name } } }", 1 + 20, 21),
        ("{ page(first: 3) { nodes { name } edges { name } size { name } } }", 1 + 3 + 3 + 1, 8),
        ("{ page(first: 3) { nodes { leaves { name } } } }", 1 + 3 * (1 + 7), 25),
        ("{ page(first: 3) { nodes { page(first: 4) { nodes { name } } } } }", 1 + 3 * 6, 19),
        ("{ page(first: 3) { ...P } } fragment P on Page { ... { nodes { name } } }", 4, 4),
        ("{ page(first: -5) { nodes { name } } }", 1, 1),
        ('{ named(names: ["a", "b"]) { name } }', 2, 2),
        ('{ branch { named(names: ["a", "b"]) { name } } }', 3, 3),
        ("mutation { write { name } }", 1, 11),
        ("mutation { a: write { name } b: write { name } }", 2, 22),
        ('mutation { guess(secret: "x") { name } }', 1, 101),
        ('mutation { batch(input: {names: ["a", "b", "c"]}) { answers { name } } }', 4, 34),
        ('mutation { batch(input: {names: ["a", "b", "c"]}) { __typename } }', 1, 31),
        ("{ __typename unknown { unknown { leaf { name } } } page(unknown: 1) { x } }", 1, 1),
        ("{ leaf { name } ...F } fragment F on Query { leaf { name } ...F }", 2, 2),
    ],
)
def test_objects_are_multiplied_by_the_lists_they_stand_in(
    text: str, nodes: int, cost: int
) -> None:
    if text.startswith("{ named"):
        text = f"{{ branch {text} }}"
        nodes, cost = nodes + 1, cost + 1
    estimate = plan(text).estimated({})
    assert (estimate.nodes, estimate.cost) == (nodes, cost)


@pytest.mark.parametrize(
    ("declared", "variables", "nodes"),
    [
        ("$n: Int! = 5", {}, 1 + 5),
        ("$n: Int! = 5", {"n": 2}, 1 + 2),
        ("$n: Int!", {}, 1 + 20),
        ("$n: Int!", {"n": None}, 1 + 20),
        ("$n: Int!", {"n": 100}, 1 + 100),
        ("$n: Int!", {"n": 3.0}, 1 + 3),
        ("$n: Int!", {"n": "many"}, 1 + 1),
        ("$n: Int!", {"n": -(2**70)}, 1),
        ("$n: Int!", {"n": 10**300}, CEILING),
    ],
)
def test_variables_decide_on_sizes(declared: str, variables: dict[str, Any], nodes: int) -> None:
    text = f"query ({declared}) {{ page(first: $n) {{ nodes {{ name }} }} }}"
    assert plan(text).estimated(variables).nodes == nodes


@pytest.mark.parametrize(
    ("names", "cost"), [(["a"] * 500, 1 + 500 * 11), ([], 1), ("a", 1 + 11), (None, 1)]
)
def test_a_batch_costs_what_its_elements_cost(names: Any, cost: int) -> None:
    text = "mutation ($input: Batch!) { batch(input: $input) { answers { name } } }"
    assert plan(text).estimated({"input": {"names": names}}).cost == cost
    inner = "mutation ($names: [String!]!) { batch(input: {names: $names}) { answers { name } } }"
    assert plan(inner).estimated({"names": names}).cost == cost


def test_sizes_saturate() -> None:
    text = "{ page(first: 999999999) { nodes { page(first: 999999999) { nodes { name } } } } }"
    assert plan(text).estimated({}).nodes == CEILING
    digits = "9" * 5_000
    assert plan(f"{{ page(first: {digits}) {{ nodes {{ name }} }} }}").estimated({}).cost == CEILING


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_asking_for_more_never_costs_less(outer: int, inner: int, more: int) -> None:
    text = (
        "query ($a: Int!, $b: Int!) { page(first: $a) { nodes {"
        " page(first: $b) { nodes { leaf { name } } edges { name } } } } }"
    )
    planned = plan(text)
    exact = 1 + outer * (1 + 1 + inner * 3)
    assert planned.estimated({"a": outer, "b": inner}).nodes == exact
    for larger in ({"a": outer + more, "b": inner}, {"a": outer, "b": inner + more}):
        assert planned.estimated(larger).cost >= exact


def test_what_is_used_is_known_by_type_and_field() -> None:
    planned = plan(
        "query Q { branch { leaf { ...L } nothing { name } } ... { page { edges { name } } } }"
        " fragment L on Leaf { name __typename }"
    )
    assert planned.root_fields == ("branch", "page")
    assert set(planned.deciding) == {"branch", "page"}
    assert (planned.kind, planned.name) == ("query", "Q")
    assert not planned.introspects


# ---------------------------------------------------------------- limits


def chain(depth: int) -> str:
    return "{ " + "branch { " * (depth - 1) + "name" + " }" * depth


def aliased(count: int) -> str:
    return "{ " + " ".join(f"a{number}: name" for number in range(count)) + " }"


FRAGMENTS = " ".join(f"fragment F{number} on Query {{ name }}" for number in range(51))


@pytest.mark.parametrize(
    ("fits", "exceeds", "told"),
    [
        (chain(12), chain(13), ("TOO_DEEP", 13, 12)),
        (aliased(30), aliased(31), ("TOO_MANY_ALIASES", 31, 30)),
        ("{" + " name" * 500 + "}", "{" + " name" * 501 + "}", ("TOO_MANY_FIELDS", 501, 500)),
        (
            "{ ...F } fragment F on Query { a: name b: name }",
            "{" + " branch { ...F }" * 16 + " } fragment F on Branch { a: name b: name }",
            ("TOO_MANY_ALIASES", 31, 30),
        ),
        (
            "query (" + " ".join(f"$v{number}: Int" for number in range(100)) + ") { name }",
            "query (" + " ".join(f"$v{number}: Int" for number in range(101)) + ") { name }",
            ("TOO_MANY_VARIABLES", 101, 100),
        ),
        (
            "{ name } " + FRAGMENTS[: FRAGMENTS.index("fragment F50")],
            "{ name } " + FRAGMENTS,
            ("TOO_MANY_FRAGMENTS", 51, 50),
        ),
        (
            "mutation { " + 'guess(secret: "x") { name } ' * 5 + "}",
            "mutation { " + 'guess(secret: "x") { name } ' * 6 + "}",
            ("TOO_MANY_SECRETS", 6, 5),
        ),
    ],
    ids=["depth", "aliases", "fields", "aliases by fragment", "variables", "fragments", "secrets"],
)
def test_what_is_too_much_is_refused_with_figures(
    fits: str, exceeds: str, told: tuple[str, int, int]
) -> None:
    plan(fits)
    assert refusal(exceeds) == told


def test_operations_share_one_limit_of_fields() -> None:
    text = " ".join(f"query Q{number} {{{' name' * 30} }}" for number in range(17))
    with pytest.raises(RequestRefused) as refused:
        PLANNER.planned(parse(text), LIMITS)
    assert (refused.value.code, refused.value.extensions["requested"]) == ("TOO_MANY_FIELDS", 501)
    many = " ".join(f"query Q{number} {{ name }}" for number in range(21))
    with pytest.raises(RequestRefused) as refused:
        PLANNER.planned(parse(many), LIMITS)
    assert refused.value.code == "TOO_MANY_OPERATIONS_IN_DOCUMENT"


def test_fragments_that_double_each_time_are_stopped() -> None:
    doubling = " ".join(
        f"fragment F{number} on Query {{ ...F{number + 1} ...F{number + 1} }}"
        for number in range(40)
    )
    start = time.thread_time()
    assert refusal("{ ...F0 } " + doubling) == ("TOO_MANY_FIELDS", 501, 500)
    assert time.thread_time() - start < 0.1


def test_fragments_within_fragments_do_not_exhaust_the_stack() -> None:
    inner = "... { " * 30 + "...F{} " + "} " * 30
    text = "{ ...F0 } " + " ".join(
        f"fragment F{number} on Query {{ {inner.replace('F{}', f'F{number + 1}')} }}"
        for number in range(10)
    )
    assert refusal(text) == ("TOO_DEEP", 65, 64)


def _reference_depth(text: str) -> int:
    document = parse(text)
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }

    def depths(selected: SelectionSetNode) -> Iterator[int]:
        yield 0
        for node in selected.selections:
            if isinstance(node, FieldNode):
                below = depths(node.selection_set) if node.selection_set else [0]
                yield 1 + max(below)
            elif isinstance(node, InlineFragmentNode):
                yield from depths(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                yield from depths(fragments[node.name.value].selection_set)

    (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return max(depths(operation.selection_set))


SELECTIONS = st.recursive(
    st.sampled_from(["name", "...F", "leaf { name }"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(
            lambda parts: f"branch {{ {' '.join(parts)} }}"
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"... {{ {' '.join(parts)} }}"),
    ),
    max_leaves=12,
)


@given(SELECTIONS)
def test_the_depth_is_that_of_fields_whatever_fragments_they_stand_in(selection: str) -> None:
    text = f"{{ {selection} }} fragment F on Branch {{ branch {{ ... {{ leaf {{ name }} }} }} }}"
    assert plan(text, DocumentLimits(depth=100)).depth == _reference_depth(text)


# ---------------------------------------------------------------- the schema


def test_every_list_of_objects_says_how_long_it_is() -> None:
    sizes = sizes_of(schema_of(schema))
    multiplied = {name for size in sizes.values() for name in size.sized_fields}
    unsized = [
        f"{type_.name}.{name}"
        for type_ in schema_of(schema).type_map.values()
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        and not type_.name.startswith("__")
        for name, field in type_.fields.items()
        if is_list_type(get_nullable_type(field.type))
        and not is_leaf_type(get_named_type(field.type))
        and (type_.name, name) not in sizes
        and not (name in multiplied and type_.name.endswith("Connection"))
        and (type_.name, name) not in ANSWERS
    ]
    assert unsized == []


ANSWERS = {
    ("RecordedPurchases", "answers"),
    ("PointsRedeemedForMembers", "answers"),
    ("BalancesImported", "answers"),
    ("CouponsRedeemed", "answers"),
}
"""Sized by the lists that their mutations are given."""


def test_sizes_and_weights_stand_in_the_schema() -> None:
    printed = schema.as_str()
    assert "directive @listSize(assumedSize: Int, slicingArguments: [String!]" in printed
    assert 'slicingArguments: ["input.purchases"], sizedFields: ["answers"])' in printed
    for name in SECRETS:
        assert sizes_of(schema_of(schema))["Mutation", name].weight == 100


PREPARING = Preparing(schema_of(schema))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)
def test_the_examples_are_far_below_the_limits(example: Any) -> None:
    prepared = PREPARING.prepared(example.query, LIMITS)
    for planned in prepared.plans.values():
        assert planned.depth <= LIMITS.depth // 2
        assert planned.aliases <= LIMITS.aliases // 5
        assert planned.estimated({}).nodes <= 500


def batch_of(purchases: int) -> dict[str, Any]:
    return {"input": {"purchases": [{}] * purchases}}


def test_a_batch_of_purchases_costs_what_they_cost_one_by_one() -> None:
    one = PREPARING.prepared(
        "mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input)"
        " { ... on RecordedPurchase { points } } }",
        LIMITS,
    ).plan(None)
    many = PREPARING.prepared(
        "mutation ($input: RecordPurchasesInput!) { recordPurchases(input: $input)"
        " { ... on RecordedPurchases { answers { ... on RecordedPurchase { points } } } } }",
        LIMITS,
    ).plan(None)
    assert one.estimated({}).cost == 11
    assert many.estimated(batch_of(500)).cost == 500 * 11 + 1


# ---------------------------------------------------------------- introspection


@pytest.mark.parametrize(
    "text",
    [
        get_introspection_query(),
        get_introspection_query(descriptions=False),
        get_introspection_query(
            specified_by_url=True,
            directive_is_repeatable=True,
            schema_description=True,
            input_value_deprecation=True,
            one_of=True,
        ),
        "{ __schema { queryType { name } types { name kind description } } }",
        '{ __type(name: "Member") { fields { name type { name } } } }',
    ],
)
def test_the_questions_of_tools_are_answered(text: str) -> None:
    planned = PREPARING.prepared(text, LIMITS).plan(None)
    assert planned.introspects
    assert planned.estimated({}).nodes == 0
    # It grows with the schema: a quarter of what one operation of anybody may cost is enough.
    assert 1 <= planned.estimated({}).cost <= 5_000 // 4


TWICE = "{ __schema { types { fields { args { type { ofType { name } } } a: args { name } } } } }"


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { types { fields { type { fields { name } } } } } }",
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
        "{ __schema { types { possibleTypes { fields { type { interfaces { name } } } } } } }",
        "{ "
        + " ".join(
            f"a{n}: __schema {{ types {{ fields {{ name args {{ name }} }} }} }}" for n in range(20)
        )
        + " }",
        "{ __schema { " + "types { fields { name type { name kind } } } " * 20 + "} }",
        "{ __schema { types { " + "ofType { " * 20 + "name" + " }" * 20 + " } } }",
    ],
)
def test_questions_that_multiply_the_schema_are_not(text: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        PREPARING.prepared(text, LIMITS)
    assert refused.value.code in {
        "TOO_MANY_INTROSPECTED",
        "TOO_DEEP",
        "TOO_MANY_OVERLAPS",
        "GRAPHQL_VALIDATION_FAILED",
    }


def test_each_of_the_two_times_is_counted() -> None:
    once = PREPARING.prepared(TWICE.replace("a: args { name }", ""), LIMITS).plan(None)
    twice = PREPARING.prepared(TWICE, LIMITS).plan(None)
    assert twice.estimated({}).cost > once.estimated({}).cost
