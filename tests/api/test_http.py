"""GraphQL over HTTP: how answers are marked, what a fault gives away, the other addresses."""

from collections.abc import MutableMapping, Sequence
from typing import Any

import pytest
import structlog.testing

from server.edge import readiness
from server.members import service as members
from server.principal import Scope
from server.purchases import service as purchases
from server.storage import sql
from tests.api.calling import (
    NOW,
    PLAIN,
    SPEC,
    VERSION,
    Api,
    Caller,
    Json,
    coded,
    dump,
    new_key,
    purchase_input,
    uncosted,
)
from tests.api.contract import mutation_document

# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("document", "status", "plain_status"),
    [
        (VERSION, 200, 200),
        ("{ programme { version } me { id } }", 294, 200),
        ("{ me { id } }", 294, 200),
        ("{", 400, 400),
        ("{ nothing }", 422, 422),
        ("{ programme }", 422, 422),
        ("query ($at: DateTime!) { programme(at: $at) { version } }", 422, 422),
    ],
    ids=["whole", "partial", "failed", "syntax", "field", "selection", "variable"],
)
async def test_the_status_follows_the_specification(
    api: Api, document: str, status: int, plain_status: int
) -> None:
    """Also for a client that takes plain JSON only: it gets that for whatever has data."""
    spec = await api.client.post("/graphql", json={"query": document}, headers={"Accept": SPEC})
    assert spec.status_code == status
    assert spec.headers["content-type"] == f"{SPEC}; charset=utf-8"
    assert ("data" in spec.json()) is (status < 300)
    plain = await api.client.post("/graphql", json={"query": document}, headers={"Accept": PLAIN})
    assert plain.status_code == plain_status
    media_type = PLAIN if status < 300 else SPEC
    assert plain.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert uncosted(plain) == uncosted(spec)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, PLAIN),
        ("*/*", PLAIN),
        ("application/*", PLAIN),
        (SPEC, SPEC),
        (f"{SPEC}, {PLAIN};q=0.9", SPEC),
        (f"{PLAIN};q=0.9, {SPEC};q=0.8", PLAIN),
        (f"{PLAIN}, {SPEC}", PLAIN),
        (f"{SPEC}, {PLAIN}", SPEC),
        (f"{SPEC};q=0, */*", PLAIN),
        (f"{PLAIN};q=0, */*;q=0.1", SPEC),
        ("text/html, */*;q=0.8", PLAIN),
        (f"{SPEC.upper()}; charset=UTF-8", SPEC),
        (f"text/html,, ;, ,{SPEC}", SPEC),
    ],
)
async def test_the_media_type_is_the_one_that_the_caller_prefers(
    api: Api, accept: str | None, media_type: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    request = api.client.build_request("POST", "/graphql", json={"query": VERSION}, headers=headers)
    if accept is None:
        del request.headers["accept"]
    response = await api.client.send(request)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


@pytest.mark.parametrize(
    "accept",
    ["text/plain", "application/xml, text/csv", "application/json;q=0", "x", "*/*;q=0.000"],
)
async def test_who_takes_no_answer_of_ours_gets_none(api: Api, accept: str) -> None:
    before = await dump()
    response = await api.send(
        mutation_document("signOut"), {"input": {"idempotencyKey": "k"}}, Accept=accept
    )
    assert response.status_code == 406
    assert coded(response) == ["NOT_ACCEPTABLE"]
    assert await dump() == before


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_answer_says_its_language_and_what_it_depends_on(api: Api, method: str) -> None:
    parameters = {"query": "{ me { id } }"}
    response = await api.client.request(
        method,
        "/graphql",
        params=parameters if method == "GET" else None,
        json=parameters if method == "POST" else None,
        headers={"Accept-Language": "lt-LT, en;q=0.5"},
    )
    assert response.headers["content-language"] == "lt"
    vary = {name.strip() for name in response.headers["vary"].split(",")}
    assert {"Accept", "Accept-Language", "Authorization"} <= vary
    assert response.headers["cache-control"] == "no-store"


async def test_an_error_that_empties_the_data_keeps_its_place(api: Api) -> None:
    body = uncosted(await api.send("{ me { id } }"))
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


def faults(logged: Sequence[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    """What was logged, but for the line that each operation has."""
    return [entry for entry in logged if entry["event"] != "operation"]


async def test_a_fault_is_masked_and_logged_under_an_id(
    api: Api, till: Caller, anna: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_given: object, **_named: object) -> None:
        raise RuntimeError(SECRET)

    before = await dump()
    monkeypatch.setattr(purchases, "record", fails)
    monkeypatch.setattr(purchases, "record_many", fails)
    monkeypatch.setattr(purchases, "record_together", fails)
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
        assert uncosted(response) == {
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
        (entry,) = faults(logged)
        assert (entry["error_id"], entry["log_level"]) == (error_id, "error")
        assert isinstance(entry["exc_info"], RuntimeError)
    assert await dump() == before


async def test_a_fault_of_a_field_spoils_no_other(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_given: object, **_named: object) -> None:
        raise ZeroDivisionError(SECRET)

    manager = await api.key(*Scope)
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
    assert len(faults(logged)) == 1


async def test_what_is_wrong_with_a_request_is_not_logged_as_a_fault(
    api: Api, till: Caller
) -> None:
    with structlog.testing.capture_logs() as logged:
        await api.send("{ nothing }")
        await api.send("{ me { id } }")
        await api.record(till)
        await api.send("{ members(first: 0) { nodes { id } } }", caller=till)
    assert faults(logged) == []


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
    assert faults(logged) == []
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
    monkeypatch.setattr(readiness, "REMEMBERED_SECONDS", -1)  # ask each time
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
    assert response.headers["cache-control"] == "public, max-age=60"
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
