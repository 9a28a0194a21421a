"""The table of cards, and its named queries.

Queries answer with rows of `COLUMNS`: id, member_id, number, status, issued_at, reported_lost_at.
"""

from collections.abc import Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member, kept_unmerged
from server.storage import sql
from server.storage.exchange import Asked
from server.storage.fields import IdField, InstantField
from server.storage.parts import Branch


class Card(Model):
    """A digital card. A member has one that is not replaced."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    number = fields.CharField(19, unique=True)
    status = fields.CharField(8)  # active, blocked, replaced
    issued_at = InstantField()
    status_changed_at = InstantField()
    reported_lost_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "cards"
        indexes = (("member_id", "id"),)
        constraints = (
            CheckConstraint(
                check="status IN ('active', 'blocked', 'replaced')", name="cards_status"
            ),
            UniqueConstraint(
                fields=("member_id",), name="cards_one_current", condition="status <> 'replaced'"
            ),
        )


COLUMNS = "id, member_id, number, status, issued_at, reported_lost_at"
_FOUND = (
    "SELECT c.id, COALESCE(m.merged_into, c.member_id) AS stands_for, c.number, c.status,"
    " c.issued_at, c.reported_lost_at FROM cards c JOIN members m ON m.id = c.member_id"
)


async def insert(rows: list[tuple[int, int, str, Instant]]) -> None:
    """Insert active cards: id, member_id, number, issued_at.

    Left out are those whose number is taken, or whose member has a card that is not replaced.
    """
    await sql.execute_many(
        "INSERT INTO cards (id, member_id, number, status, issued_at, status_changed_at)"
        " VALUES ($1, $2, $3, 'active', $4, $4) ON CONFLICT DO NOTHING",
        rows,
    )


CURRENT = Branch(
    "current cards",
    member="member_id",
    numbers=("id", "issued_at", "reported_lost_at"),
    texts=("number", "status"),
    source="FROM cards WHERE member_id IN ({members}) AND status <> 'replaced'",
)
"""The cards that are not replaced: one for each member that has one."""


async def by_ids(card_ids: Sequence[int]) -> Sequence[sql.Row]:
    """The cards with these ids, whatever their status; as `by_numbers`."""
    values = sql.padded(card_ids)
    return await sql.fetch(
        f"{_FOUND} WHERE c.id IN ({sql.placeholders(len(values))}){kept_unmerged('m')}",
        *values,
    )


def by_numbers(numbers: Sequence[str]) -> Asked:
    """What asks for the cards with these numbers, whatever their status.

    The member of a merged duplicate's card is the one whom the duplicate was merged into.
    """
    values = sql.padded(numbers)
    return (
        f"{_FOUND} WHERE c.number IN ({sql.placeholders(len(values))}){kept_unmerged('m')}",
        values,
    )


async def block(card_id: int, now: Instant) -> None:
    """Block the card if it is active."""
    await sql.execute(
        "UPDATE cards SET status = 'blocked', status_changed_at = $2"
        " WHERE id = $1 AND status = 'active'",
        card_id,
        now,
    )


async def unblock(card_id: int, now: Instant) -> None:
    """Activate the card if it is blocked and was not reported lost."""
    await sql.execute(
        "UPDATE cards SET status = 'active', status_changed_at = $2"
        " WHERE id = $1 AND status = 'blocked' AND reported_lost_at IS NULL",
        card_id,
        now,
    )


async def report_lost(card_id: int, now: Instant) -> None:
    """Block the card and note its loss, if it is not replaced and no loss is noted."""
    await sql.execute(
        "UPDATE cards SET status = 'blocked', reported_lost_at = $2, status_changed_at ="
        " CASE WHEN status = 'blocked' THEN status_changed_at ELSE $2 END"
        " WHERE id = $1 AND status <> 'replaced' AND reported_lost_at IS NULL",
        card_id,
        now,
    )


async def replace(card_id: int, now: Instant) -> None:
    """Mark the card as replaced, if it is not yet."""
    await sql.execute(
        "UPDATE cards SET status = 'replaced', status_changed_at = $2"
        " WHERE id = $1 AND status <> 'replaced'",
        card_id,
        now,
    )
