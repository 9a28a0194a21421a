"""The link in each letter: it ends one category on one channel and tells nothing."""

import base64
import re

import httpx2
import pytest

from server.clock import NEVER
from server.edge import attempts
from server.edge.security_headers import SECURITY_HEADERS
from server.notifications import choices, unsubscribe
from server.notifications.shapes import Category, Channel
from server.storage import sql
from tests.api.calling import Api, Caller, Json, dump

BASE = "https://club.example.org"
ON_ONE_ENGINE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


async def path_for(caller: Caller, category: Category = Category.OFFERS) -> str:
    link = await unsubscribe.link(caller.member_id, Channel.EMAIL, category, f"{BASE}/")
    assert link.startswith(f"{BASE}/unsubscribe/")
    return link.removeprefix(BASE)


async def agreed(
    api: Api, caller: Caller, category: str = "OFFERS", *, is_given: bool = True
) -> None:
    choice: Json = {"channel": "EMAIL", "category": category, "isGiven": is_given}
    wish = {"choices": [choice], "textVersion": "2026-01"}
    assert "code" not in await api.mutate("setMessageChoices", wish, caller)


async def given(caller: Caller) -> set[Category]:
    """What the member gets by e-mail."""
    found = (await choices.of_members([caller.member_id]))[caller.member_id]
    return {one.category for one in found if one.channel is Channel.EMAIL and one.is_given}


async def evidence(caller: Caller) -> list[tuple[bool, str, str]]:
    found = await choices.evidence_of_members([caller.member_id], before=NEVER, limit=9)
    return [(one.is_given, one.source, one.text_version) for one in found[caller.member_id]]


async def test_the_button_ends_it_and_looking_does_not(api: Api) -> None:
    anna, bob = await api.member(), await api.member()
    for caller in (anna, bob):
        await agreed(api, caller)
        await agreed(api, caller, "POINTS")
    path = await path_for(anna)
    before = await dump()
    for _ in range(2):
        page = await api.client.get(path)
        assert (page.status_code, page.text.count("<button")) == (200, 1)
    assert await dump() == before, "programs that scan mail open links"
    done = await api.client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert (done.status_code, done.text.count("<button")) == (200, 0)
    assert await given(anna) == {Category.POINTS, Category.SERVICE}
    assert await given(bob) == {Category.OFFERS, Category.POINTS, Category.SERVICE}
    assert (await evidence(anna))[0] == (False, "link", "unsubscribe page 1")
    once = await dump()
    assert (await api.client.post(path)).text == done.text
    assert await dump() == once, "again, it changes nothing"
    await agreed(api, anna)
    await api.client.post(path)
    assert Category.OFFERS not in await given(anna), "it counts again after a new consent"


@ON_ONE_ENGINE
async def test_the_page_is_in_the_members_language_and_runs_nothing(api: Api) -> None:
    anna = await api.member()
    await api.mutate("updateProfile", {"locale": "lt-LT"}, anna)
    page = await api.client.get(await path_for(anna), headers={"Accept-Language": "cs"})
    assert '<html lang="lt">' in page.text
    assert "Atsisakyti" in page.text
    assert "„pasiūlymai“" in page.text
    assert "<script" not in page.text
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    (style,) = re.findall("<style>(.*)</style>", page.text)
    assert style == unsubscribe._STYLE
    names = {name.decode() for name, _value in SECURITY_HEADERS}
    assert names <= set(page.headers)


@ON_ONE_ENGINE
async def test_a_false_link_tells_and_changes_nothing(api: Api) -> None:
    anna = await api.member()
    await agreed(api, anna)
    path = await path_for(anna)
    token = path.rpartition("/")[2]
    raw = base64.urlsafe_b64decode(token + "==")
    assert len(token) == 35
    forged = [bytes((*raw[:at], raw[at] ^ 1, *raw[at + 1 :])) for at in range(len(raw))]
    tokens = [base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in forged]
    before, told = await dump(), set()
    for false in (*tokens, "x", "é", token[:-4], token + "AAAA", "A" * 2000):
        for send in (api.client.get, api.client.post):
            answer = await send(f"/unsubscribe/{false}")
            told.add((answer.status_code, answer.text))
            await attempts.forgive(unsubscribe.FALSE_LINKS, "127.0.0.1")
    assert [status for status, _text in told] == [404], "one answer to all of them"
    assert await dump() == before


@ON_ONE_ENGINE
async def test_guessing_is_limited(api: Api) -> None:
    anna = await api.member()
    path = await path_for(anna)

    async def guess() -> httpx2.Response:
        return await api.client.post("/unsubscribe/x")

    most = unsubscribe.FALSE_LINKS.burst
    assert {(await guess()).status_code for _ in range(most)} == {404}
    refused = await guess()
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert (await api.client.post(path)).status_code == 429, "a hit among guesses is not told"


@ON_ONE_ENGINE
async def test_the_link_of_a_duplicate_leads_to_whom_they_were_merged_into(api: Api) -> None:
    anna, double = await api.member(), await api.member()
    await agreed(api, anna)
    path = await path_for(double)
    async with sql.transaction():
        await sql.execute(
            "UPDATE members SET merged_into = $1 WHERE id = $2", anna.member_id, double.member_id
        )
    assert (await api.client.post(path)).status_code == 200
    assert await given(anna) == {Category.SERVICE}
    assert await evidence(double) == []


@ON_ONE_ENGINE
async def test_service_letters_have_no_such_link(api: Api) -> None:
    with pytest.raises(ValueError, match="service"):
        await unsubscribe.link(1, Channel.EMAIL, Category.SERVICE, BASE)
