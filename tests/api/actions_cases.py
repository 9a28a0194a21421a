"""How the mutations of actions are called."""

from typing import Any

from server.definitions import service as definitions
from server.principal import Scope
from server.storage import sql
from tests.api.calling import NOW, Api, Json, enrolled
from tests.api.cases import Case, case

VISIT: dict[str, Any] = {
    "type": "custom",
    "points": 50,
    "default_language": "en",
    "texts": {"en": "Visit the exhibition"},
    "caps": {"per_day": 3},
}
SURVEY: dict[str, Any] = {
    "type": "survey",
    "points": 100,
    "default_language": "en",
    "texts": {"en": "Tell us", "ru": "Расскажите"},
    "questions": [
        {"type": "nps", "id": "recommend", "texts": {"en": "Would you recommend us?"}},
        {
            "type": "choice",
            "id": "store",
            "texts": {"en": "Which store?"},
            "required": False,
            "options": [
                {"id": "north", "texts": {"en": "North"}},
                {"id": "south", "texts": {"en": "South"}},
            ],
        },
        {"type": "text", "id": "why", "texts": {"en": "Why?"}},
    ],
}


async def publish_action(key: str, document: dict[str, Any], **changes: Any) -> None:
    """Publish an action."""
    async with sql.transaction():
        await definitions.publish_document(
            "action", key, document | changes, by="command line", now=NOW
        )


@case("completeAction", "ActionCompleted")
async def _complete(api: Api) -> Case:
    await publish_action("visit", VISIT)
    for name in ("anna", "bob"):
        await enrolled(name)
    tills = [await api.key(Scope.PURCHASES_WRITE) for _ in range(2)]
    anna, bob = [visit_of(name) for name in ("anna", "bob")]
    return Case(tills[0], anna, bob, tills[1], anna)


def visit_of(name: str) -> Json:
    """That the member visited."""
    return {"actionKey": "visit", "member": {"externalId": name}}
