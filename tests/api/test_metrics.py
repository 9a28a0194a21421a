"""The app counts what it answers, by names of the schema alone."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from server.app import create_app
from server.edge.metrics import Metrics
from server.members import service as members
from server.storage import sql
from tests.api.calling import NOW, VERSION, Api, Caller, purchase_input
from tests.api.conftest import SETTINGS


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def counted(api: Api, metrics: Metrics) -> AsyncIterator[Api]:
    """The app with the demo programme, and with metrics."""
    app = create_app(SETTINGS, opens_database=False, metrics=metrics)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as client:
        yield Api(client)


def requests(metrics: Metrics) -> dict[tuple[str, str, str], float]:
    """The numbers of requests, by kind, field and outcome."""
    return {
        (labels["kind"], labels["field"], labels["outcome"]): sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "laurel_requests_total" and (labels := sample.labels)
    }


async def test_every_end_of_a_request_is_counted(
    counted: Api, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counted.send(f"query AnnaSample {VERSION}")
    await counted.send("{ me { name } }")
    await counted.send("{ secretOfAnna }")
    await counted.send("{ me { ")
    await counted.send(VERSION, caller=Caller("wrong"))
    await counted.client.post("/graphql", content=b"[]")

    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(members, "authenticate", broken)
    await counted.send(VERSION)
    assert requests(metrics) == {
        ("query", "programme", "answered"): 1,
        ("query", "me", "denied"): 1,
        ("unknown", "unknown", "invalid"): 3,
        ("unknown", "unknown", "denied"): 1,
        ("unknown", "unknown", "failed"): 1,
    }
    assert b"anna" not in metrics.exposed().lower()


async def test_a_database_that_does_not_answer_is_told_apart(
    counted: Api, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(sql, "fetch", unreachable)
    await counted.send(VERSION)
    assert requests(metrics) == {("query", "programme", "unavailable"): 1}


@pytest.mark.usefixtures("anna")
async def test_refusals_and_repetitions_are_counted(
    counted: Api, metrics: Metrics, till: Caller
) -> None:
    purchase = {"purchase": purchase_input()}
    for _ in range(3):
        await counted.mutate("recordPurchase", purchase, till, key="one")
    other = {"purchase": purchase_input()}
    await counted.mutate("recordPurchase", other, till, key="one")
    stranger = purchase_input(member={"externalId": "stranger"})
    batch = {"purchases": [stranger, stranger, purchase_input()]}
    await counted.mutate("recordPurchases", batch, till, at=NOW)
    assert requests(metrics) == {
        ("mutation", "recordPurchase", "answered"): 3,
        ("mutation", "recordPurchase", "refused"): 1,
        ("mutation", "recordPurchases", "refused"): 1,
    }
    read = metrics.registry.get_sample_value
    assert read("laurel_repetitions_total", {"field": "recordPurchase"}) == 2
    assert read("laurel_refusals_total", {"code": "IDEMPOTENCY_CONFLICT"}) == 1
    assert read("laurel_refusals_total", {"code": "NOT_FOUND"}) == 2
