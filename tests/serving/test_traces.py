"""Traces, as an OpenTelemetry collector receives them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from server import demo_credentials
from tests.serving.servers import started

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector on the loopback: its endpoint, and what it received."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_given: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", received
        finally:
            server.shutdown()
            thread.join()


def spans_of(received: list[bytes]) -> list[Span]:
    return [
        span
        for body in received
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_a_request_is_traced_from_the_caller_to_each_statement(tmp_path: Path) -> None:
    with collector() as (endpoint, received):
        with started(
            *("--demo", "--port", "0", "--data", str(tmp_path / "d")),
            cwd=tmp_path,
            settings={"LAUREL_TRACES_ENDPOINT": endpoint},
        ) as server:
            answered = httpx2.post(
                f"{server.url}/graphql",
                json={
                    "query": "query Find($n: String!) { member(by: {externalId: $n}) { id } }",
                    "variables": {"n": "planted-external-id"},
                },
                headers={
                    "Authorization": f"Bearer {demo_credentials.TILL_KEY}",
                    "traceparent": f"00-{TRACE}-{PARENT}-01",
                },
            )
            assert answered.status_code == 200
            assert server.stop() == 0
            assert server.errors.count("\n") == 0  # the operation's own line alone
        spans = [span for span in spans_of(received) if span.trace_id.hex() == TRACE]
    by_name: dict[str, list[Span]] = {}
    for span in spans:
        by_name.setdefault(span.name, []).append(span)
    [request] = by_name["graphql"]
    assert request.parent_span_id.hex() == PARENT
    told = {one.key: one.value.string_value or one.value.int_value for one in request.attributes}
    assert told.pop("laurel.cost")
    assert told == {
        "graphql.operation.type": "query",
        "graphql.operation.name": "Find",
        "laurel.field": "member",
        "laurel.outcome": "answered",
    }
    [execution] = by_name["graphql.execute"]
    assert execution.parent_span_id == request.span_id
    found = [one for one in by_name["SELECT"] if one.parent_span_id == execution.span_id]
    assert len(found) == 1
    assert b"planted" not in b"".join(received)
    assert demo_credentials.TILL_KEY.encode() not in b"".join(received)


def test_a_collector_that_is_away_harms_nobody(tmp_path: Path) -> None:
    with started(
        *("--demo", "--port", "0", "--data", str(tmp_path / "d")),
        cwd=tmp_path,
        settings={"LAUREL_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"},
    ) as server:
        answered = httpx2.post(f"{server.url}/graphql", json={"query": "{ programme { version } }"})
        assert answered.json()["data"] == {"programme": {"version": 1}}
        assert server.stop() == 0
