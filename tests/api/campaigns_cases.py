"""How the mutations of campaigns are called."""

from typing import Any

from server.campaigns import planning
from server.campaigns import service as campaigns
from server.clock import Instant
from server.definitions import service as definitions
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOW, SECOND, Api, Json
from tests.api.cases import Case, case

MESSAGE: dict[str, Any] = {
    "category": "offers",
    "default_language": "en",
    "texts": {"en": {"title": "Hello, {name}", "body": "It is spring."}},
}
CAMPAIGN: dict[str, Any] = {
    "name": "Spring",
    "message": "hello",
    "at": "2026-03-05T10:07:00",
    "time_zone": "UTC",
    "hold_out_bps": 1_000,
    "goal": {"kind": "purchase"},
}
DOCUMENT = "name: Try\nmessage: hello\nat: 2026-03-05T10:07:00\n"
PLANNED_AT = Instant(NOW + (16 * 3_600 + 600) * SECOND)
"""Within the hour before the campaign is due."""


async def campaigns_published(*keys: str, **changes: Any) -> None:
    """Publish a message, and campaigns for the next day that say it."""
    async with sql.transaction():
        for kind, key, document in (
            ("message", "hello", MESSAGE),
            *(("campaign", key, CAMPAIGN | changes) for key in keys),
        ):
            await definitions.publish_document(kind, key, document, by="command line", now=NOW)


async def planned(at: Instant = PLANNED_AT) -> None:
    """Plan what is due then."""
    await planning.begin_due(at)
    await planning.plan_due(at, seconds=60)


@case("pauseCampaign", "CampaignHandled")
async def _pause(api: Api) -> Case:
    await campaigns_published("spring", "summer", "autumn")
    managers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    return _of(managers)


@case("resumeCampaign", "CampaignHandled")
async def _resume(api: Api) -> Case:
    await campaigns_published("spring", "summer", "autumn")
    async with sql.transaction():
        for key in ("spring", "summer", "autumn"):
            await campaigns.pause(key, NOW)
    managers = [await api.staff(StaffRole.MARKETER) for _ in range(2)]
    return _of(managers)


@case("stopCampaign", "CampaignHandled")
async def _stop(api: Api) -> Case:
    await campaigns_published("spring", "summer", "autumn")
    managers = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    return _of(managers)


def _of(callers: list[Any]) -> Case:
    wishes: list[Json] = [{"key": key} for key in ("spring", "summer", "autumn")]
    return Case(callers[0], wishes[0], wishes[1], callers[1], wishes[2])
