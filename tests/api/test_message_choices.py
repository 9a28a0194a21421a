"""What members want to be told, by channel and category, with the evidence; their quiet hours."""

import pytest

from server.clock import Instant
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import DAY, NOW, NOW_SHOWN, Api, Caller, Json, dump, shown
from tests.api.mutation_events import forget_events
from tests.api.notifications_cases import CHOICE, CHOICES

LATER, LATEST = Instant(NOW + DAY), Instant(NOW + 2 * DAY)
MINE = "{ me { messageChoices { channel category isGiven changedAt source } } }"
HOURS = "{ me { quietHours { from until isOwn } } }"
MARKETING = ("OFFERS", "POINTS", "CHALLENGES")
ON_ONE_ENGINE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


async def choices(api: Api, caller: Caller) -> dict[tuple[str, str], Json]:
    listed = (await api.data(MINE, caller=caller))["me"]["messageChoices"]
    assert len(listed) == 12
    return {(one["channel"], one["category"]): one for one in listed}


async def given(api: Api, caller: Caller) -> set[tuple[str, str]]:
    return {key for key, one in (await choices(api, caller)).items() if one["isGiven"]}


BY_DEFAULT = {("IN_APP", one) for one in MARKETING} | {
    (channel, "SERVICE") for channel in ("PUSH", "EMAIL", "IN_APP")
}


async def choose(api: Api, caller: Caller, *, at: Instant = NOW, **choice: object) -> Json:
    wish = {"choices": [{**CHOICE, **choice}], "textVersion": "2026-01"}
    return await api.mutate("setMessageChoices", wish, caller, at=at)


async def test_the_latest_statement_of_channel_or_category_counts(api: Api) -> None:
    anna = await api.member()
    assert await given(api, anna) == BY_DEFAULT, "without a word, no marketing leaves the app"
    told = await choose(api, anna)
    assert {(one["channel"], one["category"]) for one in told["messageChoices"]} == set(
        await choices(api, anna)
    )
    assert await given(api, anna) == BY_DEFAULT | {("PUSH", "OFFERS")}
    await api.mutate("setConsent", {"purpose": "PUSH", "isGiven": False}, anna, at=LATER)
    assert await given(api, anna) == BY_DEFAULT
    assert (await choices(api, anna))["PUSH", "OFFERS"] == {
        "channel": "PUSH",
        "category": "OFFERS",
        "isGiven": False,
        "changedAt": shown(LATER),
        "source": "MEMBER",
    }
    await choose(api, anna, at=LATEST, category="POINTS")
    assert await given(api, anna) == BY_DEFAULT | {("PUSH", "POINTS")}
    staff = await api.staff(StaffRole.MANAGER)
    wide = {"purpose": "EMAIL", "isGiven": True, "memberId": anna.id}
    await api.mutate("setConsent", wide, staff)
    assert await given(api, anna) >= {("EMAIL", one) for one in MARKETING}
    assert (await choices(api, anna))["EMAIL", "POINTS"]["source"] == "STAFF"
    for off in (
        {"channel": "IN_APP", "category": "OFFERS", "isGiven": False},
        {"channel": "PUSH", "category": "SERVICE", "isGiven": False},
    ):
        await choose(api, anna, at=LATEST, **off)
        assert (off["channel"], off["category"]) not in await given(api, anna)


async def test_each_statement_is_evidence_for_ever(api: Api) -> None:
    anna, staff = await api.member(), await api.staff(StaffRole.SUPPORT)
    await forget_events()
    await choose(api, anna)
    wish = {
        "choices": [CHOICE, {**CHOICE, "channel": "EMAIL", "isGiven": False}],
        "textVersion": "phone call",
        "member": {"id": anna.id},
    }
    await api.mutate("setMessageChoices", wish, staff, at=LATER)
    document = (
        "query ($by: MemberReference!, $after: String) { member(by: $by) {"
        " messageChoiceChanges(first: 2, after: $after) { pageInfo { hasNextPage endCursor }"
        " nodes { channel category isGiven changedAt source textVersion statedBy } } } }"
    )
    by: Json = {"by": {"id": anna.id}}
    page = (await api.data(document, by, staff))["member"]["messageChoiceChanges"]
    rest = await api.data(document, {**by, "after": page["pageInfo"]["endCursor"]}, staff)
    found = page["nodes"] + rest["member"]["messageChoiceChanges"]["nodes"]
    by_staff = {
        "category": "OFFERS",
        "changedAt": shown(LATER),
        "source": "STAFF",
        "textVersion": "phone call",
        "statedBy": f"staff:{staff.account_id}",
    }
    assert page["pageInfo"]["hasNextPage"] is True
    assert sorted(found[:2], key=lambda one: str(one["channel"])) == [
        {"channel": "EMAIL", "isGiven": False, **by_staff},
        {"channel": "PUSH", "isGiven": True, **by_staff},
    ]
    assert found[2:] == [
        {
            "channel": "PUSH",
            "category": "OFFERS",
            "isGiven": True,
            "changedAt": NOW_SHOWN,
            "source": "MEMBER",
            "textVersion": "2026-01",
            "statedBy": f"member:{anna.account_id}",
        }
    ]
    own = "{ me { messageChoiceChanges { nodes { textVersion source } } } }"
    assert len((await api.data(own, caller=anna))["me"]["messageChoiceChanges"]["nodes"]) == 3
    rows = await sql.fetch("SELECT kind, member_id, occurred_at FROM outbox_events ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("consent.changed", anna.member_id, at) for at in (NOW, LATER, LATER)
    ]


@ON_ONE_ENGINE
async def test_what_is_no_choice_is_refused(api: Api) -> None:
    anna, staff = await api.member(), await api.staff(StaffRole.SUPPORT)
    before = await dump()
    refused = {**CHOICE, "category": "SERVICE", "channel": "EMAIL", "isGiven": False}
    for caller, changes, kind, path in (
        (anna, {"choices": []}, "InvalidInput", ["choices"]),
        (anna, {"choices": [CHOICE] * 13}, "InvalidInput", ["choices"]),
        (anna, {"choices": [CHOICE, CHOICE]}, "InvalidInput", ["choices", "1"]),
        (anna, {"choices": [CHOICE, refused]}, "NotAllowed", ["choices", "1", "isGiven"]),
        (anna, {"textVersion": " "}, "InvalidInput", ["textVersion"]),
        (anna, {"textVersion": "x" * 41}, "InvalidInput", ["textVersion"]),
        (anna, {"textVersion": "a\nb"}, "InvalidInput", ["textVersion"]),
        (anna, {"member": {"id": anna.id}}, "InvalidInput", ["member"]),
        (staff, {}, "InvalidInput", ["member"]),
        (staff, {"member": {"externalId": "nobody"}}, "NotFound", ["member", "externalId"]),
    ):
        told = await api.mutate("setMessageChoices", {**CHOICES, **changes}, caller)
        assert (told["__typename"], told["path"]) == (kind, ["input", *path]), changes
    assert await dump() == before


async def test_the_evidence_of_a_consent_has_the_version_of_its_text(api: Api) -> None:
    anna, bob = await api.member(), await api.member()
    staff = await api.staff(StaffRole.SUPPORT)
    wish: Json = {"purpose": "PUSH", "isGiven": True}
    told = await api.mutate("setConsent", {**wish, "textVersion": "x" * 41}, anna)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "textVersion"])
    await api.mutate("setConsent", {**wish, "textVersion": "2026-01"}, anna)
    await api.mutate("setConsent", {**wish, "isGiven": False}, anna, at=LATER)
    by_staff = {**wish, "purpose": "EMAIL", "memberId": anna.id, "note": "at the till"}
    await api.mutate("setConsent", {**by_staff, "textVersion": "leaflet 3"}, staff, at=LATEST)
    await api.mutate("setConsent", wish, bob)
    document = (
        "query ($after: String) { me { consentChanges(first: 2, after: $after) {"
        " pageInfo { hasNextPage endCursor }"
        " nodes { purpose isGiven changedAt source textVersion } } } }"
    )
    page = (await api.data(document, caller=anna))["me"]["consentChanges"]
    assert page["pageInfo"]["hasNextPage"] is True
    rest = await api.data(document, {"after": page["pageInfo"]["endCursor"]}, anna)
    assert page["nodes"] + rest["me"]["consentChanges"]["nodes"] == [
        {
            "purpose": purpose,
            "isGiven": is_given,
            "changedAt": changed_at,
            "source": source,
            "textVersion": version,
        }
        for purpose, is_given, changed_at, source, version in (
            ("EMAIL", True, shown(LATEST), "STAFF", "leaflet 3"),
            ("PUSH", False, shown(LATER), "MEMBER", None),
            ("PUSH", True, NOW_SHOWN, "MEMBER", "2026-01"),
        )
    ]
    document = (
        "query ($by: MemberReference!) {"
        " member(by: $by) { consentChanges { nodes { statedBy note } } } }"
    )
    seen = (await api.data(document, {"by": {"id": anna.id}}, staff))["member"]["consentChanges"]
    assert [tuple(one.values()) for one in seen["nodes"]] == [
        (f"staff:{staff.account_id}", "at the till"),
        (f"member:{anna.account_id}", None),
        (f"member:{anna.account_id}", None),
    ]


async def test_quiet_hours_are_ones_own_or_the_programmes(api: Api) -> None:
    anna = await api.member()
    usual = (await api.data(HOURS, caller=anna))["me"]["quietHours"]
    assert usual == {"from": "21:00", "until": "08:00", "isOwn": False}
    wish = {"from": "22:15", "until": "06:00"}
    told = await api.mutate("setQuietHours", wish, anna)
    own = {**wish, "isOwn": True}
    assert {name: told["quietHours"][name] for name in own} == own
    assert (await api.data(HOURS, caller=anna))["me"]["quietHours"] == own
    before = await dump()
    for refused, path in (
        ({"from": "22:15"}, "until"),
        ({"until": "22:15"}, "from"),
        ({"from": "24:00", "until": "06:00"}, "from"),
        ({"from": "22:00", "until": "6:00"}, "until"),
        ({"from": "22:60", "until": "06:00"}, "from"),
    ):
        told = await api.mutate("setQuietHours", refused, anna)
        assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", path]), refused
    assert await dump() == before
    told = await api.mutate("setQuietHours", {}, anna)
    assert told["quietHours"]["isOwn"] is False
    assert (await api.data(HOURS, caller=anna))["me"]["quietHours"] == usual
