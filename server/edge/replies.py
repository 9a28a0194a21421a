"""Answers as they are sent: their bytes and headers, which are the same but for a few values."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from server.edge.answers import Answer
from server.edge.context import Context
from server.edge.documents import PersistedQueryNotFound
from server.edge.executing import PARTIAL_SUCCESS_STATUS
from server.edge.media_types import EVENTS, LEGACY, RESPONSE, Accepted
from server.edge.refusing import RequestRefused
from server.edge.request_log import REQUEST_ID_HEADER

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Accept-Language, Authorization",
}
"""Answers hold tokens and what is a member's own: nobody on the way keeps them."""

_HEADERS = [
    (name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in HEADERS.items()
]
_LANGUAGE = b"content-language"
_REQUEST_ID = REQUEST_ID_HEADER.lower().encode("latin-1")
_TYPE = b"content-type"
_LENGTH = b"content-length"
_TYPES = {name: f"{name}; charset=utf-8".encode("latin-1") for name in (LEGACY, RESPONSE, EVENTS)}
_START, _BODY = "http.response.start", "http.response.body"

RawHeaders = list[tuple[bytes, bytes]]


class Reply:
    """A response that is complete."""

    __slots__ = ("body", "headers", "status_code")

    def __init__(self, status_code: int, headers: RawHeaders, body: bytes) -> None:
        self.status_code = status_code
        self.headers = headers
        self.body = body

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": _START, "status": self.status_code, "headers": self.headers})
        await send({"type": _BODY, "body": self.body})

    def update(self, headers: Mapping[str, str]) -> None:
        """Set headers, in place of those of the same names."""
        for name, text in headers.items():
            _set(self.headers, name, text)


def _set(headers: RawHeaders, name: str, text: str) -> None:
    sent = (name.lower().encode("latin-1"), text.encode("latin-1"))
    for place, (present, _) in enumerate(headers):
        if present == sent[0]:
            headers[place] = sent
            return
    headers.append(sent)


def reply_of(answer: Answer, takes: Accepted, context: Context) -> Reply:
    """The answer in the caller's media type; only what succeeded is told as plain JSON."""
    media_type = takes.preferred or RESPONSE
    status = answer.status
    if media_type == LEGACY:
        is_success = answer.has_data or status == HTTPStatus.NOT_MODIFIED
        status = 200 if status == PARTIAL_SUCCESS_STATUS else status
        media_type = LEGACY if is_success else RESPONSE
    headers = [
        *_HEADERS,
        (_LANGUAGE, context.language.encode("latin-1")),
        (_REQUEST_ID, context.request_id.encode("latin-1")),
        (_TYPE, _TYPES[media_type]),
    ]
    for name, text in answer.headers.items():
        _set(headers, name, text)
    if status == HTTPStatus.NOT_MODIFIED:
        return Reply(status, headers, b"")
    body = answer.encoded
    headers.append((_LENGTH, str(len(body)).encode("latin-1")))
    return Reply(status, headers, body)


def refusal(refused: RequestRefused, takes: Accepted, context: Context) -> Reply:
    """The refusal as an answer."""
    answer = Answer({"errors": refused.errors(context.language)}, refused.status)
    reply = reply_of(answer, takes, context)
    if isinstance(refused, PersistedQueryNotFound) and LEGACY in takes.media_types:
        # Apollo's clients ask for both media types, and not all of them read another status.
        reply.status_code = HTTPStatus.OK
        _set(reply.headers, "Content-Type", f"{LEGACY}; charset=utf-8")
    reply.update(refused.headers)
    return reply
