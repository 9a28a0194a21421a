"""Messages are written once for each member and topic, with all that is to be sent of them."""

import msgspec
import pytest

from server.clock import Instant
from server.notifications import writing
from server.notifications.shapes import Category, Channel, StoredWire, Wire
from server.storage import changes, sql
from server.storage.database import Address
from tests.notifications.posting import (
    DAY,
    NOON,
    addresses,
    at,
    devices,
    draft,
    members,
    run,
    say,
    written,
)

ALL = (Channel.PUSH, Channel.EMAIL, Channel.IN_APP)


async def destinations() -> list[tuple[int, str, int | None, str, str | None]]:
    """(member, channel, device, status, reason) of each delivery."""
    rows = await sql.fetch(
        "SELECT member_id, channel, device_id, status, reason FROM deliveries ORDER BY id"
    )
    return [tuple(row) for row in rows]


async def test_a_message_goes_to_each_device_and_to_the_address(database: Address) -> None:
    member, bare = await members(2)
    phone, tablet = await devices([member], name="phone") + await devices([member], name="tablet")
    await addresses([member])
    await written([draft(member, channels=ALL), draft(bare, channels=ALL)])
    assert await destinations() == [
        (member, "push", phone, "queued", None),
        (member, "push", tablet, "queued", None),
        (member, "email", None, "queued", None),
        (bare, "push", None, "suppressed", "no_device"),
        (bare, "email", None, "suppressed", "no_address"),
    ]


async def test_a_member_gets_a_topic_once(database: Address) -> None:
    one, other = await members(2)
    first = await written([draft(one), draft(one), draft(other, topic="else")])
    assert [number is None for number in first] == [False, True, False]
    again = await written([draft(one), draft(other)])
    assert again[0] is None
    assert again[1] is not None
    assert len(await sql.fetch("SELECT 1 FROM notifications")) == 3
    assert len(await destinations()) == 3


async def test_who_is_held_out_is_sent_and_shown_nothing(database: Address) -> None:
    [member] = await members(1)
    await devices([member])
    await written([draft(member, channels=ALL, is_held_out=True)])
    assert await destinations() == [
        (member, "push", None, "suppressed", "held_out"),
        (member, "email", None, "suppressed", "held_out"),
    ]
    assert [
        tuple(row) for row in await sql.fetch("SELECT is_held_out, is_shown FROM notifications")
    ] == [(1, 0)]


async def test_the_inbox_has_what_goes_to_it_unless_its_category_is_off(database: Address) -> None:
    member, off = await members(2)
    await say([off], Channel.IN_APP, Category.OFFERS, is_given=False)
    heard: list[changes.Change] = []
    with changes.announced_to(heard.extend):
        await written(
            [
                draft(member, channels=ALL),
                draft(member, topic="push", channels=(Channel.PUSH,)),
                draft(off, channels=ALL),
            ]
        )
    rows = await sql.fetch("SELECT is_shown FROM notifications ORDER BY id")
    assert [row[0] for row in rows] == [1, 0, 0]
    assert heard == [(changes.MEMBER, member)]
    await written([draft(off, topic="p", category=Category.POINTS, channels=ALL)])
    rows = await sql.fetch("SELECT is_shown FROM notifications ORDER BY id")
    assert [row[0] for row in rows] == [1, 0, 0, 1]


async def test_devices_that_are_not_live_get_nothing(database: Address) -> None:
    unused, signed_out, fresh = await members(3)
    await devices([unused], seen_at=Instant(NOON - 270 * DAY))
    await devices([signed_out, fresh])
    await addresses([signed_out])
    async with sql.transaction():
        [[account]] = await sql.fetch("SELECT id FROM accounts")
        await sql.execute(
            "INSERT INTO sessions (id, account_id, generation, created_at, rotated_at, expires_at,"
            " revoked_at) VALUES (5, $1, 0, $2, $2, $2, $2)",
            account,
            NOON,
        )
        await sql.execute("UPDATE devices SET session_id = 5 WHERE member_id = $1", signed_out)
    await written([draft(one) for one in (unused, signed_out, fresh)])
    assert [one[3:] for one in await destinations()] == [
        ("suppressed", "no_device"),
        ("suppressed", "no_device"),
        ("queued", None),
    ]


async def test_the_address_of_a_duplicate_is_the_survivors(database: Address) -> None:
    survivor, duplicate = await members(2)
    await addresses([duplicate])
    async with sql.transaction():
        await sql.execute("UPDATE members SET merged_into = $1 WHERE id = $2", survivor, duplicate)
    await written([draft(survivor, channels=(Channel.EMAIL,))])
    assert await destinations() == [(survivor, "email", None, "queued", None)]


async def test_what_belongs_to_a_campaign_starts_off_the_peak(database: Address) -> None:
    [member] = await members(1)
    await devices([member])
    due = at("2026-05-12T10:00")
    await written(
        [draft(member, due_at=due), draft(member, topic="c", due_at=due, run_id=await run())]
    )
    rows = await sql.fetch(
        "SELECT due_at, shown_from FROM deliveries d"
        " JOIN notifications n ON n.id = d.notification_id ORDER BY d.id"
    )
    assert rows[0][0] == due
    assert at("2026-05-12T10:04") <= rows[1][0] < at("2026-05-12T10:09")
    assert [row[0] == row[1] for row in rows] == [True, True]


async def test_what_goes_with_a_message_is_kept(database: Address) -> None:
    [member] = await members(1)
    wire = Wire(link="https://x.org", data={"a": "b"}, apns={"headers": {"x": "y"}})
    told = msgspec.structs.replace(draft(member, wire=wire), email_subject="S", email_body="B")
    await written([told])
    [[stored]] = await sql.fetch("SELECT wire FROM notifications")
    assert msgspec.json.decode(stored, type=StoredWire) == StoredWire(
        link="https://x.org", data={"a": "b"}, apns={"headers": {"x": "y"}},
        email_subject="S", email_body="B",
    )  # fmt: skip
    assert msgspec.json.decode(stored, type=Wire) == wire


@pytest.mark.parametrize("count", [1, 400])
async def test_statements_do_not_grow_with_the_drafts(count: int, database: Address) -> None:
    members_ = await members(count)
    await devices(members_)
    async with sql.transaction():
        with sql.counted_statements() as statements:
            await writing.write([draft(one, channels=ALL) for one in members_], NOON)
    assert len(statements) <= 6


async def test_no_drafts_are_nothing(database: Address) -> None:
    assert await written([]) == []
