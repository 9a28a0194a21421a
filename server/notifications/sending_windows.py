"""A few claimed deliveries at a time: marked right before they go, and what became of them after.

The mark and the outcomes of those before it are one commit. So a sender that dies leaves only what
was on the wire, and one window, of which nobody knows whether it was sent. What the mark is for is
asked anew in the same transaction: whether its member agrees still, the device is live, the
campaign goes on.
"""

import random
from collections.abc import Sequence

import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant
from server.integrations import push
from server.integrations.push import Outcome, OutcomeKind
from server.notifications import claiming, rules, sending_facts, sending_rates
from server.notifications.sending_facts import Content, Known
from server.notifications.sending_rates import Pause
from server.notifications.shapes import MARKETING, Channel, Policy, Status, Suppression
from server.storage import changes, sql
from server.storage.exchange import fetch_each

WINDOW = 4
"""How many that were never attempted may be in doubt after a sender died: whoever dies 20 times in
a campaign of 100,000 has attempted 99.9 percent of it."""
LONGEST_PAUSE_ASKED_SECONDS = 3_600
"""Of all senders, however long the provider asks for."""
LONGEST_PAUSE_SECONDS = 60
"""Of all senders, when the provider is out of order and does not say for how long."""

_REASON_LENGTH, _PROVIDER_ID_LENGTH = 40, 200
_MARK = (
    "UPDATE deliveries SET status = 'attempting', attempts = attempts + 1, attempted_at = $1,"
    " claimed_until = $2 WHERE status = 'claimed' AND claimed_by = $3 AND id IN ({ids})"
    " RETURNING id"
)
_SETTLE = (
    "UPDATE deliveries SET status = $1, reason = $2, provider_id = $3, due_at = $4,"
    " expires_at = $5, settled_at = $6, claimed_until = NULL"
    " WHERE id = $7 AND claimed_by = $8 AND status IN ('attempting', 'in_doubt')"
)
_UNMARK = (
    "UPDATE deliveries SET status = 'queued', attempts = attempts - 1, claimed_by = NULL,"
    " claimed_until = NULL, attempted_at = CASE WHEN attempts = 1 THEN NULL ELSE attempted_at END"
    " WHERE id = $1 AND claimed_by = $2 AND status = 'attempting'"
)
_PUT_OFF = (
    "UPDATE deliveries SET status = 'queued', due_at = $1, claimed_by = NULL,"
    " claimed_until = NULL, attempted_at = CASE WHEN attempts = 0 THEN NULL ELSE attempted_at END"
    " WHERE id = $2 AND claimed_by = $3 AND status = 'claimed'"
)
# An app may have given the device another token meanwhile.
_FORGET_DEVICE = "DELETE FROM devices WHERE id = $1 AND token = $2"
_SUPPRESS_ITS = (
    "UPDATE deliveries SET status = 'suppressed', reason = 'unregistered', settled_at = $1"
    " WHERE member_id = $2 AND device_id = $3 AND status = 'queued'"
    " AND NOT EXISTS (SELECT 1 FROM devices v WHERE v.id = $3)"
)


class Outgoing(msgspec.Struct, frozen=True):
    """A delivery that is marked, and goes now."""

    known: Known
    content: Content

    @property
    def attempt(self) -> int:
        """Its number, from 1."""
        return self.known.attempts + 1


class Attempted(msgspec.Struct, frozen=True):
    """What became of a delivery; None: it was marked and certainly never sent."""

    outgoing: Outgoing
    outcome: Outcome | None


class Marked(msgspec.Struct, frozen=True):
    """What goes now, or None while the channel is paused; and its last pause."""

    outgoing: Sequence[Outgoing] | None
    pause: Pause


async def mark(
    claimed: Sequence[Known], *, channel: Channel, sender_id: int, policy: Policy, now: Instant
) -> Marked:
    """Mark those of the sender's claims that may go still, settle the others. Writes; call it in
    the transaction after whose commit they are sent."""
    rows, said_rows, pause_rows = await fetch_each(
        [
            sending_facts.claimed_asked(channel, [one.id for one in claimed], sender_id, now),
            sending_facts.said_asked(channel, {one.member_id for one in claimed}),
            sending_rates.pause_asked(channel),
        ]
    )
    pause = sending_rates.pause_of(pause_rows)
    if pause.until > now:
        return Marked(None, pause)
    if not rows:
        return Marked([], pause)
    found = {row[0]: row for row in rows}
    known = [sending_facts.known_of(found[one.id]) for one in claimed if one.id in found]
    said = sending_facts.said_of(said_rows)
    going: list[Known] = []
    refused: list[tuple[Suppression, Known]] = []
    put_off: list[tuple[Instant, int, int]] = []
    paused: list[int] = []
    for one in known:
        verdict = rules.verdict(sending_facts.facts_of(one, channel, said, policy), now)
        if verdict.reason is not None:
            refused.append((verdict.reason, one))
        elif verdict.until is not None:
            put_off.append((verdict.until, one.id, sender_id))
        elif one.is_paused:
            paused.append(one.id)
        else:
            going.append(one)
    await claiming.suppress(refused, now, status=Status.CLAIMED)
    await claiming.release(paused, sender_id)
    await sql.execute_many(_PUT_OFF, put_off)
    marked = await _mark(going, sender_id, now)
    contents = {one: sending_facts.content_of(found[one]) for one in marked}
    return Marked([Outgoing(one, contents[one.id]) for one in going if one.id in marked], pause)


async def _mark(going: Sequence[Known], sender_id: int, now: Instant) -> set[int]:
    if not going:
        return set()
    ids = sql.padded(one.id for one in going)
    statement = _MARK.format(ids=sql.placeholders(len(ids), 4))
    rows = await sql.fetch(statement, now, claiming.lease_end(), sender_id, *ids)
    return {row[0] for row in rows}


# ---------------------------------------------------------------- outcomes


async def settle(
    attempted: Sequence[Attempted],
    *,
    channel: Channel,
    sender_id: int,
    pause: Pause,
    now: Instant,
) -> None:
    """Write what became of the deliveries; a dead token's device goes at once, and all that is
    queued for it. Who was too slow to settle theirs in time changes nothing. Writes."""
    settled = [
        (*_settled(one.outgoing, one.outcome, now), one.outgoing.known.id, sender_id)
        for one in attempted
        if one.outcome is not None
    ]
    await sql.execute_many(_SETTLE, settled)
    unsent = [(one.outgoing.known.id, sender_id) for one in attempted if one.outcome is None]
    await sql.execute_many(_UNMARK, unsent)
    dead = [one.outgoing.known for one in attempted if one.outcome and one.outcome.is_token_dead]
    await _forget(dead, now)
    outcomes = [one.outcome for one in attempted if one.outcome is not None]
    next_pause = pause_after(outcomes, pause, now)
    if next_pause != pause:
        await sending_rates.set_pause(channel, next_pause)


def _settled(outgoing: Outgoing, outcome: Outcome, now: Instant) -> sql.Row:
    """Status, reason, provider's id, due, expires, settled."""
    known, kind = outgoing.known, outcome.kind
    why = _why(outgoing, outcome)
    until = known.expires_at
    if kind is OutcomeKind.SENT:
        return (
            Status.SENT,
            None,
            (outcome.provider_id or "")[:_PROVIDER_ID_LENGTH] or None,
            now,
            until,
            now,
        )
    is_in_doubt = kind is OutcomeKind.IN_DOUBT
    if is_in_doubt and known.category in MARKETING:
        return (Status.IN_DOUBT, why, None, now, until, now)
    if is_in_doubt or outcome.is_retryable:
        until = rules.tried_until(now, outgoing.attempt, until)
        due = rules.retry_at(now, outgoing.attempt, kind, outcome.retry_after_seconds, _jitter())
        if due < until:
            return (Status.QUEUED, why, None, due, until, None)
    return (Status.FAILED, why, None, now, until, now)


def _why(outgoing: Outgoing, outcome: Outcome) -> str:
    """What Firebase's answers are called; of a mail server, its own code, such as smtp_550."""
    is_email = outgoing.known.device_id is None
    if is_email or outcome.kind is OutcomeKind.IN_DOUBT:
        return (outcome.reason or outcome.kind)[:_REASON_LENGTH]
    return outcome.kind


async def _forget(dead: Sequence[Known], now: Instant) -> None:
    if not dead:
        return
    devices = sorted((one.device_id, one.reached) for one in dead)
    await sql.execute_many(_FORGET_DEVICE, devices)
    members = sorted((one.member_id, one.device_id) for one in dead)
    await sql.execute_many(_SUPPRESS_ITS, [(now, *one) for one in members])
    for member_id, _device_id in members:
        changes.note(changes.MEMBER, member_id)


def pause_after(outcomes: Sequence[Outcome], pause: Pause, now: Instant) -> Pause:
    """The pause of all senders that the outcomes of a window ask for, after the last one.

    The quota, and credentials that are refused, concern everybody; so does a provider that says
    when to come back, or of whom nearly no answer is of use: longer each time in a row.
    """
    if not outcomes:
        return pause
    kinds = [one.kind for one in outcomes]
    is_for_all = OutcomeKind.QUOTA_EXCEEDED in kinds or OutcomeKind.AUTHENTICATION in kinds
    useless = [one for one in outcomes if one.is_retryable or one.kind is OutcomeKind.IN_DOUBT]
    asked = max((one.retry_after_seconds or 0 for one in useless), default=0)
    is_down = len(useless) * 2 > len(outcomes)
    if not (is_for_all or asked or is_down):
        return pause if pause.failures == 0 else Pause(pause.until, 0)
    failures = pause.failures + 1
    kind = OutcomeKind.QUOTA_EXCEEDED if is_for_all else OutcomeKind.UNAVAILABLE
    own = push.pause_seconds(failures, None, _jitter(), kind=kind)
    longest = LONGEST_PAUSE_SECONDS * (2 if is_for_all else 1)
    seconds = max(
        float(min(asked, LONGEST_PAUSE_ASKED_SECONDS)),
        min(own, longest) if not asked or failures > 1 else 0.0,
    )
    return Pause(Instant(now + int(seconds * MICROSECONDS_PER_SECOND)), failures)


def _jitter() -> float:
    return random.random()  # noqa: S311 - nobody gains by guessing it
