"""The table of audits, and its named queries."""

from tortoise import fields
from tortoise.models import Model

from server.storage import sql
from server.storage.fields import IdField, InstantField


class AuditRun(Model):
    """One audit: how far it reached, and what it found."""

    id = IdField()
    scope = fields.CharField(8)  # all, changes
    started_at = InstantField()
    finished_at = InstantField(null=True)
    through_id = fields.BigIntField()  # rows made before this id have been looked at
    member_count = fields.IntField()
    problem_count = fields.IntField()
    first_problem = fields.TextField(null=True)

    class Meta:
        """Table."""

        table = "audit_runs"


RUN_COLUMNS = (
    "id, scope, started_at, finished_at, through_id, member_count, problem_count, first_problem"
)
_INSERT_RUN = sql.insert("audit_runs", RUN_COLUMNS)
_UPDATE_RUN = (
    "UPDATE audit_runs SET started_at = $1, finished_at = $2, through_id = $3, member_count = $4"
    " WHERE id = $5"
)


async def last_run(scope: str) -> sql.Row | None:
    """RUN_COLUMNS of the latest audit of the scope."""
    return await sql.fetch_one(
        f"SELECT {RUN_COLUMNS} FROM audit_runs WHERE scope = $1 ORDER BY id DESC LIMIT 1", scope
    )


async def add_run(row: sql.Row) -> None:
    """Note an audit (RUN_COLUMNS)."""
    await sql.execute(_INSERT_RUN, *row)


async def prolong_run(row: sql.Row) -> None:
    """Let the audit of that id stand for the latest one as well, which found the same
    (RUN_COLUMNS)."""
    await sql.execute(_UPDATE_RUN, *row[2:6], row[0])
