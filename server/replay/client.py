"""GraphQL over HTTP: one request at a time, sent again until the server has answered it."""

from types import TracebackType
from typing import Protocol, Self, TypeVar

import httpx2
import msgspec

from server import clock
from server.replay.errors import ReplayStopped
from server.replay.operations import GraphQLError, Operation

Data = TypeVar("Data")

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 300.0
UNAVAILABLE = b'"UNAVAILABLE"'  # stands in an answer whose database could not be used just then
UNREADY_STATUSES = frozenset((429, 500, 502, 503, 504))
"""The server or a proxy before it is not ready; the same request may be answered later."""

SHOWN_CHARACTERS = 300


class Recovery(Protocol):
    """Where the server is, and what to do when it does not answer."""

    def url(self) -> str:
        """The server's address, without a path."""

    def after_failure(self, reason: str, *, attempt: int) -> None:
        """Returns when the request is worth another attempt; raises ReplayStopped if never."""


class Client:
    """Executes operations at simulated times, with the key of one API client."""

    def __init__(self, recovery: Recovery, api_key: str) -> None:
        self._recovery = recovery
        self._http = httpx2.Client(
            headers={
                "Authorization": f"Bearer {api_key}",
                "Content-Type": "application/json",
                "Accept": "application/graphql-response+json, application/json;q=0.9",
                "Accept-Encoding": "identity",  # the way is short, and packing costs time
                "User-Agent": "laurel-replay",
            },
            timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            # Certificates take 80 ms to load, and a plain connection shows none.
            verify=not recovery.url().startswith("http:"),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def execute(
        self, operation: Operation[Data], variables: bytes, *, at: clock.Instant, about: str
    ) -> Data:
        """The data of the operation's answer; `about` says in an error what was asked for.

        A request that may have been lost is sent again, so every mutation needs its idempotency
        key. Raises ReplayStopped for any error.
        """
        body = operation.opening() + variables + b"}"
        answer = self._answered(body, at, about)
        try:
            envelope = operation.decoded(answer.content)
        except msgspec.DecodeError as error:
            raise ReplayStopped(f"{about}: {_unexpected(answer, str(error))}") from error
        if envelope.errors:
            raise ReplayStopped(f"{about}: {_refused(envelope.errors[0])}")
        if envelope.data is None:
            raise ReplayStopped(f"{about}: {_unexpected(answer, 'no data')}")
        return envelope.data

    def _answered(self, body: bytes, at: clock.Instant, about: str) -> httpx2.Response:
        """The first answer that says something about the request."""
        moment = instant_text(at)
        attempt = 0
        while True:
            try:
                answer = self._http.post(
                    f"{self._recovery.url()}/graphql",
                    content=body,
                    headers={"Laurel-Simulated-Time": moment},
                )
            except httpx2.TransportError as error:
                reason = str(error) or type(error).__name__
            except httpx2.InvalidURL as error:
                raise ReplayStopped(f"{self._recovery.url()} is no address: {error}.") from error
            else:
                if answer.status_code == 413:
                    raise ReplayStopped(
                        f"{about}: the request of {len(body):,} bytes is too large for the server."
                    )
                if _is_final(answer):
                    return answer
                reason = f"HTTP status {answer.status_code}"
            attempt += 1
            self._recovery.after_failure(reason, attempt=attempt)


def instant_text(instant: clock.Instant) -> str:
    """The instant in RFC 3339, in UTC."""
    return clock.datetime_of(instant).isoformat().replace("+00:00", "Z")


def _is_final(answer: httpx2.Response) -> bool:
    """Whether asking again would not help: the server has decided, or can't be understood."""
    if answer.status_code not in UNREADY_STATUSES and UNAVAILABLE not in answer.content:
        return True
    try:
        content = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        content = None
    if not isinstance(content, dict) or not ("errors" in content or "data" in content):
        return answer.status_code not in UNREADY_STATUSES
    errors = content.get("errors") or ()
    return not any((error.get("extensions") or {}).get("code") == "UNAVAILABLE" for error in errors)


def _refused(error: GraphQLError) -> str:
    """A top-level error in one line, with advice where there is any."""
    text = f"{error.code}: {error.message}" if error.code else error.message
    if error.path:
        text += f" At {'.'.join(map(str, error.path))}."
    if error.code == "SIMULATED_TIME_REFUSED":
        text += (
            " The server has to run with LAUREL_SIMULATED_TIME=accept and the API key needs the "
            "scope SIMULATE_TIME."
        )
    return text


def _unexpected(answer: httpx2.Response, reason: str) -> str:
    text = " ".join(answer.text.split())[:SHOWN_CHARACTERS]
    return (
        f"the server's answer (HTTP status {answer.status_code}) cannot be understood, "
        f"{reason}: {text}"
    )
