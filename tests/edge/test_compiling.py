"""Which operations are compiled, and how it is told that others are not."""

import msgspec
from graphql import parse
from prometheus_client import CollectorRegistry, generate_latest

from server.edge.compiling import COMPILED, ONCE, TURNED_OFF, Compiler, Compiling
from server.edge.context import Context
from server.edge.documents import PreparedDocument
from server.edge.executing import Introspection, Operations, Policy, schema_of
from server.edge.execution_metrics import ExecutionMetrics
from server.edge.limits import DocumentLimits
from server.edge.planning import Planner
from server.edge.requests import GraphQLRequest
from server.edge.sizing import sizes_of
from server.schema import schema


def prepared(text: str) -> PreparedDocument:
    planner = Planner(schema_of(schema), sizes_of(schema_of(schema)))
    document = parse(text)
    plans = {plan.name or "": plan for plan in planner.planned(document, DocumentLimits())}
    return PreparedDocument(text, document, plans, 1, is_trusted=False)


def tried(compiler: Compiler, text: str, *, is_kept: bool = True) -> bool:
    document = prepared(text)
    return compiler.compiled(document, document.plan(None), is_kept=is_kept) is not None


async def ask(operations: Operations, text: str) -> bytes:
    context = Context()
    request = GraphQLRequest(text, None, None, {})
    planned = await operations.planned(request, context, allows=lambda _kind: None)
    return msgspec.json.encode((await operations.answer(planned, context)).body["data"])


def test_what_is_sent_once_is_not_compiled() -> None:
    compiler = Compiler(schema)
    assert not tried(compiler, "{ __typename }", is_kept=False)
    assert (len(compiler), compiler.counts) == (0, {ONCE: 1})


def test_what_recurs_is_compiled_once() -> None:
    compiler = Compiler(schema)
    document = prepared("{ __typename }")
    first, second = (
        compiler.compiled(document, document.plan(None), is_kept=True) for _ in range(2)
    )
    assert first is not None
    assert first is second
    assert len(compiler) == 1


def test_compiling_can_be_turned_off() -> None:
    compiler = Compiler(schema, Compiling.NEVER)
    assert not tried(compiler, "{ __typename }")
    assert compiler.counts == {TURNED_OFF: 1}


def test_as_many_are_kept_as_there_is_room_for() -> None:
    compiler = Compiler(schema, capacity=2)
    for alias in "abc":
        assert tried(compiler, f"{{ {alias}: __typename }}")
    assert len(compiler) == 2


async def test_an_operation_that_recurs_is_answered_the_same_by_its_functions() -> None:
    operations = Operations(schema)
    answers = [await ask(operations, "{ a: __typename b: __typename }") for _ in range(4)]
    assert answers[0] == answers[3]
    assert operations.compiler.counts == {ONCE: 2, COMPILED: 2}


async def test_what_the_compiler_leaves_to_the_library_is_told_by_its_reason() -> None:
    operations = Operations(
        schema,
        compiler=Compiler(schema, Compiling.ALWAYS),
        policy=Policy(introspection=Introspection.EVERYONE),
    )
    registry = CollectorRegistry()
    registry.register(ExecutionMetrics(operations))
    await ask(operations, "{ __schema { queryType { name } } }")
    await ask(operations, "{ __typename }")
    assert operations.compiler.counts == {"introspection": 1, COMPILED: 1}
    told = generate_latest(registry).decode().splitlines()
    assert 'laurel_operations_executed_total{by="introspection"} 1.0' in told
    assert 'laurel_operations_executed_total{by="compiled"} 1.0' in told
