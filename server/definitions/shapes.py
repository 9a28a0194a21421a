"""The types in which the schema shows definitions."""

import json
from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import strawberry

from server.clock import Instant
from server.definitions import examples
from server.definitions import service as definitions
from server.definitions.errors import InvalidDefinition as InvalidDefinitionError
from server.definitions.formats import FileFormat
from server.definitions.importing import Import, Imported, Outcome
from server.definitions.rules import DefinitionStatus, Version
from server.definitions.writing import document_text
from server.edge import problems
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.pages import PageInfo
from server.edge.permissions import EVERYONE, STAFF, access, shown_to
from server.edge.problems import Problem
from server.edge.refusing import RequestRefused
from server.edge.scalars import Money
from server.errors import NotFound
from server.principal import StaffRole
from server.programme import comparing
from server.programme.comparing import Difference

WRITERS = access(roles=frozenset({StaffRole.MARKETER, StaffRole.MANAGER}))
DECIDERS = access(roles=frozenset({StaffRole.MANAGER}))
READERS = STAFF

described(
    DefinitionStatus,
    description="What has become of a version of something that the shop has written down.",
    DRAFT="It is being written, and counts for nobody.",
    WAITING="Its budget needs a second person; it counts for nobody yet.",
    PUBLISHED="It counts from its `effectiveAt` on, until a later version does.",
    REJECTED="A second person refused it.",
    DISCARDED="Those who wrote it gave it up.",
)
described(
    FileFormat,
    name="DefinitionFileFormat",
    description="How a file of definitions is written.",
    YAML="YAML 1.2: for people, and for version control.",
    CSV="CSV in UTF-8, a row for each definition: for spreadsheets.",
)
described(
    Outcome,
    name="ImportOutcome",
    description="What becomes of an item of a file.",
    CREATED="There was no such thing.",
    CHANGED="It was another document, or counted not yet.",
    UNCHANGED="It is there already, and no version was made.",
    WAITING="It, or what it refers to, needs a second person.",
)


@strawberry.enum(description="What an import makes of what stands in the file.")
class ImportMode(Enum):
    """How a file is taken."""

    DRAFTS = strawberry.enum_value("drafts", description="Drafts, which count for nobody.")
    PUBLISHED = strawberry.enum_value(
        "published", description="Published versions; those above the budget limit wait."
    )


@shown_to(READERS)
@strawberry.type(description="A kind of thing that the shop writes down, such as an offer.")
class DefinitionKind:
    """A kind."""

    name: str = strawberry.field(description="Its name, as `kind` takes it.")
    refers_to: list[str] = strawberry.field(description="The kinds that its documents refer to.")
    schema: str = strawberry.field(
        description="The JSON Schema (2020-12) of its documents, as JSON, with descriptions."
    )
    example: str = strawberry.field(description="A document to begin with, as YAML.")


def kind_shown(kind: definitions.Kind) -> DefinitionKind:
    """A kind in the schema."""
    return DefinitionKind(
        name=kind.name,
        refers_to=list(kind.after),
        schema=examples.schema_text(kind),
        example=examples.example_text(kind),
    )


@shown_to(READERS)
@strawberry.type(description="One version of something that the shop has written down.")
class DefinitionVersion:
    """A version."""

    kind: str = strawberry.field(description="What it is: one of the names of `definitionKinds`.")
    key: str = strawberry.field(description="Which one it is; unique in its kind.")
    version: int = strawberry.field(description="The number of the version, from 1.")
    status: DefinitionStatus = strawberry.field(description="What has become of it.")
    digest: str = strawberry.field(
        description="SHA-256 of the document in hexadecimal: equal digests mean equal documents."
    )
    effective_at: Instant | None = strawberry.field(
        description="From when on it counts, or was asked to; null for what is a draft still."
    )
    budget: Money | None = strawberry.field(
        description="What it may cost at most; null if there is no limit."
    )
    written_by: str = strawberry.field(
        description='Who wrote it last: "staff:" with the number of the account, or "command line".'
    )
    written_at: Instant = strawberry.field(description="When it was written last.")
    requested_by: str | None = strawberry.field(
        description="Who asked for it to be published; null for a draft."
    )
    requested_at: Instant | None = strawberry.field(description="When that was; null for a draft.")
    decided_by: str | None = strawberry.field(
        description="The second person, or who gave it up; null where nobody had to decide."
    )
    decided_at: Instant | None = strawberry.field(
        description="When it was published, rejected or discarded; null before that."
    )
    note: str | None = strawberry.field(description="Why it was rejected; null otherwise.")
    row: strawberry.Private[Version]

    @computed(
        description="The document as YAML, keys in the order of their type, without what has its "
        "default; null for a version that withdraws the thing."
    )
    def document(self) -> str | None:
        """The document as text."""
        if self.row.withdraws:
            return None
        return document_text(self.row.plain, definitions.kind_of(self.kind).document)

    @computed(
        description="Whether the caller wrote it or asked for it: then somebody else has to decide."
    )
    def is_own(self, info: Info) -> bool:
        """Whether it is the caller's."""
        return info.context.principal.name in (self.row.written_by, self.row.requested_by)


def version_shown(version: Version, currency: str, digits: int) -> DefinitionVersion:
    """A version in the schema."""
    budget = version.budget_minor
    return DefinitionVersion(
        kind=version.kind,
        key=version.key,
        version=version.version,
        status=version.status,
        digest=version.digest,
        effective_at=version.effective_at,
        budget=None if budget is None else Money.of(budget, currency, digits),
        written_by=version.written_by,
        written_at=version.written_at,
        requested_by=version.requested_by,
        requested_at=version.requested_at,
        decided_by=version.decided_by,
        decided_at=version.decided_at,
        note=version.note,
        row=version,
    )


@shown_to(READERS)
@strawberry.type(description="A version with its place in the list.")
class DefinitionVersionEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The version's place, for `after`.")
    node: DefinitionVersion = strawberry.field(description="The version.")


@shown_to(READERS)
@strawberry.type(description="A page of versions, the newest first.")
class DefinitionVersionConnection:
    """Relay's connection."""

    edges: list[DefinitionVersionEdge] = strawberry.field(description="The versions, with places.")
    nodes: list[DefinitionVersion] = strawberry.field(description="The versions alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(READERS)
@strawberry.type(description="One change from one version of a document to another.")
class DefinitionChange:
    """A change."""

    path: str = strawberry.field(description="Where in the document: `discount.rate_bps`.")
    before: str | None = strawberry.field(
        description="What stood there, as JSON; null if nothing did."
    )
    after: str | None = strawberry.field(
        description="What stands there, as JSON; null if nothing does."
    )


def _change_shown(change: Difference) -> DefinitionChange:
    def text(value: object) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False)

    return DefinitionChange(path=change.path, before=text(change.before), after=text(change.after))


@shown_to(READERS)
@strawberry.type(description="Something that the shop has written down, with all its versions.")
class Definition:
    """A thing."""

    kind: str = strawberry.field(description="What it is: one of the names of `definitionKinds`.")
    key: str = strawberry.field(description="Which one it is; unique in its kind.")
    current: DefinitionVersion | None = strawberry.field(
        description="The version that counts at the instant; null before the first, and when "
        "withdrawn."
    )
    history: list[DefinitionVersion] = strawberry.field(
        description="All its versions, drafts and refused ones included, the newest first."
    )

    @computed(description="What is different between two of its versions, change by change.")
    def difference(
        self,
        from_version: Annotated[int, strawberry.argument(description="The earlier version.")],
        to_version: Annotated[int, strawberry.argument(description="The later version.")],
    ) -> list[DefinitionChange]:
        """The changes from one version to another."""
        before, after = (self._numbered(number) for number in (from_version, to_version))
        return [_change_shown(change) for change in comparing.diff(before, after)]

    def _numbered(self, number: int) -> object:
        for one in self.history:
            if one.version == number:
                return one.row.plain or {}
        missing = NotFound("not_found")
        raise RequestRefused(missing.code.value, missing.reason, status=404)


@shown_to(READERS)
@strawberry.type(description="A file of what counts, and of what is scheduled after it.")
class ExportedDefinitions:
    """A file."""

    count: int = strawberry.field(description="How many definitions stand in it.")
    text: str = strawberry.field(description="The file, as `importDefinitions` takes it.")


@shown_to(WRITERS)
@strawberry.type(description="What became of one item of a file.")
class ImportedDefinition:
    """An item."""

    kind: str = strawberry.field(description="What it is.")
    key: str = strawberry.field(description="Which one it is.")
    effective_at: Instant | None = strawberry.field(
        description="The instant in the file; null for from now on."
    )
    version: int | None = strawberry.field(
        description="The version that was made of it; null if none was."
    )
    outcome: Outcome = strawberry.field(description="What became of it.")


@shown_to(WRITERS)
@strawberry.type(description="A file was taken, or tried; in full.")
class DefinitionsImported:
    """Success of importDefinitions."""

    is_dry_run: bool = strawberry.field(description="Whether nothing was written.")
    created: int = strawberry.field(description="How many items are new.")
    changed: int = strawberry.field(description="How many items were another document.")
    unchanged: int = strawberry.field(description="How many items were there already.")
    waiting: int = strawberry.field(description="How many items wait for a second person.")
    items: list[ImportedDefinition] = strawberry.field(
        description="What became of each item, in the order of the file."
    )


def import_shown(done: Import, *, is_dry_run: bool) -> DefinitionsImported:
    """What became of a file, in the schema."""
    return DefinitionsImported(
        is_dry_run=is_dry_run,
        created=done.count(Outcome.CREATED),
        changed=done.count(Outcome.CHANGED),
        unchanged=done.count(Outcome.UNCHANGED),
        waiting=done.count(Outcome.WAITING),
        items=[_imported_shown(item) for item in done.items],
    )


def _imported_shown(item: Imported) -> ImportedDefinition:
    return ImportedDefinition(
        kind=item.kind,
        key=item.key,
        effective_at=item.effective_at,
        version=item.version,
        outcome=item.outcome,
    )


@shown_to(EVERYONE)
@strawberry.type(description="One place of a document, or of a file of them, that is refused.")
class DefinitionProblem:
    """One wrong place."""

    path: list[str] = strawberry.field(
        description="Where in the document or file, from its root down; list positions count from "
        "0, rows of a table as spreadsheets count them. Empty if it is the whole."
    )
    value: str | None = strawberry.field(
        description="What stands there, as JSON of at most 80 characters; null if nothing does."
    )
    accepted: str = strawberry.field(description="What would be accepted, in English words.")


@shown_to(EVERYONE)
@strawberry.type(description="The document, or the file, has values that are not accepted.")
class InvalidDefinition(Problem):
    """A document with problems."""

    problems: list[DefinitionProblem] = strawberry.field(
        description="All places that are wrong; 100 at most."
    )


@problems.presents(InvalidDefinitionError)
def _invalid_definition(error: InvalidDefinitionError, telling: problems.Telling) -> Problem:
    return InvalidDefinition(
        code=error.code,
        message=telling.message,
        problems=[
            DefinitionProblem(
                path=problems.shown_path(one.path), value=one.value, accepted=one.accepted
            )
            for one in error.problems
        ],
    )


def versions_shown(
    versions: Sequence[Version], currency: str, digits: int
) -> list[DefinitionVersion]:
    """Versions in the schema."""
    return [version_shown(version, currency, digits) for version in versions]
