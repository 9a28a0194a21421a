"""The audit in the schema, for staff."""

import strawberry

from server import clock
from server.audit import service
from server.clock import Instant
from server.edge.permissions import access, query, shown_to
from server.principal import StaffRole

_READERS = access(roles=frozenset({StaffRole.MANAGER, StaffRole.AUDITOR}))


@shown_to(_READERS)
@strawberry.type(
    description="How far the journal and what follows from it are audited in the background, and "
    "what is wrong. What is wrong is looked at again each time until it is mended."
)
class AuditStatus:
    """The status."""

    last_run_at: Instant = strawberry.field(description="When the last audit of changes ended.")
    lag_seconds: int = strawberry.field(
        description="How many seconds ago the instant was up to which everything is audited."
    )
    problem_count: int = strawberry.field(description="How many problems the last audit found.")
    first_problem: str | None = strawberry.field(
        description="The first of them in one line of English, with its table and row; null "
        "without any."
    )


@strawberry.type
class AuditQueries:
    """The audit's root field."""

    @query(
        _READERS,
        description="What the audit in the background found last; null before its first run.",
    )
    async def audit_status(self) -> AuditStatus | None:
        """The latest run, of whichever process."""
        status = await service.status()
        if status is None:
            return None
        return AuditStatus(
            last_run_at=status.last_run_at,
            lag_seconds=status.lag_seconds(clock.system_now()),
            problem_count=status.problem_count,
            first_problem=status.first_problem,
        )
