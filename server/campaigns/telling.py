"""Messages about what happened to members or comes near: from occasions to drafts, few statements
however many there are."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, time

from msgspec import Struct

from server import clock
from server.campaigns import member_queries
from server.campaigns.member_queries import Person
from server.campaigns.rules import local_instant
from server.clock import Instant, LocalDay
from server.definitions.service import Published
from server.notifications import policy, rendering, rules, writing
from server.notifications.documents import Message
from server.notifications.shapes import Draft
from server.notifications.triggers import Value
from server.segments import service as segments

AT_HOUR = 9
"""Of the member's day: when reminders are due, or minutes later, off the peak. Their quiet hours
may put it off."""
_SECOND = clock.MICROSECONDS_PER_SECOND
SHORTEST_SECONDS = 600
"""How long what is sent now or never has until it is handed over."""

Variables = Callable[[str], Mapping[str, Value]]
"""The values of a trigger's own variables, for a member's locale."""


class Occasion(Struct, frozen=True, kw_only=True):
    """That a member is to be told something."""

    member_id: int
    topic: str
    message: Published  # of the kind `message`
    variables: Variables
    day: LocalDay | None = None  # due from AT_HOUR of the member's day on; None: at once
    until: Instant = clock.NEVER  # not worth telling from then on


async def tell(occasions: Sequence[Occasion], now: Instant) -> int:
    """Write the messages of the occasions, each topic of a member once; how many were new.

    Who was merged into another member is told as that one. A message of a segment goes to members
    who are in it now. Writes; call it inside a transaction.
    """
    drafts = await drafted(occasions, now)
    return sum(id_ is not None for id_ in await writing.write(drafts, now)) if drafts else 0


async def drafted(occasions: Sequence[Occasion], now: Instant) -> list[Draft]:
    """What `tell` writes; it reads alone."""
    if not occasions:
        return []
    people = await member_queries.people({one.member_id for one in occasions})
    met = [(one, people[one.member_id]) for one in occasions if one.member_id in people]
    chosen = await _chosen(met, now)
    if not chosen:
        return []
    name = await policy.programme_name_at(now)
    drafts = [_draft(one, person, name, now) for one, person in chosen]
    return [one for one in drafts if one.due_at < one.expires_at]


async def _chosen(
    met: Sequence[tuple[Occasion, Person]], now: Instant
) -> list[tuple[Occasion, Person]]:
    """Those whose member the message is for."""
    keys = {segment for one, _person in met if (segment := _document(one).segment) is not None}
    concerned = {person.id for one, person in met if _document(one).segment is not None}
    standings = await segments.memberships(concerned, keys, now) if keys else {}
    return [(one, person) for one, person in met if _is_for(_document(one), person, standings)]


def _is_for(document: Message, person: Person, standings: Mapping[int, Collection[str]]) -> bool:
    return document.segment is None or document.segment in standings[person.id]


def _document(occasion: Occasion) -> Message:
    document: Message = occasion.message.document
    return document


def _draft(one: Occasion, person: Person, programme_name: str, now: Instant) -> Draft:
    document = _document(one)
    said = rendering.rendered(
        one.message,
        person.locale,
        {"name": person.name, "programme": programme_name, **one.variables(person.locale)},
    )
    due_at = now
    if one.day is not None:
        # Many are due at the same hour: each a few minutes after the peak, when everybody sends.
        hour = _at_hour(one.day, person.time_zone)
        due_at = rules.off_peak(max(now, hour), person.id, one.topic)
    worth_seconds = max(document.time_to_live_seconds, SHORTEST_SECONDS)
    return Draft(
        member_id=person.id,
        topic=one.topic,
        category=document.category,
        message=one.message.key,
        version_id=one.message.id,
        locale=said.locale,
        title=said.title,
        body=said.body,
        email_subject=said.email_subject,
        email_body=said.email_body,
        wire=said.wire,
        channels=document.channels,
        due_at=due_at,
        expires_at=min(Instant(due_at + worth_seconds * _SECOND), one.until),
        shown_until=rules.shown_until(due_at, document.inbox_days, one.until),
    )


def _at_hour(day: LocalDay, zone_name: str) -> Instant:
    return local_instant(datetime.combine(clock.date_of(day), time(AT_HOUR)), zone_name)
