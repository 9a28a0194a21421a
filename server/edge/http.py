"""GraphQL over HTTP: bodies checked, the caller known, one context for each request.

Follows the GraphQL-over-HTTP specification: with `Accept: application/graphql-response+json` a
request that could not be executed is answered with 400; with `application/json`, with 200.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import msgspec
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse
from strawberry.schema import BaseSchema
from strawberry.types import ExecutionResult

from server import clock
from server.clock import Instant
from server.edge.context import Context
from server.edge.metrics import Metrics
from server.edge.observing import note_error, observing
from server.edge.reporting import report
from server.messages import preferred_language
from server.principal import Principal
from server.principal import Scope as KeyScope

RESPONSE_MEDIA_TYPE = "application/graphql-response+json"
SIMULATED_TIME_HEADER = "Laurel-Simulated-Time"

_LATEST_SIMULATED = clock.instant_of(datetime(9000, 1, 1, tzinfo=UTC))
"""So that everything that is reckoned from it still lies within the calendar."""

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept"}
"""Answers hold tokens and what is a member's own: nobody on the way keeps them."""

Authenticate = Callable[[str | None], Awaitable[Principal]]
"""From an Authorization header to the caller; raises Unauthenticated."""


class Unauthenticated(Exception):
    """The credentials that were shown are not accepted."""


class GraphQLEndpoint(GraphQL[Context, None]):
    """The GraphQL endpoint.

    `accepts_simulated_time` allows keys with the scope SIMULATE_TIME to name the request's time in
    the header Laurel-Simulated-Time; otherwise a request with that header is refused. Every request
    is counted in `metrics`, if given.
    """

    def __init__(
        self,
        schema: BaseSchema,
        *,
        authenticate: Authenticate,
        accepts_simulated_time: bool,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__(schema, graphql_ide=None, subscription_protocols=())
        self._authenticate = authenticate
        self._accepts_simulated_time = accepts_simulated_time
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        start = time.perf_counter()
        with observing() as observed:
            try:
                response = await self._answered(scope, receive)
                observed.is_answered = True
            finally:
                if self._metrics is not None:
                    self._metrics.count(observed, seconds=time.perf_counter() - start)
        await response(scope, receive, send)

    async def _answered(self, scope: Scope, receive: Receive) -> Response:
        request = Request(scope, receive)
        try:
            principal = await self._authenticate(request.headers.get("authorization"))
            simulated_at = self._simulated_time(request, principal)
        except Unauthenticated:
            return _refusal(
                "The credentials are not accepted: sign in again, or use another API key.",
                "UNAUTHENTICATED",
                401,
                {"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        except _SimulatedTimeRefused as refused:
            return _refusal(str(refused), "SIMULATED_TIME_REFUSED", 400)
        except Exception as error:
            fault = report(error, where="authentication")
            status = 503 if fault.code == "UNAVAILABLE" else 500
            return _refusal(fault.message, fault.code, status)
        scope.setdefault("state", {})["principal"] = principal
        with nullcontext() if simulated_at is None else clock.moved_to(simulated_at):
            return await self._answer(request)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self.run(request)
        except HTTPException as error:
            return _refusal(error.reason, "BAD_REQUEST", error.status_code)

    def _simulated_time(self, request: Request, principal: Principal) -> Instant | None:
        value = request.headers.get(SIMULATED_TIME_HEADER)
        if value is None:
            return None
        if not self._accepts_simulated_time:
            raise _SimulatedTimeRefused("This server does not take the time from requests.")
        if KeyScope.SIMULATE_TIME not in principal.scopes:
            raise _SimulatedTimeRefused("Only a key with the scope SIMULATE_TIME names the time.")
        try:
            instant = clock.instant_of(datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            instant = Instant(-1)
        if not 0 <= instant < _LATEST_SIMULATED:
            raise _SimulatedTimeRefused(
                f"{SIMULATED_TIME_HEADER} takes RFC 3339 with an offset, in the years 1970 to 8999."
            )
        return instant

    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> Context:
        """The request's context."""
        return Context(
            principal=request.scope["state"]["principal"],
            language=preferred_language(request.headers.get("accept-language")),
            asked_language=preferred_language(request.headers.get("accept-language"))
            if request.headers.get("accept-language", "*") != "*"
            else None,
        )

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """The headers of the answer so far, and which media type the caller prefers."""
        response = await super().get_sub_response(request)
        response.speaks_spec = RESPONSE_MEDIA_TYPE in request.headers.get("accept", "")  # type: ignore[attr-defined] # carried to create_response
        return response

    async def process_result(
        self, request: Request, result: ExecutionResult
    ) -> GraphQLHTTPResponse:
        """The answer; without `data` if the operation was not executed, as GraphQL requires."""
        answer = await super().process_result(request, result)
        if not _was_executed(answer):
            note_error("INVALID_REQUEST")
            answer.pop("data", None)
        return answer

    def decode_json(self, data: str | bytes) -> object:
        """The body, which must be an object. Raises HTTPException 400 for anything else."""
        try:
            body = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise HTTPException(400, "The body must be JSON in UTF-8.") from error
        if not isinstance(body, dict):
            raise HTTPException(400, "The body must be a JSON object.")
        return body

    def encode_json(self, data: object) -> str | bytes:
        """The answer as bytes."""
        return msgspec.json.encode(data)

    def create_response(
        self,
        response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse],
        sub_response: Response,
    ) -> Response:
        """The answer with the media type and the status that the caller's Accept asks for."""
        response = super().create_response(response_data, sub_response)
        response.headers.update(_HEADERS)
        if getattr(sub_response, "speaks_spec", False):
            response.headers["content-type"] = f"{RESPONSE_MEDIA_TYPE}; charset=utf-8"
            if "data" not in response_data:
                response.status_code = 400
        return response


class _SimulatedTimeRefused(Exception):
    """The request may not name its time."""


def _was_executed(response_data: Any) -> bool:
    errors = response_data.get("errors") or []
    return response_data.get("data") is not None or any("path" in error for error in errors)


def _refusal(
    message: str, code: str, status: int, headers: dict[str, str] | None = None
) -> JSONResponse:
    note_error(code)
    body = {"errors": [{"message": message, "extensions": {"code": code}}]}
    return JSONResponse(body, status_code=status, headers={**_HEADERS, **(headers or {})})
