"""A GraphQL request's parameters, as the GraphQL-over-HTTP specification names them.

The same object arrives as a POST's body, as a GET's parameters or in a WebSocket's message.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.edge.refusing import RequestRefused

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """What is asked for: a document's text, or the SHA-256 of one that the server knows."""

    query: str | None
    sha256: str | None  # hexadecimal, lower case
    operation_name: str | None
    variables: Mapping[str, Any]
    is_automatic: bool = False  # the hash came as Apollo's automatic persisted queries send it


def hash_of(text: str) -> str:
    """The SHA-256 of a document's text in UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def read(body: object) -> GraphQLRequest:
    """The request in a decoded JSON value; entries that mean nothing here are ignored.

    Raises RequestRefused (422) for anything that is not a well-formed request.
    """
    if isinstance(body, list):
        raise _malformed("BATCHING_NOT_SUPPORTED", "request.batch")
    if not isinstance(body, dict):
        raise _malformed("BAD_REQUEST", "request.object")
    query = _optional(body, "query", str)
    operation_name = _optional(body, "operationName", str)
    variables = _optional(body, "variables", dict) or {}
    extensions = _optional(body, "extensions", dict) or {}
    sha256 = _hash_of(body, extensions)
    is_automatic = sha256 is not None and body.get("documentId") is None
    if query is None and sha256 is None:
        raise _malformed("BAD_REQUEST", "request.query_missing")
    return GraphQLRequest(query, sha256, operation_name or None, variables, is_automatic)


def _malformed(code: str, key: str, name: str = "") -> RequestRefused:
    return RequestRefused(code, key, status=422, name=name)


def _optional(body: Mapping[str, Any], name: str, kind: type) -> Any:
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        wanted = "request.not_string" if kind is str else "request.not_object"
        raise _malformed("BAD_REQUEST", wanted, name)
    return value


def _hash_of(body: Mapping[str, Any], extensions: Mapping[str, Any]) -> str | None:
    """The hash by `documentId` (persisted documents) or by Apollo's `persistedQuery`."""
    document_id = _optional(body, "documentId", str)
    persisted = extensions.get("persistedQuery")
    if document_id is None and persisted is None:
        return None
    if document_id is None:
        if not isinstance(persisted, dict) or persisted.get("version") != 1:
            raise _malformed("BAD_REQUEST", "request.persisted_query")
        document_id = persisted.get("sha256Hash")
    match = _SHA256.fullmatch(document_id) if isinstance(document_id, str) else None
    if match is None:
        raise _malformed("BAD_REQUEST", "request.document_id")
    return match[1].lower()
