"""The inbox: kept whether or not anything was sent, and what members tell of it."""

import pytest

from server.clock import Instant
from server.edge.nodes import global_id
from server.notifications.shapes import Wire
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import DAY, NOW, NOW_SHOWN, SECOND, Api, Caller, Json, dump, shown
from tests.api.mutation_events import forget_events, kinds_put
from tests.api.notifications_cases import written

LATER = Instant(NOW + DAY)
ON_ONE_ENGINE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
FIELDS = (
    "id category title body link imageUrl data { key value } createdAt readAt openedAt expiresAt"
)


async def inbox(
    api: Api, caller: Caller, arguments: str = "first: 100", *, at: Instant = NOW
) -> tuple[list[Json], int]:
    """The messages, and the count of those that are not read."""
    document = f"{{ me {{ unreadCount inbox({arguments}) {{ nodes {{ {FIELDS} }} }} }} }}"
    me = (await api.data(document, caller=caller, at=at))["me"]
    return me["inbox"]["nodes"], me["unreadCount"]


async def titles(api: Api, caller: Caller, arguments: str = "first: 100", **at: Instant) -> str:
    return " ".join(one["title"] for one in (await inbox(api, caller, arguments, **at))[0])


async def test_a_message_is_in_the_inbox_from_its_time_until_it_expires(api: Api) -> None:
    anna, bob = await api.member(), await api.member()
    wire = Wire(link="shop://offers", image="https://x.example/a.png", data={"b": "2", "a": "1"})
    number = await written(anna.member_id, wire=wire, expires_at=LATER)
    await written(bob.member_id, title="Bobs")
    await written(anna.member_id, title="HeldOut", is_held_out=1, is_shown=0)
    await written(anna.member_id, title="Later", shown_from=LATER)
    assert await inbox(api, anna) == (
        [
            {
                "id": number,
                "category": "OFFERS",
                "title": "Hello",
                "body": "Come in",
                "link": "shop://offers",
                "imageUrl": "https://x.example/a.png",
                "data": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}],
                "createdAt": NOW_SHOWN,
                "readAt": None,
                "openedAt": None,
                "expiresAt": shown(LATER),
            }
        ],
        1,
    )
    assert await titles(api, anna, at=Instant(NOW - 1)) == ""
    assert await titles(api, anna, at=Instant(LATER - 1)) == "Hello"
    assert await titles(api, anna, at=LATER) == "Later"
    document = "query ($id: ID!) { node(id: $id) { id } }"
    staff = await api.staff(StaffRole.AUDITOR)
    for caller, seen in ((anna, {"id": number}), (staff, {"id": number}), (bob, None)):
        assert (await api.data(document, {"id": number}, caller, at=NOW))["node"] == seen


async def test_what_was_read_is_counted_no_more(api: Api) -> None:
    anna, bob = await api.member(), await api.member()
    ids = [await written(anna.member_id, title=title) for title in "abc"]
    his = await written(bob.member_id)
    await written(anna.member_id, title="later", shown_from=LATER)
    wish = {"notificationIds": [ids[0], his, "x", global_id("Notification", 17)]}
    told = await api.mutate("markNotificationsRead", wish, anna)
    assert (told["markedCount"], told["unreadCount"]) == (1, 2)
    assert (await inbox(api, bob))[1] == 1, "another's is passed over"
    await written(anna.member_id, title="gone", expires_at=NOW)
    assert await titles(api, anna, "unreadOnly: true") == "c b"
    assert await titles(api, anna, "first: 2") == "c b"
    told = await api.mutate("markNotificationsRead", {}, anna, at=Instant(NOW + SECOND))
    assert (told["markedCount"], told["unreadCount"]) == (2, 0)
    nodes, unread = await inbox(api, anna, at=Instant(NOW + SECOND))
    assert [one["readAt"] for one in nodes] == [shown(Instant(NOW + SECOND))] * 2 + [NOW_SHOWN]
    assert unread == 0
    assert (await inbox(api, anna, at=LATER))[1] == 1, "what came since is unread"
    before = await dump()
    for count in (0, 101):
        told = await api.mutate("markNotificationsRead", {"notificationIds": ["x"] * count}, anna)
        assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "notificationIds"])
    assert await dump() == before


async def test_a_message_is_opened_once(api: Api) -> None:
    anna, bob = await api.member(), await api.member()
    number = await written(anna.member_id, expires_at=Instant(NOW + SECOND))
    held = await written(anna.member_id, is_held_out=1, is_shown=0)
    await forget_events()
    before = await dump()
    for caller, one in ((bob, number), (anna, held), (anna, "x")):
        told = await api.mutate("notificationOpened", {"notificationId": one}, caller, at=LATER)
        assert (told["__typename"], told["path"]) == ("NotFound", ["input", "notificationId"])
    assert await dump() == before
    wish = {"notificationId": number}
    told = await api.mutate("notificationOpened", wish, anna, at=LATER)
    assert told["isFirst"] is True, "a push message can be tapped when the inbox has it no more"
    assert told["notification"]["openedAt"] == told["notification"]["readAt"] == shown(LATER)
    told = await api.mutate("notificationOpened", wish, anna, at=Instant(LATER + DAY))
    assert told["isFirst"] is False
    assert told["notification"]["openedAt"] == shown(LATER)
    assert await kinds_put() == ["notification.opened"]


@ON_ONE_ENGINE
async def test_a_message_that_is_put_away_stays_away(api: Api) -> None:
    anna, bob = await api.member(), await api.member()
    ids = [await written(anna.member_id, title=title) for title in "ab"]
    before = await dump()
    told = await api.mutate("dismissNotification", {"notificationId": ids[0]}, bob)
    assert told["__typename"] == "NotFound"
    assert await dump() == before
    told = await api.mutate("dismissNotification", {"notificationId": ids[0]}, anna)
    assert told["wasShown"] is True
    told = await api.mutate("dismissNotification", {"notificationId": ids[0]}, anna)
    assert told["wasShown"] is False
    assert (await titles(api, anna), (await inbox(api, anna))[1]) == ("b", 1)
    told = await api.mutate("notificationOpened", {"notificationId": ids[0]}, anna)
    assert told["isFirst"] is True


@ON_ONE_ENGINE
async def test_the_inbox_comes_in_pages(api: Api) -> None:
    anna = await api.member()
    for title in "abcde":
        await written(anna.member_id, title=title)
    seen, after = "", "null"
    page: Json = {}
    for _ in range(3):
        document = (
            f"{{ me {{ inbox(first: 2, after: {after}) {{ nodes {{ title }}"
            " pageInfo { endCursor hasNextPage } } } }"
        )
        page = (await api.data(document, caller=anna, at=NOW))["me"]["inbox"]
        seen += "".join(one["title"] for one in page["nodes"])
        after = f'"{page["pageInfo"]["endCursor"]}"'
    assert (seen, page["pageInfo"]["hasNextPage"]) == ("edcba", False)


@ON_ONE_ENGINE
async def test_unread_messages_are_counted_by_their_index(api: Api) -> None:
    anna = await api.member()
    await written(anna.member_id)
    plan = await sql.fetch(
        "EXPLAIN QUERY PLAN SELECT n.member_id, COUNT(*) FROM notifications n WHERE n.read_at IS"
        " NULL AND n.is_shown = 1 AND n.shown_from <= $1 AND n.expires_at > $1"
        " AND n.member_id IN ($2) GROUP BY n.member_id",
        NOW,
        anna.member_id,
    )
    assert "notifications_unread" in str([tuple(row) for row in plan])
