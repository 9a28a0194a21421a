"""What single operations come to; that they equal graphql-core's in general, test_equality says."""

import asyncio
import gc
import inspect
import warnings
from typing import Any

import pytest
from graphql import (
    DirectiveNode,
    FieldNode,
    GraphQLSchema,
    NameNode,
    OperationDefinitionNode,
    build_schema,
    parse,
)
from strawberry.dataloader import DataLoader

from graphql_compiler import Attribute, CompiledOperation, NotCovered, Outcome, compile_operation
from tests.compiler.comparing import by_compiler, by_graphql_core

SCHEMA = build_schema(
    """
    type Query { me: Person, people: [Person!]!, echo(text: String): String }
    type Mutation { first: Int, second: Int, third: Int! }
    type Subscription { ticks: Person }
    type Person { name: String!, age: Int, friend: Person, late: String }
    """
)


def compiled(text: str, schema: GraphQLSchema = SCHEMA) -> CompiledOperation:
    return compile_operation(schema, parse(text))


def at_once(outcome: Any) -> Outcome:
    assert isinstance(outcome, Outcome)
    return outcome


def test_an_operation_is_answered_as_compact_json_in_the_order_of_its_fields() -> None:
    operation = compiled("{ b: me { age name } a: me { __typename name } }")
    person = {"name": "Ann", "age": 3}
    outcome = at_once(operation.run(None, root={"me": person}))
    assert outcome.data == (
        b'{"b":{"age":3,"name":"Ann"},"a":{"__typename":"Person","name":"Ann"}}'
    )
    assert outcome.errors == []


def test_data_that_is_null_as_a_whole_is_json_too() -> None:
    outcome = at_once(compiled("{ people { name } }").run(None, root={}))
    assert outcome.data == b"null"
    assert [error.path for error in outcome.errors] == [["people"]]
    assert not outcome.is_refused


def test_variables_that_are_refused_leave_errors_only() -> None:
    operation = compiled("query ($a: Int!, $b: Int!) { people { name } echo(text: $c) }")
    outcome = at_once(operation.run(None, {"a": "x", "b": 1.5}, max_coercion_errors=1))
    assert outcome.data is None
    assert outcome.is_refused
    assert [error.message for error in outcome.errors] == [
        "Variable '$a' has invalid value: Int cannot represent non-integer value: 'x'",
        "Too many errors processing variables, error limit reached. Execution aborted.",
    ]


async def test_what_need_not_be_awaited_is_not() -> None:
    outcome = compiled("{ me { name } }").run(None, root={"me": {"name": "Ann"}})
    assert not inspect.isawaitable(outcome)


async def test_mutations_run_one_after_the_other() -> None:
    log: list[str] = []

    def step(name: str, number: int) -> Any:
        async def run(info: Any) -> int:
            log.append(f"{name} begins")
            await asyncio.sleep(0)
            log.append(f"{name} ends")
            return number

        return run

    root = {"first": step("first", 1), "second": 2, "third": step("third", 3)}
    outcome = compiled("mutation { first second third }").run(None, root=root)
    assert inspect.isawaitable(outcome)
    assert (await outcome).data == b'{"first":1,"second":2,"third":3}'
    assert log == ["first begins", "first ends", "third begins", "third ends"]


def test_the_event_of_a_subscription_is_its_root() -> None:
    operation = compiled("subscription { ticks { name } }")
    for name in ("Ann", "Bob"):
        outcome = at_once(operation.run(None, root={"ticks": {"name": name}}))
        assert outcome.data == b'{"ticks":{"name":"%s"}}' % name.encode()


def test_a_choice_of_fields_is_compiled_for_itself_and_in_its_own_order() -> None:
    operation = compiled("query ($x: Boolean!) { me { age @include(if: $x) name age } }")
    root = {"me": {"name": "Ann", "age": 3}}
    shown = [at_once(operation.run(None, {"x": x}, root=root)).data for x in (True, False, True)]
    assert shown == [
        b'{"me":{"age":3,"name":"Ann"}}',
        b'{"me":{"name":"Ann","age":3}}',
        b'{"me":{"age":3,"name":"Ann"}}',
    ]


def test_too_many_choices_of_fields_are_not_compiled() -> None:
    conditions = [f"v{number}" for number in range(4)]
    declared = ", ".join(f"${name}: Boolean!" for name in conditions)
    fields = " ".join(f"{name}: __typename @skip(if: ${name})" for name in conditions)
    operation = compiled(f"query ({declared}) {{ {fields} }}")
    choices = [
        {name: bool(bits >> place & 1) for place, name in enumerate(conditions)}
        for bits in range(9)
    ]
    for chosen in choices[:8]:
        operation.run(None, chosen)
    with pytest.raises(NotCovered) as told:
        operation.run(None, choices[8])
    assert told.value.reason == "too_many_variants"
    operation.run(None, choices[0])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ __schema { description } }", "introspection"),
        ("{ me { name ... @defer { age } } }", "incremental"),
        ("query @experimental_disableErrorPropagation { __typename }", "error_propagation"),
        ("query A { __typename } query B { __typename }", "no_operation"),
        ("{ me " + "{ friend " * 70 + "{ name }" + "}" * 70 + " }", "too_deep"),
        ("{ " + " ".join(f"a{number}: __typename" for number in range(2_001)) + " }", "too_large"),
    ],
    ids=["introspection", "incremental", "error_propagation", "no_operation", "deep", "large"],
)
def test_what_is_not_covered_says_why_before_anything_runs(text: str, reason: str) -> None:
    with pytest.raises(NotCovered) as told:
        compiled(text)
    assert told.value.reason == reason


def test_fragments_that_spread_without_end_are_not_compiled() -> None:
    with pytest.raises(NotCovered) as told:
        compiled("{ me { ...F } } fragment F on Person { friend { ...F } }")
    assert told.value.reason == "too_deep"


# ------------------------------------------------------------------ safety


def test_texts_of_a_document_are_data_and_never_source() -> None:
    text = "x') or __import__('os').abort() #\\\"\n\u2028"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    operation = compiled(f'{{ echo(text: "{escaped}") }}')
    seen: list[str] = []
    operation.run(None, root={"echo": lambda info, text: seen.append(text)})
    assert seen == [text]


@pytest.mark.parametrize("name", ["a'): 1}\nraise SystemExit\n{('", "class", "None", "é", "__x"])
def test_an_alias_of_a_document_made_by_hand_is_data_too(name: str) -> None:
    document = parse("{ echo }")
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    [field] = operation.selection_set.selections
    assert isinstance(field, FieldNode)
    object.__setattr__(field, "alias", NameNode(value=name))
    outcome = at_once(compile_operation(SCHEMA, document).run(None, root={"echo": "hi"}))
    assert outcome.errors == []
    assert outcome.data is not None
    assert outcome.data.endswith(b'":"hi"}')


def test_an_attribute_of_any_name_is_got() -> None:
    class Root:
        pass

    root = Root()
    for name in ("class", "not a name", "a.b"):
        setattr(root, name, "found")
        operation = compile_operation(
            SCHEMA, parse("{ echo }"), bind=lambda *_, name=name: Attribute(name)
        )
        assert at_once(operation.run(None, root=root)).data == b'{"echo":"found"}'


# ------------------------------------------------------------------ waiting


async def test_loaders_see_the_same_batches_as_with_graphql_core() -> None:
    batches: dict[str, list[list[int]]] = {"core": [], "compiled": []}
    told = []
    document = parse("{ people { friend { friend { name } } late } me { friend { name } } }")
    for way, seen in batches.items():

        async def load(keys: list[int], seen: list[list[int]] = seen) -> list[Any]:
            seen.append(list(keys))
            return [person(key + 10) for key in keys]

        loader = DataLoader(load_fn=load)

        def person(key: int, loader: DataLoader[int, Any] = loader) -> dict[str, Any]:
            async def late(info: Any) -> str:
                return str((await loader.load(key + 100))["name"])

            return {"name": f"p{key}", "friend": lambda info: loader.load(key), "late": late}

        root = {"people": [person(1), person(2), person(3)], "me": person(4)}
        if way == "core":
            told.append(await by_graphql_core(SCHEMA, document, {}, root))
        else:
            told.append(await by_compiler(compile_operation(SCHEMA, document), {}, root))
    assert told[0][:2] == told[1][:2]
    assert batches["compiled"] == batches["core"]
    assert batches["core"][0] == [1, 2, 3, 4]


async def test_a_run_that_is_cancelled_leaves_nothing_behind() -> None:
    begun: list[str] = []

    def waiting(name: str) -> Any:
        async def wait(info: Any) -> str:
            begun.append(name)
            await asyncio.Event().wait()
            return name

        return wait

    def person(name: str) -> dict[str, Any]:
        return {"name": waiting(name), "late": waiting(name), "friend": {"name": waiting(name)}}

    operation = compiled("{ people { name late friend { name } } me { name } }")
    root = {"people": [person("a"), person("b")], "me": person("c")}

    async def run() -> None:
        outcome = operation.run(None, root=root)
        assert inspect.isawaitable(outcome)
        await outcome

    for turns in range(6):
        begun.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            task = asyncio.create_task(run())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}
            del task
            gc.collect()
    assert sorted(set(begun)) == ["a", "b", "c"]


async def test_an_error_beside_what_waits_leaves_nothing_behind() -> None:
    async def late(info: Any) -> str:
        await asyncio.sleep(0)
        return "late"

    failing = {"name": None, "late": late, "friend": {"name": late}}
    operation = compiled("{ me { late friend { name } name } echo }")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = operation.run(None, root={"me": failing, "echo": late})
        assert inspect.isawaitable(outcome)
        told = await outcome
        assert told.data == b'{"me":null,"echo":"late"}'
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        gc.collect()


def test_directives_that_mean_nothing_to_the_compiler_change_nothing() -> None:
    document = parse("{ echo }")
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    directive = DirectiveNode(name=NameNode(value="note"), arguments=())
    object.__setattr__(operation, "directives", (directive,))
    assert at_once(compile_operation(SCHEMA, document).run(None)).data == b'{"echo":null}'
