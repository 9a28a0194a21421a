"""Campaigns through the API: trying one, holding it up, and what came of it."""

from server.clock import Instant
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import DAY, NOW, Api, Caller, Json
from tests.api.campaigns_cases import DOCUMENT, campaigns_published, planned

CAMPAIGN = "query ($key: String!) { campaign(key: $key) { key name version state due timeZone"
CAMPAIGN += " runs { campaign version state audience progress { queued sent suppressed } } } }"
DRY_RUN = """
    query ($key: String!, $document: String) { dryRunCampaign(key: $key, document: $document) {
        __typename
        ... on CampaignDryRun {
            audience lookedAt isComplete heldOut reached variants { variant members }
            byChannel { channel members } notReached { channel reason members }
        }
        ... on InvalidDefinition { problems { path } }
    } }
"""
RESULTS = """
    { campaignResults(key: "spring") {
        campaign { state } goal { offerKey withinDays } optOutDays isFinal audience alreadyHad
        uplift { basisPoints } groups { variant isHeldOut audience sent reachedGoal
            outcomes { channel status reason members } memberOutcomes { status reason members } }
    } }
"""
LOG = """
    query ($who: MemberReference!) { notificationsOf(member: $who) { nodes {
        topic category messageKey title isHeldOut openedAt deliveries { channel status reason }
    } } }
"""


async def state(api: Api, caller: Caller, key: str = "spring") -> Json:
    """The campaign."""
    found: Json = (await api.data(CAMPAIGN, {"key": key}, caller, at=NOW))["campaign"]
    return found


async def test_a_campaign_from_its_dry_run_to_its_results(api: Api) -> None:
    marketer = await api.staff(StaffRole.MARKETER)
    await api.member("anna", name="Anna")
    await api.member("bob")
    await campaigns_published("spring", hold_out_bps=0)
    tried = (await api.data(DRY_RUN, {"key": "spring"}, marketer, at=NOW))["dryRunCampaign"]
    assert tried == {
        "__typename": "CampaignDryRun",
        "audience": "2",
        "lookedAt": "2",
        "isComplete": True,
        "heldOut": "0",
        "reached": "2",
        "variants": [{"variant": None, "members": "2"}],
        "byChannel": [{"channel": "IN_APP", "members": "2"}],
        "notReached": [{"channel": "PUSH", "reason": "NO_DEVICE", "members": "2"}],
    }
    assert await state(api, marketer) == {
        "key": "spring",
        "name": "Spring",
        "version": 1,
        "state": "SCHEDULED",
        "due": "2026-03-05T10:07:00",
        "timeZone": "UTC",
        "runs": [],
    }
    await planned()
    found = await state(api, marketer)
    assert (found["state"], [one["audience"] for one in found["runs"]]) == ("SENDING", ["2"])
    assert found["runs"][0]["progress"] == {"queued": "0", "sent": "0", "suppressed": "2"}
    results = (await api.data(RESULTS, {}, marketer, at=Instant(NOW + DAY)))["campaignResults"]
    assert results == {
        "campaign": {"state": "SENDING"},
        "goal": {"offerKey": None, "withinDays": 7},
        "optOutDays": 7,
        "isFinal": False,
        "audience": "2",
        "alreadyHad": "0",
        "uplift": None,
        "groups": [
            {
                "variant": None,
                "isHeldOut": False,
                "audience": "2",
                "sent": "0",
                "reachedGoal": "0",
                "outcomes": [
                    {
                        "channel": "PUSH",
                        "status": "SUPPRESSED",
                        "reason": "no_device",
                        "members": "2",
                    }
                ],
                "memberOutcomes": [{"status": "SUPPRESSED", "reason": "no_device", "members": "2"}],
            }
        ],
    }
    log = (await api.data(LOG, {"who": {"externalId": "anna"}}, marketer, at=NOW))[
        "notificationsOf"
    ]
    assert log["nodes"] == [
        {
            "topic": "spring",
            "category": "OFFERS",
            "messageKey": "hello",
            "title": "Hello, Anna",
            "isHeldOut": False,
            "openedAt": None,
            "deliveries": [{"channel": "PUSH", "status": "SUPPRESSED", "reason": "no_device"}],
        }
    ]
    nobody = await api.data(LOG, {"who": {"externalId": "nobody"}}, marketer, at=NOW)
    assert nobody == {"notificationsOf": {"nodes": []}}


async def test_a_campaign_is_held_up_and_over_only_once(api: Api) -> None:
    manager = await api.staff(StaffRole.MANAGER)
    await campaigns_published("spring")
    wish = {"key": "spring"}
    for name, expected in (
        ("pauseCampaign", "PAUSED"),
        ("pauseCampaign", "PAUSED"),
        ("resumeCampaign", "PLANNING"),
        ("resumeCampaign", "PLANNING"),
        ("stopCampaign", "STOPPED"),
        ("stopCampaign", "STOPPED"),
    ):
        told = await api.mutate(name, wish, manager)
        assert told["campaign"]["state"] == expected, name
    for name in ("pauseCampaign", "resumeCampaign"):
        told = await api.mutate(name, wish, manager)
        assert (told["code"], told["path"]) == ("ALREADY_DECIDED", ["input", "key"]), name
    for name in ("pauseCampaign", "resumeCampaign", "stopCampaign"):
        told = await api.mutate(name, {"key": "nothing"}, manager)
        assert (told["code"], told["path"]) == ("NOT_FOUND", ["input", "key"]), name


async def test_a_document_is_tried_and_refused_without_a_trace(api: Api) -> None:
    marketer = await api.staff(StaffRole.MARKETER)
    await campaigns_published()
    document = DOCUMENT + "variants: []\n"
    for text, expected in (
        (document, "CampaignDryRun"),
        (document + "audience: {kind: segment, segment: none}\n", "InvalidDefinition"),
        ("[", "InvalidDefinition"),
        (None, "NotFound"),
    ):
        given = {"key": "new", "document": text}
        told = (await api.data(DRY_RUN, given, marketer, at=NOW))["dryRunCampaign"]
        assert told["__typename"] == expected, text
    assert await state(api, marketer, "new") is None
    assert await sql.fetch("SELECT 1 FROM definition_versions WHERE kind = 'campaign'") == []
