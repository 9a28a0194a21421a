"""What a caller is told of errors: refusals in full, defects only as an id that the log holds."""

import secrets
from collections.abc import Iterator

import structlog
from graphql import ExecutionResult, GraphQLError
from strawberry.extensions import SchemaExtension

from server import messages
from server.errors import DomainError
from server.storage.sql import DatabaseUnavailable

log = structlog.get_logger()


class Reporting(SchemaExtension):
    """Turns every error of an operation into one that may be shown."""

    def on_operation(self) -> Iterator[None]:
        """After the operation: show refusals, log and mask everything unexpected."""
        yield
        result = self.execution_context.result
        if result is not None and getattr(result, "errors", None):
            assert isinstance(result, ExecutionResult) or hasattr(result, "errors")
            language = getattr(self.execution_context.context, "language", "en")
            result.errors = [_shown(error, language) for error in result.errors]  # type: ignore[union-attr]


def _shown(error: GraphQLError, language: str) -> GraphQLError:
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if original is None or isinstance(original, GraphQLError):
        return error
    if isinstance(original, DomainError):
        message = messages.text(original.reason, language, **original.facts)
        return _replaced(error, message, {"code": original.code.value})
    error_id = secrets.token_hex(8)
    log.error("unexpected error", error_id=error_id, path=error.path, exc_info=original)
    if isinstance(original, DatabaseUnavailable):
        message = f"The service can't read or write its data now. Try again later. ({error_id})"
        return _replaced(error, message, {"code": "UNAVAILABLE", "errorId": error_id})
    return _replaced(
        error,
        f"Something went wrong here. The operator can find it by the id {error_id}.",
        {"code": "INTERNAL", "errorId": error_id},
    )


def _replaced(error: GraphQLError, message: str, extensions: dict[str, str]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
