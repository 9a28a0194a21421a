"""Over the whole way from a draft to the wire: no message without a live consent, none in quiet
hours, none above a cap; whatever was said, whenever, and however clocks change."""

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import Instant, local_datetime
from server.integrations.push import Outcome, OutcomeKind, PushMessage
from server.notifications import rules
from server.notifications.rules import Statement
from server.notifications.shapes import MARKETING, Cap, Category, Channel, Hours, Policy
from server.storage import sql
from server.storage.database import Address
from tests.notifications.posting import (
    DAY,
    HOUR,
    NOON,
    SECOND,
    SENT,
    Provider,
    addresses,
    at,
    devices,
    draft,
    members,
    outcome,
    say,
    sent_all,
    written,
)
from tests.playing import undone
from tests.properties import IS_THOROUGH, trying

MEMBERS = 3


class Said(msgspec.Struct, frozen=True):
    """A member says something."""

    member: int
    channel: Channel
    category: Category | None
    is_given: bool


class Written(msgspec.Struct, frozen=True):
    """A message is written."""

    member: int
    category: Category
    after: int  # seconds until it is due


class Sent(msgspec.Struct, frozen=True):
    """What is due is sent, by a provider that fails so many first."""

    failures: int


_MEMBER = st.integers(0, MEMBERS - 1)
_WIDE = st.sampled_from([Channel.PUSH, Channel.EMAIL])
EVENTS = st.lists(
    st.one_of(
        st.builds(Said, _MEMBER, _WIDE, st.none(), st.booleans()),
        st.builds(
            Said, _MEMBER, st.sampled_from(Channel), st.sampled_from(sorted(MARKETING)),
            st.booleans(),
        ),
        st.builds(Written, _MEMBER, st.sampled_from(Category), st.sampled_from([0, 7, 60])),
        st.builds(Sent, st.integers(0, 2)),
    ),
    max_size=25,
)  # fmt: skip


@trying(100)
@given(EVENTS)
async def test_no_message_leaves_without_a_live_consent(
    database: Address, events: list[Said | Written | Sent]
) -> None:
    async with undone():
        await _play(events)


async def _play(events: list[Said | Written | Sent]) -> None:
    ids = await members(MEMBERS)
    await devices(ids)
    await addresses(ids)
    said: dict[int, list[Statement]] = defaultdict(list)
    written_: dict[str, tuple[int, Category]] = {}
    now = NOON
    left: list[tuple[int, Category]] = []
    failures = 0

    def deal(message: PushMessage) -> Outcome:
        nonlocal failures
        if failures:
            failures -= 1
            return outcome(OutcomeKind.UNAVAILABLE, 1)
        member, category = written_[message.data["topic"]]
        assert message.token == f"token-{ids[member]}"
        assert rules.may_reach(Channel.PUSH, category, said[member])
        left.append((member, category))
        return SENT

    provider = Provider(deal)
    for number, event in enumerate([*events, Sent(0), Sent(0)]):
        now = Instant(now + 5 * SECOND)
        if isinstance(event, Said):
            said[event.member].append(Statement(event.channel, event.category, event.is_given, now))
            await say(
                [ids[event.member]], event.channel, event.category, is_given=event.is_given, now=now
            )
        elif isinstance(event, Written):
            topic = f"t{number}"
            written_[topic] = (event.member, event.category)
            due = Instant(now + event.after * SECOND)
            one = draft(ids[event.member], topic=topic, category=event.category, due_at=due)
            wire = msgspec.structs.replace(one.wire, data={"topic": topic})
            await written([msgspec.structs.replace(one, wire=wire)], now)
        else:
            failures = event.failures
            now = Instant(now + 40 * SECOND)
            await sent_all(provider, now)
    await sent_all(provider, Instant(now + HOUR))
    service = [one for one in written_.values() if one[1] is Category.SERVICE]
    assert sorted(one for one in left if one[1] is Category.SERVICE) == sorted(service)
    statuses = {row[0] for row in await sql.fetch("SELECT status FROM deliveries")}
    assert statuses <= {"sent", "suppressed"}


# ---------------------------------------------------------------- a year

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]
POLICY = Policy(
    quiet=Hours(21 * 60, 8 * 60),
    caps=(Cap(Category.OFFERS, 2, 7), Cap(None, 2, 1), Cap(None, 5, 7)),
)
OWN = Hours(1 * 60 + 30, 2 * 60 + 30)  # across the hour that clocks skip and repeat
STEP = 5 * HOUR + 23 * 60 * SECOND
CHANGES = (
    ("2026-03-05", "2026-03-12"),
    ("2026-03-26", "2026-04-08"),
    ("2026-09-03", "2026-09-08"),
    ("2026-10-01", "2026-10-07"),
    ("2026-10-22", "2026-11-04"),
)
"""The days around the changes of clocks of these zones."""
DAYS_TRIED = (("2026-01-01", "2027-01-01"),) if IS_THOROUGH else CHANGES
"""Between the changes one day is as another."""


async def test_in_a_year_nobody_is_woken_or_written_to_too_often(database: Address) -> None:
    owners: dict[str, tuple[str, Hours | None]] = {}
    ids: list[int] = []
    for zone in ZONES:
        plain, own = await members(2, zone=zone)
        ids += [plain, own]
        owners |= {f"token-{plain}": (zone, POLICY.quiet), f"token-{own}": (zone, OWN)}
        async with sql.transaction():
            await sql.execute(
                "INSERT INTO quiet_hours VALUES ($1, $2, $3, $4)",
                own, OWN.from_minute, OWN.until_minute, NOON,
            )  # fmt: skip
    await devices(ids, seen_at=at("2026-06-01T00:00"))
    await say(ids, now=at("2025-12-31T00:00"))
    now = at("2026-01-01T00:00")
    had: dict[str, list[tuple[Category, Instant]]] = defaultdict(list)

    def deal(message: PushMessage) -> Outcome:
        had[message.token].append((Category(message.data["category"]), now))
        return SENT

    provider = Provider(deal)
    categories = [Category.OFFERS, Category.POINTS, Category.SERVICE, Category.CHALLENGES]
    number = 0
    for first, last in DAYS_TRIED:
        now = at(f"{first}T00:00")
        while now < at(f"{last}T00:00"):
            now = Instant(now + STEP)
            number += 1
            drafts = []
            for place, one in enumerate(ids):
                category = categories[(number + place) % 4]
                plain_ = draft(one, topic=f"t{number}", category=category, due_at=now)
                wire = msgspec.structs.replace(plain_.wire, data={"category": category})
                drafts.append(msgspec.structs.replace(plain_, wire=wire))
            await written(drafts, now)
            await sent_all(provider, now, policy=POLICY)
    assert len(had) == len(ids)
    for token, messages in had.items():
        zone, hours = owners[token]
        marketing = [(category, when) for category, when in messages if category in MARKETING]
        assert len(marketing) > 20
        assert not [when for _category, when in marketing if rules.is_quiet(when, zone, hours)]
        for cap in POLICY.caps:
            times = [when for one, when in marketing if cap.category in (None, one)]
            for end in times:
                assert sum(end - cap.days * DAY < when <= end for when in times) <= cap.messages
        if hours is POLICY.quiet:
            service = [when for one, when in messages if one is Category.SERVICE]
            assert any(rules.is_quiet(when, zone, hours) for when in service)


@pytest.mark.parametrize("zone", ZONES)
def test_the_days_tried_have_the_changes_of_clocks(zone: str) -> None:

    changes = 0
    for first, last in CHANGES:
        offsets = {local_datetime(at(f"{day}T00:00"), zone).utcoffset() for day in (first, last)}
        changes += len(offsets) - 1
    assert changes == 2
