"""The statement and the vouchers, page by page: the whole, and what is no page."""

from itertools import pairwise

import pytest

from server.clock import Instant
from server.storage import sql
from tests.api import example
from tests.api.calling import Api, Caller, Json, instant, midnight
from tests.api.example import LAST, played
from tests.api.home import home

PAGE = """
query ($first: Int!, $after: String) {
  me {
    activity(first: $first, after: $after) {
      edges { cursor node { kind title points balanceAfter occurredAt } }
      nodes { kind title points balanceAfter occurredAt }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}
"""


async def statement(api: Api, caller: Caller, at: Instant, *, first: int) -> list[Json]:
    """All pages of the statement: its edges, the newest first."""
    edges: list[Json] = []
    after = None
    while True:
        data = await api.data(PAGE, {"first": first, "after": after}, caller, at=at)
        page = data["me"]["activity"]
        assert [edge["node"] for edge in page["edges"]] == page["nodes"]
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert page["pageInfo"]["startCursor"] == (cursors[0] if cursors else None)
        assert page["pageInfo"]["endCursor"] == (cursors[-1] if cursors else None)
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        edges += page["edges"]
        if not page["pageInfo"]["hasNextPage"]:
            return edges
        assert len(page["edges"]) == first
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize("moment", ["2017-09-06T12:00:00Z", "2018-12-29T12:00:00Z"])
async def test_the_pages_of_the_statement_are_the_whole(
    api: Api, till: Caller, moment: str
) -> None:
    at = instant(moment)
    household = await played(api, till, until=at)
    whole = await statement(api, household, at, first=100)
    for first in (1, 7, len(whole) - 1, len(whole), len(whole) + 1):
        assert await statement(api, household, at, first=first) == whole
    assert len({edge["cursor"] for edge in whole}) == len(whole)
    lines = [edge["node"] for edge in whole]
    for newer, older in pairwise(lines):
        assert newer["balanceAfter"] == older["balanceAfter"] + newer["points"]
    assert lines[-1]["balanceAfter"] == lines[-1]["points"] == 100
    points = (await home(api, household, at))["points"]
    assert lines[0]["balanceAfter"] == points["available"] + points["pending"]
    assert sum(line["points"] for line in lines if line["points"] > 0) == points["lifetimeEarned"]


async def test_the_statement_tells_the_whole_story(api: Api, household: Caller) -> None:
    lines = [edge["node"] for edge in await statement(api, household, LAST, first=100)]
    kinds = [line["kind"] for line in lines]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "CHALLENGE": 4,
        "EXPIRY": 1,
        "PURCHASE": 7,
        "REDEMPTION": 15,
        "WELCOME": 1,
    }
    assert lines[-1] == {
        "kind": "WELCOME",
        "title": "Welcome points",
        "points": 100,
        "balanceAfter": 100,
        "occurredAt": "2017-01-03T02:30:00Z",
    }
    assert sum(line["points"] for line in lines if line["kind"] == "REDEMPTION") == -15000


async def test_a_line_stays_when_what_has_expired_is_booked(api: Api, till: Caller) -> None:
    at = instant("2017-09-06T12:00:00Z")
    household = await played(api, till, until=at)
    seen = await statement(api, household, at, first=100)
    assert [edge["node"]["kind"] for edge in seen[:2]] == ["EXPIRY", "PURCHASE"]
    (row,) = await sql.fetch("SELECT COUNT(*) FROM postings WHERE reason = 'expiry'")
    assert row[0] == 0
    await example.play(api, till, after=at)  # the purchase of December books them
    (row,) = await sql.fetch("SELECT COUNT(*) FROM postings WHERE reason = 'expiry'")
    assert row[0] == 2
    later = await statement(api, household, LAST, first=100)
    assert later[-len(seen) :] == seen


async def test_the_pages_of_the_vouchers_are_the_whole(api: Api, household: Caller) -> None:
    document = """
        query ($first: Int!, $after: String) {
          me {
            vouchers(first: $first, after: $after) {
              nodes { id code issuedAt }
              pageInfo { hasNextPage endCursor }
            }
          }
        }
    """

    async def codes(first: int) -> list[Json]:
        found, after, more = [], None, True
        while more:
            data = await api.data(document, {"first": first, "after": after}, household)
            page = data["me"]["vouchers"]
            found += page["nodes"]
            more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        return found

    whole = await codes(100)
    assert len(whole) == 15
    assert [voucher["issuedAt"] for voucher in whole] == [
        midnight(monday) for monday in example.MONDAYS[::-1]
    ]
    for first in (1, 4, 15):
        assert await codes(first) == whole


@pytest.mark.parametrize("list_of", ["activity", "vouchers"])
async def test_pages_that_cannot_be_given(api: Api, household: Caller, list_of: str) -> None:
    other = "vouchers" if list_of == "activity" else "activity"
    data = await api.data(
        f"{{ me {{ {other}(first: 1) {{ pageInfo {{ endCursor }} }} }} }}", caller=household
    )
    foreign = data["me"][other]["pageInfo"]["endCursor"]
    document = (
        "query ($first: Int!, $after: String) { me { "
        f"{list_of}(first: $first, after: $after) {{ nodes {{ __typename }} }} }} }}"
    )
    for first, after in (
        (0, None),
        (-1, None),
        (101, None),
        (2**31 - 1, None),
        (1, ""),
        (1, "x"),
        (1, "YWZ0ZXI6"),  # after:
        (1, "YWZ0ZXI6eA=="),  # after:x
        (1, "YWZ0ZXI6OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"),  # after:999999999999999999999999
        (1, "YWZ0ZXI6LTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"),  # after:-99999999999999999999999
        (1, "\x00"),
        (1, "é"),
    ):
        codes = await api.codes(document, {"first": first, "after": after}, household)
        code = "TOO_MANY_NODES" if first > 1000 else "INVALID_INPUT"
        assert codes == [code], (first, after)
    # A cursor of another list leads somewhere or nowhere, but not to an error of ours.
    codes = await api.codes(document, {"first": 1, "after": foreign}, household)
    assert codes in ([], ["INVALID_INPUT"])
