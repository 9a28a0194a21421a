"""What a definition's version is, and who may publish it."""

import hashlib
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from server.clock import Instant

MAXIMUM_DOCUMENT_BYTES = 2 * 1024 * 1024
KEY_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
"""Keys are 1 to 64 small letters, digits and dashes, with no dash at either end."""


class DefinitionStatus(StrEnum):
    """What has become of a version."""

    DRAFT = "draft"  # being written; counts for nobody
    WAITING = "waiting"  # its budget needs a second person
    PUBLISHED = "published"  # counts from its `effective_at` on
    REJECTED = "rejected"  # a second person refused it
    DISCARDED = "discarded"  # its writers gave it up


class Version(Struct, frozen=True):
    """One version of a definition; the attributes are the columns of its table."""

    id: int
    kind: str
    key: str
    version: int
    document: str  # canonical JSON; "" withdraws the thing
    digest: str
    status: DefinitionStatus
    effective_at: Instant | None
    budget_minor: int | None
    written_by: str
    written_at: Instant
    requested_by: str | None
    requested_at: Instant | None
    decided_by: str | None
    decided_at: Instant | None
    note: str | None

    @property
    def withdraws(self) -> bool:
        """Whether it ends the thing."""
        return not self.document

    @property
    def plain(self) -> Any:
        """The document as plain data; None if it withdraws the thing."""
        return json.loads(self.document) if self.document else None


def version_of(row: Sequence[Any]) -> Version:
    """The version of a row of its table."""
    values = list(row)
    values[6] = DefinitionStatus(values[6])
    return Version(*values)


def row_of(version: Version) -> tuple[Any, ...]:
    """The row of a version."""
    values = list(msgspec.structs.astuple(version))
    values[6] = version.status.value
    return tuple(values)


def canonical(document: Any) -> str:
    """A document as JSON with sorted keys and no spaces: equal texts mean equal documents."""
    plain = msgspec.to_builtins(document, order="deterministic")  # sets have no order of their own
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(text: str) -> str:
    """SHA-256 of a canonical document, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def needs_second_person(budget_minor: int | None, limit_minor: int) -> bool:
    """Whether what may cost so much needs somebody else's approval: above, not at, the limit, and
    always without a budget."""
    return budget_minor is None or budget_minor > limit_minor
