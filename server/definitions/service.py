"""The verbs of definitions: write a draft, publish it, approve it, take it back, look it up."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from server import clock
from server.clock import Instant
from server.definitions import checking, models, rules
from server.definitions.kinds import (
    Kind,
    Misfits,
    Surroundings,
    kind_of,
    kinds,
    register,
)
from server.definitions.rules import DefinitionStatus, Version
from server.definitions.shelves import (
    MARKER,
    Live,
    Published,
    Shelf,
    Shelves,
    derived,
    remembered,
    shelves,
)
from server.errors import AlreadyDecided, InvalidInput, NotAllowed, NotFound, Path, phrase
from server.programme import service as programme
from server.programme.reading import plain_data
from server.storage import changes
from server.storage.ids import new_id

__all__ = [
    "COMMAND_LINE",
    "MARKER",
    "DefinitionStatus",
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


def _view(row: Sequence[Any]) -> Version:
    values = list(row)
    values[6] = DefinitionStatus(values[6])
    return Version(*values)


def _row(version: Version) -> tuple[Any, ...]:
    values = list(msgspec.structs.astuple(version))
    values[6] = version.status.value
    return tuple(values)


def checked_key(key: str, *, path: Path = ("key",)) -> str:
    """The key, if it is one. Raises InvalidInput."""
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            "definition.key", path=path, value=key, accepted=phrase("accepted.definition_key")
        )
    return key


async def checked_document(kind: Kind, key: str, plain: object, *, now: Instant) -> Any:
    """The document that the plain data describes, held against its type, against itself and what
    is published. Raises InvalidDocument with everything that is wrong, or NoProgramme."""
    document = checking.checked(plain, kind.document)
    surroundings = Surroundings(
        (await programme.rulebook()).at(now).programme, await shelves(), now, key
    )
    checking.related(plain, kind.misfits(document, surroundings))
    return document


def read(text: str) -> object:
    """The plain data of a YAML or JSON text. Raises InvalidDocument."""
    plain, repeated = plain_data(text, maximum_bytes=rules.MAXIMUM_DOCUMENT_BYTES)
    if repeated:
        checking.related(plain, ((one.path, one.accepted) for one in repeated))
    return plain


async def save_draft(kind_name: str, key: str, plain: object, *, by: str, now: Instant) -> Version:
    """Write a draft, or write the newest version anew while it is one; it counts for nobody.

    Writes; call it inside a transaction. Raises NotFound for an unknown kind, InvalidInput for the
    key, InvalidDocument with everything that is wrong, or AlreadyDecided while a version waits for
    approval.
    """
    kind = kind_of(kind_name)
    checked_key(key)
    document = await checked_document(kind, key, plain, now=now)
    published = (await programme.rulebook()).at(now)
    budget_minor = kind.budget(document, published.programme)
    return await _write(kind, key, rules.canonical(document), budget_minor, by=by, now=now)


async def _write(
    kind: Kind, key: str, canonical: str, budget_minor: int | None, *, by: str, now: Instant
) -> Version:
    row = await models.newest(kind.name, key)
    newest = None if row is None else _view(row)
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
    await (models.add if is_new else models.change)(_row(made))
    return made


async def publish(
    kind_name: str,
    key: str,
    version: int,
    *,
    effective_at: Instant | None = None,
    by: str,
    now: Instant,
) -> Version:
    """Let a draft count from `effective_at` on (None: from now), or leave it WAITING for a second
    person if its budget is above the programme's limit.

    Writes; call it inside a transaction. Raises NotFound, AlreadyDecided, InvalidInput for an
    instant in the past, or InvalidDocument if it no longer fits what is published.
    """
    draft = await _found(kind_name, key, version, DefinitionStatus.DRAFT)
    starts = _start(effective_at, now)
    published = (await programme.rulebook()).at(now)
    if not draft.withdraws:
        await checked_document(kind_of(kind_name), key, draft.plain, now=now)
    asked = msgspec.structs.replace(
        draft, effective_at=starts, requested_by=by, requested_at=now, decided_at=now
    )
    limit = published.programme.approvals.second_person_above_budget_minor
    if by != COMMAND_LINE and rules.needs_second_person(draft.budget_minor, limit):
        return await _become(asked, DefinitionStatus.WAITING, decided_at=None)
    return await _become(asked, DefinitionStatus.PUBLISHED)


def _start(effective_at: Instant | None, now: Instant) -> Instant:
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
) -> tuple[Version | None, bool]:
    """Write and publish in one step; the version, and whether it is new.

    Where the same document counts already and nothing is to follow it, nothing is made: (None,
    False). Writes; call it inside a transaction. Raises what `save_draft` and `publish` raise.
    """
    kind = kind_of(kind_name)
    checked_key(key)
    document = await checked_document(kind, key, plain, now=now)
    shelf = (await shelves()).of(kind_name)
    standing = shelf.at(key, now if effective_at is None else effective_at)
    canonical = rules.canonical(document)
    if (
        standing is not None
        and standing.canonical == canonical
        and (shelf.versions(key)[-1] is standing)
    ):
        return None, False
    draft = await save_draft(kind_name, key, plain, by=by, now=now)
    return (
        await publish(kind_name, key, draft.version, effective_at=effective_at, by=by, now=now),
        True,
    )


async def withdraw(
    kind_name: str, key: str, *, effective_at: Instant | None = None, by: str, now: Instant
) -> Version:
    """End the thing at `effective_at` (None: now); its history stays, and it can be rolled back.

    Writes; call it inside a transaction. Raises NotFound if nothing of it is published,
    AlreadyDecided while a draft or waiting version would be lost, or InvalidInput.
    """
    kind = kind_of(kind_name)
    starts = _start(effective_at, now)
    if (await shelves()).of(kind_name).at(key, starts) is None:
        raise NotFound("not_found", path=("key",))
    await _refuse_open(kind_name, key)
    draft = await _write(kind, key, "", 0, by=by, now=now)
    return await publish(kind_name, key, draft.version, effective_at=effective_at, by=by, now=now)


async def _refuse_open(kind_name: str, key: str) -> None:
    row = await models.newest(kind_name, key)
    if row is not None and _view(row).status in (DefinitionStatus.DRAFT, DefinitionStatus.WAITING):
        raise AlreadyDecided("definition.open", status=_view(row).status.name, path=("key",))


async def rollback(kind_name: str, key: str, to_version: int, *, by: str, now: Instant) -> Version:
    """Publish the document of an earlier published version again, as a new version, from now on.

    Writes; call it inside a transaction. Raises NotFound, AlreadyDecided while a version is open,
    or InvalidDocument if it no longer fits. Its budget is approved as any other's.
    """
    kind = kind_of(kind_name)
    earlier = (await shelves()).of(kind_name).numbered(key, to_version)
    await _refuse_open(kind_name, key)
    if earlier.document is None:
        return await withdraw(kind_name, key, by=by, now=now)
    published = (await programme.rulebook()).at(now)
    budget_minor = kind.budget(earlier.document, published.programme)
    draft = await _write(kind, key, earlier.canonical, budget_minor, by=by, now=now)
    return await publish(kind_name, key, draft.version, by=by, now=now)


async def approve(kind_name: str, key: str, version: int, *, by: str, now: Instant) -> Version:
    """Publish a waiting version as the second person: from the instant that was asked for, or from
    now if that has passed.

    Writes; call it inside a transaction. Raises NotFound, AlreadyDecided, NotAllowed for whoever
    wrote it or asked for it, or InvalidDocument if it no longer fits what is published.
    """
    found = await _waiting(kind_name, key, version, by=by)
    if not found.withdraws:
        await checked_document(kind_of(kind_name), key, found.plain, now=now)
    starts = Instant(max(found.effective_at or now, now))
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
            accepted=phrase("accepted.text", maximum=MAXIMUM_NOTE),
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
    found = _view(row)
    if found.status not in statuses:
        raise AlreadyDecided("definition.decided", status=found.status.name, path=("version",))
    return found


async def _become(version: Version, status: DefinitionStatus, **known: Any) -> Version:
    changed = msgspec.structs.replace(version, status=status, **known)
    await models.change(_row(changed))
    if status is DefinitionStatus.PUBLISHED:
        changes.note(changes.PROGRAMME, 0)
    return changed


async def history(kind_name: str, key: str) -> list[Version]:
    """All versions of the thing, drafts and refused ones included, the newest first."""
    return [_view(row) for row in await models.history(kind_name, key)]


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
    return [_view(row) for row in rows]
