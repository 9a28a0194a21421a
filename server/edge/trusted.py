"""Documents that the operator has published, found by the SHA-256 of their text."""

from collections.abc import Sequence
from dataclasses import dataclass

from tortoise import fields
from tortoise.models import Model

from server import clock
from server.clock import Instant
from server.edge.requests import hash_of
from server.storage import sql
from server.storage.fields import InstantField

MAXIMUM_LABEL_LENGTH = 255


class TrustedDocument(Model):
    """One published document; its text never changes, for its name is its hash."""

    sha256 = fields.CharField(64, primary_key=True)  # of the text in UTF-8, hexadecimal
    body = fields.TextField()
    label = fields.CharField(255)  # the operation's name, or what the manifest calls it
    published_at = InstantField()
    withdrawn_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "trusted_documents"


_FIND = "SELECT body FROM trusted_documents WHERE sha256 = $1 AND withdrawn_at IS NULL"
_LIST = (
    "SELECT sha256, label, published_at, withdrawn_at FROM trusted_documents"
    " ORDER BY label, published_at, sha256"
)
_PUBLISH = sql.insert(
    "trusted_documents",
    "sha256, body, label, published_at",
    otherwise="ON CONFLICT (sha256) DO UPDATE SET withdrawn_at = NULL,"
    " label = excluded.label, published_at = excluded.published_at"
    " WHERE trusted_documents.withdrawn_at IS NOT NULL",
)
_WITHDRAW = (
    "UPDATE trusted_documents SET withdrawn_at = $1 WHERE sha256 = $2 AND withdrawn_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to publish."""

    body: str
    label: str


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """What is known of a document that is or was published."""

    sha256: str
    label: str
    published_at: Instant
    withdrawn_at: Instant | None


async def find(sha256: str) -> str | None:
    """The text that is published under the hash."""
    row = await sql.fetch_one(_FIND, sha256)
    return None if row is None else str(row[0])


async def published() -> list[PublishedDocument]:
    """All documents, withdrawn ones included, by label."""
    return [PublishedDocument(*row) for row in await sql.fetch(_LIST)]


async def publish(documents: Sequence[NewDocument]) -> int:
    """Publish the documents, which have been checked, in the present transaction; how many were
    not published before. What was withdrawn is published again."""
    at = clock.now()
    count = 0
    for one in documents:
        count += await sql.execute(_PUBLISH, hash_of(one.body), one.body, one.label, at)
    return count


async def withdraw(sha256: str) -> bool:
    """Publish the document no longer, in the present transaction; False if it isn't published."""
    return bool(await sql.execute(_WITHDRAW, clock.now(), sha256))
