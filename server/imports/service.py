"""The verbs of imports: taking opening balances, each line once, many in one transaction."""

from collections.abc import Iterable, Sequence

import msgspec

from server import clock
from server.clock import Instant
from server.enrolment import service as enrolment
from server.errors import DomainError, InvalidInput, NotFound, phrase
from server.imports import models, rules
from server.imports.rules import Line
from server.ledger import service as ledger
from server.members import service as members
from server.members.rules import valid_name
from server.members.service import NewMember
from server.money import POINTS
from server.programme import service as programme
from server.programme.service import PublishedProgramme, Rulebook
from server.refusals import Refusal
from server.storage import sql
from server.storage.ids import new_id
from server.tiers import service as tiers

__all__ = [
    "AlreadyTaken",
    "Answer",
    "ImportedLines",
    "KnownImport",
    "Line",
    "TakenLine",
    "begin",
    "check_count",
    "finish",
    "known",
    "take",
    "take_call",
]
OPENING_RULE = "opening"
_CALL = "importBalances"


class TakenLine(msgspec.Struct, frozen=True, tag="taken"):
    """A line that was taken in. Money is in minor units of `currency`, of which a major unit has
    10**`digits`."""

    member_id: int
    points: int
    cashback_minor: int
    currency: str
    digits: int
    enrolled: bool  # the line made the member
    had_opening_balance: bool  # another import had brought some along for the member


class AlreadyTaken(msgspec.Struct, frozen=True):
    """A line that was taken in when the import ran before."""


Answer = TakenLine | AlreadyTaken | DomainError


class ImportedLines(msgspec.Struct, frozen=True):
    """The answers to one call, as they are kept."""

    answers: tuple[TakenLine | Refusal, ...]


class KnownImport(msgspec.Struct, frozen=True):
    """An import by its content; `finished_at` is None while lines are still to be taken."""

    id: int
    file_name: str
    started_at: Instant
    finished_at: Instant | None


async def known(digest: str) -> KnownImport | None:
    """The import of the content with the SHA-256 (hexadecimal), if it has begun."""
    row = await models.by_digest(digest)
    return KnownImport(*row) if row else None


async def begin(digest: str, file_name: str, line_count: int, *, now: Instant) -> KnownImport:
    """Begin the import of the content, or go on with it. Writes; call it inside a transaction."""
    await models.begin((new_id(), digest, file_name[-255:], line_count, now, None))
    found = await known(digest)
    assert found is not None, "it was begun"
    return found


async def finish(import_id: int, *, now: Instant) -> None:
    """Note that every line was taken. Writes; call it inside a transaction."""
    await models.finish(import_id, now)


def check_count(lines: int) -> None:
    """Raise InvalidInput for a number of lines that no call may have."""
    if not 1 <= lines <= rules.MAXIMUM_LINES_IN_CALL:
        raise InvalidInput(
            "import.count",
            path=("lines",),
            value=phrase("given.import_lines", number=lines),
            accepted=phrase("accepted.import_lines", maximum=rules.MAXIMUM_LINES_IN_CALL),
        )


async def take_call(lines: Sequence[Line], *, now: Instant) -> list[TakenLine | DomainError]:
    """Take the lines of one call as an import of their own; its caller sees to it that a repeated
    call does not get here. Writes; call it inside a transaction."""
    import_id = new_id()
    digest = f"{import_id:064x}"  # no file's: it stands for nothing but this call
    await models.begin((import_id, digest, _CALL, len(lines), now, now))
    answers = await take(import_id, lines, enrols=False, now=now)
    return [one for one in answers if not isinstance(one, AlreadyTaken)]


async def take(
    import_id: int, lines: Sequence[Line], *, enrols: bool, now: Instant
) -> list[Answer]:
    """Take lines of an import in the order given, each once; an answer for each.

    A refusal spoils no other line; its path is the column. Whoever has no account is enrolled, if
    the call `enrols`: with a card and a tier, but without welcome points, since what is brought
    along includes them. The lines' numbers ascend. Writes; call it inside a transaction, run again
    if it lost a race (`sql.retried`). The number of statements does not depend on that of lines.
    """
    book = await programme.rulebook()
    published = book.at(now)
    rows = await models.taken_numbers(import_id, lines[0].number, lines[-1].number)
    taken = {row[0] for row in rows}
    checked = [
        AlreadyTaken() if line.number in taken else _checked(line, published, now) for line in lines
    ]
    wanted = {line.external_id: line for line in reversed(checked) if isinstance(line, Line)}
    found = await members.members_by_external_id(wanted)
    enrolled = await _enrol(
        [line for id_, line in wanted.items() if enrols and id_ not in found], book, now
    )
    taking = _Taking(import_id, published, found, enrolled)
    return await taking.answers(checked, now)


def _checked(line: Line, published: PublishedProgramme, now: Instant) -> Line | DomainError:
    try:
        members.valid_external_id(line.external_id, path=(rules.EXTERNAL_ID,))
        rules.check(line, now=now, zone=published.programme.programme.timezone)
    except DomainError as refusal:
        return refusal
    return line


async def _enrol(
    lines: Iterable[Line], book: Rulebook, now: Instant
) -> dict[str, int | DomainError]:
    """Make members of the people of the lines, by external id; or why that is refused."""
    published = book.at(now)
    made: dict[str, int | DomainError] = {}
    newcomers: list[NewMember] = []
    for line in lines:
        try:
            name = None if line.name is None else valid_name(line.name, path=(rules.NAME,))
        except DomainError as refusal:
            made[line.external_id] = refusal
            continue
        newcomers.append(
            enrolment.newcomer(now, published, external_id=line.external_id, name=name)
        )
    ids = await enrolment.register(newcomers, [published.programme.programme.currency])
    if ids:
        counting = await tiers.counting({}, [published], book)
        for new, member_id in zip(newcomers, ids, strict=True):
            made[str(new.external_id)] = member_id
            counting.enrol(member_id, published, now)
        await counting.flush()
    return made


class _Taking:
    """The lines of one transaction, whose people are known."""

    def __init__(
        self,
        import_id: int,
        published: PublishedProgramme,
        found: dict[str, int],
        enrolled: dict[str, int | DomainError],
    ) -> None:
        self._import_id = import_id
        self._published = published
        self._found: dict[str, int | DomainError] = {**found, **enrolled}
        self._new = set(enrolled)
        self._rows: list[sql.Row] = []

    async def answers(
        self, checked: Sequence[Line | AlreadyTaken | DomainError], now: Instant
    ) -> list[Answer]:
        """Take what passed the checks; an answer for each line, in order."""
        known = sorted({id_ for id_ in self._found.values() if isinstance(id_, int)})
        if not known:
            return [self._without_member(one) if isinstance(one, Line) else one for one in checked]
        currency = self._published.programme.programme.currency
        answers: list[Answer] = []
        async with ledger.journal(known, [POINTS, currency], recorded_at=now) as journal:
            rows = await models.with_other_opening(known, self._import_id)
            repeated = {row[0] for row in rows}
            for one in checked:
                if isinstance(one, Line):
                    answers.append(self._take(one, journal, repeated))
                else:
                    answers.append(one)
            await sql.execute_many(models.INSERT_LINE, self._rows)
        return answers

    def _without_member(self, line: Line) -> DomainError:
        refusal = self._found.get(line.external_id)
        if isinstance(refusal, DomainError):
            return refusal
        return NotFound("import.unknown_member", path=(rules.EXTERNAL_ID,))

    def _take(self, line: Line, journal: ledger.Journal, repeated: set[int]) -> Answer:
        member_id = self._found.get(line.external_id)
        if not isinstance(member_id, int):
            return self._without_member(line)
        identity = self._published.programme.programme
        line_id = new_id()
        grants = self._grants(line, line_id, journal.recorded_at)
        for grant in grants:
            try:
                journal.check_room(member_id, grant.asset, grant.amount)
            except DomainError as refusal:
                return refusal.below(rules.POINTS if grant.asset == POINTS else rules.CASHBACK)
        for grant in grants:
            journal.grant(member_id, grant)
        if grants:
            first = grants[0]
            self._rows.append(
                (line_id, self._import_id, line.number, member_id, first.asset, first.amount)
            )
        is_new = line.external_id in self._new
        self._new.discard(line.external_id)
        return TakenLine(
            member_id,
            line.points,
            line.cashback_minor,
            identity.currency,
            identity.minor_unit_digits,
            is_new,
            member_id in repeated,
        )

    def _grants(self, line: Line, line_id: int, now: Instant) -> list[ledger.Grant]:
        """The lots that the line makes, usable at once: points that expire, cashback that never
        does."""
        identity = self._published.programme.programme
        by_rule = enrolment.points_grant(
            self._published,
            line.points,
            now,
            reason=ledger.Reason.OPENING,
            rule=OPENING_RULE,
            reference=line_id,
        )
        expires_at = by_rule.expires_at
        if line.points_expire_on is not None:
            expires_at = clock.start_of_day(line.points_expire_on, identity.timezone)
        return [
            ledger.Grant(
                asset=asset,
                amount=amount,
                earned_at=now,
                available_at=now,
                expires_at=expiry,
                reason=by_rule.reason,
                rule=by_rule.rule,
                programme_version=by_rule.programme_version,
                reference=line_id,
                side=ledger.Side.OPENED,
            )
            for asset, amount, expiry in (
                (POINTS, line.points, expires_at),
                (identity.currency, line.cashback_minor, clock.NEVER),
            )
            if amount
        ]
