"""The table of programme versions, and its named queries."""

from collections.abc import Iterable

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.storage import sql
from server.storage.exchange import Asked
from server.storage.fields import IdField, InstantField
from server.storage.ids import new_id
from server.storage.parts import Branch


class ProgrammeVersion(Model):
    """One published version of the rules, never changed afterwards."""

    id = IdField()
    version = fields.IntField(unique=True)
    document = fields.TextField()  # canonical JSON
    digest = fields.CharField(64)  # SHA-256 of the document, hexadecimal
    effective_at = InstantField()
    published_at = InstantField()
    published_by = fields.CharField(120)

    class Meta:
        """Table."""

        table = "programme_versions"
        constraints = (CheckConstraint(check="version >= 1", name="programme_versions_version"),)


NEWEST_ID: Asked = ("SELECT id FROM programme_versions ORDER BY version DESC LIMIT 1", ())
"""Asks for the id of the row with the highest version number."""


NEWEST = Branch(
    "newest version",
    member="m.id",
    numbers=("(SELECT id FROM programme_versions ORDER BY version DESC LIMIT 1)",),
    source="FROM members m WHERE m.id IN ({members})",
)
"""For each member the id of the row with the highest version number."""


async def newest_id() -> int | None:
    """The id of the row with the highest version number, or None without any version."""
    row = await sql.fetch_one(NEWEST_ID[0])
    return None if row is None else int(row[0])


async def all_ids() -> list[int]:
    """The ids of all rows, by version number."""
    rows = await sql.fetch("SELECT id FROM programme_versions ORDER BY version")
    return [int(row[0]) for row in rows]


async def rows_of(ids: Iterable[int]) -> list[sql.Row]:
    """The rows of the ids, in any order; the database is not asked for no ids.

    Columns: id, version, document, digest, effective_at, published_at, published_by.
    """
    wanted = list(ids)
    if not wanted:
        return []
    padded = sql.padded(wanted)
    statement = (
        "SELECT id, version, document, digest, effective_at, published_at, published_by"
        f" FROM programme_versions WHERE id IN ({sql.placeholders(len(padded))})"
    )
    return list(await sql.fetch(statement, *padded))


async def add_version(
    *,
    version: int,
    document: str,
    digest: str,
    effective_at: Instant,
    published_at: Instant,
    published_by: str,
) -> None:
    """Write a new version. Another one of the same number is a unique violation."""
    await sql.execute(
        sql.insert(
            "programme_versions",
            "id, version, document, digest, effective_at, published_at, published_by",
        ),
        new_id(),
        version,
        document,
        digest,
        effective_at,
        published_at,
        published_by,
    )
