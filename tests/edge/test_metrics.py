"""Metrics count what happened, and hold nothing of what anybody sent."""

import httpx2
import pytest

from server import clock
from server.clock import Instant
from server.edge.metrics import Metrics, metrics_app
from server.edge.observing import Observed, Outcome
from server.errors import ProblemCode

REQUEST = {"kind": "mutation", "field": "recordPurchase"}


def answered(**facts: object) -> Observed:
    """A request that was answered."""
    observed = Observed(kind="mutation", root_field="recordPurchase", is_answered=True)
    for name, value in facts.items():
        setattr(observed, name, value)
    return observed


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_requests_are_counted_by_outcome_and_timed() -> None:
    metrics = Metrics()
    metrics.count(answered(), seconds=0.003)
    metrics.count(answered(refusals=[ProblemCode.NOT_FOUND] * 2), seconds=3.0)
    metrics.count(Observed(), seconds=0.001)
    assert value(metrics, "laurel_requests_total", **REQUEST, outcome="answered") == 1
    assert value(metrics, "laurel_requests_total", **REQUEST, outcome="refused") == 1
    unknown = {"kind": "unknown", "field": "unknown", "outcome": Outcome.BROKEN_OFF.value}
    assert value(metrics, "laurel_requests_total", **unknown) == 1
    assert value(metrics, "laurel_refusals_total", code="NOT_FOUND") == 2
    assert value(metrics, "laurel_request_seconds_count", **REQUEST) == 2
    assert value(metrics, "laurel_request_seconds_bucket", **REQUEST, le="0.005") == 1


def test_repetitions_are_counted_by_field() -> None:
    metrics = Metrics()
    metrics.count(answered(), seconds=0.001)
    assert value(metrics, "laurel_repetitions_total", field="recordPurchase") is None
    metrics.count(answered(repetitions=1), seconds=0.001)
    assert value(metrics, "laurel_repetitions_total", field="recordPurchase") == 1


def test_each_app_has_figures_of_its_own() -> None:
    first, second = Metrics(), Metrics()
    first.count(answered(), seconds=0.001)
    assert value(second, "laurel_requests_total", **REQUEST, outcome="answered") is None


def test_an_audit_that_is_stuck_lags_more_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    assert value(metrics, "laurel_audit_lag_seconds") is None
    metrics.audit(audited_at=Instant(1_000_000), problem_count=3)
    for now, lag in ((Instant(1_000_000), 0.0), (Instant(61_500_000), 60.5), (Instant(0), 0.0)):
        monkeypatch.setattr(clock, "system_now", lambda now=now: now)
        assert value(metrics, "laurel_audit_lag_seconds") == lag
        assert value(metrics, "laurel_audit_problems") == 3
    metrics.audit(audited_at=Instant(0), problem_count=0)
    assert value(metrics, "laurel_audit_problems") == 0


async def test_they_are_shown_as_text() -> None:
    metrics = Metrics()
    metrics.count(answered(), seconds=0.001)
    transport = httpx2.ASGITransport(app=metrics_app(metrics))
    async with httpx2.AsyncClient(transport=transport, base_url="http://laurel") as client:
        response = await client.get("/metrics")
        assert (await client.get("/graphql")).status_code == 404
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    line = 'laurel_requests_total{field="recordPurchase",kind="mutation",outcome="answered"} 1.0'
    assert line in response.text
    assert "_created" not in response.text
