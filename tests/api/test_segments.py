"""Segments and consents as staff, members and tills see them."""

from typing import Any

from server.clock import Instant
from server.principal import Scope, StaffRole
from server.segments import service as segments
from tests.api.calling import NOW, NOW_SHOWN, SECOND, Api, Caller, line
from tests.api.segments_cases import EMAIL

LATER = Instant(NOW + 60 * SECOND)
SIZE = "size { members lookedAt isComplete }"
SEGMENT = f"key version name description kind condition effectiveAt {SIZE}"
CONSENTS = "{ me { consents { purpose isGiven changedAt source } } }"


async def publish(api: Api, staff: Caller, key: str, document: str) -> None:
    wish: Any = {"kind": "segment", "key": key, "document": document}
    told = (await api.mutate("saveDefinition", wish, staff))["definition"]
    wish = {name: told[name] for name in ("kind", "key", "version")}
    assert "code" not in await api.mutate("publishDefinition", wish, staff)


async def shop(api: Api) -> tuple[Caller, Caller]:
    """A marketer who has published three segments, and Anna, who bought something."""
    staff = await api.staff(StaffRole.MARKETER)
    anna = await api.member("anna", name="Anna")
    await api.member("bob", name="Bob")
    till = await api.key(Scope.PURCHASES_WRITE)
    await api.record(till, member={"externalId": "anna"}, lines=[line(department="MEAT")])
    for key, document in (
        ("meat", "name: Meat\nmembers: {kind: live, condition: \"'MEAT' in departments_90\"}\n"),
        ("two", "name: Two\nmembers: {kind: list, external_ids: [anna, bob]}\n"),
        (
            "now",
            "name: Now\ndescription: As of today\nmembers: {kind: frozen, condition: visits == 0}",
        ),
    ):
        await publish(api, staff, key, document)
    return staff, anna


async def test_staff_see_segments_with_their_sizes_and_whose_they_are(api: Api) -> None:
    staff, _anna = await shop(api)
    told = await api.data(f"{{ segments {{ nodes {{ {SEGMENT} }} }} }}", caller=staff, at=LATER)
    assert told["segments"]["nodes"] == [
        {
            "key": "now",
            "version": 1,
            "name": "Now",
            "description": "As of today",
            "kind": "FROZEN",
            "condition": "visits == 0",
            "effectiveAt": NOW_SHOWN,
            "size": {"members": 1, "lookedAt": 1, "isComplete": True},
        },
        {
            "key": "two",
            "version": 1,
            "name": "Two",
            "description": "",
            "kind": "LIST",
            "condition": None,
            "effectiveAt": NOW_SHOWN,
            "size": {"members": 2, "lookedAt": 2, "isComplete": True},
        },
        {
            "key": "meat",
            "version": 1,
            "name": "Meat",
            "description": "",
            "kind": "LIVE",
            "condition": "'MEAT' in departments_90",
            "effectiveAt": NOW_SHOWN,
            "size": {"members": 1, "lookedAt": 2, "isComplete": True},
        },
    ]
    members = "{ members { nodes { externalId segments { key } } } }"
    told = await api.data(members, caller=staff, at=LATER)
    assert {one["externalId"]: one["segments"] for one in told["members"]["nodes"]} == {
        "anna": [{"key": "meat"}, {"key": "two"}],
        "bob": [{"key": "now"}, {"key": "two"}],
    }
    told = await api.data('{ segment(key: "none") { key } }', caller=staff, at=LATER)
    assert told == {"segment": None}


async def test_a_condition_is_tried_without_being_saved(api: Api) -> None:
    staff, anna = await shop(api)
    preview = """query ($condition: String!) { previewSegment(condition: $condition) {
        ... on SegmentPreview {
            size { members lookedAt isComplete } sample { memberId externalId name }
        }
        ... on InvalidInput { path value accepted }
    } }"""

    async def tried(condition: str) -> Any:
        told = await api.data(preview, {"condition": condition}, caller=staff, at=LATER)
        return told["previewSegment"]

    assert await tried("visits_30 == 1") == {
        "size": {"members": 1, "lookedAt": 2, "isComplete": True},
        "sample": [{"memberId": anna.id, "externalId": "anna", "name": "Anna"}],
    }
    refused = await tried("visits_30 = 1")
    assert (refused["path"], refused["value"]) == (["condition"], "visits_30 = 1")
    assert refused["accepted"].startswith(
        "a condition over the facts of a member; line 1, column 11: "
    )


async def test_every_fact_is_told_with_its_type_and_meaning(api: Api) -> None:
    staff = await api.staff(StaffRole.AUDITOR)
    told = await api.data("{ segmentFacts { name type description } }", caller=staff)
    shown = {one["name"]: one for one in told["segmentFacts"]}
    assert list(shown) == [fact.name for fact in segments.FACTS]
    assert shown["spend_by_department_365"] == {
        "name": "spend_by_department_365",
        "type": "WHOLES_BY_NAME",
        "description": "Net spend of the last 365 local days in each of departments_365, in minor "
        "units.",
    }


async def test_a_member_sets_their_consents_and_staff_see_who_stated_them(api: Api) -> None:
    anna, bob = await api.member("anna"), await api.member("bob")
    staff = await api.staff(StaffRole.SUPPORT)
    await api.mutate("setConsent", EMAIL, anna)
    given = {"purpose": "SMS", "isGiven": True, "memberId": anna.id, "note": "by telephone"}
    told = await api.mutate("setConsent", given, staff, at=LATER)
    assert told["consent"]["source"] == "STAFF"
    await api.mutate("setConsent", {**EMAIL, "isGiven": False}, anna, at=LATER)
    seen = (await api.data(CONSENTS, caller=anna, at=LATER))["me"]["consents"]
    assert [(one["purpose"], one["isGiven"], one["source"]) for one in seen] == [
        ("EMAIL", False, "MEMBER"),
        ("PUSH", False, None),
        ("SMS", True, "STAFF"),
        ("PROFILING", False, None),
    ]
    assert [one["changedAt"] is None for one in seen] == [False, True, False, True]
    for wish, caller, code in (
        ({**EMAIL, "memberId": anna.id}, bob, "NOT_FOUND"),
        ({**EMAIL, "memberId": "x"}, staff, "NOT_FOUND"),
        (EMAIL, staff, "INVALID_INPUT"),
        ({**EMAIL, "note": ""}, anna, "INVALID_INPUT"),
    ):
        assert (await api.mutate("setConsent", wish, caller))["code"] == code
