"""Members: enrolling, finding, reading and changing them."""

from collections.abc import Iterable
from datetime import date

import msgspec
from msgspec import UNSET, UnsetType

from server import clock
from server.clock import Instant
from server.errors import ExternalIdConflict, InvalidInput, NotFound, phrase
from server.members import models, rules
from server.storage import changes, outbox, parts
from server.storage.exchange import Asked
from server.storage.ids import new_id
from server.storage.parts import Ask

DEFAULT_LOCALE = "en"
DEFAULT_TIME_ZONE = "UTC"
MAXIMUM_PAGE_SIZE = 100
MAXIMUM_ID = 2**63 - 1  # of the databases' integers
# The earth's days begin at UTC+14: a later date has begun nowhere.
_FIRST_MIDNIGHT_AHEAD_MICROSECONDS = 14 * 3600 * clock.MICROSECONDS_PER_SECOND


class NewMember(msgspec.Struct, frozen=True, kw_only=True):
    """A person who joins. `enrolled_local_month` is year * 100 + month in the programme's zone."""

    enrolled_at: Instant
    enrolled_local_month: int
    external_id: str | None = None
    name: str | None = None
    birthday: str | None = None
    locale: str = DEFAULT_LOCALE
    time_zone: str = DEFAULT_TIME_ZONE


class Profile(msgspec.Struct, frozen=True):
    """A member as stored; `birthday` is an ISO 8601 date, `locale` a BCP 47 tag."""

    id: int
    external_id: str | None
    name: str | None
    birthday: str | None
    locale: str
    time_zone: str
    enrolled_at: Instant


class MemberPage(msgspec.Struct, frozen=True):
    """Some members in the order of their ids, and whether more follow."""

    members: tuple[Profile, ...]
    has_next: bool


def _today_somewhere() -> date:
    ahead = Instant(clock.now() + _FIRST_MIDNIGHT_AHEAD_MICROSECONDS)
    return clock.datetime_of(ahead).date()


def _row(member_id: int, new: NewMember, today: date) -> tuple[str | int | None, ...]:
    return (
        member_id,
        None if new.external_id is None else rules.valid_external_id(new.external_id),
        None if new.name is None else rules.valid_name(new.name),
        None if new.birthday is None else rules.valid_birthday(new.birthday, today=today),
        rules.valid_locale(new.locale),
        rules.valid_time_zone(new.time_zone),
        new.enrolled_at,
        new.enrolled_local_month,
    )


async def register_member(new: NewMember) -> int:
    """Enrol a person; the member's id.

    Raises InvalidInput for the field that is refused, and ExternalIdConflict if the external id
    stands for another member.
    """
    member_id = new_id()
    row = _row(member_id, new, _today_somewhere())
    if not await models.add_member_if_new(row):
        raise ExternalIdConflict(new.external_id or "", path=("externalId",))
    return member_id


async def register_members(new: list[NewMember]) -> list[int]:
    """Enrol people in one statement; their ids, in order.

    Raises InvalidInput with a path that starts with the position in the list. An external id that
    is taken (by a concurrent enrolment, since the caller has looked) fails as a lost race does:
    run the transaction again (`sql.retried`).
    """
    today = _today_somewhere()
    rows = []
    for position, member in enumerate(new):
        try:
            rows.append(_row(new_id(), member, today))
        except InvalidInput as error:
            raise error.below(position) from None
    # In one order, so that two writers who enrol the same people can't deadlock.
    await models.add_members(sorted(rows, key=lambda row: str(row[1] or "")))
    return [int(row[0] or 0) for row in rows]


async def profile(member_id: int) -> Profile:
    """One member. Raises NotFound."""
    found = await profiles([member_id])
    if member_id not in found:
        raise NotFound("member.not_found")
    return found[member_id]


PROFILE: tuple[Ask, ...] = ((models.PROFILES, ()),)
"""What `profile_of` is made from."""


def profile_of(found: parts.Found) -> Profile | None:
    """The member's profile; None for an id that no member has."""
    rows = found.rows(models.PROFILES)
    if not rows:
        return None
    [row], text_at = rows, found.text_at
    external_id, name, birthday, locale, time_zone = row[text_at : text_at + 5]
    enrolled_at = row[parts.FIRST_COLUMN]
    return Profile(row[1], external_id, name, birthday, locale, time_zone, enrolled_at)


async def profiles(ids: Iterable[int]) -> dict[int, Profile]:
    """The members with these ids, in their order, in one statement; unknown ids are left out."""
    wanted = dict.fromkeys(ids)
    if not wanted:
        return {}
    found = await parts.read(parts.Question(PROFILE), set(wanted))
    profiles = {member_id: profile_of(found[member_id]) for member_id in wanted}
    return {member_id: profile for member_id, profile in profiles.items() if profile is not None}


async def members_by_external_id(external_ids: Iterable[str]) -> dict[str, int]:
    """The ids of the members whom another system calls so, in one statement; unknown left out.

    A duplicate that was merged leads to the member whom it was merged into.
    """
    wanted = [external_id for external_id in external_ids if _may_be_stored(external_id)]
    if not wanted:
        return {}
    return {row[0]: row[1] for row in await models.ids_by_external_id(wanted)}


def _may_be_stored(external_id: str) -> bool:
    # No stored one is unprintable. PostgreSQL takes no NUL, no encoding halves of surrogate pairs.
    return external_id.isprintable()


def known_members(ids: Iterable[int], external_ids: Iterable[str]) -> Asked | None:
    """What asks for (id, external id, the member it stands for) of the members that have one of
    the ids or of the external ids; None if nobody can have any. A member stands for itself, a
    duplicate that was merged for the one whom it was merged into; in a transaction this stays so
    until its end."""
    numbers = [number for number in ids if 0 < number <= MAXIMUM_ID]
    texts = [text for text in external_ids if _may_be_stored(text)]
    return models.known_members(numbers, texts) if numbers or texts else None


async def survivors(ids: Iterable[int]) -> dict[int, int]:
    """Whom the duplicates among the members were merged into; all others are left out."""
    wanted = list(ids)
    return {row[0]: row[1] for row in await models.survivors(wanted)} if wanted else {}


async def page_of_members(*, first: int, after_id: int = 0) -> MemberPage:
    """The next `first` (1 to 100) members after an id, in the order of ids, so of enrolling."""
    if not 1 <= first <= MAXIMUM_PAGE_SIZE:
        raise InvalidInput(
            "input.page",
            path=("first",),
            value=first,
            accepted=phrase("accepted.range", minimum=1, maximum=MAXIMUM_PAGE_SIZE),
        )
    rows = await models.member_page_rows(after_id=after_id, limit=first + 1)
    return MemberPage(tuple(Profile(*row) for row in rows[:first]), len(rows) > first)


async def enrolments_by_month(at: Instant) -> dict[int, int]:
    """How many members enrolled in each local month (year * 100 + month), up to the instant."""
    return {row[0]: row[1] for row in await models.enrolment_counts(at)}


async def update_profile(
    member_id: int,
    *,
    name: str | UnsetType | None = UNSET,
    birthday: str | UnsetType | None = UNSET,
    locale: str | UnsetType = UNSET,
    time_zone: str | UnsetType = UNSET,
) -> Profile:
    """Change what is given, leave the rest, and tell the result. None clears name and birthday.

    Raises InvalidInput for the field that is refused, and NotFound.
    """
    values: dict[str, str | None] = {}
    if name is not UNSET:
        values["name"] = None if name is None else rules.valid_name(name)
    if birthday is not UNSET:
        values["birthday"] = (
            None if birthday is None else rules.valid_birthday(birthday, today=_today_somewhere())
        )
    if locale is not UNSET:
        values["locale"] = rules.valid_locale(locale)
    if time_zone is not UNSET:
        values["time_zone"] = rules.valid_time_zone(time_zone)
    if values:
        await models.update_member(member_id, values)
        changes.note(changes.MEMBER, member_id)
        outbox.put("member.updated", member_id, {}, occurred_at=clock.now())
    return await profile(member_id)
