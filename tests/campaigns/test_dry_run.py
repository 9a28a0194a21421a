"""A dry run tells what happens afterwards, member by member and reason by reason."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.campaigns import dry_run
from server.campaigns.shapes import Reason
from server.clock import Instant
from server.errors import NotFound
from server.notifications.shapes import Category, Channel
from server.programme.errors import InvalidDocument
from server.storage import sql
from tests.campaigns.running import (
    MONDAY,
    campaign,
    counted,
    message,
    planned,
    published,
    rows,
    sent,
    shop,
)
from tests.notifications.posting import (
    DAY,
    HOUR,
    NOON,
    addresses,
    at,
    devices,
    draft,
    members,
    say,
    written,
)
from tests.playing import undone
from tests.properties import trying

DUE = at("2026-05-13T10:00")
NOW = Instant(DUE - 15 * HOUR)
POLICY = {
    "quiet_hours": {"from": "21:00", "until": "08:00"},
    "caps": [{"messages": 1, "days": 2, "category": "offers"}, {"messages": 2, "days": 7}],
}
people = st.lists(
    st.fixed_dictionaries(
        {
            "zone": st.sampled_from(["UTC", "Asia/Tokyo", "Pacific/Kiritimati", "Etc/GMT+12"]),
            "devices": st.sampled_from([0, 1, 1, 2]),
            "seen_days": st.sampled_from([1, 1, 269, 271]),
            "has_address": st.booleans(),
            "push": st.sampled_from([None, True, True, False]),
            "push_offers": st.sampled_from([None, None, True, False]),
            "email": st.sampled_from([None, True, False]),
            "inbox": st.sampled_from([None, None, False]),
            "quiet": st.none() | st.tuples(st.integers(0, 1439), st.integers(0, 1439)),
            "had_hours": st.lists(st.sampled_from([20, 30, 60, 100]), max_size=2, unique=True),
        }
    ),
    min_size=1,
    max_size=5,
)
documents = st.fixed_dictionaries(
    {
        "time_zone": st.sampled_from(["member", "Pacific/Kiritimati"]),
        "expires_after_hours": st.sampled_from([1, 3, 12, 30]),
        "hold_out_bps": st.sampled_from([0, 3_000]),
        "variants": st.sampled_from(
            [
                [
                    {"name": "a", "message": "hello", "share_bps": 4_000},
                    {"name": "b", "message": "letter", "share_bps": 6_000},
                ]
            ]
        ),
    }
)


async def born(person: dict[str, Any], number: int) -> int:
    """A member as drawn."""
    [member_id] = await members(1, zone=person["zone"])
    for place in range(person["devices"]):
        seen_at = Instant(DUE - person["seen_days"] * DAY)
        await devices([member_id], name=f"token{number}-{place}", seen_at=seen_at)
    if person["has_address"]:
        await addresses([member_id])
    for channel in (Channel.PUSH, Channel.EMAIL):
        if person[channel.value] is not None:
            await say([member_id], channel, is_given=person[channel.value])
    for channel, name in ((Channel.PUSH, "push_offers"), (Channel.IN_APP, "inbox")):
        if person[name] is not None:
            await say([member_id], channel, Category.OFFERS, is_given=person[name])
    async with sql.transaction():
        if person["quiet"] is not None:
            await sql.execute(
                "INSERT INTO quiet_hours (id, from_minute, until_minute, changed_at)"
                " VALUES ($1, $2, $3, $4)",
                *(member_id, *person["quiet"], NOON),
            )
    for hours in person["had_hours"]:
        category = Category.POINTS if hours == 60 else Category.OFFERS
        due_at = Instant(NOW - hours * HOUR)
        await written(
            [draft(member_id, topic=f"had-{hours}", due_at=due_at, category=category)], due_at
        )
    return member_id


async def had() -> None:
    """Let what was due before have been sent, to those who have a device."""
    async with sql.transaction():
        await sql.execute(
            "UPDATE deliveries SET status = 'sent', attempted_at = due_at, attempts = 1"
            " WHERE run_id IS NULL AND status = 'queued'"
        )


async def all_sent() -> None:
    """Send everything at its time, as if a sender were always there."""
    while True:
        row = await sql.fetch_one("SELECT MIN(due_at) FROM deliveries WHERE status = 'queued'")
        if row is None or row[0] is None:
            return
        await sent(Instant(row[0]))


@pytest.mark.usefixtures("database")
@trying(15)
@given(drawn=people, document=documents)
async def test_a_dry_run_is_what_happens(
    database: object, drawn: list[dict[str, Any]], document: dict[str, Any]
) -> None:
    async with undone():
        await shop(channels=["push", "in_app"])
        await published("message", "letter", message(channels=["push", "email", "in_app"]))
        await published("message_policy", "default", POLICY)
        await published("campaign", "spring", campaign(**document))
        for number, person in enumerate(drawn):
            await born(person, number)
        await had()
        foreseen = await dry_run.dry_run("spring", None, NOW, seconds=60)
        assert foreseen.is_complete
        assert foreseen.looked_at == foreseen.audience == len(drawn)
        assert await sql.fetch("SELECT 1 FROM notifications WHERE run_id IS NOT NULL") == []
        await planned(NOW)
        await all_sent()
        assert _by_channel(foreseen) == await _happened()


def _by_channel(foreseen: dry_run.DryRun) -> dict[Any, int]:
    reached = {(channel, "sent"): count for channel, count in foreseen.by_channel.items()}
    missed = {(channel, reason): count for (channel, reason), count in foreseen.unreached.items()}
    # Who is held out, or does not want it in the inbox, is told by no delivery.
    return {
        key: count
        for key, count in (reached | missed).items()
        if key[0] != "in_app" or key[1] == "sent"
    }


async def _happened() -> dict[Any, int]:
    found = await sql.fetch(
        "SELECT DISTINCT d.member_id, d.channel, d.status, d.reason FROM deliveries d"
        " WHERE d.run_id IS NOT NULL"
    )
    told = Counter((row[1], "sent" if row[2] == "sent" else row[3]) for row in found)
    [[shown]] = await sql.fetch(
        "SELECT COUNT(*) FROM notifications WHERE is_shown = 1 AND run_id IS NOT NULL"
    )
    return dict(told | ({("in_app", "sent"): shown} if shown else {}))


@pytest.mark.usefixtures("database")
async def test_each_reason_is_told_apart() -> None:
    await shop(channels=["push", "email", "in_app"])
    await published("message_policy", "default", POLICY)
    await published("campaign", "spring", campaign(expires_after_hours=8))
    reached, silent, bare, capped, asleep, had_it = await members(6)
    await devices([reached, silent, capped, asleep, had_it])
    await addresses([reached])
    await say([reached, capped, asleep, had_it, bare])
    async with sql.transaction():
        await sql.execute(
            "UPDATE members SET time_zone = 'America/Anchorage' WHERE id = $1", asleep
        )
        await sql.execute(
            "INSERT INTO quiet_hours (id, from_minute, until_minute, changed_at)"
            " VALUES ($1, 60, 720, 0)",
            asleep,
        )
    await written([draft(capped, topic="had", due_at=Instant(NOW - HOUR))], NOW)
    await written([draft(had_it, due_at=Instant(NOW - 40 * DAY), lasts=DAY)], NOW)
    await had()
    found = await dry_run.dry_run("spring", None, NOW, seconds=60)
    assert (found.audience, found.reached, found.held_out, found.is_complete) == (6, 5, 0, True)
    assert found.by_variant == {"": 6}
    assert found.by_channel == {Channel.PUSH: 1, Channel.IN_APP: 5}
    assert found.unreached == {
        (Channel.EMAIL, Reason.ALREADY_HAD): 1,
        (Channel.EMAIL, Reason.NO_ADDRESS): 4,
        (Channel.EMAIL, Reason.NO_CONSENT): 1,
        (Channel.IN_APP, Reason.ALREADY_HAD): 1,
        (Channel.PUSH, Reason.ALREADY_HAD): 1,
        (Channel.PUSH, Reason.CAP): 1,
        (Channel.PUSH, Reason.NO_CONSENT): 1,
        (Channel.PUSH, Reason.NO_DEVICE): 1,
        (Channel.PUSH, Reason.QUIET): 1,
    }
    late = await dry_run.dry_run("spring", None, Instant(DUE + 9 * HOUR), seconds=60)
    assert late.by_channel == {Channel.IN_APP: 5}
    assert late.unreached[Channel.PUSH, Reason.EXPIRED] == 4


@pytest.mark.usefixtures("database")
async def test_a_document_is_tried_without_being_saved_and_the_newest_draft_without_one() -> None:
    await shop()
    await devices(await members(3))
    text = "{name: Try, message: hello, at: '2026-05-13T10:00:00', hold_out_bps: 9000}"
    found = await dry_run.dry_run("spring", text, NOW, seconds=60)
    assert (found.audience, found.held_out + sum(found.by_variant.values())) == (3, 3)
    with pytest.raises(NotFound):
        await dry_run.dry_run("spring", None, NOW, seconds=60)
    await published("campaign", "spring", campaign())
    await published("campaign", "spring", None, Instant(MONDAY + 1))
    assert (await dry_run.dry_run("spring", None, NOW, seconds=60)).audience == 3
    with pytest.raises(InvalidDocument):
        await dry_run.dry_run("spring", "{name: Try, message: other}", NOW, seconds=60)
    assert await rows("id") == []


@pytest.mark.usefixtures("database")
async def test_with_too_many_members_it_tells_of_those_it_came_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dry_run, "PAGE_SIZE", 2)
    await shop()
    await members(5)
    await published("campaign", "spring", campaign())
    found = await dry_run.dry_run("spring", None, NOW, seconds=0)
    assert (found.audience, found.looked_at, found.is_complete) == (2, 2, False)
    found = await dry_run.dry_run("spring", None, NOW, seconds=60)
    assert (found.audience, found.looked_at, found.is_complete) == (5, 5, True)
    assert await counted("topic") == {}
