"""Documents that the operator publishes: by command or by a manager, for apps by their ids."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from server.__main__ import cli
from server.app import create_app
from server.edge import trusted
from server.edge.requests import hash_of
from server.edge.trusted import NewDocument
from server.principal import StaffRole
from server.settings import Mode, Settings, TrustedDocuments
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import SPEC, Api, Json

VERSION = "query Version { programme { version } }"
CURRENCY = "query Currency { programme { currencyCode } }"
WRITING = "mutation Out($input: SignOutInput!) { signOut(input: $input) { __typename } }"
ID = f"sha256:{hash_of(VERSION)}"


async def publish(*texts: str) -> int:
    async with sql.transaction():
        return await trusted.publish([NewDocument(text, "App") for text in texts])


async def withdraw(text: str) -> bool:
    async with sql.transaction():
        return await trusted.withdraw(hash_of(text))


async def post(api: Api, body: Json, **headers: str) -> httpx2.Response:
    return await api.client.post("/graphql", json=body, headers=headers)


def persisted(text: str) -> Json:
    return {"persistedQuery": {"version": 1, "sha256Hash": hash_of(text)}}


def codes(response: httpx2.Response) -> list[str]:
    return [error["extensions"]["code"] for error in response.json()["errors"]]


# ---------------------------------------------------------------- the table


@pytest.mark.usefixtures("database")
async def test_publishing_again_changes_nothing_and_withdrawing_ends_it() -> None:
    assert await publish(VERSION, CURRENCY) == 2
    assert await publish(VERSION, CURRENCY) == 0
    assert await trusted.find(hash_of(VERSION)) == VERSION
    assert await withdraw(VERSION)
    assert not await withdraw(VERSION)
    assert await trusted.find(hash_of(VERSION)) is None
    assert await publish(VERSION) == 1
    listed = {one.sha256: one.withdrawn_at for one in await trusted.published()}
    assert listed == {hash_of(VERSION): None, hash_of(CURRENCY): None}


# ---------------------------------------------------------------- on the wire


async def test_a_document_is_asked_for_by_its_id(api: Api) -> None:
    response = await post(api, {"documentId": ID}, Accept=SPEC)
    assert (response.status_code, codes(response)) == (404, ["PERSISTED_QUERY_NOT_FOUND"])
    await publish(VERSION, WRITING)
    await asyncio.sleep(1.01)  # what was not published is not looked up again for a second
    for body in (
        {"documentId": ID},
        {"documentId": ID, "query": VERSION},
        {"extensions": persisted(VERSION)},
        {"documentId": ID, "operationName": "Version"},
    ):
        assert (await post(api, body)).json()["data"] == {"programme": {"version": 1}}


async def test_queries_by_id_are_got_and_mutations_are_not(api: Api) -> None:
    await publish(VERSION, WRITING)
    response = await api.client.get("/graphql", params={"documentId": ID})
    assert (response.status_code, response.json()["data"]["programme"]["version"]) == (200, 1)
    writing = {"documentId": f"sha256:{hash_of(WRITING)}", "variables": "{}"}
    response = await api.client.get("/graphql", params=writing)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_an_automatic_hash_that_is_unknown_is_told_as_apollos_clients_know_it(
    api: Api,
) -> None:
    told = {
        "message": "PersistedQueryNotFound",
        "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"},
    }
    request = {"extensions": persisted(VERSION)}
    for accept, status, media_type in (
        (f"{SPEC}, application/json", 200, "application/json"),
        ("application/json", 200, "application/json"),
        (SPEC, 404, SPEC),
    ):
        response = await post(api, request, Accept=accept, **{"Accept-Language": "lt"})
        assert response.json()["errors"] == [told]
        assert response.status_code == status
        assert response.headers["content-type"].startswith(media_type)
        assert response.headers["cache-control"] == "no-store"
    assert (await post(api, {**request, "query": VERSION})).json()["data"]
    assert (await post(api, request)).json()["data"] == {"programme": {"version": 1}}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"documentId": "x"}, 422, "BAD_REQUEST"),
        ({"documentId": f"md5:{'0' * 32}"}, 422, "BAD_REQUEST"),
        ({"documentId": 5}, 422, "BAD_REQUEST"),
        ({"extensions": {"persistedQuery": {"version": 2}}}, 422, "BAD_REQUEST"),
        ({"documentId": ID, "query": CURRENCY}, 400, "PERSISTED_QUERY_MISMATCH"),
        ({"query": CURRENCY, "extensions": persisted(VERSION)}, 400, "PERSISTED_QUERY_MISMATCH"),
    ],
)
async def test_what_is_no_id_is_refused(api: Api, body: Json, status: int, code: str) -> None:
    response = await post(api, body)
    assert (response.status_code, codes(response)) == (status, [code])


async def test_a_member_may_be_held_to_what_is_published(api: Api) -> None:
    member = await api.member("anna")
    await publish(VERSION)
    strict = create_app(Settings(trusted_documents=TrustedDocuments.REQUIRED), opens_database=False)
    transport = httpx2.ASGITransport(app=strict)
    async with httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as client:
        for body in (
            {"query": VERSION},
            {"query": "{ not even valid"},
            {"query": CURRENCY, "extensions": persisted(CURRENCY)},
        ):
            response = await client.post("/graphql", json=body, headers=member.headers)
            assert (response.status_code, codes(response)) == (403, ["TRUSTED_DOCUMENT_REQUIRED"])
        for body in ({"documentId": ID}, {"query": VERSION, "extensions": persisted(VERSION)}):
            response = await client.post("/graphql", json=body, headers=member.headers)
            assert response.json()["data"] == {"programme": {"version": 1}}
        # Guests, keys and staff are not: they sign in, or are the operator's own.
        assert (await client.post("/graphql", json={"query": CURRENCY})).status_code == 200
        registering = {"query": CURRENCY, "extensions": persisted(CURRENCY)}
        assert (await client.post("/graphql", json=registering)).status_code == 200
        response = await client.post("/graphql", json={"extensions": persisted(CURRENCY)})
        assert codes(response) == ["PERSISTED_QUERY_NOT_FOUND"]


# ---------------------------------------------------------------- the mutation


async def test_a_manager_publishes_through_the_server(api: Api) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    documents = [{"body": VERSION, "label": "App 1.0"}, {"body": CURRENCY}, {"body": CURRENCY}]
    answer = await api.mutate("publishDocuments", {"documents": documents}, manager)
    assert answer == {"__typename": "DocumentsPublished", "published": 2, "unchanged": 0}
    assert (await post(api, {"documentId": ID})).json()["data"] == {"programme": {"version": 1}}
    answer = await api.mutate("publishDocuments", {"documents": documents}, manager)
    assert (answer["published"], answer["unchanged"]) == (0, 2)
    assert [one.label for one in await trusted.published()] == ["App 1.0", "Currency"]


@pytest.mark.parametrize(
    ("documents", "path"),
    [
        ([], ["input", "documents"]),
        ([{"body": VERSION}] * 1_001, ["input", "documents"]),
        ([{"body": VERSION}, {"body": "{ nothing }"}], ["input", "documents", "1", "body"]),
        ([{"body": "{"}], ["input", "documents", "0", "body"]),
        ([{"body": VERSION, "label": ""}], ["input", "documents", "0", "label"]),
    ],
    ids=["none", "too many", "not valid", "no document", "label"],
)
async def test_all_documents_are_published_or_none(
    api: Api, documents: list[Json], path: list[str]
) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    answer = await api.mutate("publishDocuments", {"documents": documents}, manager)
    assert (answer["__typename"], answer["path"]) == ("InvalidInput", path)
    assert await trusted.published() == []


# ---------------------------------------------------------------- the commands


def manifest(tmp_path: Path, content: Any) -> str:
    file = tmp_path / "manifest.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def apollo(*texts: str) -> Json:
    return {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [
            {"id": hash_of(text), "name": text.split()[1], "type": "query", "body": text}
            for text in texts
        ],
    }


def run(address: Address, *words: str) -> tuple[int, str]:
    url = f"sqlite://{address.location}" if address.engine == "sqlite" else address.location
    at = [] if "--help" in words else ["--database", url]
    result = CliRunner().invoke(cli, ["documents", *words, *at])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_a_manifest_is_published_listed_and_withdrawn(
    database_address: Address, tmp_path: Path
) -> None:
    file = manifest(tmp_path, apollo(VERSION, CURRENCY))
    assert run(database_address, "publish", file, "--dry-run") == (
        0,
        "2 documents could be published\n",
    )
    assert run(database_address, "list") == (0, "no documents have been published\n")
    assert run(database_address, "publish", file)[1] == "2 published, 0 were published already\n"
    assert run(database_address, "publish", file)[1] == "0 published, 2 were published already\n"
    code, said = run(database_address, "withdraw", ID)
    assert (code, said.startswith("withdrawn;")) == (0, True)
    assert run(database_address, "withdraw", ID)[0] == 1
    lines = run(database_address, "list")[1].splitlines()
    assert [line.split()[0] for line in lines] == [hash_of(CURRENCY), hash_of(VERSION)]
    assert [line.split()[2:] for line in lines] == [
        ["published", "Currency"],
        ["withdrawn", "Version"],
    ]


def test_texts_by_their_hash_are_taken_as_relay_and_codegen_write_them(
    database_address: Address, tmp_path: Path
) -> None:
    file = manifest(tmp_path, {hash_of(VERSION): VERSION, ID.replace("sha256:", ""): VERSION})
    assert run(database_address, "publish", file)[1] == "1 published, 0 were published already\n"
    assert "Version" in run(database_address, "list")[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"0" * 32: VERSION}, "set Relay's `persistConfig.algorithm` to SHA256"),
        ({"0" * 40: VERSION}, "hashAlgorithm` to 'sha256'"),
        ({"0" * 64: VERSION}, "its id is not the SHA-256 of its text"),
        ({hash_of("{ x }"): "{ x }"}, "Cannot query field 'x' on type 'Query'"),
        (apollo(VERSION, "query X { x }"), "1 of 2 documents can't be published"),
        ({**apollo(VERSION), "version": 2}, "the format must be apollo-persisted-query-manifest"),
        ({"format": "apollo-persisted-query-manifest", "version": 1}, "each of its operations"),
        ({"a": 1}, "is no manifest"),
        ([], "is no manifest"),
        ({}, "names no documents"),
        ("{", "is not JSON in UTF-8"),
        ("[" * 100_000, "is not JSON in UTF-8"),
    ],
)
def test_a_manifest_that_is_not_right_is_refused_in_full(
    content: Any, said: str, tmp_path: Path
) -> None:
    address = Address("sqlite", str(tmp_path / "there-is-none.sqlite3"))
    code, output = run(address, "publish", manifest(tmp_path, content))
    assert code == 1
    assert said in output
    assert output.startswith("laurel: ")


def test_a_manifest_that_is_not_there_is_told(tmp_path: Path) -> None:
    address = Address("sqlite", str(tmp_path / "there-is-none.sqlite3"))
    code, output = run(address, "publish", str(tmp_path / "missing.json"))
    assert (code, output.startswith("laurel: can't read")) == (1, True)


def test_who_may_see_the_schema_is_a_setting() -> None:
    assert Settings().shows_schema_to.value == "developers"
    assert Settings(mode=Mode.DEMO).shows_schema_to.value == "everyone"
    given = Settings.model_validate({"mode": "demo", "introspection": "developers"})
    assert given.shows_schema_to.value == "developers"
