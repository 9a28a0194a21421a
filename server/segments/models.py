"""Tables of who is listed in a segment, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.definitions.models import DefinitionVersion
from server.members.models import Member
from server.storage import sql
from server.storage.fields import IdField, InstantField
from server.storage.ids import instant_of, new_ids


class SegmentListing(Model):
    """How far the members of a published version that lists them are listed."""

    id = IdField()
    version: fields.OneToOneRelation[DefinitionVersion] = fields.OneToOneField(
        "laurel.DefinitionVersion", on_delete=fields.RESTRICT
    )
    as_of = InstantField()  # what the condition of a frozen segment is held against
    after_id = fields.BigIntField()  # members up to this id have been looked at
    is_complete = fields.IntField()  # 0 or 1

    class Meta:
        """Table."""

        table = "segment_listings"
        constraints = (
            CheckConstraint(check="is_complete IN (0, 1)", name="segment_listings_is_complete"),
            CheckConstraint(check="after_id >= 0", name="segment_listings_after_id"),
        )


class SegmentMember(Model):
    """A member whom a published version of a segment lists."""

    id = IdField()
    version: fields.ForeignKeyRelation[DefinitionVersion] = fields.ForeignKeyField(
        "laurel.DefinitionVersion", on_delete=fields.RESTRICT
    )
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )

    class Meta:
        """Table."""

        table = "segment_members"
        unique_together = (("version_id", "member_id"),)
        indexes = (("member_id", "version_id"),)


LISTING_COLUMNS = "version_id, as_of, after_id, is_complete"
_ADD_LISTING = sql.insert("segment_listings", f"id, {LISTING_COLUMNS}")
_ADD_MEMBER = sql.insert(
    "segment_members",
    "id, version_id, member_id",
    otherwise="ON CONFLICT (version_id, member_id) DO NOTHING",
)


async def add_listing(version_id: int, as_of: int, *, after_id: int, is_complete: bool) -> None:
    """Note how far a version is listed."""
    await sql.execute(_ADD_LISTING, new_ids(1)[0], version_id, as_of, after_id, int(is_complete))


async def advance_listing(version_id: int, *, after_id: int, is_complete: bool) -> None:
    """Note that it is further."""
    await sql.execute(
        "UPDATE segment_listings SET after_id = $1, is_complete = $2 WHERE version_id = $3",
        after_id,
        int(is_complete),
        version_id,
    )


async def listings(version_ids: Iterable[int]) -> Sequence[sql.Row]:
    """LISTING_COLUMNS of the versions."""
    wanted = sql.padded(version_ids)
    return await sql.fetch(
        f"SELECT {LISTING_COLUMNS} FROM segment_listings"
        f" WHERE version_id IN ({sql.placeholders(len(wanted))})",
        *wanted,
    )


async def open_listings() -> list[int]:
    """The versions whose listing is not complete, the oldest first."""
    rows = await sql.fetch(
        "SELECT version_id FROM segment_listings WHERE is_complete = 0 ORDER BY id"
    )
    return [row[0] for row in rows]


async def open_since() -> Instant | None:
    """Since when the oldest of them waits; None if there is none."""
    row = await sql.fetch_one("SELECT MIN(id) FROM segment_listings WHERE is_complete = 0")
    return None if row is None or row[0] is None else instant_of(row[0])


async def listing_for_writing(version_id: int) -> sql.Row | None:
    """LISTING_COLUMNS of one version, locked."""
    lock = " FOR UPDATE" if sql.engine() == "postgres" else ""
    return await sql.fetch_one(
        f"SELECT {LISTING_COLUMNS} FROM segment_listings WHERE version_id = $1{lock}", version_id
    )


async def add_members(version_id: int, member_ids: Sequence[int]) -> None:
    """List the members in the version, each once."""
    ids = new_ids(len(member_ids))
    rows = [(one, version_id, member) for one, member in zip(ids, member_ids, strict=True)]
    await sql.execute_many(_ADD_MEMBER, rows)


async def sizes(version_ids: Iterable[int]) -> dict[int, int]:
    """How many members each of the versions lists; a merged duplicate is nobody of its own."""
    wanted = sql.padded(version_ids)
    rows = await sql.fetch(
        "SELECT s.version_id, COUNT(*) FROM segment_members s JOIN members m ON m.id = s.member_id"
        f" WHERE s.version_id IN ({sql.placeholders(len(wanted))}) AND m.merged_into IS NULL"
        " GROUP BY s.version_id",
        *wanted,
    )
    return {row[0]: row[1] for row in rows}


async def unfinished(version_ids: Iterable[int]) -> set[int]:
    """Those of the versions whose listing is not complete."""
    return {row[0] for row in await listings(version_ids) if not row[3]}


async def move(*, giver: int, receiver: int) -> list[int]:
    """Let the receiver stand in the giver's lists, where they do not yet; the rows' ids."""
    rows = await sql.fetch(
        "UPDATE segment_members SET member_id = $1 WHERE member_id = $2 AND version_id NOT IN"
        " (SELECT o.version_id FROM segment_members o WHERE o.member_id = $1) RETURNING id",
        receiver,
        giver,
    )
    return sorted(row[0] for row in rows)


async def move_rows(ids: Sequence[int], *, giver: int, receiver: int) -> None:
    """Let the receiver stand where the giver does in these rows."""
    await sql.execute_many(
        "UPDATE segment_members SET member_id = $1 WHERE id = $2 AND member_id = $3",
        [(receiver, number, giver) for number in ids],
    )
