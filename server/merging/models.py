"""The table of merges, and the named queries that move what belongs to a member."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import changes, sql
from server.storage.fields import IdField, InstantField


class Merge(Model):
    """A duplicate membership joined into another, and all that moved with it."""

    id = IdField()
    duplicate: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT, related_name="merges_as_duplicate"
    )
    survivor: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT, related_name="merges_as_survivor"
    )
    moved = fields.TextField()  # ids of the rows that moved, by table, as JSON
    reason = fields.CharField(500)
    merged_by = fields.BigIntField()  # an account of staff
    merged_at = InstantField()
    undone_by = fields.BigIntField(null=True)
    undone_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "merges"
        indexes = (("survivor_id",), ("duplicate_id",))
        constraints = (
            CheckConstraint(check="duplicate_id <> survivor_id", name="merges_two_members"),
        )


MERGE_COLUMNS = (
    "id, duplicate_id, survivor_id, moved, reason, merged_by, merged_at, undone_by, undone_at"
)
INSERT_MERGE = sql.insert("merges", MERGE_COLUMNS)
MOVED_TABLES = (
    "purchases",
    "payments",
    "vouchers",
    "payouts",
    "adjustments",
    "reward_orders",
    "coupon_redemptions",
    "offer_uses",
    "baskets",
    "referrals",
    "referral_milestones",
    "action_completions",
    "survey_answers",
)
"""The tables whose rows have an id and pass from member to member; lines and returns go with their
purchases."""

_WITH_PURCHASES = (
    ("purchase_lines", "purchase_id IN ({purchases})"),
    ("purchase_returns", "purchase_id IN ({purchases})"),
    (
        "return_lines",
        "purchase_return_id IN (SELECT r.id FROM purchase_returns r"
        " WHERE r.purchase_id IN ({purchases}))",
    ),
)


def _lock() -> str:
    return " FOR UPDATE" if sql.engine() == "postgres" else ""


# ---------------------------------------------------------------- members


async def members_for_writing(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(id, merged_into, enrolled_at) of the members, locked in the order of their ids: nobody who
    refers to them passes before the transaction ends (`kept_unmerged`)."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        "SELECT id, merged_into, enrolled_at FROM members"
        f" WHERE id IN ({sql.placeholders(len(values))}) ORDER BY id{_lock()}",
        *values,
    )


async def named(
    *, member_id: int | None, external_id: str | None, card_number: str | None
) -> int | None:
    """The member with the id, the external id or the card, whether or not it was merged."""
    row = await sql.fetch_one(
        "SELECT m.id FROM members m WHERE m.id = $1 OR m.external_id = $2"
        " OR m.id = (SELECT c.member_id FROM cards c WHERE c.number = $3)",
        member_id,
        external_id,
        card_number,
    )
    return int(row[0]) if row else None


async def merged_into(member_id: int) -> list[int]:
    """The members who lead to this one."""
    rows = await sql.fetch("SELECT id FROM members WHERE merged_into = $1 ORDER BY id", member_id)
    return [row[0] for row in rows]


async def lead(member_ids: Sequence[int], to: int | None) -> None:
    """Let the members lead to another one; None: to themselves."""
    statement = "UPDATE members SET merged_into = $1 WHERE id = $2"
    await sql.execute_many(statement, [(to, member_id) for member_id in member_ids])


async def first_enrolled_at(member_id: int) -> Instant:
    """When the member joined, or the first of those who were merged into them."""
    row = await sql.fetch_one(
        "SELECT MIN(enrolled_at) FROM members WHERE id = $1 OR merged_into = $1", member_id
    )
    assert row is not None, "an aggregate has a row"
    return Instant(row[0])


async def assets_of(member_ids: Iterable[int]) -> list[str]:
    """In what the members have accounts."""
    values = sql.padded(member_ids)
    rows = await sql.fetch(
        "SELECT DISTINCT asset FROM ledger_accounts"
        f" WHERE member_id IN ({sql.placeholders(len(values))}) ORDER BY asset",
        *values,
    )
    return [row[0] for row in rows]


async def has_open_hold(member_id: int, at: Instant) -> bool:
    """Whether the member asked for a hold that is open at the instant, or for a payout that is not
    decided."""
    row = await sql.fetch_one(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM holds WHERE member_id = $1"
        " AND resolved_at IS NULL AND expires_at > $2)"
        " OR EXISTS (SELECT 1 FROM payouts WHERE member_id = $1"
        " AND status IN ('requested', 'approved'))",
        member_id,
        at,
    )
    return row is not None


async def lots_that_came(member_id: int, of: Iterable[int]) -> set[int]:
    """The member's open lots that go on with value that was granted to the others."""
    values = sql.padded(of)
    rows = await sql.fetch(
        "SELECT l.id FROM ledger_accounts a"
        " JOIN lots l ON l.account_id = a.id AND l.remaining > 0"
        " JOIN lots o ON o.id = l.origin_id"
        f" WHERE a.member_id = $1 AND o.member_id IN ({sql.placeholders(len(values), 2)})",
        member_id,
        *values,
    )
    return {row[0] for row in rows}


# ---------------------------------------------------------------- rows


async def move_all(table: str, *, giver: int, receiver: int) -> list[int]:
    """Move the rows of one of MOVED_TABLES from member to member; their ids."""
    rows = await sql.fetch(f"SELECT id FROM {table} WHERE member_id = $1 ORDER BY id", giver)
    if table == "purchases":
        for name, condition in _WITH_PURCHASES:
            wanted = condition.format(purchases="SELECT id FROM purchases WHERE member_id = $2")
            await sql.execute(f"UPDATE {name} SET member_id = $1 WHERE {wanted}", receiver, giver)
    await sql.execute(f"UPDATE {table} SET member_id = $1 WHERE member_id = $2", receiver, giver)
    return [row[0] for row in rows]


async def move_rows(table: str, ids: Sequence[int], *, giver: int, receiver: int) -> None:
    """Move the rows with these ids of one of MOVED_TABLES, as far as they are the giver's."""
    if table == "purchases":
        for name, condition in _WITH_PURCHASES:
            wanted = condition.format(purchases="$2")
            await sql.execute_many(
                f"UPDATE {name} SET member_id = $1 WHERE {wanted}",
                [(receiver, number) for number in ids],
            )
    await sql.execute_many(
        f"UPDATE {table} SET member_id = $1 WHERE id = $2 AND member_id = $3",
        [(receiver, number, giver) for number in ids],
    )


async def adjustments_decided_since(ids: Sequence[int], at: Instant) -> set[int]:
    """Those of the adjustments that were pending at the instant and were decided after it."""
    if not ids:
        return set()
    values = sql.padded(ids)
    rows = await sql.fetch(
        "SELECT id FROM adjustments WHERE decided_at >= $1"
        f" AND id IN ({sql.placeholders(len(values), 2)})",
        at,
        *values,
    )
    return {row[0] for row in rows}


# ---------------------------------------------------------------- households


async def stay_of(member_id: int) -> sql.Row | None:
    """(id, household_id, role, how many others are there, how many of those are owners) of the
    member's present stay, locked."""
    stay = await sql.fetch_one(
        "SELECT id, household_id, role FROM household_members"
        f" WHERE member_id = $1 AND left_at IS NULL{_lock()}",
        member_id,
    )
    if stay is None:
        return None
    others = await sql.fetch(
        "SELECT id, role FROM household_members"
        " WHERE household_id = $1 AND left_at IS NULL AND id <> $2",
        stay[1],
        stay[0],
    )
    return (*stay, len(others), sum(row[1] == "owner" for row in others))


async def end_stay(stay_id: int, at: Instant) -> None:
    """End a stay."""
    await sql.execute("UPDATE household_members SET left_at = $1 WHERE id = $2", at, stay_id)


async def dissolve(household_id: int, at: Instant) -> None:
    """Dissolve a household that nobody is left in."""
    await sql.execute("UPDATE households SET dissolved_at = $1 WHERE id = $2", at, household_id)


async def resume_stay(stay_id: int, member_id: int, *, ended_at: Instant) -> None:
    """Let the stay that ended at the instant go on, and its household too if it ended with it;
    nothing if the member is in another one, or the household has ended otherwise."""
    await sql.execute(
        "UPDATE households SET dissolved_at = NULL WHERE dissolved_at = $1"
        " AND id = (SELECT household_id FROM household_members WHERE id = $2)",
        ended_at,
        stay_id,
    )
    resumed = await sql.fetch(
        "UPDATE household_members SET left_at = NULL WHERE id = $1 AND left_at = $2"
        " AND NOT EXISTS (SELECT 1 FROM household_members other"
        " WHERE other.member_id = $3 AND other.left_at IS NULL)"
        " AND EXISTS (SELECT 1 FROM households h"
        " WHERE h.id = household_members.household_id AND h.dissolved_at IS NULL)"
        " RETURNING household_id",
        stay_id,
        ended_at,
        member_id,
    )
    for (household_id,) in resumed:
        changes.note(changes.HOUSEHOLD, household_id)


# ---------------------------------------------------------------- merges


async def merge_for_writing(merge_id: int) -> sql.Row | None:
    """MERGE_COLUMNS of one merge, locked."""
    return await sql.fetch_one(
        f"SELECT {MERGE_COLUMNS} FROM merges WHERE id = $1{_lock()}", merge_id
    )


async def note_undone(merge_id: int, moved: str, *, by: int, at: Instant) -> None:
    """Note that a merge was undone, and why in `moved`."""
    await sql.execute(
        "UPDATE merges SET moved = $1, undone_by = $2, undone_at = $3 WHERE id = $4",
        moved,
        by,
        at,
        merge_id,
    )


async def merge_page(before: int, limit: int) -> Sequence[sql.Row]:
    """MERGE_COLUMNS of the newest `limit` merges with an id below `before`."""
    return await sql.fetch(
        f"SELECT {MERGE_COLUMNS} FROM merges WHERE id < $1 ORDER BY id DESC LIMIT $2",
        before,
        limit,
    )


async def purchase_rows(member_id: int, columns: str) -> Sequence[sql.Row]:
    """The columns of all of the member's purchases, in the order in which they were recorded."""
    return await sql.fetch(
        f"SELECT {columns} FROM purchases WHERE member_id = $1 ORDER BY id", member_id
    )
