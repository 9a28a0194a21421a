"""API keys over the API: made, listed, replaced and revoked by staff."""

import json

from server.clock import Instant, system_now
from server.edge.nodes import global_id
from server.principal import KEY_SCOPES, KeyKind, Scope, StaffRole
from server.storage import sql
from tests.api.calling import DAY, Api, Caller, Json, dump, new_key, shown

LIST = """{ apiKeys { nodes { id name partner scopes createdAt expiresAt revokedAt lastUsedAt
    replacesId state } } }"""
TILL: Json = {"name": "Till 1", "kind": "TILL"}


async def listed(api: Api, caller: Caller) -> list[Json]:
    """What the list shows."""
    nodes: list[Json] = (await api.data(LIST, caller=caller))["apiKeys"]["nodes"]
    return nodes


def holder(made: Json) -> Caller:
    """Who has the key."""
    return Caller(made["key"])


async def accepted(api: Api, made: Json) -> bool:
    """Whether the key is accepted."""
    return (await api.send("{ __typename }", caller=holder(made))).status_code == 200


async def test_a_key_is_shown_once_and_its_repetition_shows_the_same(api: Api) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    key = new_key()
    made = await api.mutate("createApiKey", TILL, manager, key=key)
    assert made["apiKey"]["state"] == "ACTIVE"
    assert made["apiKey"]["partner"] == "house"
    assert set(made["apiKey"]["scopes"]) == {scope.value for scope in KEY_SCOPES[KeyKind.TILL]}
    assert await accepted(api, made)
    assert await api.mutate("createApiKey", TILL, manager, key=key) == made
    assert (await api.mutate("createApiKey", TILL, manager))["key"] != made["key"]
    assert len(await listed(api, manager)) == 2
    assert made["key"] not in json.dumps(await dump())
    assert made["key"] not in json.dumps(await listed(api, manager))


async def test_a_key_expires_after_a_year_unless_it_is_said(api: Api) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    soon = shown(Instant(system_now() // 1_000_000 * 1_000_000 + DAY))
    ends = []
    for given in ({}, {"expiresAt": None}, {"expiresAt": soon}):
        made = await api.mutate("createApiKey", {**TILL, **given}, manager)
        ends.append(made["apiKey"]["expiresAt"])
    row = await sql.fetch_one(
        "SELECT MIN(expires_at - created_at), COUNT(*) FROM api_keys"
        " WHERE expires_at - created_at > $1",
        2 * DAY,
    )
    assert row is not None
    assert (365 * DAY - DAY < row[0] <= 365 * DAY, row[1]) == (True, 1)
    assert ends[1:] == [None, soon]


async def test_what_is_no_key(api: Api) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    before = await dump()
    for given, path in (
        ({"name": "Till"}, ["input", "scopes"]),
        ({**TILL, "scopes": ["MEMBERS_READ"]}, ["input", "scopes"]),
        ({"name": "Till", "scopes": []}, ["input", "scopes"]),
        ({**TILL, "name": ""}, ["input", "name"]),
        ({**TILL, "partner": ""}, ["input", "partner"]),
        ({**TILL, "expiresAt": "2020-01-01T00:00:00Z"}, ["input", "expiresAt"]),
        ({**TILL, "expiresAt": "2999-01-01T00:00:00Z"}, ["input", "expiresAt"]),
    ):
        told = await api.mutate("createApiKey", given, manager)
        assert (told["__typename"], told["path"]) == ("InvalidInput", path)
    assert await dump() == before


async def test_a_replaced_key_is_accepted_during_the_overlap(api: Api) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    former = await api.mutate("createApiKey", {**TILL, "partner": "baker"}, manager)
    given = {"apiKeyId": former["apiKey"]["id"]}
    key = new_key()
    made = await api.mutate("replaceApiKey", given, manager, key=key)
    assert made["apiKey"]["replacesId"] == former["apiKey"]["id"]
    assert {name: made["apiKey"][name] for name in ("name", "partner", "scopes")} == {
        name: former["apiKey"][name] for name in ("name", "partner", "scopes")
    }
    assert (await accepted(api, former), await accepted(api, made)) == (True, True)
    assert await api.mutate("replaceApiKey", given, manager, key=key) == made
    again = await api.mutate("replaceApiKey", given, manager)
    assert (again["__typename"], again["path"]) == ("NotAllowed", ["input", "apiKeyId"])
    ended = await api.mutate(
        "replaceApiKey", {"apiKeyId": made["apiKey"]["id"], "overlapHours": 0}, manager
    )
    assert ended["former"]["state"] == "EXPIRED"
    assert (await accepted(api, made), await accepted(api, ended)) == (False, True)
    wrong = await api.mutate("replaceApiKey", {**given, "overlapHours": 721}, manager)
    assert (wrong["__typename"], wrong["path"]) == ("InvalidInput", ["input", "overlapHours"])


async def test_a_revoked_key_is_refused_at_once(api: Api) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    made = await api.mutate("createApiKey", TILL, manager)
    given = {"apiKeyId": made["apiKey"]["id"]}
    revoked = await api.mutate("revokeApiKey", given, manager)
    assert revoked["apiKey"]["state"] == "REVOKED"
    assert not await accepted(api, made)
    assert (await api.mutate("revokeApiKey", given, manager))["apiKey"] == revoked["apiKey"]
    unknown = {"apiKeyId": global_id("ApiKey", 17)}
    for name in ("revokeApiKey", "replaceApiKey"):
        told = await api.mutate(name, unknown, manager)
        assert (told["__typename"], told["path"]) == ("NotFound", ["input", "apiKeyId"])


async def test_managers_and_auditors_see_the_list(api: Api) -> None:
    manager, auditor = await api.staff(StaffRole.MANAGER), await api.staff(StaffRole.AUDITOR)
    made = [(await api.mutate("createApiKey", TILL, manager))["apiKey"] for _ in range(2)]
    assert await listed(api, auditor) == await listed(api, manager) == made[::-1]
    page = "query ($after: String) { apiKeys(first: 1, after: $after) { nodes { id } pageInfo {"
    page += " hasNextPage endCursor } } }"
    first = (await api.data(page, caller=auditor))["apiKeys"]
    after = {"after": first["pageInfo"]["endCursor"]}
    second = (await api.data(page, after, auditor))["apiKeys"]
    assert [first["nodes"], second["nodes"]] == [[{"id": one["id"]}] for one in made[::-1]]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    for caller in (await api.staff(StaffRole.SUPPORT), await api.key(*Scope)):
        assert await api.codes(LIST, caller=caller) == ["FORBIDDEN"]
