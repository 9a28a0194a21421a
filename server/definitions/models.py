"""The table of versions of definitions, and its named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.storage import sql
from server.storage.changes import PROGRAMME_VERSION_ID
from server.storage.exchange import Asked
from server.storage.fields import IdField, InstantField


class DefinitionVersion(Model):
    """One version of something that the shop has written down: a draft, or what became of it.

    Drafts may be written anew; what was published never changes afterwards.
    """

    id = IdField()
    kind = fields.CharField(24)
    key = fields.CharField(64)
    version = fields.IntField()
    document = fields.TextField()  # canonical JSON; "" for a version that withdraws the thing
    digest = fields.CharField(64)  # SHA-256 of the document, hexadecimal
    status = fields.CharField(10)  # draft, waiting, published, rejected, discarded
    effective_at = InstantField(null=True)  # known once it was asked to be published
    budget_minor = fields.BigIntField(null=True)  # what it may cost at most; null without limit
    written_by = fields.CharField(120)
    written_at = InstantField()
    requested_by = fields.CharField(120, null=True)
    requested_at = InstantField(null=True)
    decided_by = fields.CharField(120, null=True)
    decided_at = InstantField(null=True)
    note = fields.CharField(500, null=True)

    class Meta:
        """Table."""

        table = "definition_versions"
        unique_together = (("kind", "key", "version"),)
        indexes = (("status", "id"),)
        constraints = (
            CheckConstraint(check="version >= 1", name="definition_versions_version"),
            CheckConstraint(
                check="status IN ('draft', 'waiting', 'published', 'rejected', 'discarded')",
                name="definition_versions_status",
            ),
            CheckConstraint(
                check="(status IN ('draft', 'discarded')) OR (effective_at IS NOT NULL)",
                name="definition_versions_effective_at",
            ),
            CheckConstraint(check="budget_minor >= 0", name="definition_versions_budget_minor"),
        )


COLUMNS = (
    "id, kind, key, version, document, digest, status, effective_at, budget_minor, written_by,"
    " written_at, requested_by, requested_at, decided_by, decided_at, note"
)
INSERT = sql.insert("definition_versions", COLUMNS)
UPDATE = (
    "UPDATE definition_versions SET document = $1, digest = $2, status = $3, effective_at = $4,"
    " budget_minor = $5, written_by = $6, written_at = $7, requested_by = $8, requested_at = $9,"
    " decided_by = $10, decided_at = $11, note = $12 WHERE id = $13"
)

MARKER: Asked = (f"SELECT version FROM versions WHERE id = {PROGRAMME_VERSION_ID}", ())
"""Asks for what moves on whenever something is published."""


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


async def marker() -> int:
    """What moves on whenever something is published."""
    row = await sql.fetch_one(MARKER[0])
    return 0 if row is None else int(row[0])


async def published_ids() -> list[int]:
    """The ids of all published versions."""
    return [
        int(row[0])
        for row in await sql.fetch("SELECT id FROM definition_versions WHERE status = 'published'")
    ]


async def rows_of(ids: Iterable[int]) -> list[sql.Row]:
    """COLUMNS of the versions with these ids, in any order."""
    wanted = sorted(ids)
    rows: list[sql.Row] = []
    for start in range(0, len(wanted), 500):
        some = sql.padded(wanted[start : start + 500])
        rows += await sql.fetch(
            f"SELECT {COLUMNS} FROM definition_versions WHERE id IN"
            f" ({sql.placeholders(len(some))})",
            *some,
        )
    return rows


async def newest(kind: str, key: str) -> sql.Row | None:
    """COLUMNS of the newest version of the thing, whatever became of it; locked."""
    return await sql.fetch_one(
        f"SELECT {COLUMNS} FROM definition_versions WHERE kind = $1 AND key = $2"
        f" ORDER BY version DESC LIMIT 1{_lock()}",
        kind,
        key,
    )


async def newest_of(kinds: Iterable[str]) -> Sequence[sql.Row]:
    """COLUMNS of the newest version of each thing of the kinds, whatever became of it; locked."""
    wanted = sql.padded(kinds)
    later = (
        "SELECT 1 FROM definition_versions AS later WHERE later.kind = definition_versions.kind"
        " AND later.key = definition_versions.key AND later.version > definition_versions.version"
    )
    return await sql.fetch(
        f"SELECT {COLUMNS} FROM definition_versions WHERE kind IN"
        f" ({sql.placeholders(len(wanted))}) AND NOT EXISTS ({later}) ORDER BY id{_lock()}",
        *wanted,
    )


async def numbered(kind: str, key: str, version: int) -> sql.Row | None:
    """COLUMNS of one version; locked."""
    return await sql.fetch_one(
        f"SELECT {COLUMNS} FROM definition_versions WHERE kind = $1 AND key = $2 AND version = $3"
        f"{_lock()}",
        kind,
        key,
        version,
    )


async def history(kind: str, key: str) -> Sequence[sql.Row]:
    """COLUMNS of all versions of the thing, the newest first."""
    return await sql.fetch(
        f"SELECT {COLUMNS} FROM definition_versions WHERE kind = $1 AND key = $2"
        " ORDER BY version DESC",
        kind,
        key,
    )


async def page(
    kind: str | None, status: str | None, *, before: int, limit: int
) -> Sequence[sql.Row]:
    """COLUMNS of the newest versions of the kind and status, or of all; those with an id below."""
    return await sql.fetch(
        f"SELECT {COLUMNS} FROM definition_versions WHERE id < $1"
        " AND (CAST($2 AS VARCHAR) IS NULL OR kind = $2)"
        " AND (CAST($3 AS VARCHAR) IS NULL OR status = $3) ORDER BY id DESC LIMIT $4",
        before,
        kind,
        status,
        limit,
    )


async def add(row: sql.Row) -> None:
    """Write a new version: the values of COLUMNS."""
    await sql.execute(INSERT, *row)


async def add_many(rows: Iterable[sql.Row]) -> None:
    """Write new versions: the values of COLUMNS of each."""
    await sql.execute_many(INSERT, rows)


async def change(row: sql.Row) -> None:
    """Write what became of a version: the values of COLUMNS."""
    version_id, _kind, _key, _version, *rest = row
    await sql.execute(UPDATE, *rest, version_id)
