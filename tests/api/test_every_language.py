"""Refusals of all kinds, asked in every language: programs see the same, people read their own."""

import json
import re
from typing import Any

import pytest

from server import messages
from server.principal import Scope, StaffRole
from server.storage import sql
from tests.api.calling import NOBODY, NOW, Api, Caller, Json, enrolled, new_key, purchase_input
from tests.api.contract import mutation_document

LANGUAGES = messages.languages()
WORDS = ("message", "accepted", "value")
"""What is told in words; all else is for programs."""

MUTATIONS: dict[str, tuple[str, str, Json]] = {
    "no lines": ("till", "recordPurchase", {"purchase": purchase_input(lines=[])}),
    "a currency": ("till", "recordPurchase", {"purchase": purchase_input(currencyCode="EUR")}),
    "no store": ("till", "recordPurchase", {"purchase": purchase_input(storeId="")}),
    "a card": (
        "till",
        "recordPurchase",
        {"purchase": purchase_input(member={"cardNumber": "12"})},
    ),
    "nobody": (
        "till",
        "recordPurchase",
        {"purchase": purchase_input(member={"externalId": "nobody"})},
    ),
    "the future": (
        "till",
        "recordPurchase",
        {"purchase": purchase_input(occurredAt="2030-01-01T00:00:00Z")},
    ),
    "an idempotency key": ("till", "redeemPoints", {"points": 1000, "idempotencyKey": ""}),
    "no purchases": ("till", "recordPurchases", {"purchases": []}),
    "no redemptions": ("till", "redeemPointsForMembers", {"redemptions": []}),
    "no opening balances": ("manager", "importBalances", {"lines": []}),
    "too few points": ("anna", "redeemPoints", {"points": 2000}),
    "a step": ("anna", "redeemPoints", {"points": 3}),
    "too small a payout": ("anna", "requestPayout", {"amountMinor": "1", "destination": "IBAN"}),
    "a destination": ("anna", "requestPayout", {"amountMinor": "500", "destination": ""}),
    "a name": ("anna", "updateProfile", {"name": ""}),
    "a birthday": ("anna", "updateProfile", {"birthday": "1700-01-01"}),
    "a locale": ("anna", "updateProfile", {"locale": "no language"}),
    "no locale": ("anna", "updateProfile", {"locale": None}),
    "a time zone": ("anna", "updateProfile", {"timeZone": "Mars"}),
    "no time zone": ("anna", "updateProfile", {"timeZone": None}),
    "an invitation": ("anna", "joinHousehold", {"code": "x"}),
    "a household's name": ("anna", "foundHousehold", {"name": "x" * 121}),
    "no household": ("anna", "leaveHousehold", {}),
    "an address": ("nobody", "signUp", {"email": "x", "password": "long enough", "name": "Ada"}),
    "a password": (
        "nobody",
        "signUp",
        {"email": "ada@example.com", "password": "short", "name": "Ada"},
    ),
    "credentials": ("nobody", "signIn", {"email": "ada@example.com", "password": "long enough"}),
    "a session": ("nobody", "refreshSession", {"refreshToken": "x"}),
    "a key's partner": ("manager", "createApiKey", {"name": "Till", "partner": "", "kind": "TILL"}),
    "a key's expiry": (
        "manager",
        "createApiKey",
        {"name": "Till", "kind": "TILL", "expiresAt": "2050-01-01T00:00:00Z"},
    ),
    "a key without rights": ("manager", "createApiKey", {"name": "Till"}),
    "a reason": (
        "manager",
        "adjustBalance",
        {"member": {"externalId": "anna"}, "asset": "POINTS", "points": 1, "reason": "x"},
    ),
    "no points": (
        "manager",
        "adjustBalance",
        {"member": {"externalId": "anna"}, "asset": "POINTS", "reason": "Because"},
    ),
    "0 points": (
        "manager",
        "adjustBalance",
        {"member": {"externalId": "anna"}, "asset": "POINTS", "points": 0, "reason": "Because"},
    ),
    "a member and themselves": (
        "manager",
        "mergeMembers",
        {
            "duplicate": {"externalId": "anna"},
            "survivor": {"externalId": "anna"},
            "reason": "Twins",
        },
    ),
    "a programme": ("manager", "publishProgramme", {"document": "points: 1"}),
}

QUERIES: dict[str, tuple[str, str, Json]] = {
    "nobody's home": ("nobody", "{ me { id } }", {}),
    "a member's list of all": ("anna", "{ members { nodes { id } } }", {}),
    "a home of staff": ("manager", "{ me { id } }", {}),
    "a page": ("manager", "{ members(first: 101) { nodes { id } } }", {}),
    "a cursor": ("manager", '{ members(after: "x") { nodes { id } } }', {}),
    "too many ids": (
        "till",
        "query ($ids: [String!]!) { pointBalances(externalIds: $ids) { available } }",
        {"ids": ["x"] * 501},
    ),
    "too many days": ("anna", "{ me { points { expiring(withinDays: 36501) { points } } } }", {}),
    "the schema": ("anna", "{ __schema { types { name } } }", {}),
    "two operations": ("nobody", "query A { __typename } query B { __typename }", {}),
}


async def callers(api: Api) -> dict[str, Caller]:
    return {
        "nobody": NOBODY,
        "anna": await api.member("anna"),
        "till": await api.key(*Scope),
        "manager": await api.staff(StaffRole.MANAGER),
    }


def shown(value: Any) -> Any:
    """What is told to programs: all but the words."""
    if isinstance(value, dict):
        return {name: shown(one) for name, one in value.items() if name not in WORDS}
    return [shown(one) for one in value] if isinstance(value, list) else value


def check_told(told: dict[str, Json], *, same: tuple[str, ...] = ()) -> None:
    """Each language says it in its own words, leaves nothing unsaid, and tells programs the
    same."""
    english = told["en"]
    for language, one in told.items():
        assert shown(one) == shown(english)
        for words in WORDS:
            if one.get(words) is not None:
                assert not re.search(r"\{\w*[:}]", one[words]), one[words]
        if language != "en":
            assert one["message"] != english["message"]
            if english.get("accepted") and "accepted" not in same:
                assert one["accepted"] != english["accepted"], english["accepted"]
    texts = [one["message"] for one in told.values()]
    assert len(set(texts)) == len(LANGUAGES)


@pytest.mark.parametrize("what", MUTATIONS)
async def test_a_problem_is_told_in_every_language(api: Api, what: str) -> None:
    kind, name, given = MUTATIONS[what]
    caller = (await callers(api))[kind]
    told = {}
    for language in LANGUAGES:
        response = await api.send(
            mutation_document(name),
            {"input": {"idempotencyKey": new_key(), **given}},
            caller,
            at=NOW,
            **{"Accept-Language": language},
        )
        assert response.headers["content-language"] == language
        told[language] = response.json()["data"]["answer"]
    check_told(told, same=("accepted",) if what == "a currency" else ())


@pytest.mark.parametrize("what", QUERIES)
async def test_a_top_level_error_is_told_in_every_language(api: Api, what: str) -> None:
    kind, document, given = QUERIES[what]
    caller = (await callers(api))[kind]
    told = {}
    for language in LANGUAGES:
        response = await api.send(document, given, caller, at=NOW, **{"Accept-Language": language})
        assert response.headers["content-language"] == language
        [told[language]] = response.json()["errors"]
    check_told(told)


SIGN_OUT = "mutation($input:SignOutInput!){signOut(input:$input){__typename}}"
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "no credentials": ("POST", "/graphql", {"headers": {"Authorization": "Bearer x"}}),
    "no JSON": ("POST", "/graphql", {"content": b"{"}),
    "no object": ("POST", "/graphql", {"content": b"null"}),
    "no media type": ("POST", "/graphql", {"headers": {"Content-Type": "text/plain"}}),
    "no answer": ("POST", "/graphql", {"headers": {"Accept": "image/png"}, "json": {}}),
    "no method": ("DELETE", "/graphql", {}),
    "no such place": ("GET", "/nowhere", {}),
    "too much": ("POST", "/graphql", {"content": b" " * 1_000_001}),
    "a page of somebody": ("POST", "/graphql", {"headers": {"Origin": "https://evil.example"}}),
    "no document": ("POST", "/graphql", {"json": {}}),
    "an unknown document": ("POST", "/graphql", {"json": {"documentId": "0" * 64}}),
    "a mutation by GET": ("GET", f"/graphql?query={SIGN_OUT}", {}),
}


@pytest.mark.parametrize("what", REQUESTS)
async def test_what_is_no_request_is_told_in_every_language(api: Api, what: str) -> None:
    method, path, options = REQUESTS[what]
    headers = {"Content-Type": "application/json", **options.get("headers", {})}
    options = {name: one for name, one in options.items() if name != "headers"}
    told = {}
    for language in LANGUAGES:
        response = await api.client.request(
            method, path, headers={**headers, "Accept-Language": language}, **options
        )
        assert response.status_code >= 400
        assert response.headers["content-language"] == language
        [told[language]] = response.json()["errors"]
    check_told(told)


# ---------------------------------------------------------------- which language


PRINTABLE = {
    "en": "1 to 64 printable characters",
    "lt": "nuo 1 iki 64 spausdinamųjų ženklų",
    "ru": "от 1 до 64 печатных знаков",
}


async def member_who_reads(api: Api, locale: str) -> Caller:
    caller = await api.signed_in(await enrolled("reader"))
    async with sql.transaction():
        await sql.execute("UPDATE members SET locale = $1 WHERE id = $2", locale, caller.member_id)
    return caller


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "lt"),
        ("", "lt"),
        ("*", "lt"),
        ("*;q=0.5", "lt"),
        ("fr", "lt"),
        ("fr, *;q=0.1", "lt"),
        ("ru", "ru"),
        ("en-GB", "en"),
        ("fr, ru;q=0.3", "ru"),
    ],
)
async def test_the_header_decides_or_else_the_member(
    api: Api, header: str | None, language: str
) -> None:
    reader = await member_who_reads(api, "lt-LT")
    headers: dict[str, Any] = {} if header is None else {"Accept-Language": header}
    given = {"input": {"idempotencyKey": new_key(), "points": 1000_000}}
    answer = await api.send(mutation_document("redeemPoints"), given, reader, at=NOW, **headers)
    problem = answer.json()["data"]["answer"]
    facts = {"available": 100, "required": 1000_000, "short_by": 999_900}
    assert problem["message"] == messages.text("points.insufficient", language, **facts)
    assert answer.headers["content-language"] == language
    denied = await api.send("{ members { nodes { id } } }", {}, reader, **headers)
    [error] = denied.json()["errors"]
    assert error["message"] == messages.text("request.forbidden", language)
    assert denied.headers["content-language"] == language


async def test_a_repetition_is_told_in_the_language_of_whoever_repeats(api: Api) -> None:
    till = await api.key(*Scope)
    good = purchase_input(member={"externalId": "anna"}, externalId="good")
    await enrolled("anna")
    given = {
        "input": {
            "idempotencyKey": "k",
            "purchases": [good, purchase_input(storeId="", externalId="bad")],
        }
    }
    told = {}
    for language in ("en", "lt", "ru"):
        response = await api.send(
            mutation_document("recordPurchases"),
            given,
            till,
            at=NOW,
            **{"Accept-Language": language},
        )
        first, second = response.json()["data"]["answer"]["answers"]
        assert first["__typename"] == "RecordedPurchase"
        told[language] = second
    assert {language: one["accepted"] for language, one in told.items()} == PRINTABLE
    assert len({one["message"] for one in told.values()}) == 3
    assert {json.dumps(shown(one)) for one in told.values()} == {json.dumps(shown(told["en"]))}
