"""Traces for OpenTelemetry: which part of a request took how long, sent to a collector by OTLP.

Off until `tracing` is entered with an endpoint; then the library is loaded, and a span costs some
ten microseconds. Spans hold names, codes, figures and the text of statements, never their values.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

SERVICE_NAME = "laurel"
EXPORT_TIMEOUT_SECONDS = 5
Attributes = Mapping[str, str | int | bool]

_tracer: "Tracer | None" = None
_NO_SPAN: AbstractContextManager[None] = nullcontext()


@contextmanager
def tracing(endpoint: str | None, *, sampled_percent: int = 100) -> Iterator[None]:
    """Within the block spans are sent to the collector at the endpoint, such as
    http://127.0.0.1:4318/v1/traces; without one there are none. What is not sent yet at the block's
    end is sent then, in a few seconds at most.

    Of traces that begin here `sampled_percent` are kept; those that a caller began are kept if the
    caller keeps them.
    """
    global _tracer  # noqa: PLW0603 - one process, one place that its spans go to
    if endpoint is None:
        yield
        return
    provider = _provider(endpoint, sampled_percent)
    _tracer = provider.get_tracer(SERVICE_NAME)
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()


def _provider(endpoint: str, sampled_percent: int) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - slow
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - same
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - same
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - same
    from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415 - same
        ParentBased,
        TraceIdRatioBased,
    )

    provider = TracerProvider(
        resource=Resource.create({"service.name": SERVICE_NAME}),
        sampler=ParentBased(TraceIdRatioBased(sampled_percent / 100)),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


@contextmanager
def _started(
    name: str, attributes: Attributes, *, kind: str, carrier: Mapping[str, str] | None
) -> Iterator["Span | None"]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - loaded already
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - same
        TraceContextTextMapPropagator,
    )

    assert _tracer is not None
    parent = None if carrier is None else TraceContextTextMapPropagator().extract(dict(carrier))
    with _tracer.start_as_current_span(
        name,
        context=parent,
        kind=SpanKind[kind],
        attributes=dict(attributes),
        # An exception's text may hold what a member sent.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def request_span(name: str, carrier: Mapping[str, str]) -> "AbstractContextManager[Span | None]":
    """The span of a request; the caller's trace goes on where its headers (`traceparent`, in lower
    case) name one."""
    if _tracer is None:
        return _NO_SPAN
    return _started(name, {}, kind="SERVER", carrier=carrier)


def span(name: str, **attributes: str | int) -> "AbstractContextManager[Span | None]":
    """The span of a part of the request."""
    if _tracer is None:
        return _NO_SPAN
    return _started(name, attributes, kind="INTERNAL", carrier=None)


def statement_span(statement: str) -> "AbstractContextManager[Span | None]":
    """The span of one statement, by its text: its values are parameters, and not told."""
    if _tracer is None:
        return _NO_SPAN
    text = " ".join(statement.split())
    attributes = {"db.query.text": text, "db.operation.name": text.split(" ", 1)[0]}
    return _started(attributes["db.operation.name"], attributes, kind="CLIENT", carrier=None)
