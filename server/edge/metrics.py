"""What one process tells of itself to Prometheus: requests, refusals, repetitions, its audit.

Every label is of a small, fixed set (the schema's root fields, codes and outcomes); none holds what
a caller sent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server import clock
from server.clock import Instant
from server.edge.observing import Observed

PATH = "/metrics"
_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class _Audited:
    at: Instant
    problem_count: int


class Metrics:
    """The figures of one process; each app has its own."""

    def __init__(self) -> None:
        # They would double the series, and tell only when each of them began.
        disable_created_metrics()  # type: ignore[no-untyped-call] # it has no hints
        self.registry = CollectorRegistry()
        operation = ("kind", "field")
        self._requests = Counter(
            "laurel_requests",
            "GraphQL requests by operation kind, root field and outcome.",
            (*operation, "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "laurel_request_seconds",
            "How long GraphQL requests took.",
            operation,
            buckets=_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._refusals = Counter(
            "laurel_refusals",
            "Refusals by problem code; each refused part of a batch counts.",
            ("code",),
            registry=self.registry,
        )
        self._repetitions = Counter(
            "laurel_repetitions",
            "Answers to repeated idempotency keys: the first answer once more.",
            ("field",),
            registry=self.registry,
        )
        self._streams = Gauge(
            "laurel_streams",
            "WebSockets and event streams that are open.",
            ("transport",),
            registry=self.registry,
        )
        self._subscriptions = Gauge(
            "laurel_subscriptions",
            "Subscriptions that run.",
            ("transport",),
            registry=self.registry,
        )
        self._events = Counter(
            "laurel_events",
            "Events delivered to subscriptions.",
            ("transport",),
            registry=self.registry,
        )
        self._socket_ends = Counter(
            "laurel_socket_ends",
            "WebSockets that ended, by the code that the server closed them with, or `client`.",
            ("code",),
            registry=self.registry,
        )
        # Looking a series up takes longer than counting; there are as many as of the registry.
        self._known: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self._audit = _Audit()
        self.registry.register(self._audit)
        ProcessCollector(registry=self.registry)

    def count(self, observed: Observed, *, seconds: float) -> None:
        """Count a request that has ended."""
        labels = (observed.kind, observed.root_field, observed.outcome.value)
        known = self._known.get(labels)
        if known is None:
            known = self._requests.labels(*labels), self._seconds.labels(*labels[:2])
            self._known[labels] = known
        known[0].inc()
        known[1].observe(seconds)
        for code in observed.refusals:
            self._refusals.labels(code.value).inc()
        if observed.repetitions:
            self._repetitions.labels(observed.root_field).inc(observed.repetitions)

    @contextmanager
    def stream_open(self, transport: str) -> Iterator[None]:
        """Within the block one more WebSocket or event stream is open."""
        with self._streams.labels(transport).track_inprogress():
            yield

    @contextmanager
    def subscription_running(self, transport: str) -> Iterator[None]:
        """Within the block one more subscription runs."""
        with self._subscriptions.labels(transport).track_inprogress():
            yield

    def count_event(self, transport: str) -> None:
        """Count an event that has been delivered."""
        self._events.labels(transport).inc()

    def count_socket_end(self, code: str) -> None:
        """Count a WebSocket that has ended: by which close code, or `client`."""
        self._socket_ends.labels(code).inc()

    def audit(self, *, audited_at: Instant, problem_count: int) -> None:
        """Tell up to which instant of the system's clock the ledger is audited, and how many
        problems stand. The lag is reckoned whenever it is read, so that it grows by itself."""
        self._audit.last = _Audited(audited_at, problem_count)

    def exposed(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self.registry)


class _Audit(Collector):
    """The audit's gauges; there are none until the first audit."""

    def __init__(self) -> None:
        self.last: _Audited | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges as they are now."""
        if self.last is None:
            return
        lag_microseconds = max(0, clock.system_now() - self.last.at)
        yield GaugeMetricFamily(
            "laurel_audit_lag_seconds",
            "How long ago the ledger was last audited to its end.",
            value=lag_microseconds / clock.MICROSECONDS_PER_SECOND,
        )
        yield GaugeMetricFamily(
            "laurel_audit_problems",
            "Problems that the last audit found.",
            value=self.last.problem_count,
        )


def metrics_app(metrics: Metrics) -> Starlette:
    """An app of its own that shows the figures at /metrics, for a port that the public can't
    reach: behind a proxy every caller of the public port would seem to be on this machine."""

    async def show(_request: Request) -> Response:
        return Response(metrics.exposed(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Starlette(routes=[Route(PATH, show)])
