"""People to sign up, and how to."""

from datetime import UTC, datetime

from server import clock
from server.members import service as members
from server.members.service import NewMember, OpenedSession
from server.principal import StaffRole
from server.storage import sql

START = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
SECOND = clock.MICROSECONDS_PER_SECOND
DAY = 86_400 * SECOND

PASSWORD = "correct horse battery"
PASSWORD_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$IKZrWVVC+KOiqbG8pkUBUA"
    "$DbSsGE309C31Yq9UajmxhPdlXhedtZvdo309+2LQwgY"
)
OLD_PASSWORD_HASH = (
    "$argon2id$v=19$m=1024,t=1,p=1$Df4KIYJRrHVIpj3b41JJMw"
    "$ODNJl8t3yMpms6l3Co2wGsr14zl3QPcJw+NZPLVg7GQ"
)


def person(name: str | None = "Ada", external_id: str | None = None) -> NewMember:
    """Someone who joins at `START`."""
    return NewMember(
        enrolled_at=clock.instant_of(START),
        enrolled_local_month=2026 * 100 + 3,
        name=name,
        external_id=external_id,
    )


async def signed_up(
    email: str = "ada@example.com", *, password_hash: str = PASSWORD_HASH, name: str = "Ada"
) -> OpenedSession:
    """A new member's first session, committed."""
    async with sql.transaction():
        member_id = await members.register_member(person(name))
        account_id = await members.create_account(member_id, email, password_hash)
        return await members.open_session(account_id, "phone")


async def staff_session(role: StaffRole = StaffRole.MANAGER) -> OpenedSession:
    """A session of a new member of staff, committed."""
    async with sql.transaction():
        account_id = await members.create_staff("grace@example.com", PASSWORD_HASH, role)
        return await members.open_session(account_id)


async def count(table: str) -> int:
    """How many rows a table has."""
    row = await sql.fetch_one(f"SELECT COUNT(*) FROM {table}")  # noqa: S608 - our names
    assert row is not None
    return int(row[0])
