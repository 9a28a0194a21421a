"""Compiling an operation, and running what came of it."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from types import CoroutineType
from typing import Any

import msgspec
from graphql import DocumentNode, GraphQLError, GraphQLSchema, assert_valid_schema

from graphql_compiler.bindings import Bind, Binder, binder_of, default_bind
from graphql_compiler.covering import Covered, NotCovered, covered
from graphql_compiler.programs import Program
from graphql_compiler.running import Run
from graphql_compiler.variables import Variables

MAXIMUM_PROGRAMS = 8
"""Of one operation, by the values of the variables that @include and @skip ask for."""

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation came to."""

    data: bytes | None
    """The JSON of the response's `data`; None if the operation was refused."""
    errors: list[GraphQLError]
    is_refused: bool = False
    """Whether the variables could not be coerced: nothing has run, there are errors only."""


class CompiledOperation:
    """An operation that can be run any number of times, also at once."""

    def __init__(self, schema: GraphQLSchema, found: Covered, binder: Binder) -> None:
        self._schema = schema
        self._covered = found
        self._binder = binder
        self._variables = Variables(schema, found.operation)
        self._programs: dict[tuple[bool, ...], Program] = {}
        if not found.conditions:
            self._programs[()] = self._compiled(())

    def run(
        self,
        context: object,
        variables: Mapping[str, Any] | None = None,
        *,
        root: object = None,
        hide_suggestions: bool = False,
        max_coercion_errors: int = 5,
    ) -> Outcome | Awaitable[Outcome]:
        """Run it: at once if nothing has to be awaited, else as the awaitable that it gives.

        The selection set of a subscription is run for one event, its `root`. Raises NotCovered,
        before anything has run, if the variables select what would be too much to compile.
        """
        values = self._variables.coerced(
            variables or {}, max_errors=max_coercion_errors, hide_suggestions=hide_suggestions
        )
        if isinstance(values, list):
            return Outcome(None, values, is_refused=True)
        program = self._program(values.coerced)
        run = Run(program, context, root, values, hide_suggestions)
        try:
            data = program.start(run)
        except GraphQLError as error:
            run.add(error, None)
            data = None
        if type(data) is CoroutineType:
            return _finished(run, data)
        if run.errors:
            run.close()
        return Outcome(_encoder.encode(data), run.errors)

    def _program(self, variables: Mapping[str, Any]) -> Program:
        key: tuple[Any, ...] = tuple([variables.get(one) for one in self._covered.conditions])
        if not all(value is True or value is False for value in key):
            raise NotCovered("condition_unknown")
        program = self._programs.get(key)
        if program is not None:
            return program
        if len(self._programs) >= MAXIMUM_PROGRAMS:
            raise NotCovered("too_many_variants")
        program = self._programs[key] = self._compiled(key)
        return program

    def _compiled(self, key: tuple[bool, ...]) -> Program:
        conditions = dict(zip(self._covered.conditions, key, strict=True))
        try:
            return Program(self._schema, self._covered, conditions, self._binder)
        except GraphQLError as error:
            raise NotCovered("invalid") from error
        except RecursionError as error:
            raise NotCovered("too_deep") from error


def compile_operation(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation_name: str | None = None,
    *,
    bind: Bind = default_bind,
) -> CompiledOperation:
    """The operation of that name in a document that is valid for the schema, compiled.

    `bind` says how the value of each field is had. Raises NotCovered.
    """
    assert_valid_schema(schema)
    return CompiledOperation(schema, covered(document, operation_name), binder_of(bind))


async def _finished(run: Run, data: Any) -> Outcome:
    try:
        shown = await data
    except GraphQLError as error:
        run.add(error, None)
        shown = None
    except BaseException:
        await run.abandon()
        raise
    if run.errors:
        run.close()
    return Outcome(_encoder.encode(shown), run.errors)
