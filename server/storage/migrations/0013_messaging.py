"""The outbox, members' devices and choices, notifications, webhooks, background work."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from server.storage.fields import IdField, InstantField


class Migration(migrations.Migration):
    dependencies = [("laurel", "0012_partners")]

    initial = False

    operations = [
        ops.CreateModel(
            name="CampaignRun",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("campaign", fields.CharField(max_length=80)),
                ("version_id", fields.BigIntField()),
                ("message", fields.CharField(max_length=64, db_default="")),
                ("state", fields.CharField(max_length=8)),
                ("resumes_as", fields.CharField(null=True, max_length=8)),
                ("after_id", fields.BigIntField()),
                ("looked_at", fields.BigIntField()),
                ("started_at", InstantField()),
                ("planned_at", InstantField(null=True)),
                ("changed_at", InstantField()),
            ],
            options={
                "table": "campaign_runs",
                "app": "laurel",
                "unique_together": (("campaign", "version_id", "message"),),
                "pk_attr": "id",
                "table_description": "One campaign being sent, from the first member that is looked at to the last.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Delivery",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.BigIntField()),
                ("notification_id", fields.BigIntField()),
                ("run_id", fields.BigIntField(null=True)),
                ("channel", fields.CharField(max_length=8)),
                ("category", fields.CharField(max_length=12)),
                ("device_id", fields.BigIntField(null=True)),
                ("status", fields.CharField(max_length=12)),
                ("reason", fields.CharField(null=True, max_length=40)),
                ("attempts", fields.IntField()),
                ("due_at", InstantField()),
                ("expires_at", InstantField()),
                ("claimed_by", fields.BigIntField(null=True)),
                ("claimed_until", InstantField(null=True)),
                ("attempted_at", InstantField(null=True)),
                ("settled_at", InstantField(null=True)),
                ("provider_id", fields.CharField(null=True, max_length=200)),
            ],
            options={
                "table": "deliveries",
                "app": "laurel",
                "indexes": [
                    Index(fields=["member_id", "attempted_at"]),
                    Index(fields=["notification_id"]),
                    Index(fields=["run_id", "status"]),
                ],
                "pk_attr": "id",
                "table_description": "One notification on its way to one device or one address, and what became of it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Device",
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
                ("session_id", fields.BigIntField(null=True)),
                ("token", fields.CharField(max_length=4096)),
                ("token_hash", fields.CharField(unique=True, max_length=64)),
                ("platform", fields.CharField(max_length=8)),
                ("app_version", fields.CharField(null=True, max_length=40)),
                ("locale", fields.CharField(max_length=16)),
                ("time_zone", fields.CharField(max_length=64)),
                ("registered_at", InstantField()),
                ("seen_at", InstantField()),
            ],
            options={
                "table": "devices",
                "app": "laurel",
                "indexes": [
                    Index(fields=["member_id", "id"]),
                    Index(fields=["session_id"]),
                    Index(fields=["seen_at"]),
                ],
                "pk_attr": "id",
                "table_description": "An app on a phone, a tablet or in a browser, by its FCM registration token.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="JobRun",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("name", fields.CharField(unique=True, max_length=64)),
                ("started_at", InstantField(null=True)),
                ("succeeded_at", InstantField(null=True)),
                ("failed_at", InstantField(null=True)),
                ("error", fields.CharField(null=True, max_length=200)),
                ("done_count", fields.BigIntField()),
                ("duration_microseconds", fields.BigIntField()),
            ],
            options={
                "table": "job_runs",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "How one job fares.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MessageChoice",
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
                ("channel", fields.CharField(max_length=8)),
                ("category", fields.CharField(max_length=12)),
                ("is_given", fields.IntField()),
                ("changed_at", InstantField()),
                ("source", fields.CharField(max_length=8)),
            ],
            options={
                "table": "message_choices",
                "app": "laurel",
                "unique_together": (("member_id", "channel", "category"),),
                "pk_attr": "id",
                "table_description": "What a member said last of one category of messages on one channel.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MessageChoiceChange",
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
                ("channel", fields.CharField(max_length=8)),
                ("category", fields.CharField(max_length=12)),
                ("is_given", fields.IntField()),
                ("changed_at", InstantField()),
                ("source", fields.CharField(max_length=8)),
                ("stated_by", fields.CharField(max_length=64)),
                ("text_version", fields.CharField(max_length=40)),
            ],
            options={
                "table": "message_choice_changes",
                "app": "laurel",
                "indexes": [Index(fields=["member_id", "id"])],
                "pk_attr": "id",
                "table_description": "The evidence of one choice; it is never changed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Notification",
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
                ("topic", fields.CharField(max_length=160)),
                ("category", fields.CharField(max_length=12)),
                ("message", fields.CharField(max_length=64)),
                ("version_id", fields.BigIntField()),
                ("run_id", fields.BigIntField(null=True)),
                ("variant", fields.CharField(null=True, max_length=40)),
                ("is_held_out", fields.IntField()),
                ("is_shown", fields.IntField()),
                ("locale", fields.CharField(max_length=16)),
                ("title", fields.CharField(max_length=400)),
                ("body", fields.CharField(max_length=2000)),
                ("wire", fields.TextField(unique=False)),
                ("created_at", InstantField()),
                ("shown_from", InstantField()),
                ("expires_at", InstantField()),
                ("read_at", InstantField(null=True)),
                ("opened_at", InstantField(null=True)),
            ],
            options={
                "table": "notifications",
                "app": "laurel",
                "unique_together": (("member_id", "topic"),),
                "indexes": [Index(fields=["member_id", "id"]), Index(fields=["run_id", "variant"])],
                "pk_attr": "id",
                "table_description": "One message to one member, as they read it; at most one for each topic.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OutboxEvent",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("kind", fields.CharField(max_length=40)),
                ("member_id", fields.BigIntField(null=True)),
                ("facts", fields.TextField(unique=False)),
                ("occurred_at", InstantField()),
                ("recorded_at", InstantField()),
            ],
            options={
                "table": "outbox_events",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "Something that happened and has not been followed yet; who has followed it removes it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="QuietHours",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("from_minute", fields.IntField()),
                ("until_minute", fields.IntField()),
                ("changed_at", InstantField()),
            ],
            options={
                "table": "quiet_hours",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "When a member wants no sound, instead of the programme's hours; by the member's id.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ReminderScan",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("message", fields.CharField(unique=True, max_length=64)),
                ("version_id", fields.BigIntField()),
                ("local_day", fields.IntField()),
                ("after_id", fields.BigIntField()),
            ],
            options={
                "table": "reminder_scans",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "How far the members have been looked at on one day for what one message reminds of.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ResetRequest",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("email_key", fields.CharField(max_length=254)),
                ("language", fields.CharField(max_length=16)),
                ("letters", fields.IntField()),
                ("asked_at", InstantField()),
                ("due_at", InstantField()),
            ],
            options={
                "table": "reset_requests",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "That a code is to be sent to whoever has an address, until its letter has left.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SendPause",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("until", InstantField()),
                ("failures", fields.IntField()),
            ],
            options={
                "table": "send_pauses",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "Until when nothing is handed to a provider, as it asked or because it is out of order.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SendRate",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("sent", fields.IntField()),
            ],
            options={
                "table": "send_rates",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "How many messages were handed to the provider in one second; a second is its Unix time.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("subscription_id", fields.BigIntField()),
                ("event_id", fields.BigIntField()),
                ("kind", fields.CharField(max_length=40)),
                ("member_id", fields.BigIntField(null=True)),
                ("payload", fields.TextField(unique=False)),
                ("status", fields.CharField(max_length=12)),
                ("attempts", fields.IntField()),
                ("due_at", InstantField()),
                ("created_at", InstantField()),
                ("tried_since", InstantField(null=True)),
                ("claimed_until", InstantField(null=True)),
                ("settled_at", InstantField(null=True)),
                ("answer_status", fields.IntField(null=True)),
                ("error", fields.CharField(null=True, max_length=200)),
            ],
            options={
                "table": "webhook_deliveries",
                "app": "laurel",
                "unique_together": (("subscription_id", "event_id"),),
                "indexes": [
                    Index(fields=["status", "due_at"]),
                    Index(fields=["subscription_id", "member_id", "status"]),
                ],
                "pk_attr": "id",
                "table_description": "One event on its way to one subscription, and what became of it.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WebhookReceived",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("partner", fields.CharField(max_length=64)),
                ("webhook_id", fields.CharField(max_length=128)),
                ("content_hash", fields.CharField(max_length=64)),
                ("answer", fields.TextField(unique=False)),
                ("received_at", InstantField()),
            ],
            options={
                "table": "webhooks_received",
                "app": "laurel",
                "unique_together": (("partner", "webhook_id"),),
                "pk_attr": "id",
                "table_description": "A webhook that a shop sent and that was taken: the same one again changes nothing.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WebhookSecret",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("subscription_id", fields.BigIntField(null=True)),
                ("partner", fields.CharField(null=True, max_length=64)),
                ("created_at", InstantField()),
                ("expires_at", InstantField(null=True)),
            ],
            options={
                "table": "webhook_secrets",
                "app": "laurel",
                "indexes": [Index(fields=["subscription_id"]), Index(fields=["partner"])],
                "pk_attr": "id",
                "table_description": "What webhooks are signed with, or those of a shop are checked with; several while one follows",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WebhookSubscription",
            fields=[
                ("id", IdField(primary_key=True, unique=True, db_index=True)),
                ("name", fields.CharField(max_length=120)),
                ("url", fields.CharField(max_length=500)),
                ("partner", fields.CharField(null=True, max_length=64)),
                ("kinds", fields.TextField(unique=False)),
                ("state", fields.CharField(max_length=8)),
                ("state_reason", fields.CharField(null=True, max_length=200)),
                ("failing_since", InstantField(null=True)),
                ("created_at", InstantField()),
                ("changed_at", InstantField()),
            ],
            options={
                "table": "webhook_subscriptions",
                "app": "laurel",
                "pk_attr": "id",
                "table_description": "An address of a shop's system, and which events it is told of.",
            },
            bases=["Model"],
        ),
        ops.AddField("ConsentChange", "text_version", fields.CharField(null=True, max_length=40)),
        ops.AddConstraint(
            "CampaignRun",
            CheckConstraint(
                check="state IN ('planning', 'sending', 'paused', 'stopped', 'done')",
                name="campaign_runs_state",
            ),
        ),
        ops.AddConstraint(
            "Delivery",
            CheckConstraint(
                check="status IN ('queued', 'claimed', 'attempting', 'sent', 'failed', 'suppressed', 'in_doubt')",
                name="deliveries_status",
            ),
        ),
        ops.AddConstraint(
            "Delivery",
            CheckConstraint(check="channel IN ('push', 'email')", name="deliveries_channel"),
        ),
        ops.AddConstraint(
            "Delivery",
            CheckConstraint(
                check="category IN ('offers', 'points', 'challenges', 'service')",
                name="deliveries_category",
            ),
        ),
        ops.AddConstraint(
            "Delivery", CheckConstraint(check="attempts >= 0", name="deliveries_attempts")
        ),
        ops.AddConstraint(
            "Device",
            CheckConstraint(check="platform IN ('ios', 'android', 'web')", name="devices_platform"),
        ),
        ops.AddConstraint(
            "MessageChoice",
            CheckConstraint(check="is_given IN (0, 1)", name="message_choices_is_given"),
        ),
        ops.AddConstraint(
            "MessageChoice",
            CheckConstraint(
                check="channel IN ('push', 'email', 'in_app')", name="message_choices_channel"
            ),
        ),
        ops.AddConstraint(
            "MessageChoice",
            CheckConstraint(
                check="category IN ('offers', 'points', 'challenges', 'service')",
                name="message_choices_category",
            ),
        ),
        ops.AddConstraint(
            "MessageChoiceChange",
            CheckConstraint(check="is_given IN (0, 1)", name="message_choice_changes_is_given"),
        ),
        ops.AddConstraint(
            "Notification",
            CheckConstraint(check="is_held_out IN (0, 1)", name="notifications_is_held_out"),
        ),
        ops.AddConstraint(
            "Notification",
            CheckConstraint(check="is_shown IN (0, 1)", name="notifications_is_shown"),
        ),
        ops.AddConstraint(
            "Notification",
            CheckConstraint(
                check="category IN ('offers', 'points', 'challenges', 'service')",
                name="notifications_category",
            ),
        ),
        ops.AddConstraint(
            "QuietHours",
            CheckConstraint(
                check="from_minute BETWEEN 0 AND 1439 AND until_minute BETWEEN 0 AND 1439",
                name="quiet_hours_minutes",
            ),
        ),
        ops.AddConstraint(
            "ResetRequest", CheckConstraint(check="letters >= 0", name="reset_requests_letters")
        ),
        ops.AddConstraint(
            "WebhookDelivery",
            CheckConstraint(
                check="status IN ('queued', 'delivered', 'dead', 'cancelled')",
                name="webhook_deliveries_status",
            ),
        ),
        ops.AddConstraint(
            "WebhookSubscription",
            CheckConstraint(
                check="state IN ('active', 'paused', 'disabled', 'deleted')",
                name="webhook_subscriptions_state",
            ),
        ),
        # What is waiting is a small part of all that ever was.
        ops.RunSQL(
            "CREATE INDEX deliveries_waiting ON deliveries (channel, run_id, due_at)"
            " WHERE status = 'queued'",
            "DROP INDEX deliveries_waiting",
        ),
        ops.RunSQL(
            "CREATE INDEX deliveries_held ON deliveries (claimed_until)"
            " WHERE status IN ('claimed', 'attempting')",
            "DROP INDEX deliveries_held",
        ),
        # By whom a member's duplicates, and so their accounts, are found.
        ops.RunSQL(
            "CREATE INDEX members_merged ON members (merged_into) WHERE merged_into IS NOT NULL",
            "DROP INDEX members_merged",
        ),
        ops.RunSQL(
            "CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (subscription_id, due_at)"
            " WHERE status = 'queued'",
            "DROP INDEX webhook_deliveries_waiting",
        ),
        ops.RunSQL(
            "CREATE INDEX webhook_deliveries_held ON webhook_deliveries (subscription_id)"
            " WHERE status = 'queued' AND claimed_until IS NOT NULL",
            "DROP INDEX webhook_deliveries_held",
        ),
        ops.RunSQL(
            "CREATE INDEX notifications_unread ON notifications (member_id)"
            " WHERE read_at IS NULL AND is_shown = 1",
            "DROP INDEX notifications_unread",
        ),
    ]
