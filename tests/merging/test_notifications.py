"""Devices, choices, quiet hours and messages when two memberships are joined and parted."""

from typing import Any

import pytest

from server.clock import Instant
from server.members import consents
from server.members import service as members
from server.members.consents import ConsentPurpose, ConsentSource
from server.notifications import choices, devices, quiet_hours, rules, sending_facts
from server.notifications.choices import ChoiceSource, Statement
from server.notifications.devices import Platform, Registration
from server.notifications.shapes import MARKETING, Category, Channel, Hours
from server.storage import sql
from server.storage.database import Address
from tests.api.notifications_cases import written
from tests.members.people import PASSWORD_HASH
from tests.merging.pairs import join, number, part
from tests.purchases.baskets import at, draft, line, publish, recorded

NOON = "2017-03-15"
LATER = "2017-03-16"


async def two_members() -> tuple[int, int]:
    await publish()
    for name in "ab":
        await recorded(draft(f"{name}1", "2017-03-01", 0, line("PRODUCE", 100), household=name))
    return await number("a"), await number("b")


async def signed_in(member_id: int) -> int:
    """The session of a new account of the member's own."""
    async with sql.transaction():
        address = f"m{member_id}@example.org"
        account = await members.create_account(member_id, address, PASSWORD_HASH)
        return (await members.open_session(account)).session_id


async def registered(member_id: int, session_id: int, token: str) -> int:
    given = Registration(token=token, platform=Platform.WEB, locale="en", time_zone="UTC")
    async with sql.transaction():
        return (await devices.register(member_id, session_id, given, now=at(NOON))).id


async def chosen(
    member_id: int, channel: Channel, category: Category, *, is_given: bool, now: Instant
) -> None:
    async with sql.transaction():
        await choices.state(
            member_id,
            [Statement(channel, category, is_given)],
            text_version="1",
            source=ChoiceSource.MEMBER,
            by="member:1",
            now=now,
        )


async def given(member_id: int) -> set[tuple[Channel, Category]]:
    """What of the marketing by push and e-mail the member gets."""
    found = (await choices.of_members([member_id]))[member_id]
    return {
        (one.channel, one.category)
        for one in found
        if one.is_given and one.channel is not Channel.IN_APP and one.category != "service"
    }


async def ids(table: str, member_id: int) -> set[Any]:
    rows = await sql.fetch(f"SELECT id FROM {table} WHERE member_id = $1", member_id)  # noqa: S608
    return {row[0] for row in rows}


async def test_devices_follow_the_sign_in_that_they_belong_to(database: Address) -> None:
    a, b = await two_members()
    first = await registered(a, session := await signed_in(a), "a1")
    own = await registered(b, await signed_in(b), "b1")
    merged = await join("a", "b", NOON)
    assert await ids("devices", b) == {first, own}
    since = await registered(b, session, "a2")
    await part(merged, LATER)
    assert await ids("devices", a) == {first, since}
    assert await ids("devices", b) == {own}


async def test_each_topic_stays_once_and_what_waits_twice_is_not_sent(database: Address) -> None:
    a, b = await two_members()
    for who in (a, b):
        await written(who, topic="spring")
    await written(a, topic="points")
    [(spring,)] = await sql.fetch(
        "SELECT id FROM notifications WHERE member_id = $1 AND topic = 'spring'", a
    )
    [(points,)] = await sql.fetch("SELECT id FROM notifications WHERE topic = 'points'")
    async with sql.transaction():
        for one in (spring, points):
            await sql.execute(
                "INSERT INTO deliveries (id, member_id, notification_id, channel, category,"
                " status, attempts, due_at, expires_at)"
                " VALUES ($1, $2, $3, 'push', 'offers', 'queued', 0, 1, 2)",
                one,
                a,
                one,
            )
    merged = await join("a", "b", NOON)
    states = "SELECT id, member_id, status, reason FROM deliveries ORDER BY id"
    assert [tuple(row) for row in await sql.fetch(states)] == [
        (spring, a, "suppressed", "merged"),
        (points, b, "queued", None),
    ]
    assert await ids("notifications", a) == {spring}
    assert points in await ids("notifications", b)
    await part(merged, LATER)
    assert await ids("notifications", a) == {spring, points}
    assert [row[1] for row in await sql.fetch(states)] == [a, a]


@pytest.mark.parametrize("refuser", ["a", "b", None])
async def test_a_merge_makes_nobody_agree_to_more(database: Address, refuser: str | None) -> None:
    a, b = await two_members()
    await chosen(a, Channel.PUSH, Category.OFFERS, is_given=True, now=at(NOON))
    await chosen(a, Channel.EMAIL, Category.POINTS, is_given=True, now=at(LATER))
    await chosen(b, Channel.EMAIL, Category.POINTS, is_given=False, now=at(NOON))
    if refuser is not None:
        async with sql.transaction():
            await consents.set_consent(
                await number(refuser),
                ConsentPurpose.PUSH,
                is_given=False,
                source=ConsentSource.MEMBER,
                by="member:1",
                note=None,
                now=at(NOON),
            )
    merged = await join("a", "b", LATER)
    wanted = {(Channel.PUSH, Category.OFFERS)} if refuser is None else set()
    assert await given(b) == wanted, "and of e-mail the survivor's own word counts"
    await part(merged, LATER)
    assert await given(b) == set()
    assert (Channel.EMAIL, Category.POINTS) in await given(a)


async def test_quiet_hours_of_the_survivor_stay(database: Address) -> None:
    a, b = await two_members()
    async with sql.transaction():
        await quiet_hours.set_hours(a, Hours(60, 120), now=at(NOON))
    merged = await join("a", "b", NOON)
    assert (await quiet_hours.of_members([a, b]))[b].hours == Hours(60, 120)
    await part(merged, LATER)
    assert set(await quiet_hours.of_members([a, b])) == {a}
    async with sql.transaction():
        await quiet_hours.set_hours(b, Hours(0, 1), now=at(NOON))
    await join("a", "b", LATER)
    assert (await quiet_hours.of_members([b]))[b].hours == Hours(0, 1)


async def sendable(member_id: int) -> set[tuple[Channel, Category]]:
    """What of the marketing by push and e-mail a sender would let pass."""
    found = set()
    for channel in (Channel.PUSH, Channel.EMAIL):
        statement, values = sending_facts.said_asked(channel, [member_id])
        said = sending_facts.said_of(await sql.fetch(statement, *values))
        found |= {
            (channel, one) for one in MARKETING if rules.may_reach(channel, one, said[member_id])
        }
    return found


@pytest.mark.parametrize("refused", ["the channel", "the category"])
async def test_what_the_duplicate_refused_last_is_refused_until_the_survivor_agrees_again(
    database: Address, refused: str
) -> None:
    a, b = await two_members()
    offers, points = (Channel.EMAIL, Category.OFFERS), (Channel.EMAIL, Category.POINTS)
    for one in (offers, points):
        await chosen(b, *one, is_given=True, now=at("2017-03-10"))
    if refused == "the category":
        await chosen(a, *offers, is_given=False, now=at(NOON))
    else:
        async with sql.transaction():
            await consents.set_consent(
                a,
                ConsentPurpose.EMAIL,
                is_given=False,
                source=ConsentSource.STAFF,
                by="staff:1",
                note=None,
                now=at(NOON),
            )
    merged = await join("a", "b", LATER)
    left = {points} if refused == "the category" else set()
    assert await given(b) == await sendable(b) == left
    await chosen(b, *offers, is_given=True, now=at("2017-03-17"))
    assert await given(b) == await sendable(b) == left | {offers}
    await part(merged, "2017-03-18")
    assert await given(b) == await sendable(b) == {offers, points}
