"""A dry run: who would get a campaign by which channel, and why others not, without writing it.

It makes the very messages that planning would, and asks the very rules that senders ask, for the
instant at which each message would leave. What it cannot know is what changes until then: members
who agree or refuse, other messages that count against caps.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from server.campaigns import audiences, drafting, planning, result_queries
from server.campaigns.documents import Campaign
from server.campaigns.drafting import Plan
from server.campaigns.kinds import CAMPAIGN
from server.campaigns.shapes import Reason
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import DefinitionStatus
from server.errors import NotFound
from server.members.service import Profile
from server.notifications import policy, rules, sending_facts
from server.notifications.devices import unused_since
from server.notifications.rules import Facts
from server.notifications.sending_facts import Had, Said
from server.notifications.shapes import Channel, Draft, Hours, Policy, Suppression
from server.storage import sql
from server.storage.exchange import fetch_each

PAGE_SIZE = 512
_SENT = (Channel.PUSH, Channel.EMAIL)


class DryRun(Struct, frozen=True, kw_only=True):
    """How many members would get a campaign, of those who were looked at."""

    audience: int
    looked_at: int
    is_complete: bool  # all members were looked at
    held_out: int
    by_variant: Mapping[str, int]  # of the audience without those held out
    reached: int  # members who would get it by one channel at least
    by_channel: Mapping[Channel, int]  # members
    unreached: Mapping[tuple[Channel, Reason], int]  # members


class _Ways(Struct, frozen=True):
    """What is known of how some members may be reached."""

    seen_at: Mapping[int, Instant]  # when the device that was seen last was
    addressed: frozenset[int]
    hours: Mapping[int, Hours]
    said: Mapping[Channel, Said]
    had: Had
    already: set[int]
    policy: Policy


async def dry_run(key: str, document: str | None, now: Instant, *, seconds: float) -> DryRun:
    """Whom a campaign would reach, looking at members for at most about so long.

    `document` is a YAML text; None takes the newest version of the key, drafts included. Raises
    NotFound, or InvalidDefinition with everything that is wrong with the document.
    """
    campaign = await _campaign(key, document, now)
    plan = await planning.plan_of_campaign(key, campaign, await definitions.shelves(), now)
    if plan is None:
        raise NotFound("not_found", path=("key",))
    rules_now = await policy.policy_at(now)
    counts, looked_at, after_id, is_complete = _Counts(), 0, 0, False
    ends_at = time.monotonic() + seconds
    while not is_complete:
        ids = await audiences.page_of_ids(after_id=after_id, limit=PAGE_SIZE)
        await _count(counts, plan, ids, rules_now, now)
        looked_at += len(ids)
        is_complete = len(ids) < PAGE_SIZE
        after_id = ids[-1] if ids else after_id
        if time.monotonic() >= ends_at:
            break
    return counts.told(looked_at, is_complete=is_complete)


async def _campaign(key: str, document: str | None, now: Instant) -> Campaign:
    if document is None:
        plain = await _newest(key)
    else:
        plain = definitions.read(document)
    made: Campaign = await definitions.checked_document(
        definitions.kind_of(CAMPAIGN.name), key, plain, now=now
    )
    return made


async def _newest(key: str) -> object:
    """The newest version that is or may be published, as plain data."""
    given_up = (DefinitionStatus.DISCARDED, DefinitionStatus.REJECTED)
    for version in await definitions.history(CAMPAIGN.name, key):
        if version.status not in given_up and version.document:
            return version.plain
    raise NotFound("not_found", path=("key",))


class _Counts:
    """What was counted so far."""

    def __init__(self) -> None:
        self.audience = self.held_out = self.reached = 0
        self.by_variant: Counter[str] = Counter()
        self.by_channel: Counter[Channel] = Counter()
        self.unreached: Counter[tuple[Channel, Reason]] = Counter()

    def add(self, draft: Draft, outcomes: Sequence[tuple[Channel, Reason | None]]) -> None:
        """Count what becomes of a member's message."""
        self.audience += 1
        self.held_out += draft.is_held_out
        if not draft.is_held_out:
            self.by_variant[draft.variant or ""] += 1
        for channel, reason in outcomes:
            if reason is None:
                self.by_channel[channel] += 1
            else:
                self.unreached[channel, reason] += 1
        self.reached += any(reason is None for _channel, reason in outcomes)

    def told(self, looked_at: int, *, is_complete: bool) -> DryRun:
        """The whole."""
        return DryRun(
            audience=self.audience,
            looked_at=looked_at,
            is_complete=is_complete,
            held_out=self.held_out,
            by_variant=dict(sorted(self.by_variant.items())),
            reached=self.reached,
            by_channel=dict(sorted(self.by_channel.items())),
            unreached=dict(sorted(self.unreached.items())),
        )


async def _count(
    counts: _Counts, plan: Plan, ids: Sequence[int], rules_now: Policy, now: Instant
) -> None:
    profiles = await audiences.included(ids, plan.audience, now)
    if not profiles:
        return
    ways = await _ways([one.id for one in profiles], plan.topic, rules_now, now)
    made = drafting.drafts(plan, profiles, run_id=None, now=now)
    for profile, draft in zip(profiles, made, strict=True):
        counts.add(draft, list(_outcomes(draft, profile, ways, now)))


def _outcomes(
    draft: Draft, profile: Profile, ways: _Ways, now: Instant
) -> Iterator[tuple[Channel, Reason | None]]:
    """By which channels the member gets it, and why not by others."""
    for channel in draft.channels:
        if draft.member_id in ways.already:
            yield channel, Reason.ALREADY_HAD
        elif draft.is_held_out:
            yield channel, Reason.HELD_OUT
        elif channel in _SENT:
            reason = _suppression(channel, draft, profile, ways, now)
            yield channel, None if reason is None else Reason(reason.value)
        else:
            is_wanted = rules.may_reach(
                channel, draft.category, ways.said[channel].get(draft.member_id, ())
            )
            yield channel, None if is_wanted else Reason.NO_CONSENT


def _suppression(
    channel: Channel, draft: Draft, profile: Profile, ways: _Ways, now: Instant
) -> Suppression | None:
    """Why it would not be sent, as senders would say when it is due."""
    member_id = draft.member_id
    seen_at = ways.seen_at.get(member_id)
    if channel is Channel.PUSH and (seen_at is None or seen_at <= unused_since(now)):
        return Suppression.NO_DEVICE
    if channel is Channel.EMAIL and member_id not in ways.addressed:
        return Suppression.NO_ADDRESS
    at = draft.due_at
    if draft.is_off_peak:
        at = rules.off_peak(at, member_id, draft.topic)
    facts = Facts(
        channel=channel,
        category=draft.category,
        member_id=member_id,
        topic=draft.topic,
        expires_at=draft.expires_at,
        attempts=0,
        is_merged=False,
        is_stopped=False,
        is_reachable=channel is Channel.EMAIL
        or (seen_at is not None and seen_at > unused_since(at)),
        said=ways.said[channel].get(member_id, ()),
        zone=profile.time_zone,
        hours=ways.hours.get(member_id, ways.policy.quiet),
    )
    verdict = rules.verdict(facts, at)
    if verdict.reason is not None:
        return verdict.reason
    had = ways.had.get(member_id, {}).values()
    leaves_at = at if verdict.until is None else verdict.until
    is_capped = rules.is_capped(draft.category, had, ways.policy.caps, leaves_at)
    return Suppression.CAP if is_capped else None


# ---------------------------------------------------------------- reading


_SEEN = (
    "SELECT v.member_id, MAX(v.seen_at) FROM devices v LEFT JOIN sessions s ON s.id = v.session_id"
    " WHERE s.revoked_at IS NULL AND v.member_id IN ({members}) GROUP BY v.member_id"
)
_ADDRESSED = (
    "SELECT COALESCE(m.merged_into, m.id) FROM accounts a JOIN members m ON m.id = a.member_id"
    " WHERE a.email IS NOT NULL AND (m.id IN ({members}) OR m.merged_into IN ({members}))"
)
_HOURS = "SELECT id, from_minute, until_minute FROM quiet_hours WHERE id IN ({members})"


async def _ways(member_ids: Sequence[int], topic: str, rules_now: Policy, now: Instant) -> _Ways:
    wanted = sql.padded(member_ids)
    places = sql.placeholders(len(wanted))
    said = [sending_facts.said_asked(channel, member_ids) for channel in Channel]
    had = sending_facts.had_asked(member_ids, rules_now, now)
    seen_rows, addressed_rows, hours_rows, *others = await fetch_each(
        [
            (_SEEN.format(members=places), wanted),
            (_ADDRESSED.format(members=places), wanted),
            (_HOURS.format(members=places), wanted),
            *said,
            *([] if had is None else [had]),
        ]
    )
    return _Ways(
        seen_at={row[0]: row[1] for row in seen_rows},
        addressed=frozenset(row[0] for row in addressed_rows),
        hours={row[0]: Hours(row[1], row[2]) for row in hours_rows},
        said={
            channel: sending_facts.said_of(rows)
            for channel, rows in zip(Channel, others, strict=False)
        },
        had={} if had is None else sending_facts.had_of(others[-1]),
        already=await result_queries.already(topic, member_ids),
        policy=rules_now,
    )
