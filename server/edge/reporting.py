"""What a caller is told of errors: refusals in full, defects only as an id that the log holds."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from graphql import GraphQLError

from server import messages
from server.edge.observing import note_error, note_refusal
from server.edge.refusing import ErrorShown, RequestRefused
from server.errors import DomainError
from server.storage import sql

log = structlog.get_logger()


def shown_errors(
    errors: Sequence[GraphQLError], language: str, *, request_id: str = ""
) -> list[ErrorShown]:
    """The errors of an execution as they may be told, in the language; what is unexpected is logged
    with the request's id, and masked."""
    return [_shown(error, language, request_id) for error in errors]


def _shown(error: GraphQLError, language: str, request_id: str) -> ErrorShown:
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if original is None or isinstance(original, GraphQLError):
        extensions: dict[str, Any] = {"code": "BAD_USER_INPUT", **(error.extensions or {})}
        note_error(str(extensions["code"]))
        return _placed(error, error.message, extensions)
    if isinstance(original, RequestRefused):
        [told] = original.errors(language)
        return _placed(error, told["message"], told["extensions"])
    if isinstance(original, DomainError):
        note_refusal(original.code)
        message = messages.text(original.reason, language, **original.facts)
        return _placed(error, message, {"code": original.code.value})
    fault = report(original, where=error.path, language=language, request_id=request_id)
    return _placed(error, fault.message, {"code": fault.code, "errorId": fault.error_id})


@dataclass(frozen=True, slots=True)
class Fault:
    """What is told of an unexpected error; the log has the rest under the same id."""

    code: str
    message: str
    error_id: str

    @property
    def shown(self) -> ErrorShown:
        """The entry of a response's errors."""
        extensions = {"code": self.code, "errorId": self.error_id}
        return {"message": self.message, "extensions": extensions}


def report(
    error: BaseException, *, where: object = None, language: str = "en", request_id: str = ""
) -> Fault:
    """Log an unexpected error and say what may be told of it, in the language."""
    error_id = secrets.token_hex(8)
    code = "UNAVAILABLE" if sql.is_unavailable(error) else "INTERNAL"
    note_error(code)
    log.error(
        "unexpected error",
        error_id=error_id,
        request_id=request_id,
        where=where,
        exc_info=error,
    )
    key = "request.unavailable" if code == "UNAVAILABLE" else "request.internal"
    return Fault(code, messages.text(key, language, error_id=error_id), error_id)


def _placed(error: GraphQLError, message: str, extensions: dict[str, Any]) -> ErrorShown:
    shown: ErrorShown = {"message": message, "extensions": extensions}
    if error.locations:
        shown["locations"] = [
            {"line": location.line, "column": location.column} for location in error.locations
        ]
    if error.path is not None:
        shown["path"] = error.path
    return shown
