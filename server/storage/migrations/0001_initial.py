"""Creates all tables; postings can only be added."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from server.storage.fields import IdField, InstantField
from server.storage.indexes import PartialIndex
from server.storage.operations import AppendOnly


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="ApiKey",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("name", fields.CharField(max_length=120)),
                ("partner", fields.CharField(max_length=64)),
                ("scopes", fields.CharField(max_length=400)),
                ("key_hash", fields.CharField(unique=True, max_length=64)),
                ("created_at", InstantField()),
                ("expires_at", InstantField(null=True)),
                ("revoked_at", InstantField(null=True)),
            ],
            options={
                "table": "api_keys",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "A till's or shop's key: shown once, stored hashed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditRun",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("scope", fields.CharField(max_length=8)),
                ("started_at", InstantField()),
                ("finished_at", InstantField(null=True)),
                ("through_id", fields.BigIntField()),
                ("member_count", fields.IntField()),
                ("problem_count", fields.IntField()),
                ("first_problem", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "audit_runs",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "One audit: how far it reached, and what it found.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="BalanceImport",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("digest", fields.CharField(unique=True, max_length=64)),
                ("file_name", fields.CharField(max_length=255)),
                ("line_count", fields.IntField()),
                ("started_at", InstantField()),
                ("finished_at", InstantField(null=True)),
            ],
            options={
                "table": "balance_imports",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "One file of opening balances, known by the hash of its content.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Hold",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.BigIntField()),
                ("asset", fields.CharField(max_length=6)),
                ("amount", fields.BigIntField()),
                ("settled_amount", fields.BigIntField()),
                ("purpose", fields.CharField(max_length=24)),
                ("partner", fields.CharField(max_length=64)),
                ("created_at", InstantField()),
                ("expires_at", InstantField()),
                ("resolved_at", InstantField(null=True)),
                ("resolution", fields.CharField(null=True, max_length=8)),
            ],
            options={
                "table": "holds",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(check="amount > 0", name="holds_amount"),
                    CheckConstraint(
                        check="settled_amount >= 0 AND settled_amount <= amount",
                        name="holds_settled_amount",
                    ),
                    CheckConstraint(
                        check="(resolved_at IS NULL) = (resolution IS NULL) AND (resolution IS NULL OR resolution IN ('settled', 'released'))",
                        name="holds_resolution",
                    ),
                ],
                "indexes": [Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "Value reserved until `expires_at`, then free again; settled or released at most once before.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Household",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("name", fields.CharField(null=True, max_length=120)),
                ("founded_at", InstantField()),
                ("dissolved_at", InstantField(null=True)),
            ],
            options={
                "table": "households",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "Members who pool what they have: each keeps their own lots, some may spend all of them.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="HouseholdInvitation",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "household",
                    fields.ForeignKeyField(
                        "laurel.Household",
                        source_field="household_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("code_hash", fields.CharField(unique=True, max_length=64)),
                ("role", fields.CharField(max_length=12)),
                ("invited_by", fields.BigIntField()),
                ("created_at", InstantField()),
                ("expires_at", InstantField()),
                ("accepted_by", fields.BigIntField(null=True)),
                ("accepted_at", InstantField(null=True)),
            ],
            options={
                "table": "household_invitations",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(
                        check="role IN ('owner', 'spender', 'contributor')",
                        name="household_invitations_role",
                    )
                ],
                "indexes": [Index(fields=["household_id"])],
                "pk_attr": "id",
                "table_description": "An invitation, by a code that is kept as a hash; taken up once at most.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="IdempotencyRecord",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("scope", fields.CharField(max_length=128)),
                ("key", fields.CharField(max_length=255)),
                ("content_hash", fields.CharField(max_length=64)),
                ("answer", fields.TextField(unique=False)),
                ("recorded_at", InstantField()),
            ],
            options={
                "table": "idempotency_records",
                "app": "laurel",
                "unique_together": (("scope", "key"),),
                "pk_attr": "id",
                "table_description": "One answered write.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Member",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("external_id", fields.CharField(null=True, unique=True, max_length=64)),
                ("name", fields.CharField(null=True, max_length=120)),
                ("birthday", fields.CharField(null=True, max_length=10)),
                ("locale", fields.CharField(max_length=16)),
                ("time_zone", fields.CharField(max_length=64)),
                ("enrolled_at", InstantField()),
                ("enrolled_local_month", fields.IntField()),
                ("merged_into", fields.BigIntField(null=True)),
            ],
            options={
                "table": "members",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(
                        check="birthday IS NULL OR LENGTH(birthday) = 10", name="members_birthday"
                    )
                ],
                "pk_attr": "id",
                "table_description": "A person in the programme.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Account",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.OneToOneField(
                        "laurel.Member",
                        source_field="member_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("email", fields.CharField(max_length=254)),
                ("email_key", fields.CharField(unique=True, max_length=254)),
                ("password_hash", fields.CharField(max_length=200)),
                ("staff_role", fields.CharField(null=True, max_length=16)),
                ("created_at", InstantField()),
            ],
            options={
                "table": "accounts",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "What one signs in with: an e-mail address and a password, for a member or for staff.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Adjustment",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("asset", fields.CharField(max_length=6)),
                ("amount", fields.BigIntField()),
                ("reason", fields.CharField(max_length=500)),
                ("status", fields.CharField(max_length=8)),
                ("requested_by", fields.BigIntField()),
                ("requested_at", InstantField()),
                ("decided_by", fields.BigIntField(null=True)),
                ("decided_at", InstantField(null=True)),
                ("note", fields.CharField(null=True, max_length=500)),
            ],
            options={
                "table": "adjustments",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(check="amount <> 0", name="adjustments_amount"),
                    CheckConstraint(
                        check="status IN ('pending', 'applied', 'rejected')",
                        name="adjustments_status",
                    ),
                    CheckConstraint(
                        check="decided_by IS NULL OR decided_by <> requested_by",
                        name="adjustments_second_person",
                    ),
                ],
                "indexes": [Index(fields=["member_id", "id"]), Index(fields=["status", "id"])],
                "pk_attr": "id",
                "table_description": "Value that staff give (or take, if negative), applied at once or after a second person.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="BalanceImportLine",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "balance_import",
                    fields.ForeignKeyField(
                        "laurel.BalanceImport",
                        source_field="balance_import_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("number", fields.IntField()),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("asset", fields.CharField(max_length=6)),
                ("amount", fields.BigIntField()),
            ],
            options={
                "table": "balance_import_lines",
                "app": "laurel",
                "unique_together": (("balance_import_id", "number"),),
                "constraints": [
                    CheckConstraint(check="number >= 1", name="balance_import_lines_number"),
                    CheckConstraint(check="amount > 0", name="balance_import_lines_amount"),
                ],
                "pk_attr": "id",
                "table_description": "One line of such a file that was taken in; `number` counts from 1 after the header.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Card",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("number", fields.CharField(unique=True, max_length=19)),
                ("status", fields.CharField(max_length=8)),
                ("issued_at", InstantField()),
                ("status_changed_at", InstantField()),
                ("reported_lost_at", InstantField(null=True)),
            ],
            options={
                "table": "cards",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(
                        check="status IN ('active', 'blocked', 'replaced')", name="cards_status"
                    ),
                    UniqueConstraint(
                        fields=("member_id",),
                        name="cards_one_current",
                        condition="status <> 'replaced'",
                    ),
                ],
                "indexes": [Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "A digital card. A member has one that is not replaced.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CashbackMonth",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("local_month", fields.IntField()),
                ("accrued_minor", fields.BigIntField()),
                ("capped_minor", fields.BigIntField()),
            ],
            options={
                "table": "cashback_months",
                "app": "laurel",
                "unique_together": (("member_id", "local_month"),),
                "constraints": [
                    CheckConstraint(
                        check="accrued_minor >= 0", name="cashback_months_accrued_minor"
                    ),
                    CheckConstraint(check="capped_minor >= 0", name="cashback_months_capped_minor"),
                ],
                "pk_attr": "id",
                "table_description": "What a member accrued, and lost to the cap, in one calendar month of the programme.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CashbackPeriod",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("period", fields.CharField(max_length=14)),
                ("period_start", fields.IntField()),
                ("accrued_minor", fields.BigIntField()),
            ],
            options={
                "table": "cashback_periods",
                "app": "laurel",
                "unique_together": (("member_id", "period", "period_start"),),
                "constraints": [
                    CheckConstraint(
                        check="accrued_minor >= 0", name="cashback_periods_accrued_minor"
                    )
                ],
                "pk_attr": "id",
                "table_description": "What a member accrued in one period of a cap that the programme sets beside the month's.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ChallengeProgress",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("challenge", fields.CharField(max_length=64)),
                ("period_start", fields.IntField()),
                ("progress", fields.BigIntField()),
                ("counted", fields.TextField(unique=False)),
                ("completed_at", InstantField(null=True)),
                ("rewarded_by", fields.BigIntField(null=True)),
            ],
            options={
                "table": "challenge_progress",
                "app": "laurel",
                "unique_together": (("member_id", "challenge", "period_start"),),
                "constraints": [
                    CheckConstraint(check="progress >= 0", name="challenge_progress_progress")
                ],
                "pk_attr": "id",
                "table_description": "A member's progress in one challenge and one period (a week or a month).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ChallengeRun",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("challenge", fields.CharField(max_length=64)),
                ("first_period", fields.IntField()),
                ("last_period", fields.IntField()),
                ("streak_count", fields.IntField()),
            ],
            options={
                "table": "challenge_runs",
                "app": "laurel",
                "unique_together": (("member_id", "challenge", "first_period"),),
                "constraints": [
                    CheckConstraint(
                        check="first_period <= last_period", name="challenge_runs_periods"
                    ),
                    CheckConstraint(check="streak_count >= 0", name="challenge_runs_streak_count"),
                ],
                "pk_attr": "id",
                "table_description": "Periods in a row in which a member completed a challenge, and the streaks they gave.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ChallengeTotal",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("challenge", fields.CharField(max_length=64)),
                ("completion_count", fields.IntField()),
                ("streak_count", fields.IntField()),
                ("kept_points", fields.BigIntField()),
            ],
            options={
                "table": "challenge_totals",
                "app": "laurel",
                "unique_together": (("member_id", "challenge"),),
                "constraints": [
                    CheckConstraint(
                        check="completion_count >= 0 AND streak_count >= 0 AND kept_points >= 0",
                        name="challenge_totals_counts",
                    )
                ],
                "pk_attr": "id",
                "table_description": "How often a member has completed a challenge, and its streak, so far.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Gift",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "giver",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="giver_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="gifts_given",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "receiver",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="receiver_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="gifts_received",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("asset", fields.CharField(max_length=6)),
                ("amount", fields.BigIntField()),
                ("message", fields.CharField(null=True, max_length=200)),
                ("local_day", fields.IntField()),
                ("given_at", InstantField()),
            ],
            options={
                "table": "gifts",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(check="amount > 0", name="gifts_amount"),
                    CheckConstraint(check="giver_id <> receiver_id", name="gifts_two_members"),
                ],
                "indexes": [
                    Index(fields=["giver_id", "local_day"]),
                    Index(fields=["receiver_id", "id"]),
                ],
                "pk_attr": "id",
                "table_description": "Points that one member gave to another.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="HouseholdMember",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "household",
                    fields.ForeignKeyField(
                        "laurel.Household",
                        source_field="household_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("role", fields.CharField(max_length=12)),
                ("joined_at", InstantField()),
                ("left_at", InstantField(null=True)),
            ],
            options={
                "table": "household_members",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(
                        check="role IN ('owner', 'spender', 'contributor')",
                        name="household_members_role",
                    ),
                    UniqueConstraint(
                        fields=("member_id",),
                        name="household_members_present",
                        condition="left_at IS NULL",
                    ),
                ],
                "indexes": [Index(fields=["household_id"]), Index(fields=["member_id"])],
                "pk_attr": "id",
                "table_description": "A member's stay in a household; `left_at` is null while it lasts.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LedgerAccount",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("asset", fields.CharField(max_length=6)),
                ("last_sequence", fields.IntField()),
                ("last_hash", fields.CharField(max_length=64)),
                ("balance", fields.BigIntField()),
                ("held", fields.BigIntField()),
                ("owed", fields.BigIntField()),
                ("granted_total", fields.BigIntField()),
                ("redeemed_total", fields.BigIntField()),
                ("expired_total", fields.BigIntField()),
                ("reversed_total", fields.BigIntField()),
                ("moved_total", fields.BigIntField()),
                ("next_expiry_at", InstantField()),
            ],
            options={
                "table": "ledger_accounts",
                "app": "laurel",
                "unique_together": (("member_id", "asset"),),
                "constraints": [
                    CheckConstraint(
                        check="LENGTH(asset) BETWEEN 3 AND 6", name="ledger_accounts_asset"
                    ),
                    CheckConstraint(
                        check="last_sequence >= 0", name="ledger_accounts_last_sequence"
                    ),
                    CheckConstraint(
                        check="held >= 0 AND owed >= 0", name="ledger_accounts_held_owed"
                    ),
                    CheckConstraint(
                        check="balance - held + owed >= 0", name="ledger_accounts_balance"
                    ),
                    CheckConstraint(
                        check="granted_total >= 0 AND redeemed_total >= 0 AND expired_total >= 0 AND reversed_total >= 0",
                        name="ledger_accounts_totals",
                    ),
                    CheckConstraint(
                        check="balance = granted_total - redeemed_total - expired_total - reversed_total + moved_total",
                        name="ledger_accounts_identity",
                    ),
                ],
                "pk_attr": "id",
                "table_description": "One member's account in one asset: the head of its journal, and what writers lock.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Lot",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.BigIntField()),
                (
                    "account",
                    fields.ForeignKeyField(
                        "laurel.LedgerAccount",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("sequence", fields.IntField()),
                ("amount", fields.BigIntField()),
                ("remaining", fields.BigIntField()),
                ("earned_at", InstantField()),
                ("available_at", InstantField()),
                ("expires_at", InstantField()),
                ("reason", fields.CharField(max_length=24)),
                ("rule", fields.CharField(max_length=64)),
                ("programme_version", fields.IntField()),
                ("reference", fields.BigIntField(null=True)),
                ("origin_id", fields.BigIntField(null=True)),
                ("undone", fields.BigIntField()),
                ("recalled", fields.BigIntField()),
                ("let_go", fields.BigIntField()),
            ],
            options={
                "table": "lots",
                "app": "laurel",
                "unique_together": (("account_id", "sequence"),),
                "constraints": [
                    CheckConstraint(check="sequence >= 1", name="lots_sequence"),
                    CheckConstraint(check="amount > 0", name="lots_amount"),
                    CheckConstraint(
                        check="remaining >= 0 AND remaining <= amount", name="lots_remaining"
                    ),
                    CheckConstraint(
                        check="undone >= 0 AND undone <= amount AND recalled >= 0 AND recalled <= undone AND let_go >= 0 AND let_go <= recalled",
                        name="lots_undone",
                    ),
                ],
                "indexes": [
                    PartialIndex(
                        fields=["account_id", "expires_at", "sequence"],
                        name="lots_open",
                        where="remaining > 0",
                    ),
                    PartialIndex(
                        fields=["reference"], name="lots_reference", where="reference IS NOT NULL"
                    ),
                    PartialIndex(
                        fields=["origin_id"], name="lots_origin", where="origin_id IS NOT NULL"
                    ),
                ],
                "pk_attr": "id",
                "table_description": "Value granted at one time with one expiry; `sequence` is that of the posting that made it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="HeldPortion",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "hold",
                    fields.ForeignKeyField(
                        "laurel.Hold",
                        source_field="hold_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("member_id", fields.BigIntField()),
                (
                    "account",
                    fields.ForeignKeyField(
                        "laurel.LedgerAccount",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "lot",
                    fields.ForeignKeyField(
                        "laurel.Lot",
                        source_field="lot_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("amount", fields.BigIntField()),
                ("remaining", fields.BigIntField()),
                ("releases_at", InstantField()),
                ("lot_expires_at", InstantField()),
            ],
            options={
                "table": "held_portions",
                "app": "laurel",
                "unique_together": (("hold_id", "lot_id"),),
                "constraints": [
                    CheckConstraint(
                        check="amount > 0 AND remaining >= 0 AND remaining <= amount",
                        name="held_portions_amounts",
                    )
                ],
                "indexes": [
                    PartialIndex(
                        fields=["account_id"], name="held_portions_open", where="remaining > 0"
                    )
                ],
                "pk_attr": "id",
                "table_description": "What a hold has taken from one lot, and still holds of it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Merge",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "duplicate",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="duplicate_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="merges_as_duplicate",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "survivor",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="survivor_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="merges_as_survivor",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("moved", fields.TextField(unique=False)),
                ("reason", fields.CharField(max_length=500)),
                ("merged_by", fields.BigIntField()),
                ("merged_at", InstantField()),
                ("undone_by", fields.BigIntField(null=True)),
                ("undone_at", InstantField(null=True)),
            ],
            options={
                "table": "merges",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(check="duplicate_id <> survivor_id", name="merges_two_members")
                ],
                "indexes": [Index(fields=["survivor_id"]), Index(fields=["duplicate_id"])],
                "pk_attr": "id",
                "table_description": "A duplicate membership joined into another, and all that moved with it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Payment",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("kind", fields.CharField(max_length=8)),
                ("asset", fields.CharField(max_length=6)),
                ("amount", fields.BigIntField()),
                ("value_minor", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                ("digits", fields.SmallIntField()),
                ("restored_amount", fields.BigIntField()),
                ("restored_minor", fields.BigIntField()),
                ("voucher_id", fields.BigIntField(null=True)),
                ("hold_id", fields.BigIntField(null=True)),
                ("purchase_id", fields.BigIntField(null=True)),
                ("partner", fields.CharField(max_length=64)),
                ("paid_at", InstantField()),
                ("cancelled_at", InstantField(null=True)),
            ],
            options={
                "table": "payments",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(
                        check="kind IN ('points', 'cashback', 'voucher')", name="payments_kind"
                    ),
                    CheckConstraint(
                        check="amount > 0 AND restored_amount >= 0 AND restored_amount <= amount",
                        name="payments_amount",
                    ),
                    CheckConstraint(
                        check="value_minor >= 0 AND restored_minor >= 0 AND restored_minor <= value_minor",
                        name="payments_value_minor",
                    ),
                ],
                "indexes": [
                    Index(fields=["member_id", "id"]),
                    PartialIndex(
                        fields=["purchase_id"],
                        name="payments_purchase",
                        where="purchase_id IS NOT NULL",
                    ),
                ],
                "pk_attr": "id",
                "table_description": "Value that a member used at the till: what it cost them, and what it took off the basket.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Payout",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("hold_id", fields.BigIntField()),
                ("amount_minor", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                ("digits", fields.SmallIntField()),
                ("destination", fields.CharField(max_length=200)),
                ("status", fields.CharField(max_length=10)),
                ("local_day", fields.IntField()),
                ("requested_at", InstantField()),
                ("decided_at", InstantField(null=True)),
                ("requested_by", fields.BigIntField(null=True)),
                ("decided_by", fields.BigIntField(null=True)),
                ("finished_at", InstantField(null=True)),
                ("finished_by", fields.CharField(null=True, max_length=32)),
                ("bank_reference", fields.CharField(null=True, max_length=200)),
                ("note", fields.CharField(null=True, max_length=200)),
            ],
            options={
                "table": "payouts",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(check="amount_minor > 0", name="payouts_amount_minor"),
                    CheckConstraint(
                        check="status IN ('requested', 'approved', 'rejected', 'paid', 'failed', 'cancelled')",
                        name="payouts_status",
                    ),
                ],
                "indexes": [Index(fields=["member_id", "id"]), Index(fields=["status", "id"])],
                "pk_attr": "id",
                "table_description": "Cashback that a member asked to be paid; it is held until it is paid or comes back.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Posting",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.BigIntField()),
                (
                    "account",
                    fields.ForeignKeyField(
                        "laurel.LedgerAccount",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("sequence", fields.IntField()),
                ("debit", fields.CharField(max_length=16)),
                ("credit", fields.CharField(max_length=16)),
                ("amount", fields.BigIntField()),
                ("balance_after", fields.BigIntField()),
                (
                    "lot",
                    fields.ForeignKeyField(
                        "laurel.Lot",
                        source_field="lot_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("reason", fields.CharField(max_length=24)),
                ("rule", fields.CharField(max_length=64)),
                ("programme_version", fields.IntField()),
                ("reference", fields.BigIntField(null=True)),
                ("occurred_at", InstantField()),
                ("recorded_at", InstantField()),
                ("hash", fields.CharField(max_length=64)),
            ],
            options={
                "table": "postings",
                "app": "laurel",
                "unique_together": (("account_id", "sequence"),),
                "constraints": [
                    CheckConstraint(check="sequence >= 1", name="postings_sequence"),
                    CheckConstraint(check="amount > 0", name="postings_amount"),
                    CheckConstraint(check="debit <> credit", name="postings_two_sides"),
                ],
                "indexes": [
                    PartialIndex(
                        fields=["reference"],
                        name="postings_uses",
                        where="reference IS NOT NULL AND debit <> 'issued'",
                    ),
                    PartialIndex(
                        fields=["lot_id"],
                        name="postings_ends",
                        where="credit IN ('expired', 'reversed')",
                    ),
                ],
                "pk_attr": "id",
                "table_description": "One immutable line of an account's journal: `amount` from `debit` to `credit`.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ProgrammeVersion",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("version", fields.IntField(unique=True)),
                ("document", fields.TextField(unique=False)),
                ("digest", fields.CharField(max_length=64)),
                ("effective_at", InstantField()),
                ("published_at", InstantField()),
                ("published_by", fields.CharField(max_length=120)),
            ],
            options={
                "table": "programme_versions",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(check="version >= 1", name="programme_versions_version")
                ],
                "pk_attr": "id",
                "table_description": "One published version of the rules, never changed afterwards.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Purchase",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("partner", fields.CharField(max_length=64)),
                ("external_id", fields.CharField(max_length=64)),
                ("content_hash", fields.CharField(max_length=64)),
                ("store_id", fields.CharField(max_length=64)),
                ("occurred_at", InstantField()),
                ("recorded_at", InstantField()),
                ("local_month", fields.IntField()),
                ("currency", fields.CharField(max_length=3)),
                ("net_minor", fields.BigIntField()),
                ("eligible_minor", fields.BigIntField()),
                ("programme_version", fields.IntField()),
                ("outcome", fields.TextField(unique=False)),
                ("paid_minor", fields.BigIntField()),
                ("returned_net_minor", fields.BigIntField()),
                ("returned_eligible_minor", fields.BigIntField()),
            ],
            options={
                "table": "purchases",
                "app": "laurel",
                "unique_together": (("partner", "external_id"),),
                "constraints": [
                    CheckConstraint(check="eligible_minor >= 0", name="purchases_eligible_minor"),
                    CheckConstraint(
                        check="returned_eligible_minor >= 0 AND returned_eligible_minor <= eligible_minor",
                        name="purchases_returned_eligible_minor",
                    ),
                    CheckConstraint(check="paid_minor >= 0", name="purchases_paid_minor"),
                ],
                "indexes": [
                    Index(fields=["member_id", "occurred_at"]),
                    Index(fields=["local_month", "member_id"]),
                ],
                "pk_attr": "id",
                "table_description": "One basket as the till sent it, with what it earned; only returns are noted afterwards.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PurchaseLine",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.BigIntField()),
                (
                    "purchase",
                    fields.ForeignKeyField(
                        "laurel.Purchase",
                        source_field="purchase_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("number", fields.IntField()),
                ("product_id", fields.CharField(max_length=64)),
                ("department", fields.CharField(max_length=120)),
                ("product_category", fields.CharField(max_length=120)),
                ("product_type", fields.CharField(max_length=120)),
                ("quantity", fields.BigIntField()),
                ("sales_minor", fields.BigIntField()),
                ("coupon_minor", fields.BigIntField()),
                ("paid_minor", fields.BigIntField()),
                ("returned_quantity", fields.BigIntField()),
                ("returned_minor", fields.BigIntField()),
            ],
            options={
                "table": "purchase_lines",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(check="number >= 0", name="purchase_lines_number"),
                    CheckConstraint(check="quantity >= 0", name="purchase_lines_quantity"),
                    CheckConstraint(check="sales_minor >= 0", name="purchase_lines_sales_minor"),
                    CheckConstraint(check="coupon_minor >= 0", name="purchase_lines_coupon_minor"),
                    CheckConstraint(
                        check="returned_quantity >= 0 AND returned_quantity <= quantity",
                        name="purchase_lines_returned_quantity",
                    ),
                ],
                "indexes": [Index(fields=["purchase_id", "number"])],
                "pk_attr": "id",
                "table_description": "One line of a basket.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PurchaseReturn",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "purchase",
                    fields.ForeignKeyField(
                        "laurel.Purchase",
                        source_field="purchase_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("partner", fields.CharField(max_length=64)),
                ("external_id", fields.CharField(max_length=64)),
                ("content_hash", fields.CharField(max_length=64)),
                ("occurred_at", InstantField()),
                ("recorded_at", InstantField()),
                ("net_minor", fields.BigIntField()),
                ("outcome", fields.TextField(unique=False)),
            ],
            options={
                "table": "purchase_returns",
                "app": "laurel",
                "unique_together": (("partner", "external_id"),),
                "indexes": [Index(fields=["purchase_id"]), Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "One return of some lines of a purchase, as the till sent it, with what it undid.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ReturnLine",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.BigIntField()),
                (
                    "purchase_return",
                    fields.ForeignKeyField(
                        "laurel.PurchaseReturn",
                        source_field="purchase_return_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("number", fields.IntField()),
                ("quantity", fields.BigIntField()),
                ("amount_minor", fields.BigIntField()),
            ],
            options={
                "table": "return_lines",
                "app": "laurel",
                "unique_together": (("purchase_return_id", "number"),),
                "constraints": [
                    CheckConstraint(check="quantity >= 0", name="return_lines_quantity")
                ],
                "pk_attr": "id",
                "table_description": "What of one line of a purchase one return gave back.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Session",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "laurel.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("generation", fields.IntField()),
                ("device_name", fields.CharField(null=True, max_length=120)),
                ("created_at", InstantField()),
                ("rotated_at", InstantField()),
                ("expires_at", InstantField()),
                ("revoked_at", InstantField(null=True)),
            ],
            options={
                "table": "sessions",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(check="generation >= 0", name="sessions_generation")
                ],
                "indexes": [Index(fields=["account_id", "id"])],
                "pk_attr": "id",
                "table_description": "One sign-in on one device, its refresh token is derived from id and generation.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SharedSecret",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("name", fields.CharField(unique=True, max_length=64)),
                ("value", fields.CharField(max_length=64)),
                ("created_at", InstantField()),
            ],
            options={
                "table": "shared_secrets",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "A named secret of 32 random bytes, hexadecimal.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SigningKey",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("key_id", fields.CharField(unique=True, max_length=32)),
                ("private_key", fields.TextField(unique=False)),
                ("created_at", InstantField()),
                ("retired_at", InstantField(null=True)),
            ],
            options={
                "table": "signing_keys",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "An EdDSA key pair for access tokens, the newest one that is not retired signs.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TierChange",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("changed_at", InstantField()),
                ("level_before", fields.CharField(max_length=64)),
                ("level_after", fields.CharField(max_length=64)),
            ],
            options={
                "table": "tier_changes",
                "app": "laurel",
                "indexes": [Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "One evaluation that gave another tier than the one before.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TierDay",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("local_day", fields.IntField()),
                ("spend_minor", fields.BigIntField()),
            ],
            options={
                "table": "tier_days",
                "app": "laurel",
                "unique_together": (("member_id", "local_day"),),
                "constraints": [
                    CheckConstraint(check="spend_minor >= 0", name="tier_days_spend_minor")
                ],
                "pk_attr": "id",
                "table_description": "A member's qualifying spend on one local day.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TierState",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.OneToOneField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("level", fields.CharField(max_length=64)),
                ("since", InstantField()),
                ("window_spend_minor", fields.BigIntField()),
                ("lifetime_spend_minor", fields.BigIntField()),
                ("evaluated_day", fields.IntField()),
                ("next_drop_day", fields.IntField()),
                ("change_count", fields.IntField()),
                ("programme_version", fields.IntField()),
            ],
            options={
                "table": "tier_states",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(
                        check="window_spend_minor >= 0 AND lifetime_spend_minor >= 0",
                        name="tier_states_spend",
                    ),
                    CheckConstraint(check="change_count >= 0", name="tier_states_change_count"),
                ],
                "pk_attr": "id",
                "table_description": "A member's tier as of `evaluated_day`, and the next day on which time alone may change it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Voucher",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "laurel.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("code", fields.CharField(unique=True, max_length=24)),
                ("points", fields.BigIntField()),
                ("value_minor", fields.BigIntField()),
                ("currency", fields.CharField(max_length=3)),
                ("digits", fields.SmallIntField()),
                ("issued_at", InstantField()),
                ("status", fields.CharField(max_length=10)),
                ("remaining_minor", fields.BigIntField()),
            ],
            options={
                "table": "vouchers",
                "app": "laurel",
                "constraints": [
                    CheckConstraint(check="points > 0", name="vouchers_points"),
                    CheckConstraint(check="value_minor >= 0", name="vouchers_value_minor"),
                    CheckConstraint(
                        check="remaining_minor >= 0 AND remaining_minor <= value_minor",
                        name="vouchers_remaining_minor",
                    ),
                    CheckConstraint(
                        check="status IN ('issued', 'used', 'cancelled')", name="vouchers_status"
                    ),
                ],
                "indexes": [Index(fields=["member_id", "id"]), Index(fields=["issued_at"])],
                "pk_attr": "id",
                "table_description": "A voucher bought with points.",
            },
            bases=["Model"],
        ),
        AppendOnly("Posting"),
    ]
