"""GraphQL over HTTP: which bodies, media types and methods are requests, and which are refused."""

import gzip
import json
from typing import Any

import pytest

from server.edge.bodies import MAXIMUM_BODY_BYTES
from tests.api.calling import (
    NOW_SHOWN,
    PLAIN,
    SPEC,
    VERSION,
    Api,
    Caller,
    coded,
    dump,
    purchase_input,
    uncosted,
)
from tests.api.contract import mutation_document

JSON = {"Content-Type": "application/json"}


# ---------------------------------------------------------------- bodies


UNREADABLE = [
    b"",
    b"{",
    b"not JSON",
    b"{'query': 1}",
    b'{"query": "\xff"}',
    '{"query": "é"}'.encode("latin-1"),
    '{"query": "{ programme { version } }"}'.encode("utf-16"),
    b'{"query": NaN}',
    b'{"query": "x", "variables": {"x": Infinity}}',
    b'{"query": "\\ud800"}',
    b"[" * 100_000,
    b'{"query": "{ x }", "variables": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
]
NO_REQUEST = [
    b"null",
    b"1",
    b"[1]",
    b'"x"',
    b"true",
    b"[]",
    b'[{"query": "{ programme { version } }"}]',
    b"{}",
    b'{"query": null}',
    b'{"query": 1}',
    b'{"query": ["x"]}',
    b'{"query": {"x": 1}}',
    b'{"query": "{ programme { version } }", "variables": [1]}',
    b'{"query": "{ programme { version } }", "variables": "x"}',
    b'{"query": "{ programme { version } }", "variables": 1}',
    b'{"query": "{ programme { version } }", "operationName": 1}',
    b'{"query": "{ programme { version } }", "operationName": "Other"}',
    b'{"query": "{ programme { version } }", "extensions": 1}',
    b'{"query": "{ programme { version } }", "extensions": []}',
]


@pytest.mark.parametrize(
    ("body", "status"),
    [(body, 400) for body in UNREADABLE] + [(body, 422) for body in NO_REQUEST],
    ids=[f"unreadable-{number}" for number in range(len(UNREADABLE))]
    + [f"no-request-{number}" for number in range(len(NO_REQUEST))],
)
@pytest.mark.parametrize("accept", [PLAIN, SPEC])
async def test_a_body_that_is_no_request_is_refused_as_such(
    api: Api, body: bytes, status: int, accept: str
) -> None:
    response = await api.client.post("/graphql", content=body, headers={**JSON, "Accept": accept})
    assert response.status_code == status
    assert response.headers["content-type"] == f"{SPEC}; charset=utf-8"
    assert set(response.json()) == {"errors"}
    [error] = response.json()["errors"]
    assert error["message"]
    assert error["extensions"]["code"] in (
        "BAD_REQUEST",
        "BATCHING_NOT_SUPPORTED",
        "OPERATION_RESOLUTION_FAILURE",
    )


@pytest.mark.parametrize(
    ("empty", "status"),
    [("", 400), ("   ", 400), ("# only a comment", 400), ("fragment F on Query { x }", 422)],
)
async def test_a_document_without_an_operation(api: Api, empty: str, status: int) -> None:
    response = await api.client.post("/graphql", json={"query": empty}, headers={"Accept": SPEC})
    assert response.status_code == status
    assert "INTERNAL" not in coded(response)


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    most = MAXIMUM_BODY_BYTES
    frame = len(json.dumps({"query": VERSION, "x": ""}))
    for size, status in ((most, 200), (most + 1, 413), (2 * most, 413)):
        content = json.dumps({"query": VERSION, "x": " " * (size - frame)}).encode()
        assert len(content) == size
        response = await api.client.post("/graphql", content=content, headers=JSON)
        assert response.status_code == status, size


async def test_a_body_that_does_not_say_its_length_is_cut_off_too(api: Api) -> None:
    async def endless() -> Any:
        for _ in range(MAXIMUM_BODY_BYTES // 65536 + 1):
            yield b" " * 65536

    response = await api.client.post("/graphql", content=endless(), headers=JSON)
    assert response.status_code == 413


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "x"],
)
async def test_another_media_type_is_refused(api: Api, media_type: str, till: Caller) -> None:
    """So that no page of another site can send one with a form."""
    before = await dump()
    body = {
        "query": mutation_document("recordPurchase"),
        "variables": {
            "input": {
                "idempotencyKey": "k",
                "purchase": purchase_input(member={"externalId": "x"}, enrolIfUnknown=True),
            }
        },
    }
    response = await api.client.post(
        "/graphql",
        content=json.dumps(body).encode(),
        headers={"Content-Type": media_type, **till.headers},
    )
    assert (response.status_code, coded(response)) == (415, ["UNSUPPORTED_MEDIA_TYPE"])
    assert await dump() == before


async def test_a_compressed_body_is_not_taken_for_json(api: Api) -> None:
    response = await api.client.post(
        "/graphql",
        content=gzip.compress(json.dumps({"query": VERSION}).encode()),
        headers={**JSON, "Content-Encoding": "gzip"},
    )
    assert (response.status_code, coded(response)) == (415, ["UNSUPPORTED_MEDIA_TYPE"])


async def test_keys_that_nobody_knows_are_passed_over(api: Api) -> None:
    response = await api.client.post("/graphql", json={"query": VERSION, "id": 7, "x": None})
    assert uncosted(response) == {"data": {"programme": {"version": 1}}}


# ---------------------------------------------------------------- methods


async def test_a_query_may_be_sent_with_get(api: Api) -> None:
    response = await api.client.get("/graphql", params={"query": VERSION})
    assert uncosted(response) == {"data": {"programme": {"version": 1}}}
    query = "query ($at: DateTime!) { programme(at: $at) { version } }"
    response = await api.client.get(
        "/graphql", params={"query": query, "variables": json.dumps({"at": NOW_SHOWN})}
    )
    assert uncosted(response) == {"data": {"programme": {"version": 1}}}


@pytest.mark.parametrize(
    ("variables", "status"), [("x", 400), ("{", 400), ("1", 422), ("[1]", 422), ('"x"', 422)]
)
@pytest.mark.parametrize("name", ["variables", "extensions"])
async def test_parameters_of_a_get_that_are_none(
    api: Api, name: str, variables: str, status: int
) -> None:
    response = await api.client.get("/graphql", params={"query": VERSION, name: variables})
    assert response.status_code == status
    assert "INTERNAL" not in coded(response)


async def test_a_mutation_may_not_be_sent_with_get(api: Api, till: Caller) -> None:
    before = await dump()
    given = {
        "idempotencyKey": "k",
        "purchase": purchase_input(member={"externalId": "x"}, enrolIfUnknown=True),
    }
    response = await api.client.get(
        "/graphql",
        params={
            "query": mutation_document("recordPurchase"),
            "variables": json.dumps({"input": given}),
        },
        headers=till.headers,
    )
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert coded(response) == ["METHOD_NOT_ALLOWED"]
    assert await dump() == before


async def test_empty_parameters_of_a_get_are_none(api: Api) -> None:
    parameters = {"query": VERSION, "variables": "", "operationName": "", "extensions": ""}
    response = await api.client.get("/graphql", params=parameters)
    assert uncosted(response) == {"data": {"programme": {"version": 1}}}


async def test_the_operation_is_chosen_by_its_name(api: Api) -> None:
    document = "query A { programme { version } } query B { __typename }"
    for name, status, answer in (
        ("A", 200, {"programme": {"version": 1}}),
        ("B", 200, {"__typename": "Query"}),
        ("C", 422, None),
        (None, 422, None),
        ("", 422, None),
    ):
        response = await api.client.post(
            "/graphql", json={"query": document, "operationName": name}
        )
        assert (response.status_code, response.json().get("data")) == (status, answer)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=UTF-8", 200),
        ('application/json; charset="utf-8"; x=y', 200),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=latin-1", 415),
        ("application/graphql", 415),
        ("application/jsonp", 415),
    ],
)
async def test_the_media_type_of_a_body_is_json_in_utf_8(
    api: Api, content_type: str, status: int
) -> None:
    response = await api.client.post(
        "/graphql",
        content=json.dumps({"query": VERSION}).encode(),
        headers={"Content-Type": content_type},
    )
    assert response.status_code == status


async def test_a_post_without_a_media_type_is_refused(api: Api) -> None:
    response = await api.client.post("/graphql", content=json.dumps({"query": VERSION}).encode())
    assert (response.status_code, coded(response)) == (415, ["UNSUPPORTED_MEDIA_TYPE"])


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_other_methods_are_refused(api: Api, method: str) -> None:
    response = await api.client.request(method, "/graphql", json={"query": VERSION})
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


async def test_a_browser_is_shown_the_page_and_a_client_is_not(api: Api) -> None:
    page = await api.client.get("/graphql", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    root = await api.client.get("/")
    assert (root.status_code, root.headers["location"]) == (307, "/graphql")
