"""What is refused, as a whole or in one field: one exception, told alike over every transport."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLError

from server import messages
from server.edge.observing import note_error

ErrorShown = dict[str, Any]
"""One entry of a response's `errors`."""


class RequestRefused(Exception):
    """The request, or the field that raises it, is not executed; nothing has changed.

    `code` stands in the error's extensions, `key` is the message's, with its `facts`; `extensions`
    are further ones. `status` is the HTTP status, `headers` go with it.
    """

    def __init__(
        self,
        code: str,
        key: str,
        *,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
        **facts: str | int,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.key = key
        self.status = status
        self.headers = dict(headers or {})
        self.extensions = {"code": code, **(extensions or {})}
        self.facts = facts

    def errors(self, language: str) -> list[ErrorShown]:
        """The response's errors, in the language; the code is noted as the request's."""
        note_error(self.code)
        message = messages.text(self.key, language, **self.facts)
        return [{"message": message, "extensions": self.extensions}]


class DocumentRefused(RequestRefused):
    """The document, or the values of its variables, are not valid: GraphQL's own errors."""

    def __init__(self, code: str, found: Sequence[GraphQLError], *, status: int) -> None:
        super().__init__(code, "request.document", status=status)
        self.found = tuple(found)

    def errors(self, language: str) -> list[ErrorShown]:
        """GraphQL's errors with their places in the document, in its own words."""
        note_error(self.code)
        return [_shown(error, self.code) for error in self.found]


def _shown(error: GraphQLError, code: str) -> ErrorShown:
    shown: ErrorShown = {"message": error.message, "extensions": {"code": code}}
    if error.locations:
        shown["locations"] = [
            {"line": location.line, "column": location.column} for location in error.locations
        ]
    return shown
