"""Messages as staff see them before any member does."""

import json
from typing import Any

import pytest

from server import clock, messages
from server.notifications.triggers import TRIGGERS
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, Json

TRIGGER = """{ messageTriggers { name description isReminder canBeService
    variables { name type description maximumCharacters canBeEmpty sample } } }"""
PREVIEW = """query ($key: String, $document: String, $locale: String!,
        $variables: [MessageVariableInput!]) {
    previewMessage(key: $key, document: $document, locale: $locale, variables: $variables) {
        ... on MessagePreview { locale title body emailSubject emailBody callToAction link payload
            payloadBytes longestPayloadBytes }
        ... on InvalidDefinition { code problems { path value accepted } }
        ... on InvalidInput { code path value accepted message }
        ... on NotFound { code path }
    }
}"""
EXPIRING = """
category: points
default_language: en
trigger: {kind: points_expiring}
link: app://points/{points}
texts:
  en:
    title: '{points, plural, one {# point} other {# points}} until {expires_on, date}'
    body: 'Hello {name}'
  lt:
    title: '{points, plural, one {# taškas} few {# taškai} other {# taškų}} iki {expires_on}'
    body: 'Labas, {name}'
"""


async def previewed(api: Api, staff: Caller, **variables: Any) -> Json:
    """What previewMessage answers."""
    told = await api.data(PREVIEW, {"locale": "en", **variables}, staff)
    answer: Json = told["previewMessage"]
    return answer


async def test_a_document_is_shown_with_samples_and_saved_nowhere(api: Api) -> None:
    staff = await api.staff(StaffRole.MARKETER)
    with clock.moved_to(NOW):  # the push says until which second it is worth showing
        shown = await previewed(api, staff, document=EXPIRING, locale="lt-LT")
        with sql.counted_statements() as statements:
            assert shown == await previewed(api, staff, document=EXPIRING, locale="lt-LT")
    assert [one for one in statements if not one.startswith(("SELECT", "WITH"))] == []
    payload = json.loads(shown.pop("payload"))
    assert payload["notification"] == {
        "title": "1\xa0250 taškų iki 2026-12-24",
        "body": "Labas, Anna",
    }
    assert payload["data"]["link"] == "app://points/1250"
    assert "token" not in payload
    assert shown.pop("payloadBytes") < shown.pop("longestPayloadBytes") < 4096
    assert shown == {
        "locale": "lt",
        "title": "1\xa0250 taškų iki 2026-12-24",
        "body": "Labas, Anna",
        "emailSubject": "1\xa0250 taškų iki 2026-12-24",
        "emailBody": "Labas, Anna",
        "callToAction": None,
        "link": "app://points/1250",
    }


async def test_a_message_that_counts_is_shown_with_the_values_that_are_tried(api: Api) -> None:
    staff = await api.staff(StaffRole.MARKETER)
    wish: Json = {"kind": "message", "key": "expiring", "document": EXPIRING}
    told = (await api.mutate("saveDefinition", wish, staff))["definition"]
    wish = {name: told[name] for name in ("kind", "key", "version")}
    assert "code" not in await api.mutate("publishDefinition", wish, staff)
    tried = {"points": "1", "expires_on": "2027-01-02", "name": "Bob"}
    variables = [{"name": name, "value": value} for name, value in tried.items()]
    shown = await previewed(api, staff, key="expiring", variables=variables)
    assert (shown["title"], shown["body"]) == ("1 point until Jan 2, 2027", "Hello Bob")


async def test_money_is_tried_in_the_programmes_currency(api: Api) -> None:
    staff = await api.staff(StaffRole.MARKETER)
    document = EXPIRING.replace("points_expiring", "cashback_available")
    document = document[: document.index("link")] + "texts: {en: {title: '{amount}', body: x}}"
    shown = await previewed(
        api, staff, document=document, variables=[{"name": "amount", "value": "1234.5"}]
    )
    assert shown["title"] == "$1,234.50"
    assert (await previewed(api, staff, document=document))["title"] == "$12.50"


async def test_a_document_that_does_not_fit_is_told_place_by_place(api: Api) -> None:
    staff = await api.staff(StaffRole.MARKETER)
    document = EXPIRING.replace("Hello {name}", "Hello {nam}").replace("app:", "http:")
    answer = await previewed(api, staff, document=document)
    assert answer["code"] == "INVALID_DEFINITION"
    assert [(one["path"], one["accepted"]) for one in answer["problems"]] == [
        (
            ["texts", "en", "body"],
            "one of the variables name, programme, points, expires_on, days; the nearest is name;"
            " there is no nam (line 1, column 7)",
        ),
        (
            ["link"],
            "app://… or https://… with a host in letters, in the characters of links;"
            " variables stand after the host",
        ),
    ]
    wish: Json = {"kind": "message", "key": "expiring", "document": document}
    refused = await api.mutate("saveDefinition", wish, staff)
    assert refused["problems"] == answer["problems"]


@pytest.mark.parametrize("language", messages.languages())
async def test_what_is_asked_wrongly_is_told_in_every_language(api: Api, language: str) -> None:
    staff = await api.staff(StaffRole.MARKETER)

    async def refused(**variables: Any) -> Json:
        headers: dict[str, Any] = {"Accept-Language": language}
        response = await api.send(PREVIEW, {"locale": "en", **variables}, staff, **headers)
        found: Json = response.json()["data"]["previewMessage"]
        return found

    def one(name: str, value: str) -> Json:
        return {"document": EXPIRING, "variables": [{"name": name, "value": value}]}

    expected: list[tuple[Json, list[str], str, str]] = [
        ({}, ["key"], "preview.which", "`key`"),
        (one("nobody", "1"), ["variables", "0", "name"], "preview.variable", "points"),
        (one("points", "1.5"), ["variables", "0", "value"], "preview.value", str(2**63 - 1)),
        (one("expires_on", "soon"), ["variables", "0", "value"], "preview.value", "2026-12-24"),
    ]
    for variables, path, key, part in expected:
        answer = await refused(**variables)
        assert (answer["code"], answer["path"]) == ("INVALID_INPUT", path)
        assert answer["message"] == messages.text(key, language)
        assert part in answer["accepted"]


async def test_what_is_not_there_and_what_is_given_twice_is_refused(api: Api) -> None:
    staff = await api.staff(StaffRole.MARKETER)
    assert await previewed(api, staff, key="none") == {"code": "NOT_FOUND", "path": ["key"]}
    twice = [{"name": "points", "value": "1"}] * 2
    answer = await previewed(api, staff, document=EXPIRING, variables=twice)
    assert (answer["path"], answer["accepted"]) == (["variables", "1", "name"], "each once")
    answer = await previewed(api, staff, document=EXPIRING, locale="no language")
    assert (answer["code"], answer["path"]) == ("INVALID_INPUT", ["locale"])


async def test_the_manual_names_all_triggers_and_what_their_texts_may_mention(api: Api) -> None:
    staff = await api.staff(StaffRole.AUDITOR)
    told = (await api.data(TRIGGER, caller=staff))["messageTriggers"]
    assert [one["name"] for one in told] == [*TRIGGERS, None]
    shown = {one["name"]: one for one in told}
    assert shown["offer_ending"]["isReminder"]
    assert not shown["offer_ending"]["canBeService"]
    assert shown["order_delivered"]["canBeService"]
    assert [one["name"] for one in shown[None]["variables"]] == ["name", "programme"]
    variables = {one["name"]: one for one in shown["cashback_available"]["variables"]}
    assert variables["amount"] == {
        "name": "amount",
        "type": "MONEY",
        "description": "How much can be spent.",
        "maximumCharacters": None,
        "canBeEmpty": False,
        "sample": "12.50",
    }
    assert variables["name"]["maximumCharacters"] == 40
