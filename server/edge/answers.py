"""The answer to an operation: as a value, or as the very bytes that are sent."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

_NO_HEADERS: Mapping[str, str] = {}


class Answer:
    """A response: its body by the GraphQL specification, and the HTTP status that fits it.

    It is given as a value or as JSON in UTF-8, and made into the other when that is asked for. One
    that is given as JSON has data, and no errors.
    """

    __slots__ = ("_body", "_encoded", "has_data", "has_errors", "headers", "status")

    def __init__(
        self,
        body: dict[str, Any] | None = None,
        status: int = 200,
        headers: Mapping[str, str] = _NO_HEADERS,
        *,
        encoded: bytes | None = None,
    ) -> None:
        assert (body is None) != (encoded is None)
        self._body = body
        self._encoded = encoded
        self.status = status
        self.headers = headers
        self.has_data = body is None or "data" in body
        self.has_errors = body is not None and "errors" in body

    @property
    def body(self) -> dict[str, Any]:
        """The body as a value."""
        if self._body is None:
            self._body = cast(dict[str, Any], msgspec.json.decode(self.encoded))
        return self._body

    @property
    def encoded(self) -> bytes:
        """The body as JSON."""
        if self._encoded is None:
            self._encoded = msgspec.json.encode(self._body)
        return self._encoded
