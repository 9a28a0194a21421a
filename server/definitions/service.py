"""The verbs of definitions: write a draft, publish it, approve it, take it back, look it up."""

import re
from contextlib import suppress
from typing import Any

import msgspec

from server import clock
from server.clock import Instant
from server.definitions import checking, models, rules
from server.definitions.errors import InvalidDefinition
from server.definitions.kinds import (
    Kind,
    Misfits,
    Surroundings,
    kind_of,
    kinds,
    register,
)
from server.definitions.referring import SHOWN, referring
from server.definitions.rules import DefinitionStatus, Version, row_of, version_of
from server.definitions.shelves import (
    MARKER,
    Live,
    Published,
    Shelf,
    Shelves,
    derived,
    document_of,
    remembered,
    shelves,
)
from server.errors import AlreadyDecided, InvalidInput, NotAllowed, NotFound, Path, phrase
from server.programme import service as programme
from server.programme.checking import MAXIMUM_PROBLEMS
from server.programme.document import Programme
from server.programme.errors import InvalidDocument
from server.programme.reading import plain_data
from server.storage import changes, outbox
from server.storage.ids import new_id

__all__ = [
    "COMMAND_LINE",
    "MARKER",
    "DefinitionStatus",
    "InvalidDefinition",
    "Kind",
    "Live",
    "Misfits",
    "Published",
    "Shelf",
    "Shelves",
    "Surroundings",
    "Version",
    "approve",
    "checked_document",
    "derived",
    "discard",
    "history",
    "kind_of",
    "kinds",
    "page",
    "publish",
    "publish_document",
    "register",
    "reject",
    "remembered",
    "rollback",
    "save_draft",
    "shelves",
    "withdraw",
]
COMMAND_LINE = "command line"
"""Who publishes from the machine that the server runs on: nobody approves what they do."""
MAXIMUM_NOTE = 500
_KEY = re.compile(rules.KEY_PATTERN)
_NEWEST_FIRST = 2**63 - 1


def checked_key(key: str, *, path: Path = ("key",)) -> str:
    """The key, if it is one. Raises InvalidInput."""
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            "definition.key", path=path, value=key, accepted=phrase("accepted.definition_key")
        )
    return key


async def checked_document(kind: Kind, key: str, plain: object, *, now: Instant) -> Any:
    """The document that the plain data describes, held against its type, against itself and what
    counts at `now`. Raises InvalidDefinition with everything that is wrong, or NoProgramme."""
    document = checking.checked(plain, kind.document)
    surroundings = Surroundings(
        (await programme.rulebook()).at(now).programme, await shelves(), now, key
    )
    checking.related(plain, kind.misfits(document, surroundings))
    checking.related(plain, await kind.stored_misfits(document))
    return document


def read(text: str) -> object:
    """The plain data of a YAML or JSON text. Raises InvalidDefinition."""
    try:
        plain, repeated = plain_data(text, maximum_bytes=rules.MAXIMUM_DOCUMENT_BYTES)
    except InvalidDocument as error:
        raise InvalidDefinition(error.problems) from None
    if repeated:
        raise InvalidDefinition(tuple(repeated[:MAXIMUM_PROBLEMS]))
    return plain


async def save_draft(kind_name: str, key: str, plain: object, *, by: str, now: Instant) -> Version:
    """Write a draft, or write the newest version anew while it is one; it counts for nobody.

    Writes; call it inside a transaction. Raises InvalidInput for the kind or the key,
    InvalidDefinition with everything that is wrong, or AlreadyDecided while a version waits for
    approval.
    """
    kind = kind_of(kind_name)
    checked_key(key)
    document = await _drafted(kind, key, plain, now)
    budget_minor = await _budget_minor(kind, document, now)
    return await _write(kind, key, rules.canonical(document), budget_minor, by=by, now=now)


async def _drafted(kind: Kind, key: str, plain: object, now: Instant) -> Any:
    """The document of a draft: it may refer to what counts now, or to what is scheduled."""
    try:
        return await checked_document(kind, key, plain, now=now)
    except InvalidDefinition:
        last = (await shelves()).last_start
        if last <= now:
            raise
        with suppress(InvalidDefinition):
            return await checked_document(kind, key, plain, now=last)
        raise


async def _budget_minor(kind: Kind, document: Any, at: Instant) -> int | None:
    return kind.budget(document, (await programme.rulebook()).at(at).programme)


async def _write(
    kind: Kind, key: str, canonical: str, budget_minor: int | None, *, by: str, now: Instant
) -> Version:
    row = await models.newest(kind.name, key)
    newest = None if row is None else version_of(row)
    if newest is not None and newest.status is DefinitionStatus.WAITING:
        raise AlreadyDecided("definition.waiting", status=newest.status.name, path=("key",))
    is_new = newest is None or newest.status is not DefinitionStatus.DRAFT
    made = Version(
        id=new_id() if is_new or newest is None else newest.id,
        kind=kind.name,
        key=key,
        version=(0 if newest is None else newest.version) + is_new,
        document=canonical,
        digest=rules.digest_of(canonical),
        status=DefinitionStatus.DRAFT,
        effective_at=None,
        budget_minor=budget_minor,
        written_by=by,
        written_at=now,
        requested_by=None,
        requested_at=None,
        decided_by=None,
        decided_at=None,
        note=None,
    )
    await (models.add if is_new else models.change)(row_of(made))
    return made


async def publish(
    kind_name: str,
    key: str,
    version: int,
    *,
    effective_at: Instant | None = None,
    by: str,
    now: Instant,
    is_approved: bool = False,
) -> Version:
    """Let a draft count from `effective_at` on (None: from now), or leave it WAITING for a second
    person if its budget is above the programme's limit; not if it `is_approved` with what entails
    it.

    Writes; call it inside a transaction. Raises NotFound, AlreadyDecided, InvalidInput for an
    instant in the past, or InvalidDefinition if it no longer fits what is published.
    """
    draft = await _found(kind_name, key, version, DefinitionStatus.DRAFT)
    starts = start(effective_at, now)
    budget_minor = draft.budget_minor
    if not draft.withdraws:
        kind = kind_of(kind_name)
        document = await checked_document(kind, key, draft.plain, now=starts)
        budget_minor = await _budget_minor(kind, document, starts)
    asked = msgspec.structs.replace(
        draft,
        effective_at=starts,
        budget_minor=budget_minor,
        requested_by=by,
        requested_at=now,
        decided_at=now,
    )
    published = (await programme.rulebook()).at(now)
    if not is_approved and waits(budget_minor, published.programme, by=by):
        return await _become(asked, DefinitionStatus.WAITING, decided_at=None)
    return await _become(asked, DefinitionStatus.PUBLISHED)


def waits(budget_minor: int | None, terms: Programme, *, by: str) -> bool:
    """Whether what `by` publishes needs a second person."""
    limit_minor = terms.approvals.second_person_above_budget_minor
    return by != COMMAND_LINE and rules.needs_second_person(budget_minor, limit_minor)


def start(effective_at: Instant | None, now: Instant) -> Instant:
    """When it takes effect: at `effective_at`, or now. Raises InvalidInput for the past."""
    if effective_at is None:
        return now
    if effective_at < now:
        raise InvalidInput(
            "definition.effective_in_the_past",
            path=("effectiveAt",),
            value=clock.datetime_of(effective_at).isoformat(),
            accepted=phrase("accepted.not_past"),
        )
    return effective_at


async def publish_document(
    kind_name: str,
    key: str,
    plain: object,
    *,
    effective_at: Instant | None = None,
    by: str,
    now: Instant,
    is_approved: bool = False,
) -> tuple[Version | None, bool]:
    """Write and publish in one step, as `publish` does; the version, and whether it is new.

    Where the same document counts then anyway, nothing is made: (None, False). Writes; call it
    inside a transaction. Raises what `save_draft` and `publish` raise.
    """
    kind = kind_of(kind_name)
    checked_key(key)
    starts = now if effective_at is None else effective_at
    document = await checked_document(kind, key, plain, now=starts)
    standing = (await shelves()).of(kind_name).at(key, starts)
    if standing is not None and standing.canonical == rules.canonical(document):
        return None, False
    budget_minor = await _budget_minor(kind, document, starts)
    draft = await _write(kind, key, rules.canonical(document), budget_minor, by=by, now=now)
    published = await publish(
        kind_name,
        key,
        draft.version,
        effective_at=effective_at,
        by=by,
        now=now,
        is_approved=is_approved,
    )
    return published, True


async def withdraw(
    kind_name: str, key: str, *, effective_at: Instant | None = None, by: str, now: Instant
) -> Version:
    """End the thing at `effective_at` (None: now); its history stays, and it can be rolled back.

    Writes; call it inside a transaction. Raises NotFound if nothing of it is published,
    AlreadyDecided while a draft or waiting version would be lost, or InvalidInput, also while
    something else that counts refers to it.
    """
    kind = kind_of(kind_name)
    starts = start(effective_at, now)
    known = await shelves()
    if known.of(kind_name).at(key, starts) is None:
        raise NotFound("not_found", path=("key",))
    await _refuse_open(kind_name, key)
    terms = (await programme.rulebook()).at(starts).programme
    others = referring(kind, key, known=known, programme=terms, at=starts)
    if others and not kind.ends_freely:
        raise InvalidInput(
            "definition.referred_to",
            path=("key",),
            value=key,
            accepted=phrase("accepted.without_referring", others=", ".join(others[:SHOWN])),
            number=len(others),
        )
    draft = await _write(kind, key, "", 0, by=by, now=now)
    return await publish(kind_name, key, draft.version, effective_at=effective_at, by=by, now=now)


async def _refuse_open(kind_name: str, key: str) -> None:
    row = await models.newest(kind_name, key)
    if row is not None and version_of(row).status in (
        DefinitionStatus.DRAFT,
        DefinitionStatus.WAITING,
    ):
        raise AlreadyDecided("definition.open", status=version_of(row).status.name, path=("key",))


async def rollback(kind_name: str, key: str, to_version: int, *, by: str, now: Instant) -> Version:
    """Publish the document of an earlier published version again, as a new version, from now on.

    Writes; call it inside a transaction. Raises NotFound, AlreadyDecided while a version is open,
    or InvalidDefinition if it no longer fits. Its budget is approved as any other's.
    """
    kind = kind_of(kind_name)
    earlier = (await shelves()).of(kind_name).numbered(key, to_version)
    await _refuse_open(kind_name, key)
    if earlier.document is None:
        return await withdraw(kind_name, key, by=by, now=now)
    budget_minor = await _budget_minor(kind, earlier.document, now)
    draft = await _write(kind, key, earlier.canonical, budget_minor, by=by, now=now)
    return await publish(kind_name, key, draft.version, by=by, now=now)


async def approve(kind_name: str, key: str, version: int, *, by: str, now: Instant) -> Version:
    """Publish a waiting version as the second person: from the instant that was asked for, or from
    now if that has passed.

    Writes; call it inside a transaction. Raises NotFound, AlreadyDecided, NotAllowed for whoever
    wrote it or asked for it, or InvalidDefinition if it no longer fits what is published.
    """
    found = await _waiting(kind_name, key, version, by=by)
    starts = Instant(max(found.effective_at or now, now))
    if not found.withdraws:
        await checked_document(kind_of(kind_name), key, found.plain, now=starts)
    return await _become(
        found, DefinitionStatus.PUBLISHED, effective_at=starts, decided_by=by, decided_at=now
    )


async def reject(
    kind_name: str, key: str, version: int, note: str, *, by: str, now: Instant
) -> Version:
    """Refuse a waiting version as the second person; the note, 1 to 500 characters, says why.

    Writes; call it inside a transaction. Raises as `approve`, and InvalidInput for the note.
    """
    if not 1 <= len(note.strip()) <= MAXIMUM_NOTE or not note.isprintable():
        raise InvalidInput(
            "definition.note",
            path=("note",),
            value=note,
            accepted=phrase("accepted.printable", minimum=1, maximum=MAXIMUM_NOTE),
        )
    found = await _waiting(kind_name, key, version, by=by)
    return await _become(
        found, DefinitionStatus.REJECTED, decided_by=by, decided_at=now, note=note.strip()
    )


async def discard(kind_name: str, key: str, version: int, *, by: str, now: Instant) -> Version:
    """Give up a draft, or a version that waits. Writes; call it inside a transaction. Raises
    NotFound or AlreadyDecided."""
    found = await _found(kind_name, key, version, DefinitionStatus.DRAFT, DefinitionStatus.WAITING)
    return await _become(found, DefinitionStatus.DISCARDED, decided_by=by, decided_at=now)


async def _waiting(kind_name: str, key: str, version: int, *, by: str) -> Version:
    found = await _found(kind_name, key, version, DefinitionStatus.WAITING)
    if by in (found.written_by, found.requested_by):
        raise NotAllowed("definition.second_person", path=("version",))
    return found


async def _found(kind_name: str, key: str, version: int, *statuses: DefinitionStatus) -> Version:
    kind_of(kind_name)
    row = await models.numbered(kind_name, key, version)
    if row is None:
        raise NotFound("not_found", path=("version",))
    found = version_of(row)
    if found.status not in statuses:
        raise AlreadyDecided("definition.decided", status=found.status.name, path=("version",))
    return found


async def _become(version: Version, status: DefinitionStatus, **known: Any) -> Version:
    changed = msgspec.structs.replace(version, status=status, **known)
    await models.change(row_of(changed))
    if status is DefinitionStatus.PUBLISHED:
        changes.note(changes.PROGRAMME, 0)
        facts = {"kind": changed.kind, "key": changed.key, "version": changed.version}
        assert changed.decided_at is not None, "what is published was decided"
        outbox.put("definition.published", None, facts, occurred_at=changed.decided_at)
        if not changed.withdraws:
            document = document_of(changed.kind, changed.document)
            await kind_of(changed.kind).on_published(changed, document)
    return changed


async def history(kind_name: str, key: str) -> list[Version]:
    """All versions of the thing, drafts and refused ones included, the newest first."""
    return [version_of(row) for row in await models.history(kind_name, key)]


async def page(
    kind_name: str | None,
    status: DefinitionStatus | None,
    *,
    before: int | None,
    limit: int,
) -> list[Version]:
    """The newest versions of the kind and status, or of all; those with an id below `before`."""
    below = _NEWEST_FIRST if before is None else before
    rows = await models.page(
        kind_name, None if status is None else status.value, before=below, limit=limit
    )
    return [version_of(row) for row in rows]
