"""How the mutations of consents are called."""

from typing import Any

from tests.api.calling import Api, Json
from tests.api.cases import Case, case

EMAIL: Json = {"purpose": "EMAIL", "isGiven": True}
SEGMENT: dict[str, Any] = {
    "kind": "segment",
    "key": "shop",
    "document": "name: All\nmembers: {kind: live, condition: visits >= 0}\n",
}


@case("setConsent", "ConsentSet")
async def _set(api: Api) -> Case:
    callers = [await api.member() for _ in range(2)]
    return Case(callers[0], EMAIL, {**EMAIL, "isGiven": False}, callers[1], EMAIL)
