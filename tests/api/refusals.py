"""How refusals are answered, and that a refused purchase leaves no trace."""

from typing import Any

from tests.api.calling import Api, Caller, Json, dump, new_key, purchase_input

AT = ["input", "purchase"]
TEXT = "This text can't be taken as it is."
TEXTS = ("", "a\x07", "a\nb", "a\x00", "a\u202eb")  # the last one turns the reading direction
UP_TO_64 = "1 to 64 printable characters"


def invalid(path: list[str], value: str | None, accepted: str, message: str) -> Json:
    return {
        "__typename": "InvalidInput",
        "code": "INVALID_INPUT",
        "message": message,
        "path": path,
        "value": value,
        "accepted": accepted,
    }


def not_found(path: list[str], message: str = "Nothing was found under this reference.") -> Json:
    return {"__typename": "NotFound", "code": "NOT_FOUND", "message": message, "path": path}


def unusable(path: list[str], status: str, message: str) -> Json:
    return {
        "__typename": "CardUnusable",
        "code": "CARD_UNUSABLE",
        "message": message,
        "path": path,
        "status": status,
    }


async def malformed(api: Api, till: Caller, **purchase: Any) -> Json:
    """The answer to a purchase that the schema does not know: not executed, and not our fault."""
    response = await api.send(
        "mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) { __typename } }",
        {"input": {"idempotencyKey": new_key(), "purchase": purchase_input(**purchase)}},
        till,
    )
    body: Json = response.json()
    assert "data" not in body
    assert {error["extensions"]["code"] for error in body["errors"]} == {"BAD_USER_INPUT"}
    return body


async def refused_without_a_trace(api: Api, till: Caller, expected: Json, **purchase: Any) -> None:
    """The purchase is refused so; nothing is stored, and its key and external id are free."""
    key = new_key()
    given = purchase_input(**purchase)
    before = await dump()
    assert await api.mutate("recordPurchase", {"purchase": given}, till, key=key) == expected
    assert await dump() == before
    good = purchase_input()
    if 1 <= len(given["externalId"]) <= 64 and given["externalId"].isprintable():
        good["externalId"] = given["externalId"]
    again = await api.mutate("recordPurchase", {"purchase": good}, till, key=key)
    assert again["__typename"] == "RecordedPurchase"
