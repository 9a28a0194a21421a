"""Runs an operation both ways, and tells what is to be equal."""

import asyncio
import gc
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from graphql import DocumentNode, GraphQLError, GraphQLSchema
from graphql.execution import Executor, execute_root_selection_set

from graphql_compiler import CompiledOperation

Told = tuple[bytes | None, list[Any], list[Any]]
"""The bytes of the data, the errors, and the log of calls in their order."""


def told_errors(errors: list[GraphQLError] | None) -> list[Any]:
    return [
        (
            error.message,
            error.path,
            error.locations,
            type(error.original_error),
            repr(error.original_error),
            error.extensions,
            error.nodes,
        )
        for error in errors or ()
    ]


async def by_graphql_core(
    schema: GraphQLSchema,
    document: DocumentNode,
    variables: dict[str, Any],
    root: object,
    *,
    executor_class: type[Executor[Any]] = Executor,
    hide_suggestions: bool = False,
    make_context: Callable[[list[Any]], Any] = lambda log: log,
) -> Told:
    log: list[Any] = []
    built = executor_class.build(
        schema,
        document,
        root_value=root,
        context_value=make_context(log),
        raw_variable_values=variables,
        hide_suggestions=hide_suggestions,
        max_coercion_errors=5,
    )
    if isinstance(built, list):
        return None, told_errors(built), log
    result = execute_root_selection_set(built)
    if inspect.isawaitable(result):
        log.append("awaited")
        result = await result
    await _rest()
    return msgspec.json.encode(result.data), told_errors(result.errors), log


async def by_compiler(
    compiled: CompiledOperation,
    variables: dict[str, Any],
    root: object,
    *,
    hide_suggestions: bool = False,
    make_context: Callable[[list[Any]], Any] = lambda log: log,
) -> Told:
    log: list[Any] = []
    with _nothing_unawaited():
        outcome = compiled.run(
            make_context(log), variables, root=root, hide_suggestions=hide_suggestions
        )
        if inspect.isawaitable(outcome):
            log.append("awaited")
            outcome = await outcome
        await _rest()
    assert outcome.is_refused == (outcome.data is None)
    return outcome.data, told_errors(outcome.errors), log


@contextmanager
def _nothing_unawaited() -> Iterator[None]:
    """No coroutine may be left over; graphql-core leaves some, which are not to be found here."""
    gc.disable()
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            yield
        left = [str(one.message) for one in told]
        # What graphql-core's own type resolver has in hand is out of the compiler's.
        assert [text for text in left if "_is_box" not in text] == []
    finally:
        gc.enable()


async def _rest() -> None:
    """Let what an error has left behind come to its end."""
    this = {asyncio.current_task()}
    while others := asyncio.all_tasks() - this:
        await asyncio.gather(*others, return_exceptions=True)
