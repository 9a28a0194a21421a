"""GraphQL over HTTP: bodies checked, the caller known, one context for each request.

Follows the GraphQL-over-HTTP specification (draft of August 2026): the status tells what became of
the request, whichever JSON media type the caller takes.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server import clock
from server.clock import Instant
from server.edge import caching, events, media_types, requests
from server.edge.authority import Authority, Identify, Watch, nothing_to_watch
from server.edge.client_address import limited_address
from server.edge.context import Context
from server.edge.documents import PersistedQueryNotFound
from server.edge.events import EventStream
from server.edge.executing import PARTIAL_SUCCESS_STATUS, Answer, Operations, Planned
from server.edge.media_types import LEGACY, RESPONSE, Accepted
from server.edge.metrics import Metrics
from server.edge.observing import observing
from server.edge.refusing import RequestRefused
from server.edge.reporting import report
from server.edge.request_log import REQUEST_ID_HEADER, log_operation, request_id
from server.edge.requests import GraphQLRequest
from server.edge.streams import Streams
from server.integrations.tracing import request_span, span
from server.messages import asked_language, language_of_locale
from server.principal import ANONYMOUS, Principal
from server.principal import Scope as KeyScope

SIMULATED_TIME_HEADER = "Laurel-Simulated-Time"

_LATEST_SIMULATED = clock.instant_of(datetime(9000, 1, 1, tzinfo=UTC))
"""So that everything that is reckoned from it still lies within the calendar."""

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Accept-Language, Authorization",
}
"""Answers hold tokens and what is a member's own: nobody on the way keeps them."""

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
    asked = asked_language(headers.get("accept-language"))
    own = language_of_locale(principal.locale or "")
    return Context(
        principal=principal,
        language=asked or own,
        asked_language=asked,
        address=address,
        request_id=request_id,
    )


@dataclass(slots=True)
class _Asked:
    """What is known of a request before it is executed."""

    takes: Accepted
    context: Context  # of nobody known, until the caller is


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
        request = Request(scope, receive)
        asked = _Asked(
            media_types.accepted(request.headers.get("accept")),
            context_of(
                ANONYMOUS,
                request.headers,
                address=limited_address(scope),
                request_id=request_id(request.headers.get(REQUEST_ID_HEADER)),
            ),
        )
        with observing() as observed, request_span("graphql", request.headers) as traced:
            try:
                response = await self._answered(request, asked)
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

    async def _answered(self, request: Request, asked: "_Asked") -> Response | EventStream:
        takes = asked.takes
        try:
            if takes.preferred is None and not takes.takes_events:
                raise RequestRefused("NOT_ACCEPTABLE", "request.not_acceptable", status=406)
            with span("authenticate"):
                principal = await self._caller(request)
            simulated_at = self._simulated_time(request, principal)
            with nullcontext() if simulated_at is None else clock.moved_to(simulated_at):
                asked.context = context_of(
                    principal,
                    request.headers,
                    address=asked.context.address,
                    request_id=asked.context.request_id,
                )
                answer = await self._executed(request, asked)
        except RequestRefused as refused:
            return _refusal(refused, takes, asked.context)
        except Exception as error:
            context = asked.context
            fault = report(
                error, request_id=context.request_id, where="request", language=context.language
            )
            status = 503 if fault.code == "UNAVAILABLE" else 500
            return _response(Answer({"errors": [fault.shown]}, status), takes, context)
        if isinstance(answer, EventStream):
            return answer
        return _response(answer, takes, asked.context)

    async def _caller(self, request: Request) -> Principal:
        try:
            return await self._authenticate(request.headers.get("authorization"))
        except Unauthenticated:
            raise RequestRefused(
                "UNAUTHENTICATED",
                "request.credentials",
                status=401,
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            ) from None

    async def _executed(self, request: Request, asked: "_Asked") -> Answer | EventStream:
        takes, context = asked.takes, asked.context
        wanted = await _wanted(request)

        def allows(kind: str) -> None:
            if kind == "mutation" and request.method != "POST":
                raise _not_allowed("POST")
            if kind == "subscription" and (not takes.takes_events or request.method == "HEAD"):
                raise RequestRefused("SUBSCRIPTION_OVER_HTTP", "request.subscription", status=406)

        try:
            planned = await self._operations.planned(wanted, context, allows=allows)
            if planned.kind == "subscription":
                return self._subscription(request, planned, context)
            answer = await self._operations.answer(planned, context)
        except RequestRefused as refused:
            if not (takes.prefers_events and events.is_told_as_event(refused)):
                raise
            told = Answer({"errors": refused.errors(context.language)})
            return self._stream(events.one(told), self._authority(request, context), context)
        if takes.prefers_events:
            return self._stream(events.one(answer), self._authority(request, context), context)
        if request.method != "POST" and planned.prepared.is_trusted:
            return caching.cacheable(answer, context, request.headers.get("if-none-match"))
        return answer

    def _authority(self, request: Request, context: Context) -> Authority:
        identify = identified_by(self._authenticate)
        shown = request.headers.get("authorization")
        return Authority(
            context,
            shown,
            identify=identify,
            watch=self._watch,
            recheck_seconds=self._streams.limits.recheck_seconds,
        )

    def _subscription(self, request: Request, planned: Planned, context: Context) -> EventStream:
        authority = self._authority(request, context)
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
                **_HEADERS,
                "Content-Language": context.language,
                REQUEST_ID_HEADER: context.request_id,
            },
        )

    def _simulated_time(self, request: Request, principal: Principal) -> Instant | None:
        value = request.headers.get(SIMULATED_TIME_HEADER)
        if value is None:
            return None
        if not self._accepts_simulated_time:
            raise _time_refused("request.simulated_time_off")
        if KeyScope.SIMULATE_TIME not in principal.scopes:
            raise _time_refused("request.simulated_time_scope")
        try:
            instant = clock.instant_of(datetime.fromisoformat(value))
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


async def _wanted(request: Request) -> GraphQLRequest:
    if request.method in ("GET", "HEAD"):
        return requests.read(_parameters(request))
    if request.method == "POST":
        return requests.read(await _body(request))
    raise _not_allowed("GET, HEAD, POST")


async def _body(request: Request) -> object:
    is_plain = request.headers.get("content-encoding", "identity").strip().lower() == "identity"
    if not is_plain or not media_types.is_json(request.headers.get("content-type", "")):
        raise RequestRefused("UNSUPPORTED_MEDIA_TYPE", "request.media_type", status=415)
    return _decoded(await request.body())


def _parameters(request: Request) -> dict[str, object]:
    given: dict[str, object] = {
        name: value for name, value in request.query_params.items() if value != ""
    }
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = _decoded(str(given[name]))
    return given


def _decoded(data: str | bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise RequestRefused("BAD_REQUEST", "request.json") from None


def _refusal(refused: RequestRefused, takes: Accepted, context: Context) -> Response:
    answer = Answer({"errors": refused.errors(context.language)}, refused.status)
    response = _response(answer, takes, context)
    if isinstance(refused, PersistedQueryNotFound) and LEGACY in takes.media_types:
        # Apollo's clients ask for both media types, and not all of them read another status.
        response.status_code = HTTPStatus.OK
        response.headers["Content-Type"] = f"{LEGACY}; charset=utf-8"
    response.headers.update(refused.headers)
    return response


def _response(answer: Answer, takes: Accepted, context: Context) -> Response:
    """The answer in the caller's media type; only what succeeded is told as plain JSON."""
    media_type = takes.preferred or RESPONSE
    is_success = "data" in answer.body or answer.status == HTTPStatus.NOT_MODIFIED
    status = answer.status
    if media_type == LEGACY:
        status = 200 if status == PARTIAL_SUCCESS_STATUS else status
        media_type = LEGACY if is_success else RESPONSE
    return Response(
        b"" if status == HTTPStatus.NOT_MODIFIED else msgspec.json.encode(answer.body),
        status,
        {
            **_HEADERS,
            "Content-Language": context.language,
            REQUEST_ID_HEADER: context.request_id,
            "Content-Type": f"{media_type}; charset=utf-8",
            **answer.headers,
        },
    )
