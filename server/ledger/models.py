"""Tables of the ledger, and their named queries."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField
from server.storage.indexes import PartialIndex


class LedgerAccount(Model):
    """One member's account in one asset: the head of its journal, and what writers lock.

    `balance`, `held`, `owed`, the totals and `next_expiry_at` restate the journal, the lots and the
    holds, so that a write needs to read none of them. `balance` is the member's net worth: open
    lots, plus what is held, less what is owed. It is also `granted_total - redeemed_total -
    expired_total - reversed_total + moved_total`.
    """

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    asset = fields.CharField(6)
    last_sequence = fields.IntField()
    last_hash = fields.CharField(64)
    balance = fields.BigIntField()  # what is booked so far; below 0 if more is owed than there is
    held = fields.BigIntField()
    owed = fields.BigIntField()  # the hole that what comes in next fills first
    granted_total = fields.BigIntField()
    redeemed_total = fields.BigIntField()
    expired_total = fields.BigIntField()
    reversed_total = fields.BigIntField()
    moved_total = fields.BigIntField()  # everything else that came, less what went
    next_expiry_at = InstantField()  # nothing lapses before it; it may be too early, never too late

    class Meta:
        """Table."""

        table = "ledger_accounts"
        unique_together = (("member_id", "asset"),)
        constraints = (
            CheckConstraint(check="LENGTH(asset) BETWEEN 3 AND 6", name="ledger_accounts_asset"),
            CheckConstraint(check="last_sequence >= 0", name="ledger_accounts_last_sequence"),
            CheckConstraint(check="held >= 0 AND owed >= 0", name="ledger_accounts_held_owed"),
            CheckConstraint(check="balance - held + owed >= 0", name="ledger_accounts_balance"),
            CheckConstraint(
                check="granted_total >= 0 AND redeemed_total >= 0 AND expired_total >= 0"
                " AND reversed_total >= 0",
                name="ledger_accounts_totals",
            ),
            CheckConstraint(
                check="balance = granted_total - redeemed_total - expired_total - reversed_total"
                " + moved_total",
                name="ledger_accounts_identity",
            ),
        )


class Lot(Model):
    """Value granted at one time with one expiry; `sequence` is that of the posting that made it.

    `origin_id` is the lot whose value this one goes on with, where that had lapsed or belonged to a
    duplicate of the member. `undone` is how much of the grant has been reversed since; `recalled`
    is the part of that which was no longer in the lot and was not lapsed either, and `let_go` what
    of that was not recovered: it is taken when what had used it is undone.
    """

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
    origin_id = fields.BigIntField(null=True)
    undone = fields.BigIntField()
    recalled = fields.BigIntField()
    let_go = fields.BigIntField()

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
            PartialIndex(
                fields=("reference",), where="reference IS NOT NULL", name="lots_reference"
            ),
            PartialIndex(fields=("origin_id",), where="origin_id IS NOT NULL", name="lots_origin"),
        )
        constraints = (
            CheckConstraint(check="sequence >= 1", name="lots_sequence"),
            CheckConstraint(check="amount > 0", name="lots_amount"),
            CheckConstraint(check="remaining >= 0 AND remaining <= amount", name="lots_remaining"),
            CheckConstraint(
                check="undone >= 0 AND undone <= amount AND recalled >= 0 AND recalled <= undone"
                " AND let_go >= 0 AND let_go <= recalled",
                name="lots_undone",
            ),
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
    lot: fields.ForeignKeyNullableRelation[Lot] = fields.ForeignKeyField(
        "laurel.Lot", on_delete=fields.RESTRICT, null=True
    )  # null for what is owed
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
        indexes = (
            # From which lots something was paid, to give it back.
            PartialIndex(
                fields=("reference",),
                where="reference IS NOT NULL AND debit <> 'issued'",
                name="postings_uses",
            ),
            # How much of a lot's grant lapsed or was taken back.
            PartialIndex(
                fields=("lot_id",),
                where="credit IN ('expired', 'reversed')",
                name="postings_ends",
            ),
        )
        constraints = (
            CheckConstraint(check="sequence >= 1", name="postings_sequence"),
            CheckConstraint(check="amount > 0", name="postings_amount"),
            CheckConstraint(check="debit <> credit", name="postings_two_sides"),
        )


class Hold(Model):
    """Value reserved until `expires_at`, then free again; settled or released at most once before.

    Whether it has expired is read off the clock: the row of a hold that expired says nothing of it.
    """

    id = IdField()
    member_id = fields.BigIntField()  # who asked for it
    asset = fields.CharField(6)
    amount = fields.BigIntField()
    settled_amount = fields.BigIntField()
    purpose = fields.CharField(24)
    partner = fields.CharField(64)  # whose till made it; empty if none did
    created_at = InstantField()
    expires_at = InstantField()
    resolved_at = InstantField(null=True)
    resolution = fields.CharField(8, null=True)  # settled, released

    class Meta:
        """Table."""

        table = "holds"
        indexes = (("member_id", "id"),)
        constraints = (
            CheckConstraint(check="amount > 0", name="holds_amount"),
            CheckConstraint(
                check="settled_amount >= 0 AND settled_amount <= amount",
                name="holds_settled_amount",
            ),
            CheckConstraint(
                check="(resolved_at IS NULL) = (resolution IS NULL)"
                " AND (resolution IS NULL OR resolution IN ('settled', 'released'))",
                name="holds_resolution",
            ),
        )


class HeldPortion(Model):
    """What a hold has taken from one lot, and still holds of it."""

    id = IdField()
    hold: fields.ForeignKeyRelation[Hold] = fields.ForeignKeyField(
        "laurel.Hold", on_delete=fields.RESTRICT
    )
    member_id = fields.BigIntField()
    account: fields.ForeignKeyRelation[LedgerAccount] = fields.ForeignKeyField(
        "laurel.LedgerAccount", on_delete=fields.RESTRICT
    )
    lot: fields.ForeignKeyRelation[Lot] = fields.ForeignKeyField(
        "laurel.Lot", on_delete=fields.RESTRICT
    )
    amount = fields.BigIntField()
    remaining = fields.BigIntField()
    releases_at = InstantField()
    lot_expires_at = InstantField()

    class Meta:
        """Table."""

        table = "held_portions"
        unique_together = (("hold_id", "lot_id"),)
        indexes = (
            PartialIndex(fields=("account_id",), where="remaining > 0", name="held_portions_open"),
        )
        constraints = (
            CheckConstraint(
                check="amount > 0 AND remaining >= 0 AND remaining <= amount",
                name="held_portions_amounts",
            ),
        )
