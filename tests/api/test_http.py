"""GraphQL over HTTP: what is no request, how answers are marked, and what a fault gives away."""

import gzip
import json
from typing import Any

import httpx2
import pytest
import structlog.testing

from server import clock
from server.app import MAXIMUM_BODY_BYTES, create_app
from server.members import service as members
from server.principal import Scope
from server.programme import service as programme
from server.purchases import service as purchases
from server.settings import InvalidSettings, Mode, Settings, SimulatedTime, read
from server.storage import sql
from tests.api.calling import (
    NOW,
    NOW_SHOWN,
    Api,
    Caller,
    Json,
    dump,
    instant,
    new_key,
    purchase_input,
)
from tests.api.contract import mutation_document

SPEC = "application/graphql-response+json"
VERSION = "{ programme { version } }"
JSON = {"Content-Type": "application/json"}


def coded(response: httpx2.Response) -> list[str | None]:
    body = response.json()
    assert "data" not in body
    return [error.get("extensions", {}).get("code") for error in body["errors"]]


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"1",
        b"[1]",
        b'"x"',
        b"true",
        b"[]",
        b'[{"query": "{ programme { version } }"}]',
        b"",
        b"{",
        b"not JSON",
        b"{'query': 1}",
        b'{"query": "\xff"}',
        '{"query": "é"}'.encode("latin-1"),
        '{"query": "{ programme { version } }"}'.encode("utf-16"),
        b'{"query": "\\ud800"}',
        b'{"query": NaN}',
        b"[" * 100_000,
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
    ],
)
@pytest.mark.parametrize("accept", ["application/json", SPEC])
async def test_a_body_that_is_no_request_is_refused_as_such(
    api: Api, body: bytes, accept: str
) -> None:
    response = await api.client.post("/graphql", content=body, headers={**JSON, "Accept": accept})
    assert 400 <= response.status_code < 500 or "errors" in response.json()
    assert response.status_code != 500
    assert "INTERNAL" not in coded(response)


@pytest.mark.parametrize(
    "empty", ["", "   ", "# only a comment", "fragment F on Query { __typename }"]
)
async def test_a_document_without_an_operation(api: Api, empty: str) -> None:
    response = await api.client.post("/graphql", json={"query": empty}, headers={"Accept": SPEC})
    assert response.status_code == 400
    assert "INTERNAL" not in coded(response)


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    most = MAXIMUM_BODY_BYTES
    frame = len(b'{"query":"' + VERSION.encode() + b'"}')
    for size, status in ((most, 200), (most + 1, 413), (2 * most, 413)):
        padded = VERSION + " " * (size - frame)
        content = b'{"query":"' + padded.encode() + b'"}'
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
    assert 400 <= response.status_code < 500
    assert await dump() == before


async def test_a_compressed_body_is_not_taken_for_json(api: Api) -> None:
    response = await api.client.post(
        "/graphql",
        content=gzip.compress(json.dumps({"query": VERSION}).encode()),
        headers={**JSON, "Content-Encoding": "gzip"},
    )
    assert response.status_code in (400, 415)


async def test_keys_that_nobody_knows_are_passed_over(api: Api) -> None:
    response = await api.client.post("/graphql", json={"query": VERSION, "id": 7, "x": None})
    assert response.json() == {"data": {"programme": {"version": 1}}}


# ---------------------------------------------------------------- methods


async def test_a_query_may_be_sent_with_get(api: Api) -> None:
    response = await api.client.get("/graphql", params={"query": VERSION})
    assert response.json() == {"data": {"programme": {"version": 1}}}
    query = "query ($at: DateTime!) { programme(at: $at) { version } }"
    response = await api.client.get(
        "/graphql", params={"query": query, "variables": json.dumps({"at": NOW_SHOWN})}
    )
    assert response.json() == {"data": {"programme": {"version": 1}}}


@pytest.mark.parametrize("variables", ["x", "1", "[1]", '"x"', "{"])
async def test_variables_of_a_get_that_are_none(api: Api, variables: str) -> None:
    response = await api.client.get("/graphql", params={"query": VERSION, "variables": variables})
    assert response.status_code == 400
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
    assert response.status_code in (400, 405)
    assert await dump() == before


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_other_methods_are_refused(api: Api, method: str) -> None:
    response = await api.client.request(method, "/graphql", json={"query": VERSION})
    assert response.status_code == 405


async def test_a_browser_is_shown_the_page_and_a_client_is_not(api: Api) -> None:
    page = await api.client.get("/graphql", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    root = await api.client.get("/")
    assert (root.status_code, root.headers["location"]) == (307, "/graphql")


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (VERSION, 200),
        ("{ programme { version } me { id } }", 200),
        ("{ me { id } }", 200),
        ("{", 400),
        ("{ nothing }", 400),
        ("{ programme }", 400),
        ("query ($at: DateTime!) { programme(at: $at) { version } }", 400),
    ],
    ids=["whole", "partial", "failed", "syntax", "field", "selection", "variable"],
)
async def test_the_status_follows_the_specification(api: Api, document: str, status: int) -> None:
    spec = await api.client.post("/graphql", json={"query": document}, headers={"Accept": SPEC})
    assert spec.status_code == status
    assert spec.headers["content-type"] == f"{SPEC}; charset=utf-8"
    assert ("data" in spec.json()) is (status == 200)
    plain = await api.client.post("/graphql", json={"query": document})
    assert plain.status_code == 200
    assert plain.headers["content-type"].split(";")[0] == "application/json"
    assert plain.json() == spec.json()


async def test_an_error_that_empties_the_data_keeps_its_place(api: Api) -> None:
    body = (await api.send("{ me { id } }")).json()
    assert body == {
        "data": None,
        "errors": [
            {
                "message": "Sign in, or send an API key, to use this field.",
                "path": ["me"],
                "locations": [{"line": 1, "column": 3}],
                "extensions": {"code": "UNAUTHENTICATED"},
            }
        ],
    }


# ---------------------------------------------------------------- faults

SECRET = "SELECT password FROM /etc/laurel"


async def test_a_fault_is_masked_and_logged_under_an_id(
    api: Api, till: Caller, anna: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_given: object, **_named: object) -> None:
        raise RuntimeError(SECRET)

    before = await dump()
    monkeypatch.setattr(purchases, "record", fails)
    monkeypatch.setattr(purchases, "record_many", fails)
    requests: list[tuple[str, Json]] = [
        ("recordPurchase", {"purchase": purchase_input()}),
        ("recordPurchases", {"purchases": [purchase_input()]}),
    ]
    for name, given in requests:
        with structlog.testing.capture_logs() as logged:
            response = await api.send(
                mutation_document(name),
                {"input": {"idempotencyKey": new_key(), **given}},
                till,
                at=NOW,
            )
        assert response.status_code == 200
        body = response.json()
        error_id = body["errors"][0]["extensions"]["errorId"]
        assert body == {
            "data": None,
            "errors": [
                {
                    "message": "Something went wrong here. The operator can find it by the id"
                    f" {error_id}.",
                    "path": ["answer"],
                    "locations": body["errors"][0]["locations"],
                    "extensions": {"code": "INTERNAL", "errorId": error_id},
                }
            ],
        }
        assert SECRET not in response.text
        (entry,) = logged
        assert (entry["error_id"], entry["log_level"]) == (error_id, "error")
        assert isinstance(entry["exc_info"], RuntimeError)
    assert await dump() == before


async def test_a_fault_of_a_field_spoils_no_other(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_given: object, **_named: object) -> None:
        raise ZeroDivisionError(SECRET)

    manager = await api.key(*Scope)
    monkeypatch.setattr(members, "find_member", fails)
    monkeypatch.setattr("server.cards.service.member_of", fails)
    with structlog.testing.capture_logs():
        response = await api.send(
            '{ programme { version } member(by: {externalId: "x"}) { id } }', caller=manager
        )
    body = response.json()
    assert body["data"] == {"programme": {"version": 1}, "member": None}
    assert [error["extensions"]["code"] for error in body["errors"]] == ["INTERNAL"]
    assert SECRET not in response.text


async def test_a_fault_while_the_caller_is_made_out_is_masked(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_given: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(members, "authenticate", fails)
    with structlog.testing.capture_logs() as logged:
        response = await api.send(VERSION)
    assert response.status_code == 500
    assert coded(response) == ["INTERNAL"]
    assert SECRET not in response.text
    assert len(logged) == 1


async def test_what_is_wrong_with_a_request_is_not_logged_as_a_fault(
    api: Api, till: Caller
) -> None:
    with structlog.testing.capture_logs() as logged:
        await api.send("{ nothing }")
        await api.send("{ me { id } }")
        await api.record(till)
        await api.send("{ members(first: 0) { nodes { id } } }", caller=till)
    assert logged == []


# ---------------------------------------------------------------- without a programme

BEFORE_A_PROGRAMME: dict[str, Json] = {
    "signUp": {"email": "a@example.com", "password": "correct horse", "name": "Ada"},
    "enrolMember": {"externalId": "x"},
    "recordPurchase": {"purchase": purchase_input()},
    "recordPurchases": {"purchases": [purchase_input()]},
    "redeemPoints": {"points": 1000, "member": {"externalId": "x"}},
    "redeemPointsForMembers": {"redemptions": [{"points": 1000, "member": {"externalId": "x"}}]},
}


@pytest.mark.parametrize("name", BEFORE_A_PROGRAMME)
async def test_before_a_programme_is_published_nothing_is_a_fault(
    empty_api: Api, name: str
) -> None:
    key = await empty_api.key(*Scope)
    before = await dump()
    with structlog.testing.capture_logs() as logged:
        response = await empty_api.send(
            mutation_document(name),
            {"input": {"idempotencyKey": "k", **BEFORE_A_PROGRAMME[name]}},
            key,
        )
    assert logged == []
    assert "No programme has been published yet. Publish one first." in response.text
    assert await dump() == before


async def test_the_terms_before_a_programme_is_published(empty_api: Api) -> None:
    assert await empty_api.codes(VERSION) == ["NOT_FOUND"]
    key = await empty_api.key(*Scope)
    data = await empty_api.data(
        "{ insights { months { month } retention { cohort } } members { nodes { id } } }",
        caller=key,
    )
    assert data == {"insights": {"months": [], "retention": []}, "members": {"nodes": []}}


# ---------------------------------------------------------------- the other addresses


async def test_the_server_says_whether_it_is_alive_and_ready(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/healthz", "/readyz"):
        response = await api.client.get(path)
        assert (response.status_code, response.text) == (200, "ok\n")

    async def fails(*_given: object) -> None:
        raise OSError(SECRET)

    monkeypatch.setattr(sql, "fetch", fails)
    response = await api.client.get("/readyz")
    assert (response.status_code, response.text) == (503, "the database does not answer\n")
    response = await api.client.get("/healthz")
    assert response.status_code == 200


async def test_the_public_keys_of_tokens_are_public_and_nothing_else(api: Api) -> None:
    anna = await api.member("anna")
    response = await api.client.get("/.well-known/jwks.json")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "public, max-age=300"
    (key,) = response.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    import jwt  # noqa: PLC0415 - only this test reads a token as another service would

    claims = jwt.decode(
        str(anna.token),
        jwt.PyJWK(key),
        algorithms=["EdDSA"],
        audience="laurel-app",
        issuer="laurel",
    )
    assert claims["kind"] == "member"


async def test_other_addresses_lead_nowhere(api: Api) -> None:
    for path in ("/graphql/", "/nothing", "/.env", "/graphql/../healthz/x"):
        response = await api.client.get(path)
        assert response.status_code in (307, 404)


# ---------------------------------------------------------------- simulated time


async def at_time(api: Api, caller: Caller, moment: str) -> httpx2.Response:
    return await api.client.post(
        "/graphql",
        json={"query": VERSION},
        headers={**caller.headers, "Laurel-Simulated-Time": moment},
    )


async def test_only_a_key_with_the_scope_names_the_time(api: Api, till: Caller) -> None:
    others = [
        await api.key(*(set(Scope) - {Scope.SIMULATE_TIME})),
        await api.member("anna"),
        Caller(),
    ]
    for caller in others:
        response = await at_time(api, caller, NOW_SHOWN)
        assert response.status_code == 400
        assert coded(response) == ["SIMULATED_TIME_REFUSED"]
    assert (await at_time(api, till, NOW_SHOWN)).status_code == 200


@pytest.mark.parametrize(
    "moment",
    [
        "",
        "now",
        "2026-03-04",
        "2026-03-04T12:00:00",
        "1",
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "9000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-01:00",
    ],
)
async def test_a_time_that_is_none_is_refused(api: Api, till: Caller, moment: str) -> None:
    response = await at_time(api, till, moment)
    assert response.status_code == 400
    assert coded(response) == ["SIMULATED_TIME_REFUSED"]


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "8999-12-31T23:59:59.999999Z"])
async def test_everything_can_be_reckoned_at_the_first_and_last_time(
    api: Api, till: Caller, moment: str
) -> None:
    bought = await api.record(
        till,
        at=instant(moment),
        occurredAt=moment,
        member={"externalId": "anna"},
        enrolIfUnknown=True,
    )
    assert bought["points"] == 200
    query = (
        "{ members { nodes { points { available nextExpiry { points } } tier { name }"
        " challenges { periodStart periodEnd } cashback { monthAccrued { amount } } } }"
        " insights { months { month } retention { cohort } } }"
    )
    data = await api.data(query, caller=till, at=instant(moment))
    assert data["members"]["nodes"][0]["points"]["available"] == 100


async def test_the_time_of_a_request_is_its_own(api: Api, till: Caller, anna: int) -> None:
    query = '{ member(by: {externalId: "anna"}) { points { available } } }'
    at = {"available": [instant("2026-03-05T00:00:00Z"), instant("2027-03-05T00:00:00Z")]}
    seen = [(await api.data(query, caller=till, at=moment)) for moment in at["available"]]
    assert [one["member"]["points"]["available"] for one in seen] == [100, 0]
    before = clock.system_now()
    assert before <= clock.now()


async def test_a_server_that_does_not_take_the_time_refuses_it(database: object) -> None:
    await members.prepare_keys()
    app = create_app(Settings(simulated_time=SimulatedTime.REFUSE), opens_database=False)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as client:
        api = Api(client)
        response = await at_time(api, await api.key(*Scope), NOW_SHOWN)
    assert response.status_code == 400
    assert coded(response) == ["SIMULATED_TIME_REFUSED"]
    assert response.json()["errors"][0]["message"] == (
        "This server does not take the time from requests."
    )


def test_simulated_time_is_refused_in_production() -> None:
    with pytest.raises(InvalidSettings, match="LAUREL_SIMULATED_TIME=accept is refused"):
        read(
            mode=Mode.PRODUCTION,
            simulated_time=SimulatedTime.ACCEPT,
            issuer="https://loyalty.example.com",
        )
    assert not Settings().accepts_simulated_time


async def test_a_version_published_later_counts_from_then(api: Api, till: Caller) -> None:
    """The terms of a request are those of its own time."""
    assert (await programme.rulebook()).newest_version == 1
    for moment in (NOW_SHOWN, "2017-01-01T00:00:00Z"):
        assert (await at_time(api, till, moment)).json()["data"] == {"programme": {"version": 1}}
