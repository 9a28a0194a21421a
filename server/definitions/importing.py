"""Bringing in a file of definitions: all of it or nothing, and nothing twice."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from server.clock import Instant
from server.definitions import checking, models, rules, service
from server.definitions.bundles import Item, shown_instant
from server.definitions.errors import InvalidDefinition, placed
from server.definitions.kinds import Kind, Surroundings, in_order, kind_of, kinds
from server.definitions.rules import DefinitionStatus, Version
from server.definitions.shelves import Published, Shelves, shelves
from server.errors import InvalidInput, Path
from server.programme import service as programme
from server.programme.checking import MAXIMUM_PROBLEMS
from server.programme.document import Programme
from server.programme.errors import DocumentProblem, shown_value
from server.programme.service import Rulebook
from server.storage import changes
from server.storage.ids import new_id


class Outcome(StrEnum):
    """What becomes of an item."""

    CREATED = "created"  # there was no such thing
    CHANGED = "changed"  # it was another document
    UNCHANGED = "unchanged"  # it counts already, and no version was made
    WAITING = "waiting"  # a second person has to approve it, or something that it refers to


class Imported(Struct, frozen=True):
    """What became of one item; `version` is None where none was made."""

    kind: str
    key: str
    effective_at: Instant | None
    version: int | None
    outcome: Outcome


class Import(Struct, frozen=True):
    """What became of a file, in its order."""

    items: list[Imported]

    def count(self, outcome: Outcome) -> int:
        """How many items ended so."""
        return sum(item.outcome is outcome for item in self.items)


class _Step(Struct):
    """One version to be written for an item; `document` is of its kind's type."""

    number: int  # of the item in the file
    item: Item
    kind: Kind
    document: Any
    version: Version
    outcome: Outcome
    is_new: bool  # to be added, not a draft to be written over

    @property
    def published(self) -> Published:
        made = self.version
        assert made.effective_at is not None, "what is published has a start"
        return Published(
            made.id,
            made.kind,
            made.key,
            made.version,
            made.digest,
            made.effective_at,
            self.document,
            made.document,
        )


Told = Callable[[int], None]
"""Called with how many items have been checked."""


def _not_told(_done: int) -> None:
    return None


async def bring_in(
    items: Sequence[Item],
    *,
    as_drafts: bool = False,
    is_dry_run: bool = False,
    by: str,
    now: Instant,
    told: Told = _not_told,
) -> Import:
    """Publish what stands in a file, or write it as drafts; what counts already makes no version.

    Items may refer to each other in any order. With a budget above the programme's limit an item
    waits for a second person, and so does what refers to it. A dry run checks all and writes
    nothing. Writes; call it inside a transaction. Raises InvalidDefinition with everything that is
    wrong and where it stands in the file, having written nothing, or NoProgramme.
    """
    book = await programme.rulebook()
    plan = _Plan(await shelves(), book, as_drafts=as_drafts, by=by, now=now)
    await plan.look_up(items)
    for number in _in_order(items, now):
        plan.add(number, items[number])
    plan.refuse_problems()
    await _check(plan, told)
    plan.refuse_problems()
    if not as_drafts:
        await _leave_waiting(plan)
    if not is_dry_run:
        await _write(plan)
    return Import(plan.imported(items))


def _in_order(items: Sequence[Item], now: Instant) -> list[int]:
    """The numbers of the items: by kind, key and start."""
    rank = {kind.name: place for place, kind in enumerate(in_order(kinds()))}

    def place(number: int) -> tuple[int, str, Instant, int]:
        item = items[number]
        starts = now if item.effective_at is None else item.effective_at
        return rank.get(item.kind, len(rank)), item.key, starts, number

    return sorted(range(len(items)), key=place)


class _Plan:
    """What is to be written; `problems` fills up as it goes."""

    def __init__(
        self, known: Shelves, book: Rulebook, *, as_drafts: bool, by: str, now: Instant
    ) -> None:
        self.known, self.book = known, book
        self.as_drafts, self.by, self.now = as_drafts, by, now
        self.problems: list[DocumentProblem] = []
        self.steps: list[_Step] = []
        self._newest: dict[tuple[str, str], Version] = {}
        self._taken: set[tuple[str, str, Instant | None]] = set()
        self._unchanged: set[int] = set()
        self._planned: dict[tuple[str, str], list[_Step]] = {}

    async def look_up(self, items: Iterable[Item]) -> None:
        """Read, and lock, what there is of the items' kinds."""
        names = {item.kind for item in items} & {kind.name for kind in kinds()}
        for row in await models.newest_of(names) if names else ():
            found = rules.version_of(row)
            self._newest[found.kind, found.key] = found

    def refuse(self, place: Path, value: object, accepted: str) -> None:
        """Note a problem in the file."""
        told = None if value is None else shown_value(value)
        self.problems.append(DocumentProblem(place, told, accepted))

    def refuse_problems(self) -> None:
        """Raise InvalidDefinition if there are any."""
        if self.problems:
            raise InvalidDefinition(tuple(self.problems[:MAXIMUM_PROBLEMS]))

    def programme_at(self, instant: Instant) -> Programme:
        """The programme in effect then."""
        return self.book.at(instant).programme

    def add(self, number: int, item: Item) -> None:
        """Plan what an item needs, if it is in order."""
        try:
            kind = kind_of(item.kind)
        except InvalidInput:
            names = ", ".join(sorted(kind.name for kind in kinds()))
            self.refuse((*item.place, "kind"), item.kind, f"one of {names}")
            return
        try:
            service.checked_key(item.key)
        except InvalidInput:
            self.refuse((*item.place, "key"), item.key, f"a key of the form {rules.KEY_PATTERN}")
            return
        starts = None if self.as_drafts else item.effective_at
        if (item.kind, item.key, starts) in self._taken:
            self.refuse(
                (*item.place, "key"), item.key, "each thing once, or from other instants on"
            )
            return
        self._taken.add((item.kind, item.key, starts))
        self._add_document(number, item, kind)

    def _add_document(self, number: int, item: Item, kind: Kind) -> None:
        document, canonical = None, ""
        if item.document is not None:
            try:
                document = checking.checked(item.document, kind.document)
            except InvalidDefinition as error:
                self.problems += placed(error.problems, item.document_place)
                return
            canonical = rules.canonical(document)
        elif self.as_drafts:
            self.refuse(item.document_place, None, "a document: no draft withdraws a thing")
            return
        newest = self._newest.get((item.kind, item.key))
        if self._is_there(item, canonical, newest):
            self._unchanged.add(number)
        elif self._is_free(item, canonical, newest):
            self._add_step(number, item, kind, document, canonical)

    def _is_there(self, item: Item, canonical: str, newest: Version | None) -> bool:
        """Whether the item is what stands already."""
        if self.as_drafts and newest is not None and newest.status is DefinitionStatus.DRAFT:
            return newest.document == canonical
        return self._standing(item) == canonical

    def _standing(self, item: Item) -> str:
        """What counts when the item is to start, as canonical text; "" for nothing."""
        starts = self._starts(item)
        versions = [
            *self.known.of(item.kind).versions(item.key),
            *(step.published for step in self._planned.get((item.kind, item.key), ())),
        ]
        begun = [one for one in versions if one.effective_at <= starts]
        last = max(begun, key=lambda one: (one.effective_at, one.version), default=None)
        return "" if last is None else last.canonical

    def _starts(self, item: Item) -> Instant:
        if item.effective_at is None or self.as_drafts:
            return self.now
        return Instant(max(item.effective_at, self.now))

    def _is_free(self, item: Item, canonical: str, newest: Version | None) -> bool:
        """Whether a version may be made now; notes why not."""
        if not self.as_drafts and item.effective_at is not None and item.effective_at < self.now:
            said = shown_instant(item.effective_at)
            self.refuse((*item.place, "effective_at"), said, "an instant that is not in the past")
            return False
        if newest is None or newest.status not in (
            DefinitionStatus.DRAFT,
            DefinitionStatus.WAITING,
        ):
            return True
        is_draft = newest.status is DefinitionStatus.DRAFT
        if is_draft and (self.as_drafts or newest.document == canonical):
            return True
        accepted = f"a key without an open version; version {newest.version} is {newest.status}"
        self.refuse((*item.place, "key"), item.key, accepted)
        return False

    def _add_step(self, number: int, item: Item, kind: Kind, document: Any, canonical: str) -> None:
        newest = self._newest.get((item.kind, item.key))
        is_new = newest is None or newest.status is not DefinitionStatus.DRAFT
        starts = None if self.as_drafts else self._starts(item)
        terms = self.programme_at(self.now if starts is None else starts)
        made = Version(
            id=new_id() if is_new or newest is None else newest.id,
            kind=item.kind,
            key=item.key,
            version=(0 if newest is None else newest.version) + is_new,
            document=canonical,
            digest=rules.digest_of(canonical),
            status=DefinitionStatus.DRAFT if self.as_drafts else DefinitionStatus.PUBLISHED,
            effective_at=starts,
            budget_minor=0 if document is None else kind.budget(document, terms),
            written_by=self.by,
            written_at=self.now,
            requested_by=None if self.as_drafts else self.by,
            requested_at=None if self.as_drafts else self.now,
            decided_by=None,
            decided_at=None if self.as_drafts else self.now,
            note=None,
        )
        is_there = newest is not None if self.as_drafts else self._standing(item) != ""
        outcome = Outcome.CHANGED if is_there else Outcome.CREATED
        step = _Step(number, item, kind, document, made, outcome, is_new)
        self._newest[item.kind, item.key] = made
        self._planned.setdefault((item.kind, item.key), []).append(step)
        self.steps.append(step)

    def imported(self, items: Sequence[Item]) -> list[Imported]:
        """What becomes of the items, in their order."""
        steps = {step.number: step for step in self.steps}
        return [
            Imported(
                item.kind,
                item.key,
                item.effective_at,
                steps[number].version.version if number in steps else None,
                steps[number].outcome if number in steps else Outcome.UNCHANGED,
            )
            for number, item in enumerate(items)
        ]

    def surroundings(self, step: _Step, known: Shelves) -> Surroundings:
        """What the document of a step is held against."""
        starts = self.now if step.version.effective_at is None else step.version.effective_at
        return Surroundings(self.programme_at(starts), known, starts, step.item.key)


async def _check(plan: _Plan, told: Told) -> None:
    """Hold each document against what is published, with all that the file brings."""
    known = _with_all(plan, plan.steps)
    for done, step in enumerate(plan.steps, start=1):
        if step.document is not None:
            misfits = [
                *step.kind.misfits(step.document, plan.surroundings(step, known)),
                *await step.kind.stored_misfits(step.document),
            ]
            problems = checking.told(step.item.document, misfits)
            plan.problems += placed(problems, step.item.document_place)
        told(done)


def _with_all(plan: _Plan, steps: Iterable[_Step]) -> Shelves:
    """What is published, with the steps; a draft as if it were to count from now on."""
    more = []
    for step in steps:
        starts = plan.now if step.version.effective_at is None else step.version.effective_at
        more.append(msgspec.structs.replace(step, version=_from(step.version, starts)).published)
    return plan.known.with_more(more)


def _from(version: Version, starts: Instant) -> Version:
    return msgspec.structs.replace(version, effective_at=starts)


async def _leave_waiting(plan: _Plan) -> None:
    """Let what needs a second person wait, and what does not fit without it."""
    terms = plan.programme_at(plan.now)
    for step in plan.steps:
        if service.waits(step.version.budget_minor, terms, by=plan.by):
            _wait(step)
    found = any(step.outcome is Outcome.WAITING for step in plan.steps)
    while found:
        going = [step for step in plan.steps if step.outcome is not Outcome.WAITING]
        known = _with_all(plan, going)
        misfitting = [
            step
            for step in going
            if step.document is not None
            and any(step.kind.misfits(step.document, plan.surroundings(step, known)))
        ]
        for step in misfitting:
            _wait(step)
        found = bool(misfitting)


def _wait(step: _Step) -> None:
    step.outcome = Outcome.WAITING
    step.version = msgspec.structs.replace(
        step.version, status=DefinitionStatus.WAITING, decided_at=None
    )


async def _write(plan: _Plan) -> None:
    await models.add_many([rules.row_of(step.version) for step in plan.steps if step.is_new])
    for step in plan.steps:
        if not step.is_new:
            await models.change(rules.row_of(step.version))
    published = [step for step in plan.steps if step.version.status is DefinitionStatus.PUBLISHED]
    if published:
        changes.note(changes.PROGRAMME, 0)
    for step in published:
        if step.document is not None:
            await step.kind.on_published(step.version, step.document)
