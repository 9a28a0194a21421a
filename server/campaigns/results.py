"""What came of a campaign: a funnel for each variant, against those who were held out.

A member counts for the goal who reaches it in the days after their message was due, whether it was
sent or not, and so do those who were held out, in the same days: a lot has decided who is in which
group, so what differs is what the campaign has done. To compare only those who were reached with
all who were held out would take the members' own differences for the campaign's doing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from server.campaigns import comparing, result_queries
from server.campaigns.comparing import Uplift
from server.campaigns.documents import Goal, RedeemedOffer
from server.campaigns.result_queries import Furthest
from server.campaigns.rules import HOUR
from server.campaigns.service import OF_OFFER, Standing, standing
from server.campaigns.shapes import Run
from server.clock import Instant
from server.definitions import service as definitions
from server.storage import sql

_OFFER_GOAL_DAYS = 7


class Outcome(Struct, frozen=True, kw_only=True):
    """How many deliveries of one channel have come to the same; a member may have several."""

    channel: str
    status: str
    reason: str | None
    deliveries: int
    members: int


class Ending(Struct, frozen=True, order=True):
    """How far the message of some members came; each member counts once, for the best of what
    became of it."""

    status: str  # empty: there was nothing to be sent, and it is in the inbox
    reason: str
    members: int


class Group(Struct, frozen=True, kw_only=True):
    """What came of the members of one variant, or of those who were held out."""

    variant: str | None  # None of a campaign without variants, and of those held out
    is_held_out: bool
    audience: int
    sent: int  # members to whom something was sent
    opened: int  # members who opened it
    reached: int  # members who reached the goal
    reached_of_sent: int
    opted_out_of_sent: int
    outcomes: tuple[Outcome, ...]
    endings: tuple[Ending, ...]  # of all members of the group
    uplift: Uplift | None  # against those held out

    @property
    def opt_out_bps(self) -> int | None:
        """Of 10,000 members to whom it was sent, how many withdrew a consent afterwards."""
        return comparing.share_bps(self.opted_out_of_sent, self.sent)


class Results(Struct, frozen=True, kw_only=True):
    """What came of a campaign."""

    standing: Standing
    goal: Goal | None
    within_days: int
    is_final: bool  # everything that counts has happened
    audience: int
    without_message: int  # of the audience, who had a message of the same key before
    groups: tuple[Group, ...]  # variants by name, then those held out
    uplift: Uplift | None  # of all variants together


async def results(key: str, now: Instant) -> Results:
    """What came of the campaign so far, all its versions together. Raises NotFound."""
    async with sql.snapshot():
        found = await standing(key, now)
        goal, within_days = await _goal(found)
        runs = found.runs
        ids = [run.id for run in runs]
        within_microseconds = within_days * 24 * HOUR
        rows: Sequence[sql.Row] = ()
        outcomes: Sequence[sql.Row] = ()
        furthest: Sequence[Furthest] = ()
        if ids:
            rows = await result_queries.groups(
                ids,
                goal="" if goal is None else ("offer" if _is_of_offer(goal) else "purchase"),
                offer=goal.offer if isinstance(goal, RedeemedOffer) else None,
                within_microseconds=within_microseconds,
            )
            outcomes = await result_queries.outcomes(ids)
            furthest = await result_queries.furthest(ids)
    groups = _groups(rows, outcomes, furthest, has_goal=goal is not None)
    last_due = max((row[8] for row in rows), default=None)
    audience = sum(run.audience for run in runs)
    return Results(
        standing=found,
        goal=goal,
        within_days=within_days,
        is_final=_is_planned(runs) and (last_due or 0) + within_microseconds <= now,
        audience=audience,
        without_message=audience - sum(group.audience for group in groups),
        groups=tuple(groups),
        uplift=_uplift(
            [group for group in groups if not group.is_held_out],
            [group for group in groups if group.is_held_out],
        )
        if goal is not None
        else None,
    )


def _is_of_offer(goal: Goal) -> bool:
    return isinstance(goal, RedeemedOffer)


def _is_planned(runs: Iterable[Run]) -> bool:
    states = [run.state.value in ("sending", "stopped", "done") for run in runs]
    return bool(states) and all(states)


async def _goal(found: Standing) -> tuple[Goal | None, int]:
    """The goal of the version that began last, or that counts; of an offer's, that it is used."""
    if found.key.startswith(OF_OFFER):
        return RedeemedOffer(found.key.removeprefix(OF_OFFER), _OFFER_GOAL_DAYS), _OFFER_GOAL_DAYS
    shelves = await definitions.shelves()
    version = shelves.by_id.get(found.runs[0].version_id) if found.runs else found.version
    assert version is not None, "what has begun was published"
    return version.document.goal, version.document.within_days


def _groups(
    rows: Sequence[sql.Row],
    outcomes: Sequence[sql.Row],
    furthest: Sequence[Furthest],
    *,
    has_goal: bool,
) -> list[Group]:
    ended: Mapping[tuple[str | None, bool], list[Ending]] = defaultdict(list)
    for one in furthest:
        ending = Ending(one.status or "", one.reason or "", one.members)
        ended[one.variant, one.is_held_out].append(ending)
    told: Mapping[tuple[str | None, bool], list[Outcome]] = defaultdict(list)
    for variant, is_held_out, channel, status, reason, deliveries, members in outcomes:
        told[variant, bool(is_held_out)].append(
            Outcome(
                channel=channel,
                status=status,
                reason=reason,
                deliveries=int(deliveries),
                members=int(members),
            )
        )
    groups = [_group(row, told[row[0], bool(row[1])], ended[row[0], bool(row[1])]) for row in rows]
    groups.sort(key=lambda group: (group.is_held_out, group.variant or ""))
    if not has_goal:
        return groups
    held = [group for group in groups if group.is_held_out]
    return [group if group.is_held_out else _compared(group, held) for group in groups]


def _group(row: sql.Row, outcomes: Iterable[Outcome], endings: Iterable[Ending]) -> Group:
    variant, is_held_out, *counts, _last_due = row
    members, sent, opened, reached, reached_of_sent, opted_out_of_sent = map(int, counts)
    return Group(
        variant=variant,
        is_held_out=bool(is_held_out),
        audience=members,
        sent=sent,
        opened=opened,
        reached=reached,
        reached_of_sent=reached_of_sent,
        opted_out_of_sent=opted_out_of_sent,
        outcomes=tuple(
            sorted(outcomes, key=lambda one: (one.channel, one.status, one.reason or ""))
        ),
        endings=tuple(sorted(endings)),
        uplift=None,
    )


def _compared(group: Group, held: Sequence[Group]) -> Group:
    return msgspec.structs.replace(group, uplift=_uplift([group], held))


def _uplift(treated: Sequence[Group], held: Sequence[Group]) -> Uplift | None:
    return comparing.uplift(
        reached=sum(one.reached for one in treated),
        members=sum(one.audience for one in treated),
        held_reached=sum(one.reached for one in held),
        held_out=sum(one.audience for one in held),
    )


# ---------------------------------------------------------------- the log of one member


class Sent(Struct, frozen=True, kw_only=True):
    """One delivery of a message, and what became of it."""

    id: int
    notification_id: int
    channel: str
    device_id: int | None
    status: str
    reason: str | None
    attempts: int
    due_at: Instant
    attempted_at: Instant | None
    settled_at: Instant | None


class Logged(Struct, frozen=True, kw_only=True):
    """One message that was written to a member."""

    id: int
    topic: str
    category: str
    message: str
    run_id: int | None
    variant: str | None
    is_held_out: bool
    title: str
    body: str
    created_at: Instant
    shown_from: Instant
    expires_at: Instant
    read_at: Instant | None
    opened_at: Instant | None
    deliveries: tuple[Sent, ...]


async def log_of(member_id: int, *, before: int, limit: int) -> list[Logged]:
    """What was written to the member, the newest first, with what became of each; those with an id
    below. Two statements."""
    rows = await result_queries.notifications(member_id, before=before, limit=limit)
    found: Mapping[int, list[Sent]] = defaultdict(list)
    if rows:
        for row in await result_queries.deliveries([row[0] for row in rows]):
            sent = Sent(**dict(zip(Sent.__struct_fields__, row, strict=True)))
            found[sent.notification_id].append(sent)
    names = Logged.__struct_fields__[:-1]
    return [
        Logged(
            **{
                **dict(zip(names, row, strict=True)),
                "is_held_out": bool(row[6]),
                "deliveries": tuple(found[row[0]]),
            }
        )
        for row in rows
    ]
