"""No cache on the way keeps an answer, and no browser guesses what it is."""

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from server.edge.http import GraphQLEndpoint, Unauthenticated
from server.principal import ANONYMOUS, Principal
from server.schema import schema


async def authenticate(authorization: str | None) -> Principal:
    if authorization is not None:
        raise Unauthenticated
    return ANONYMOUS


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"query": "{ __typename }"}, 200),
        ({"Accept": "application/graphql-response+json"}, {"query": "{ nothing }"}, 400),
        ({"Authorization": "Bearer x"}, {"query": "{ __typename }"}, 401),
        ({"Laurel-Simulated-Time": "2026-01-01T00:00:00Z"}, {"query": "{ __typename }"}, 400),
        ({}, [], 400),
    ],
    ids=["answer", "invalid", "unauthenticated", "simulated", "batch"],
)
async def test_answers_are_kept_by_nobody(
    headers: dict[str, str], body: object, status: int
) -> None:
    endpoint = GraphQLEndpoint(schema, authenticate=authenticate, accepts_simulated_time=False)
    app = Starlette(routes=[Route("/graphql", endpoint)])
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://laurel.example"
    ) as client:
        response = await client.post("/graphql", json=body, headers=headers)
    assert response.status_code == status
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["vary"] == "Accept"
