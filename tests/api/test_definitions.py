"""How staff write things down, decide on them and look them up through the API."""

from typing import Any

from server.clock import Instant
from server.definitions import service as definitions
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, Json
from tests.definitions.things import poster

FAR = Instant(2**62)
WISH: Json = {"kind": "poster", "key": "summer"}


async def saved(api: Api, caller: Caller, document: str) -> Json:
    return await api.mutate("saveDefinition", {**WISH, "document": document}, caller)


async def ask(api: Api, caller: Caller, query: str) -> Any:
    return await api.data(query, caller=caller)


async def test_a_dear_poster_counts_once_a_second_person_has_approved_it(api: Api) -> None:
    marketer, manager = [await api.staff(role) for role in (StaffRole.MARKETER, StaffRole.MANAGER)]
    draft = (await saved(api, marketer, "title: {en: Dear}\nbudget_minor: null"))["definition"]
    assert (draft["version"], draft["status"], draft["budget"]) == (1, "DRAFT", None)
    assert draft["document"] == "title:\n  en: Dear\nbudget_minor: null\n"
    wish = {**WISH, "version": 1}
    waiting = (await api.mutate("publishDefinition", wish, marketer))["definition"]
    assert (waiting["status"], waiting["isOwn"]) == ("WAITING", True)
    decided = (await api.mutate("approveDefinition", wish, manager))["definition"]
    assert (decided["status"], decided["isOwn"]) == ("PUBLISHED", False)
    again = await api.mutate("approveDefinition", wish, manager)
    assert (again["code"], again["outcome"]) == ("ALREADY_DECIDED", "PUBLISHED")
    assert list((await definitions.shelves()).of("poster").live(FAR).by_key) == ["summer"]


async def test_what_is_wrong_in_a_document_is_told_with_its_places(api: Api) -> None:
    marketer = await api.staff(StaffRole.MARKETER)
    told = await saved(api, marketer, "discount: {kind: percent, rate_bps: 0}\ntags: [1]")
    assert told["code"] == "INVALID_DEFINITION"
    assert [(one["path"], one["value"]) for one in told["problems"]] == [
        (["title"], None),
        (["discount", "rate_bps"], "0"),
        (["tags", "0"], "1"),
    ]
    told = await saved(api, marketer, "a: [")
    assert (told["code"], told["problems"][0]["path"]) == ("INVALID_DEFINITION", [])
    told = await api.mutate("saveDefinition", {"kind": "x", "key": "a", "document": ""}, marketer)
    assert (told["code"], told["path"]) == ("INVALID_INPUT", ["input", "kind"])
    assert "poster" in told["accepted"]


async def test_a_thing_shows_its_history_and_what_changed(api: Api) -> None:
    marketer, auditor = [await api.staff(role) for role in (StaffRole.MARKETER, StaffRole.AUDITOR)]
    for title in ("Summer", "Autumn"):
        draft = (await saved(api, marketer, f"title: {{en: {title}}}"))["definition"]
        wish = {**WISH, "version": draft["version"]}
        assert "code" not in await api.mutate("publishDefinition", wish, marketer)
    query = """{ definition(kind: "poster", key: "summer") {
        current { version } history { version status }
        difference(fromVersion: 1, toVersion: 2) { path before after }
    } }"""
    assert (await ask(api, auditor, query))["definition"] == {
        "current": {"version": 2},
        "history": [{"version": n, "status": "PUBLISHED"} for n in (2, 1)],
        "difference": [{"path": "title.en", "before": '"Summer"', "after": '"Autumn"'}],
    }
    assert (await ask(api, auditor, '{ definition(kind: "poster", key: "x") { key } }')) == {
        "definition": None
    }


async def test_what_is_exported_can_be_imported_and_is_there_already(api: Api) -> None:
    marketer = await api.staff(StaffRole.MARKETER)
    async with sql.transaction():
        await definitions.publish_document("poster", "a", poster(), by="staff:1", now=NOW)
    for file_format in ("YAML", "CSV"):
        query = (
            f'{{ exportDefinitions(kinds: ["poster"], format: {file_format}) {{ count text }} }}'
        )
        exported = (await ask(api, marketer, query))["exportDefinitions"]
        assert exported["count"] == 1
        wish = {"text": exported["text"], "format": file_format, "mode": "PUBLISHED"}
        done = await api.mutate("importDefinitions", wish, marketer)
        assert (done["created"], done["changed"], done["unchanged"]) == (0, 0, 1)
        wish["text"] = exported["text"].replace("Summer", "Winter")
        done = await api.mutate("importDefinitions", {**wish, "dryRun": True}, marketer)
        assert (done["isDryRun"], done["changed"]) == (True, 1)
        assert [one["outcome"] for one in done["items"]] == ["CHANGED"]
        told = await api.mutate("importDefinitions", {**wish, "text": "x"}, marketer)
        assert told["code"] == "INVALID_DEFINITION"
    kinds = (await ask(api, marketer, "{ definitionKinds { name refersTo example } }"))[
        "definitionKinds"
    ]
    assert {"name": "leaflet", "refersTo": ["poster"], "example": "poster: text\n"} in kinds
