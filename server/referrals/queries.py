"""The named queries of referrals; each says what its rows hold."""

from collections.abc import Collection, Iterable, Sequence

from server.clock import Instant
from server.storage import sql
from server.storage.each import of_each
from server.storage.exchange import Asked

MAXIMUM_RING = 20
"""How far up rings are looked for."""

REFERRAL_COLUMNS = (
    "id, member_id, friend_id, programme, version, state, doubts, accepted_at, accepted_day,"
    " enrolled_day, purchase_id, purchase_day, granted_at, granted_month, available_at, is_capped,"
    " inviter_points, inviter_cashback_minor, friend_points, friend_cashback_minor, decided_by,"
    " decided_at, note"
)
INSERT_REFERRAL = sql.insert("referrals", REFERRAL_COLUMNS)
UPDATE_REFERRAL = (
    "UPDATE referrals SET state = $1, doubts = $2, purchase_id = $3, purchase_day = $4,"
    " granted_at = $5, granted_month = $6, available_at = $7, is_capped = $8, inviter_points = $9,"
    " inviter_cashback_minor = $10, friend_points = $11, friend_cashback_minor = $12,"
    " decided_by = $13, decided_at = $14, note = $15 WHERE id = $16"
)
MILESTONE_COLUMNS = "id, member_id, programme, friends, points, referral_id, state, granted_at"
INSERT_MILESTONE = sql.insert("referral_milestones", MILESTONE_COLUMNS)
UPDATE_MILESTONE = "UPDATE referral_milestones SET state = $1 WHERE id = $2"
INSERT_MARK = sql.insert(
    "member_marks",
    "id, member_id, kind, mark_hash, noted_at",
    otherwise="ON CONFLICT (member_id, kind, mark_hash) DO NOTHING",
)
OPEN_BESIDE = (
    "r.id AS referral_id, r.member_id AS inviter_id",
    "LEFT JOIN referrals r ON r.friend_id = {member}"
    " AND r.state IN ('waiting', 'held', 'blocked') AND r.purchase_id IS NULL",
)
"""What is read beside a member, and the join that it needs: (id, inviter) of the referral for which
a purchase of theirs may count, if there is one."""


def of_ids(referral_ids: Collection[int]) -> Asked:
    """Asks for REFERRAL_COLUMNS of the referrals."""
    values = sql.padded(referral_ids)
    return (
        f"SELECT {REFERRAL_COLUMNS} FROM referrals WHERE id IN ({sql.placeholders(len(values))})",
        values,
    )


async def of_friend(friend_id: int) -> sql.Row | None:
    """REFERRAL_COLUMNS of the referral by which the member came."""
    return await sql.fetch_one(
        f"SELECT {REFERRAL_COLUMNS} FROM referrals WHERE friend_id = $1", friend_id
    )


def of_friends(friend_ids: Collection[int]) -> Asked:
    """Asks for REFERRAL_COLUMNS of the referrals by which the members came."""
    values = sql.padded(friend_ids)
    return (
        f"SELECT {REFERRAL_COLUMNS} FROM referrals"
        f" WHERE friend_id IN ({sql.placeholders(len(values))})",
        values,
    )


async def of_purchase(purchase_id: int) -> sql.Row | None:
    """REFERRAL_COLUMNS of the referral that the purchase counts for."""
    return await sql.fetch_one(
        f"SELECT {REFERRAL_COLUMNS} FROM referrals WHERE purchase_id = $1", purchase_id
    )


def friend_now(referral_id: int) -> Asked:
    """Asks for (member) whom the friend is now: whom they were merged into, if they were."""
    return (
        "SELECT COALESCE(m.merged_into, m.id) FROM referrals r JOIN members m ON m.id = r.friend_id"
        " WHERE r.id = $1",
        (referral_id,),
    )


async def page(state: str | None, before: int, limit: int) -> Sequence[sql.Row]:
    """REFERRAL_COLUMNS of the newest referrals, of the state or of all, with an id below."""
    of_state = "" if state is None else " AND state = $3"
    return await sql.fetch(
        f"SELECT {REFERRAL_COLUMNS} FROM referrals WHERE id < $1{of_state} ORDER BY id DESC"
        " LIMIT $2",
        before,
        limit,
        *([] if state is None else [state]),
    )


_WITH_NAME = ", ".join(f"r.{name}" for name in REFERRAL_COLUMNS.split(", "))


async def friend_pages(member_ids: Iterable[int], before: int, limit: int) -> Sequence[sql.Row]:
    """REFERRAL_COLUMNS, the friend's name: of the newest friends that each of the members has
    brought, with an id below `before`."""
    return await of_each(
        f"SELECT {_WITH_NAME}, m.name FROM referrals r JOIN members m ON m.id = r.friend_id"
        " WHERE r.member_id = {owner} AND r.id < $1 ORDER BY r.id DESC LIMIT $2",
        list(member_ids),
        before,
        limit,
    )


def granted_by_month(member_ids: Collection[int]) -> Asked:
    """Asks for (inviter, month, friends, points, cashback) of what inviters were rewarded for."""
    values = sql.padded(member_ids)
    return (
        "SELECT member_id, granted_month, COUNT(*), CAST(SUM(inviter_points) AS BIGINT),"
        " CAST(SUM(inviter_cashback_minor) AS BIGINT) FROM referrals"
        f" WHERE member_id IN ({sql.placeholders(len(values))}) AND state = 'rewarded'"
        " AND is_capped = 0 GROUP BY member_id, granted_month",
        values,
    )


def milestones(member_ids: Collection[int]) -> Asked:
    """Asks for MILESTONE_COLUMNS of what inviters have got, or have kept."""
    values = sql.padded(member_ids)
    return (
        f"SELECT {MILESTONE_COLUMNS} FROM referral_milestones"
        f" WHERE member_id IN ({sql.placeholders(len(values))}) AND state <> 'returned'",
        values,
    )


# ---------------------------------------------------------------- doubts


def addresses(member_ids: Collection[int]) -> Asked:
    """Asks for (member, address as it is compared) of those who have one."""
    values = sql.padded(member_ids)
    return (
        "SELECT member_id, email_key FROM accounts"
        f" WHERE member_id IN ({sql.placeholders(len(values))}) AND email_key IS NOT NULL",
        values,
    )


def shared_marks(friend_id: int, inviter_id: int) -> Asked:
    """Asks for the kinds of marks that the friend shares with the inviter, or with another friend
    of theirs."""
    return (
        "SELECT DISTINCT own.kind FROM member_marks own JOIN member_marks other"
        " ON other.kind = own.kind AND other.mark_hash = own.mark_hash"
        " AND other.member_id <> own.member_id"
        " WHERE own.member_id = $1 AND (other.member_id = $2 OR EXISTS (SELECT 1 FROM referrals r"
        " WHERE r.friend_id = other.member_id AND r.member_id = $2))",
        (friend_id, inviter_id),
    )


def shared_household(friend_id: int, inviter_id: int) -> Asked:
    """Asks for a row if both are in one household now."""
    return (
        "SELECT own.id FROM household_members own JOIN household_members other"
        " ON other.household_id = own.household_id AND other.left_at IS NULL"
        " WHERE own.member_id = $1 AND own.left_at IS NULL AND other.member_id = $2",
        (friend_id, inviter_id),
    )


def ring(friend_id: int, inviter_id: int) -> Asked:
    """Asks for a row if the friend has brought the inviter, or who brought them, and so on."""
    return (
        "WITH RECURSIVE above(member_id, steps) AS ("
        "SELECT CAST($1 AS BIGINT), 0 UNION ALL SELECT r.member_id, above.steps + 1 FROM above"
        f" JOIN referrals r ON r.friend_id = above.member_id WHERE above.steps < {MAXIMUM_RING})"
        " SELECT steps FROM above WHERE member_id = $2 LIMIT 1",
        (inviter_id, friend_id),
    )


def brought_between(inviter_id: int, since: Instant, until: Instant, apart_from: int) -> Asked:
    """Asks for how many friends other than this one came through the inviter in that time."""
    return (
        "SELECT COUNT(*) FROM referrals WHERE member_id = $1 AND accepted_at > $2"
        " AND accepted_at <= $3 AND friend_id <> $4",
        (inviter_id, since, until, apart_from),
    )


# ---------------------------------------------------------------- of others


async def has_bought(member_id: int) -> bool:
    """Whether a purchase of the member is recorded."""
    statement = "SELECT 1 FROM purchases WHERE member_id = $1 LIMIT 1"
    return await sql.fetch_one(statement, member_id) is not None


async def merged_into(member_id: int) -> list[int]:
    """The members who lead to this one: what they were granted may stand in lots of theirs."""
    rows = await sql.fetch("SELECT id FROM members WHERE merged_into = $1 ORDER BY id", member_id)
    return [row[0] for row in rows]
