"""Tables of the ledger, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.clock import Instant
from server.members.models import Member
from server.storage import sql
from server.storage.fields import IdField, InstantField
from server.storage.indexes import PartialIndex
from server.storage.periods import period_of


class LedgerAccount(Model):
    """One member's account in one asset: the head of its journal, and what writers lock.

    `balance`, the totals and `next_expiry_at` restate the journal and the lots, so that a write
    needs to read neither.
    """

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    asset = fields.CharField(6)
    last_sequence = fields.IntField()
    last_hash = fields.CharField(64)
    balance = fields.BigIntField()  # pending and available, expiries booked so far taken off
    granted_total = fields.BigIntField()
    redeemed_total = fields.BigIntField()
    expired_total = fields.BigIntField()
    next_expiry_at = InstantField()  # no lot expires before it; it may be too early, never too late

    class Meta:
        """Table."""

        table = "ledger_accounts"
        unique_together = (("member_id", "asset"),)
        constraints = (
            CheckConstraint(check="LENGTH(asset) BETWEEN 3 AND 6", name="ledger_accounts_asset"),
            CheckConstraint(check="last_sequence >= 0", name="ledger_accounts_last_sequence"),
            CheckConstraint(check="balance >= 0", name="ledger_accounts_balance"),
            CheckConstraint(
                check="granted_total >= 0 AND redeemed_total >= 0 AND expired_total >= 0",
                name="ledger_accounts_totals",
            ),
        )


class Lot(Model):
    """Value granted at one time with one expiry, `sequence` is that of the posting that made it."""

    id = IdField()
    member_id = fields.BigIntField()
    account: fields.ForeignKeyRelation[LedgerAccount] = fields.ForeignKeyField(
        "laurel.LedgerAccount", on_delete=fields.RESTRICT
    )
    sequence = fields.IntField()
    amount = fields.BigIntField()
    remaining = fields.BigIntField()
    earned_at = InstantField()
    available_at = InstantField()
    expires_at = InstantField()
    reason = fields.CharField(24)
    rule = fields.CharField(64)
    programme_version = fields.IntField()
    reference = fields.BigIntField(null=True)

    class Meta:
        """Table."""

        table = "lots"
        unique_together = (("account_id", "sequence"),)
        indexes = (
            # What a spend or an expiry takes from.
            PartialIndex(
                fields=("account_id", "expires_at", "sequence"),
                where="remaining > 0",
                name="lots_open",
            ),
        )
        constraints = (
            CheckConstraint(check="sequence >= 1", name="lots_sequence"),
            CheckConstraint(check="amount > 0", name="lots_amount"),
            CheckConstraint(check="remaining >= 0 AND remaining <= amount", name="lots_remaining"),
        )


class Posting(Model):
    """One immutable line of an account's journal: `amount` from `debit` to `credit`."""

    id = IdField()
    member_id = fields.BigIntField()
    account: fields.ForeignKeyRelation[LedgerAccount] = fields.ForeignKeyField(
        "laurel.LedgerAccount", on_delete=fields.RESTRICT
    )
    sequence = fields.IntField()
    debit = fields.CharField(16)
    credit = fields.CharField(16)
    amount = fields.BigIntField()
    balance_after = fields.BigIntField()
    lot: fields.ForeignKeyRelation[Lot] = fields.ForeignKeyField(
        "laurel.Lot", on_delete=fields.RESTRICT
    )
    reason = fields.CharField(24)
    rule = fields.CharField(64)
    programme_version = fields.IntField()
    reference = fields.BigIntField(null=True)
    occurred_at = InstantField()
    recorded_at = InstantField()
    hash = fields.CharField(64)

    class Meta:
        """Table."""

        table = "postings"
        unique_together = (("account_id", "sequence"),)
        constraints = (
            CheckConstraint(check="sequence >= 1", name="postings_sequence"),
            CheckConstraint(check="amount > 0", name="postings_amount"),
            CheckConstraint(check="debit <> credit", name="postings_two_sides"),
            CheckConstraint(check="balance_after >= 0", name="postings_balance_after"),
        )


ACCOUNT_COLUMNS = (
    "id, member_id, asset, last_sequence, last_hash, balance, granted_total, redeemed_total,"
    " expired_total, next_expiry_at"
)
LOT_COLUMNS = (
    "id, member_id, account_id, sequence, amount, remaining, earned_at, available_at, expires_at,"
    " reason, rule, programme_version, reference"
)
POSTING_COLUMNS = (
    "id, member_id, account_id, sequence, debit, credit, amount, balance_after, lot_id, reason,"
    " rule, programme_version, reference, occurred_at, recorded_at, hash"
)

INSERT_ACCOUNT = sql.insert(
    "ledger_accounts", ACCOUNT_COLUMNS, otherwise="ON CONFLICT (member_id, asset) DO NOTHING"
)
UPDATE_ACCOUNT = (
    "UPDATE ledger_accounts SET last_sequence = $1, last_hash = $2, balance = $3,"
    " granted_total = $4, redeemed_total = $5, expired_total = $6, next_expiry_at = $7"
    " WHERE id = $8"
)
INSERT_LOT = sql.insert("lots", LOT_COLUMNS)
UPDATE_LOT = "UPDATE lots SET remaining = $1 WHERE id = $2"
INSERT_POSTING = sql.insert("postings", POSTING_COLUMNS)


async def accounts_for_writing(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """All accounts of the members (ACCOUNT_COLUMNS), locked in the order of their ids."""
    values = sql.padded(member_ids)
    lock = " FOR UPDATE" if sql.engine() == "postgres" else ""
    return await sql.fetch(
        f"SELECT {ACCOUNT_COLUMNS} FROM ledger_accounts"
        f" WHERE member_id IN ({sql.placeholders(len(values))}) ORDER BY id{lock}",
        *values,
    )


async def open_lots(account_ids: Iterable[int]) -> Sequence[sql.Row]:
    """What is left of the accounts' lots (LOT_COLUMNS), in the order in which it is spent."""
    values = sql.padded(account_ids)
    return await sql.fetch(
        f"SELECT {LOT_COLUMNS} FROM lots"
        f" WHERE account_id IN ({sql.placeholders(len(values))}) AND remaining > 0"
        " ORDER BY account_id, expires_at, sequence",
        *values,
    )


async def balance_rows(member_ids: Iterable[int], at: Instant) -> Sequence[sql.Row]:
    """For each account of the members: member_id, asset, balance, granted, redeemed and expired
    totals, and of what is left at the instant: available, pending, and expired but not booked."""
    values = sql.padded(member_ids)
    count = len(values)
    now = f"${count + 1}"
    return await sql.fetch(
        "SELECT a.member_id, a.asset, a.balance, a.granted_total, a.redeemed_total,"
        " a.expired_total,"
        f" CAST(COALESCE(SUM(CASE WHEN l.available_at <= {now} AND l.expires_at > {now}"
        " THEN l.remaining END), 0) AS BIGINT),"
        f" CAST(COALESCE(SUM(CASE WHEN l.available_at > {now} AND l.expires_at > {now}"
        " THEN l.remaining END), 0) AS BIGINT),"
        f" CAST(COALESCE(SUM(CASE WHEN l.expires_at <= {now} THEN l.remaining END), 0) AS BIGINT)"
        " FROM ledger_accounts a LEFT JOIN lots l ON l.account_id = a.id AND l.remaining > 0"
        f" WHERE a.member_id IN ({sql.placeholders(count)})"
        " GROUP BY a.id, a.member_id, a.asset, a.balance, a.granted_total, a.redeemed_total,"
        " a.expired_total",
        *values,
        at,
    )


async def holding_rows(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """Each account of the members with each of its open lots (null without any), first expiring
    first: member_id, asset, granted, redeemed and expired totals, remaining, available_at,
    expires_at."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        "SELECT a.member_id, a.asset, a.granted_total, a.redeemed_total, a.expired_total,"
        " l.remaining, l.available_at, l.expires_at"
        " FROM ledger_accounts a LEFT JOIN lots l ON l.account_id = a.id AND l.remaining > 0"
        f" WHERE a.member_id IN ({sql.placeholders(len(values))})"
        " ORDER BY a.id, l.expires_at, l.sequence",
        *values,
    )


async def statement_rows(
    member_id: int, asset: str, at: Instant, before: int, limit: int
) -> Sequence[sql.Row]:
    """The newest `limit` lines of the account with a sequence below `before`, newest first:
    sequence, debit, amount, balance_after, reason, rule, reference, occurred_at.

    What has expired by the instant and is not booked yet stands on top, with the sequence and the
    balance that it will be booked with.
    """
    return await sql.fetch(
        "SELECT * FROM ("
        "SELECT a.last_sequence + ROW_NUMBER() OVER (ORDER BY l.expires_at, l.sequence)"
        " AS sequence, 'member' AS debit, l.remaining AS amount,"
        " a.balance - CAST(SUM(l.remaining) OVER (ORDER BY l.expires_at, l.sequence) AS BIGINT)"
        " AS balance_after, 'expiry' AS reason, l.rule AS rule,"
        " CAST(NULL AS BIGINT) AS reference, l.expires_at AS occurred_at"
        " FROM ledger_accounts a JOIN lots l ON l.account_id = a.id"
        " WHERE a.member_id = $1 AND a.asset = $2 AND l.remaining > 0 AND l.expires_at <= $3"
        " UNION ALL SELECT * FROM ("
        "SELECT p.sequence, p.debit, p.amount, p.balance_after, p.reason, p.rule, p.reference,"
        " p.occurred_at FROM postings p JOIN ledger_accounts a ON a.id = p.account_id"
        " WHERE a.member_id = $1 AND a.asset = $2 AND p.sequence < $4"
        " ORDER BY p.sequence DESC LIMIT $5) AS booked"
        ") AS lines WHERE sequence < $4 ORDER BY sequence DESC LIMIT $5",
        member_id,
        asset,
        at,
        before,
        limit,
    )


async def lots_as_of(member_id: int, asset: str, at: Instant) -> Sequence[sql.Row]:
    """(available_at, expires_at, left) of each lot from the postings that counted by the instant,
    expiries left out: they follow from `expires_at`."""
    return await sql.fetch(
        "SELECT l.available_at, l.expires_at, CAST(SUM(CASE WHEN p.credit = 'member'"
        " THEN p.amount ELSE -p.amount END) AS BIGINT)"
        " FROM postings p JOIN lots l ON l.id = p.lot_id"
        " JOIN ledger_accounts a ON a.id = p.account_id"
        " WHERE a.member_id = $1 AND a.asset = $2 AND p.occurred_at <= $3"
        " AND p.reason <> 'expiry' GROUP BY l.id, l.available_at, l.expires_at",
        member_id,
        asset,
        at,
    )


async def flow_rows(edges: Sequence[Instant]) -> Sequence[sql.Row]:
    """(asset, span, granted, redeemed, expired) over all members, for the spans that the ascending
    edges part, as `period_of` numbers them; what lies at or after the last edge is left out.

    What has expired and is not booked yet counts as expired when it did.
    """
    last = f"${len(edges)}"
    return await sql.fetch(
        "SELECT asset, span, CAST(SUM(granted) AS BIGINT), CAST(SUM(redeemed) AS BIGINT),"
        " CAST(SUM(expired) AS BIGINT) FROM ("
        f"SELECT a.asset AS asset, {period_of('p.occurred_at', len(edges))} AS span,"
        " SUM(CASE WHEN p.debit = 'issued' THEN p.amount ELSE 0 END) AS granted,"
        " SUM(CASE WHEN p.credit = 'redeemed' THEN p.amount ELSE 0 END) AS redeemed,"
        " SUM(CASE WHEN p.credit = 'expired' THEN p.amount ELSE 0 END) AS expired"
        " FROM postings p JOIN ledger_accounts a ON a.id = p.account_id"
        f" WHERE p.occurred_at < {last} GROUP BY 1, 2"
        f" UNION ALL SELECT a.asset, {period_of('l.expires_at', len(edges))}, 0, 0,"
        " SUM(l.remaining) FROM lots l JOIN ledger_accounts a ON a.id = l.account_id"
        f" WHERE l.remaining > 0 AND l.expires_at < {last} GROUP BY 1, 2"
        ") AS flows GROUP BY asset, span",
        *edges,
    )
