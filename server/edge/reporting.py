"""What a caller is told of errors: refusals in full, defects only as an id that the log holds."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension

from server import messages
from server.edge.observing import note_error, note_operation, note_refusal
from server.errors import DomainError
from server.storage import sql

log = structlog.get_logger()


class Reporting(SchemaExtension):
    """Turns every error of an operation into one that may be shown."""

    def on_operation(self) -> Iterator[None]:
        """After the operation: show refusals, log and mask everything unexpected."""
        yield
        result = self.execution_context.result
        if result is not None and getattr(result, "errors", None):
            language = getattr(self.execution_context.context, "language", "en")
            result.errors = [_shown(error, language) for error in result.errors]  # type: ignore[union-attr]

    def on_execute(self) -> Iterator[None]:
        """Before a valid document is executed: note what it asks for."""
        document = self.execution_context.graphql_document
        if document is not None:
            note_operation(document, self.execution_context.operation_name)
        yield


def _shown(error: GraphQLError, language: str) -> GraphQLError:
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if original is None or isinstance(original, GraphQLError):
        if (code := (error.extensions or {}).get("code")) is not None:
            note_error(str(code))
            return error
        note_error("INVALID_REQUEST")
        # The document, its variables or its operation name: nothing was executed.
        return _replaced(error, error.message, {"code": "INVALID_REQUEST"})
    if isinstance(original, DomainError):
        note_refusal(original.code)
        message = messages.text(original.reason, language, **original.facts)
        return _replaced(error, message, {"code": original.code.value})
    fault = report(original, where=error.path)
    return _replaced(error, fault.message, {"code": fault.code, "errorId": fault.error_id})


@dataclass(frozen=True, slots=True)
class Fault:
    """What is told of an unexpected error; the log has the rest under the same id."""

    code: str
    message: str
    error_id: str


def report(error: BaseException, *, where: object = None) -> Fault:
    """Log an unexpected error and say what may be told of it."""
    error_id = secrets.token_hex(8)
    code = "UNAVAILABLE" if sql.is_unavailable(error) else "INTERNAL"
    note_error(code)
    log.error("unexpected error", error_id=error_id, where=where, exc_info=error)
    if code == "UNAVAILABLE":
        message = f"The data can't be read or written now. Try again soon. ({error_id})"
        return Fault(code, message, error_id)
    message = f"Something went wrong here. The operator can find it by the id {error_id}."
    return Fault(code, message, error_id)


def _replaced(error: GraphQLError, message: str, extensions: dict[str, str]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
