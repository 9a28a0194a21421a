"""Choices: which messages a member wants on which channel, with the evidence of each statement.

A member agrees by channel (`server.members.consents`: to advertising by push, by e-mail), or by
channel and category, here; what follows of both is in `rules`. Service messages (receipts,
security, orders) are no advertising and need no consent: their push can be switched off, but they
come by e-mail and to the inbox.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from server.clock import Instant
from server.errors import InvalidInput, NotAllowed, phrase
from server.members.consents import valid_text_version
from server.notifications import rules
from server.notifications.shapes import MARKETING, Category, Channel
from server.storage import changes, outbox, sql
from server.storage.each import of_each
from server.storage.exchange import execute_each
from server.storage.ids import new_id

MAXIMUM_STATEMENTS = len(Channel) * len(Category)
LINK_TEXT_VERSION = "unsubscribe page 1"
"""Of the words that a letter's link shows (`unsubscribe.ask`); a new one whenever they change."""


class ChoiceSource(StrEnum):
    """Who stated a choice."""

    MEMBER = "member"  # the member, signed in
    STAFF = "staff"  # staff, as the member told them
    LINK = "link"  # who has the link of a letter to the member


class Statement(msgspec.Struct, frozen=True):
    """Whether a member wants a category of messages on a channel."""

    channel: Channel
    category: Category
    is_given: bool


class ChoiceView(msgspec.Struct, frozen=True):
    """Whether a member gets a category of messages on a channel, and who said so when."""

    channel: Channel
    category: Category
    is_given: bool
    changed_at: Instant | None
    source: ChoiceSource | None


class ChoiceEvidence(msgspec.Struct, frozen=True):
    """One statement, as it is kept for ever."""

    id: int
    member_id: int
    channel: Channel
    category: Category
    is_given: bool
    changed_at: Instant
    source: ChoiceSource
    stated_by: str  # the caller's name
    text_version: str


_STATE_COLUMNS = "id, member_id, channel, category, is_given, changed_at, source"
_WRITE_STATE = sql.insert(
    "message_choices",
    _STATE_COLUMNS,
    otherwise="ON CONFLICT (member_id, channel, category) DO UPDATE SET"
    " is_given = excluded.is_given, changed_at = excluded.changed_at, source = excluded.source",
)
_EVIDENCE_COLUMNS = f"{_STATE_COLUMNS}, stated_by, text_version"
_ADD_EVIDENCE = sql.insert("message_choice_changes", _EVIDENCE_COLUMNS)
_SAID = (
    "SELECT member_id, purpose AS channel, '' AS category, is_given, changed_at, source"
    " FROM member_consents WHERE purpose IN ('push', 'email') AND member_id IN ({members})"
    " UNION ALL SELECT member_id, channel, category, is_given, changed_at, source"
    " FROM message_choices WHERE member_id IN ({members})"
    # What a duplicate refused, who was merged into the member, was refused by the same person.
    " UNION ALL SELECT m.merged_into, c.purpose, '', c.is_given, c.changed_at, c.source"
    " FROM members m JOIN member_consents c ON c.member_id = m.id"
    " WHERE c.purpose IN ('push', 'email') AND c.is_given = 0 AND m.merged_into IN ({members})"
    " UNION ALL SELECT m.merged_into, c.channel, c.category, c.is_given, c.changed_at, c.source"
    " FROM members m JOIN message_choices c ON c.member_id = m.id"
    " WHERE c.channel IN ('push', 'email') AND c.is_given = 0 AND m.merged_into IN ({members})"
)


# ---------------------------------------------------------------- stating


async def state(
    member_id: int,
    statements: Sequence[Statement],
    *,
    text_version: str,
    source: ChoiceSource,
    by: str,
    now: Instant,
) -> None:
    """Note what the member wants from now on, with its evidence; saying again what stands is
    evidence too.

    Writes; call it inside a transaction, for a member who exists. Raises InvalidInput, and
    NotAllowed for who refuses service messages elsewhere than by push.
    """
    version = valid_text_version(text_version)
    _check(statements)
    states: list[sql.Row] = []
    evidence: list[sql.Row] = []
    for one in sorted(statements, key=lambda one: (one.channel, one.category)):
        row = (member_id, one.channel, one.category, int(one.is_given), now, source)
        states.append((new_id(), *row))
        evidence.append((new_id(), *row, by, version))
        facts = {"channel": one.channel, "category": one.category, "is_given": one.is_given}
        outbox.put("consent.changed", member_id, facts, occurred_at=now)
    await execute_each([(_WRITE_STATE, states), (_ADD_EVIDENCE, evidence)])
    changes.note(changes.MEMBER, member_id)


async def end_by_link(
    member_id: int, channel: Channel, category: Category, *, now: Instant
) -> bool:
    """Note that whoever has a letter's link wants no more of its category on its channel; whether
    that is news. Writes; call it inside a transaction, for a member who exists."""
    own = await sql.fetch_one(
        "SELECT is_given FROM message_choices"
        " WHERE member_id = $1 AND channel = $2 AND category = $3",
        member_id,
        channel.value,
        category.value,
    )
    standing = {
        (one.channel, one.category): one for one in (await of_members([member_id]))[member_id]
    }
    if own is not None and not own[0] and not standing[channel, category].is_given:
        return False
    await state(
        member_id,
        [Statement(channel, category, is_given=False)],
        text_version=LINK_TEXT_VERSION,
        source=ChoiceSource.LINK,
        by=ChoiceSource.LINK.value,
        now=now,
    )
    return True


def _check(statements: Sequence[Statement]) -> None:
    if not 1 <= len(statements) <= MAXIMUM_STATEMENTS:
        raise InvalidInput(
            "choice.count",
            path=("choices",),
            value=len(statements),
            accepted=phrase("accepted.range", minimum=1, maximum=MAXIMUM_STATEMENTS),
        )
    seen: set[tuple[Channel, Category]] = set()
    for position, one in enumerate(statements):
        if (one.channel, one.category) in seen:
            raise InvalidInput(
                "choice.twice",
                path=("choices", position),
                value=" ".join((one.channel.name, one.category.name)),
                accepted=phrase("accepted.each_choice_once"),
            )
        seen.add((one.channel, one.category))
        if not one.is_given and not _can_be_chosen(one.channel, one.category):
            raise NotAllowed("choice.service", path=("choices", position, "isGiven"))


# ---------------------------------------------------------------- looking


class _Said(rules.Statement, frozen=True):
    source: ChoiceSource


def _can_be_chosen(channel: Channel, category: Category) -> bool:
    return category is not Category.SERVICE or channel is Channel.PUSH


def _stands(channel: Channel, category: Category, said: Sequence[_Said]) -> ChoiceView:
    """What counts of what was said of the category on the channel, and of all advertising on it."""
    is_given = rules.may_reach(channel, category, said)
    deciding = [one for one in said if one.is_given is is_given]
    if not deciding or not _can_be_chosen(channel, category):
        return ChoiceView(channel, category, is_given, None, None)
    latest = max(deciding, key=lambda one: one.changed_at)
    return ChoiceView(channel, category, is_given, latest.changed_at, latest.source)


async def of_members(member_ids: Iterable[int]) -> dict[int, tuple[ChoiceView, ...]]:
    """How each of the members stands to each category on each channel; one statement."""
    wanted = list(member_ids)
    values = sql.padded(wanted)
    rows = await sql.fetch(_SAID.format(members=sql.placeholders(len(values))), *values)
    said: dict[int, list[_Said]] = {one: [] for one in wanted}
    for member_id, channel, category, is_given, changed_at, source in rows:
        said[member_id].append(
            _Said(
                Channel(channel),
                Category(category) if category else None,
                bool(is_given),
                changed_at,
                ChoiceSource(source),
            )
        )
    return {
        member_id: tuple(
            _stands(channel, category, _concerning(channel, category, said[member_id]))
            for channel in Channel
            for category in Category
        )
        for member_id in wanted
    }


def _concerning(channel: Channel, category: Category, said: Iterable[_Said]) -> list[_Said]:
    kinds = (category, None) if category in MARKETING else (category,)
    return [one for one in said if one.channel is channel and one.category in kinds]


async def evidence_of_members(
    member_ids: Iterable[int], *, before: int, limit: int
) -> dict[int, list[ChoiceEvidence]]:
    """Each member's newest statements with an id below `before`, the newest first."""
    found: dict[int, list[ChoiceEvidence]] = {one: [] for one in member_ids}
    rows = await of_each(
        f"SELECT {_EVIDENCE_COLUMNS} FROM message_choice_changes"
        " WHERE member_id = {owner} AND id < $1 ORDER BY id DESC LIMIT $2",
        list(found),
        before,
        limit,
    )
    for row in sorted(rows, key=lambda row: -row[0]):
        one = ChoiceEvidence(
            row[0],
            row[1],
            Channel(row[2]),
            Category(row[3]),
            bool(row[4]),
            row[5],
            ChoiceSource(row[6]),
            row[7],
            row[8],
        )
        found[one.member_id].append(one)
    return found
