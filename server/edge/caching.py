"""Answers to GET requests of trusted documents: validated by their ETag, and shared by everybody
where nobody in particular asked (RFC 9110, 8.8.3; RFC 9111)."""

import hashlib
from http import HTTPStatus

import msgspec

from server.edge.answers import Answer
from server.edge.context import Context
from server.principal import PrincipalKind

SHARED_SECONDS = 60
"""How long a cache may show everybody the answer that anybody gets."""


def cacheable(answer: Answer, context: Context, if_none_match: str | None) -> Answer:
    """The answer with what caches need; 304 without a body if the caller has it already.

    What an operation costs its caller is no part of what is compared, nor of a shared answer.
    Answers with errors are kept by nobody.
    """
    if answer.has_errors:
        return answer
    is_shared = context.principal.kind is PrincipalKind.ANONYMOUS
    body = {"data": answer.body["data"]}
    digest = hashlib.sha256(msgspec.json.encode(body) + context.language.encode()).hexdigest()
    etag = f'W/"{digest[:32]}"'
    control = f"public, max-age={SHARED_SECONDS}" if is_shared else "private, no-cache"
    headers = {"ETag": etag, "Cache-Control": control}
    if _matches(if_none_match, etag):
        return Answer({}, HTTPStatus.NOT_MODIFIED, headers)
    return Answer(body if is_shared else answer.body, answer.status, headers)


def _matches(if_none_match: str | None, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags
