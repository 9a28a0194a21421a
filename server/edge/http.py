"""GraphQL over HTTP: bodies checked, the caller known, one context for each request.

Follows the GraphQL-over-HTTP specification (draft of August 2026): the status tells what became of
the request, whichever JSON media type the caller takes.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from server import clock
from server.clock import Instant
from server.edge import caching, events, headers, media_types, replies, requests
from server.edge.answers import Answer
from server.edge.authority import Authority, Identify, Watch, nothing_to_watch
from server.edge.client_address import limited_address
from server.edge.context import Context
from server.edge.events import EventStream
from server.edge.executing import Operations, Planned
from server.edge.media_types import LONGEST_REMEMBERED, Accepted
from server.edge.metrics import Metrics
from server.edge.observing import observing
from server.edge.refusing import RequestRefused
from server.edge.replies import Reply
from server.edge.reporting import report
from server.edge.request_log import REQUEST_ID_HEADER, log_operation, request_id
from server.edge.requests import GraphQLRequest
from server.edge.streams import Streams
from server.integrations.tracing import request_span, span
from server.messages import asked_language, language_of_locale
from server.principal import ANONYMOUS, Principal
from server.principal import Scope as KeyScope

SIMULATED_TIME_HEADER = "Laurel-Simulated-Time"
_SIMULATED_TIME = SIMULATED_TIME_HEADER.lower()
_REQUEST_ID = REQUEST_ID_HEADER.lower()

_LATEST_SIMULATED = clock.instant_of(datetime(9000, 1, 1, tzinfo=UTC))
"""So that everything that is reckoned from it still lies within the calendar."""

Authenticate = Callable[[str | None], Awaitable[Principal]]
"""From an Authorization header to the caller; raises Unauthenticated."""


class Unauthenticated(Exception):
    """The credentials that were shown are not accepted."""


def identified_by(authenticate: Authenticate) -> Identify:
    """The same, answering None for credentials that are not accepted."""

    async def identify(authorization: str | None) -> Principal | None:
        try:
            return await authenticate(authorization)
        except Unauthenticated:
            return None

    return identify


def context_of(
    principal: Principal, headers: Mapping[str, str], *, address: str, request_id: str = ""
) -> Context:
    """The context of a request with these headers: in the language that it asks for, if there are
    texts in it, or else in the member's own."""
    asked = _asked_language(headers.get("accept-language"))
    own = _language_of_locale(principal.locale or "")
    return Context(
        principal=principal,
        language=asked or own,
        asked_language=asked,
        address=address,
        request_id=request_id,
    )


_language_of_locale = lru_cache(maxsize=256)(language_of_locale)
_known_language = lru_cache(maxsize=256)(asked_language)


def _asked_language(header: str | None) -> str | None:
    if header is None or len(header) <= LONGEST_REMEMBERED:
        return _known_language(header)
    return asked_language(header)


@dataclass(slots=True)
class _Asked:
    """One request, as far as it is known."""

    method: str
    headers: Mapping[str, str]
    query_string: bytes
    receive: Receive
    takes: Accepted
    address: str
    request_id: str
    _context: Context | None = None

    @property
    def context(self) -> Context:
        """The request's context: of nobody known, until the caller is."""
        if self._context is None:
            self.called_by(ANONYMOUS)
        assert self._context is not None
        return self._context

    def called_by(self, principal: Principal) -> Context:
        """The caller is known: the request's context from now on."""
        self._context = context_of(
            principal, self.headers, address=self.address, request_id=self.request_id
        )
        return self._context


def _asked(scope: Scope, receive: Receive) -> _Asked:
    sent = headers.texts(scope)
    return _Asked(
        scope["method"],
        sent,
        scope["query_string"],
        receive,
        media_types.accepted(sent.get("accept")),
        limited_address(scope),
        request_id(sent.get(_REQUEST_ID)),
    )


class GraphQLEndpoint:
    """The GraphQL endpoint over HTTP.

    `accepts_simulated_time` allows keys with the scope SIMULATE_TIME to name the request's time in
    the header Laurel-Simulated-Time; otherwise a request with that header is refused. Every request
    is counted in `metrics`, if given. Event streams are among `streams`, and end early when `watch`
    says that they have to.
    """

    def __init__(
        self,
        operations: Operations,
        *,
        authenticate: Authenticate,
        accepts_simulated_time: bool,
        metrics: Metrics | None = None,
        streams: Streams | None = None,
        watch: Watch = nothing_to_watch,
    ) -> None:
        self._operations = operations
        self._authenticate = authenticate
        self._accepts_simulated_time = accepts_simulated_time
        self._metrics = metrics
        self._streams = streams or Streams()
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        start_ns = time.perf_counter_ns()
        asked = _asked(scope, receive)
        with observing() as observed, request_span("graphql", asked.headers) as traced:
            try:
                response = await self._answered(asked)
                observed.is_answered = True
            finally:
                taken_ns = time.perf_counter_ns() - start_ns
                if self._metrics is not None:
                    self._metrics.count(observed, seconds=taken_ns / 1e9)
            if traced is not None:
                traced.set_attributes(observed.traced)
            log_operation(
                observed,
                asked.context,
                transport="http",
                microseconds=taken_ns // 1000,
                status=response.status_code,
            )
        await response(scope, receive, send)

    async def _answered(self, asked: _Asked) -> Reply | EventStream:
        takes = asked.takes
        try:
            if takes.preferred is None and not takes.takes_events:
                raise RequestRefused("NOT_ACCEPTABLE", "request.not_acceptable", status=406)
            with span("authenticate"):
                principal = await self._caller(asked)
            if _SIMULATED_TIME not in asked.headers:
                answer = await self._executed(asked, asked.called_by(principal))
            else:
                with clock.moved_to(self._simulated_time(asked, principal)):
                    answer = await self._executed(asked, asked.called_by(principal))
        except RequestRefused as refused:
            return replies.refusal(refused, takes, asked.context)
        except Exception as error:
            context = asked.context
            fault = report(
                error, request_id=context.request_id, where="request", language=context.language
            )
            status = 503 if fault.code == "UNAVAILABLE" else 500
            return replies.reply_of(Answer({"errors": [fault.shown]}, status), takes, context)
        if isinstance(answer, EventStream):
            return answer
        return replies.reply_of(answer, takes, asked.context)

    async def _caller(self, asked: _Asked) -> Principal:
        try:
            return await self._authenticate(asked.headers.get("authorization"))
        except Unauthenticated:
            raise RequestRefused(
                "UNAUTHENTICATED",
                "request.credentials",
                status=401,
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            ) from None

    async def _executed(self, asked: _Asked, context: Context) -> Answer | EventStream:
        takes = asked.takes
        wanted = await _wanted(asked)

        def allows(kind: str) -> None:
            if kind == "mutation" and asked.method != "POST":
                raise _not_allowed("POST")
            if kind == "subscription" and (not takes.takes_events or asked.method == "HEAD"):
                raise RequestRefused("SUBSCRIPTION_OVER_HTTP", "request.subscription", status=406)

        try:
            planned = await self._operations.planned(wanted, context, allows=allows)
            if planned.kind == "subscription":
                return self._subscription(asked, planned, context)
            answer = await self._operations.answer(planned, context)
        except RequestRefused as refused:
            if not (takes.prefers_events and events.is_told_as_event(refused)):
                raise
            told = Answer({"errors": refused.errors(context.language)})
            return self._stream(events.one(told), self._authority(asked, context), context)
        if takes.prefers_events:
            return self._stream(events.one(answer), self._authority(asked, context), context)
        if asked.method != "POST" and planned.prepared.is_trusted:
            return caching.cacheable(answer, context, asked.headers.get("if-none-match"))
        return answer

    def _authority(self, asked: _Asked, context: Context) -> Authority:
        identify = identified_by(self._authenticate)
        shown = asked.headers.get("authorization")
        return Authority(
            context,
            shown,
            identify=identify,
            watch=self._watch,
            recheck_seconds=self._streams.limits.recheck_seconds,
        )

    def _subscription(self, asked: _Asked, planned: Planned, context: Context) -> EventStream:
        authority = self._authority(asked, context)
        answers = events.subscribed(self._operations, planned, context, authority, self._streams)
        return self._stream(answers, authority, context)

    def _stream(
        self, answers: AsyncGenerator[Answer, None], authority: Authority, context: Context
    ) -> EventStream:
        return EventStream(
            answers,
            authority,
            self._streams,
            headers={
                **replies.HEADERS,
                "Content-Language": context.language,
                REQUEST_ID_HEADER: context.request_id,
            },
        )

    def _simulated_time(self, asked: _Asked, principal: Principal) -> Instant:
        if not self._accepts_simulated_time:
            raise _time_refused("request.simulated_time_off")
        if KeyScope.SIMULATE_TIME not in principal.scopes:
            raise _time_refused("request.simulated_time_scope")
        try:
            instant = clock.instant_of(datetime.fromisoformat(asked.headers[_SIMULATED_TIME]))
        except (ValueError, OverflowError):
            instant = Instant(-1)
        if not 0 <= instant < _LATEST_SIMULATED:
            raise _time_refused("request.simulated_time_format")
        return instant


def _time_refused(key: str) -> RequestRefused:
    return RequestRefused("SIMULATED_TIME_REFUSED", key, header=SIMULATED_TIME_HEADER)


def _not_allowed(allow: str) -> RequestRefused:
    return RequestRefused(
        "METHOD_NOT_ALLOWED", "request.method", status=405, headers={"Allow": allow}, allow=allow
    )


async def _wanted(asked: _Asked) -> GraphQLRequest:
    if asked.method == "POST":
        return requests.read(await _body(asked))
    if asked.method in ("GET", "HEAD"):
        return requests.read(_parameters(asked))
    raise _not_allowed("GET, HEAD, POST")


async def _body(asked: _Asked) -> object:
    sent = asked.headers
    is_plain = sent.get("content-encoding", "identity").strip().lower() == "identity"
    if not is_plain or not media_types.is_json(sent.get("content-type", "")):
        raise RequestRefused("UNSUPPORTED_MEDIA_TYPE", "request.media_type", status=415)
    return _decoded(await _received(asked.receive))


async def _received(receive: Receive) -> bytes:
    """The whole body, most often in one piece."""
    pieces: list[bytes] = []
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        has_more = message.get("more_body", False)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _parameters(asked: _Asked) -> dict[str, object]:
    sent = parse_qsl(asked.query_string.decode("latin-1"), keep_blank_values=True)
    given: dict[str, object] = {name: value for name, value in dict(sent).items() if value != ""}
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = _decoded(str(given[name]))
    return given


def _decoded(data: str | bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise RequestRefused("BAD_REQUEST", "request.json") from None
