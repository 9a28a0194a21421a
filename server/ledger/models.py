"""Tables of the ledger, and their named queries."""

from tortoise import fields
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField


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
