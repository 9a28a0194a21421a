"""Documents made ready once a process, not for each app or answer that a test makes.

What is made of a text depends on the schema and the limits alone, and nothing changes it later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from inspect import isawaitable
from typing import Any

import pytest
from graphql import DocumentNode, ExecutionResult, execute, parse, validate

from server.edge.context import Context
from server.edge.documents import PreparedDocument, Preparing
from server.edge.limits import DocumentLimits
from server.schema import schema

_prepare = Preparing.prepared


@cache
def _preparing() -> Preparing:
    return Preparing(schema._schema)


@cache  # a refusal is raised anew each time
def _prepared(
    text: str, limits: DocumentLimits, *, is_trusted: bool, shows_suggestions: bool
) -> PreparedDocument:
    return _prepare(
        _preparing(), text, limits, is_trusted=is_trusted, shows_suggestions=shows_suggestions
    )


def _prepared_once(
    preparing: Preparing,
    text: str,
    limits: DocumentLimits,
    *,
    is_trusted: bool = False,
    shows_suggestions: bool = False,
) -> PreparedDocument:
    is_ours = preparing.schema is schema._schema  # and no test's own
    prepare = _prepared if is_ours else partial(_prepare, preparing)
    return prepare(text, limits, is_trusted=is_trusted, shows_suggestions=shows_suggestions)


@contextmanager
def prepared_once() -> Iterator[None]:
    """Within the block all apps share what was made ready in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Preparing, "prepared", _prepared_once)
        yield


@cache
def _valid(text: str) -> DocumentNode:
    document = parse(text)
    assert validate(schema._schema, document) == []
    return document


async def executed(
    text: str, context: Context, variables: dict[str, Any] | None = None
) -> ExecutionResult:
    """What GraphQL's own library answers to a valid document, past the app."""
    running = execute(
        schema._schema, _valid(text), context_value=context, variable_values=variables
    )
    return await running if isawaitable(running) else running
