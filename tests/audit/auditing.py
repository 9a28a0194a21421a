"""What an audit of everything finds."""

from server.audit import service


async def problems() -> list[str]:
    """The problems that there are, each in a line."""
    return [problem.line for problem in (await service.audit_all(members_per_batch=2)).problems]
