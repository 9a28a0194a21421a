"""People are told things in the language of their device; programs see the same codes."""

import pytest

from tests.api.calling import NOW, Api, new_key

ASKED = """
mutation ($input: RedeemPointsInput!) {
  redeemPoints(input: $input) { ... on Problem { code message } }
}
"""
TITLES = "{ me { challenges { title } } }"


@pytest.mark.parametrize(
    ("header", "missing", "title"),
    [
        ("fr", "100 points are available, 2000 are needed: 1900 short.", "Reach a monthly spend"),
        (
            "lt-LT,lt;q=0.9,en;q=0.8",
            "Trūksta 1\u00a0900 taškų: reikia 2\u00a0000, turima 100.",
            "Pasiekite mėnesio pirkinių sumą",
        ),
        (
            "zh-TW",
            "點數不足：需要 2,000 點，可用 100 點，還差 1,900 點。",
            "達成當月消費金額",
        ),
    ],
)
async def test_messages_and_titles_follow_accept_language(
    api: Api, *, header: str, missing: str, title: str
) -> None:
    anna = await api.member("anna")
    language = {"Accept-Language": header}
    given = {"input": {"idempotencyKey": new_key(), "points": 2000}}
    told = (await api.send(ASKED, given, anna, at=NOW, **language)).json()
    assert told["data"]["redeemPoints"] == {"code": "INSUFFICIENT_POINTS", "message": missing}
    shown = (await api.send(TITLES, {}, anna, at=NOW, **language)).json()
    assert title in [one["title"] for one in shown["data"]["me"]["challenges"]]
