"""What members have agreed to: by purpose, with the evidence of each change."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from server.clock import Instant
from server.errors import InvalidInput, NotFound, phrase
from server.members import consent_queries as queries
from server.storage import changes, outbox
from server.storage.ids import new_id

MAXIMUM_NOTE_LENGTH = 200
MAXIMUM_TEXT_VERSION_LENGTH = 40


class ConsentPurpose(StrEnum):
    """What a member's data may be used for."""

    EMAIL = "email"  # advertising by e-mail
    PUSH = "push"  # advertising by push message
    SMS = "sms"  # advertising by text message
    PROFILING = "profiling"  # offers that are chosen by what they buy


class ConsentSource(StrEnum):
    """Who stated what a member agrees to."""

    MEMBER = "member"  # the member, signed in
    STAFF = "staff"  # staff, as the member told them


class ConsentView(msgspec.Struct, frozen=True):
    """What a member said last of one purpose."""

    purpose: ConsentPurpose
    is_given: bool
    changed_at: Instant
    source: ConsentSource


class ConsentEvidence(msgspec.Struct, frozen=True):
    """One change of a consent, as it is kept for ever."""

    id: int
    purpose: ConsentPurpose
    is_given: bool
    changed_at: Instant
    source: ConsentSource
    stated_by: str  # the caller's name
    note: str | None
    text_version: str | None  # of the words that the member was shown


async def set_consent(
    member_id: int,
    purpose: ConsentPurpose,
    *,
    is_given: bool,
    source: ConsentSource,
    by: str,
    note: str | None,
    text_version: str | None = None,
    now: Instant,
) -> ConsentView:
    """Note what the member agrees to from now on, or no more; the evidence of it is kept.

    Saying again what stands is evidence too. Writes; call it inside a transaction. Raises
    InvalidInput for the note and for the text's version, and NotFound for an id that no member has.
    """
    said = _valid_note(note)
    version = None if text_version is None else valid_text_version(text_version)
    if not await queries.is_member(member_id):
        raise NotFound("member.not_found", path=("memberId",))
    state = (purpose.value, int(is_given), now, source.value)
    await queries.write(
        (new_id(), member_id, *state), (new_id(), member_id, *state, by, said, version)
    )
    changes.note(changes.MEMBER, member_id)
    facts = {"purpose": purpose.value, "is_given": is_given}
    outbox.put("consent.changed", member_id, facts, occurred_at=now)
    return ConsentView(purpose, is_given, now, source)


def _valid_note(note: str | None) -> str | None:
    if note is None:
        return None
    if not 1 <= len(note.strip()) <= MAXIMUM_NOTE_LENGTH or not note.isprintable():
        raise InvalidInput(
            "consent.note",
            path=("note",),
            value=note,
            accepted=phrase("accepted.characters", minimum=1, maximum=MAXIMUM_NOTE_LENGTH),
        )
    return note.strip()


def valid_text_version(text: str) -> str:
    """The version of the words that a member was shown: 1 to 40 characters on one line."""
    version = text.strip()
    if not 1 <= len(version) <= MAXIMUM_TEXT_VERSION_LENGTH or not version.isprintable():
        raise InvalidInput(
            "consent.text_version",
            path=("textVersion",),
            value=text,
            accepted=phrase("accepted.characters", minimum=1, maximum=MAXIMUM_TEXT_VERSION_LENGTH),
        )
    return version


async def consents(member_ids: Iterable[int]) -> dict[int, tuple[ConsentView, ...]]:
    """What each of the members said, in the order of the purposes; one statement."""
    wanted = list(member_ids)
    found: dict[int, dict[ConsentPurpose, ConsentView]] = {one: {} for one in wanted}
    for member_id, purpose, is_given, changed_at, source in await queries.states(wanted):
        view = ConsentView(
            ConsentPurpose(purpose), bool(is_given), changed_at, ConsentSource(source)
        )
        found[member_id][view.purpose] = view
    return {
        one: tuple(said[purpose] for purpose in ConsentPurpose if purpose in said)
        for one, said in found.items()
    }


async def evidence_of_members(
    member_ids: Iterable[int], *, before: int, limit: int
) -> dict[int, list[ConsentEvidence]]:
    """Each member's newest statements with an id below `before`, the newest first."""
    found: dict[int, list[ConsentEvidence]] = {one: [] for one in member_ids}
    rows = await queries.evidence(list(found), before=before, limit=limit)
    for member_id, number, purpose, is_given, *rest in sorted(rows, key=lambda row: -row[1]):
        changed_at, source, stated_by, note, version = rest
        found[member_id].append(
            ConsentEvidence(
                number,
                ConsentPurpose(purpose),
                bool(is_given),
                changed_at,
                ConsentSource(source),
                stated_by,
                note,
                version,
            )
        )
    return found
