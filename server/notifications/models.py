"""Tables of notifications."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField

_CHANNELS = "('push', 'email', 'in_app')"
_CATEGORIES = "('offers', 'points', 'challenges', 'service')"


class Device(Model):
    """An app on a phone, a tablet or in a browser, by its FCM registration token.

    It's a member's as long as the session that registered it lasts.
    """

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    session_id = fields.BigIntField(null=True)  # of `sessions`
    token = fields.CharField(4096)
    token_hash = fields.CharField(64, unique=True)  # SHA-256, hexadecimal: one member a token
    platform = fields.CharField(8)  # ios, android, web
    app_version = fields.CharField(40, null=True)
    locale = fields.CharField(16)
    time_zone = fields.CharField(64)
    registered_at = InstantField()
    seen_at = InstantField()  # when the app said last that the token is good

    class Meta:
        """Table."""

        table = "devices"
        indexes = (("member_id", "id"), ("session_id",), ("seen_at",))
        constraints = (
            CheckConstraint(check="platform IN ('ios', 'android', 'web')", name="devices_platform"),
        )


class MessageChoice(Model):
    """What a member said last of one category of messages on one channel."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    channel = fields.CharField(8)  # push, email, in_app
    category = fields.CharField(12)  # offers, points, challenges, service
    is_given = fields.IntField()  # 0 or 1
    changed_at = InstantField()
    source = fields.CharField(8)  # member, staff, link

    class Meta:
        """Table."""

        table = "message_choices"
        unique_together = (("member_id", "channel", "category"),)
        constraints = (
            CheckConstraint(check="is_given IN (0, 1)", name="message_choices_is_given"),
            CheckConstraint(check=f"channel IN {_CHANNELS}", name="message_choices_channel"),
            CheckConstraint(check=f"category IN {_CATEGORIES}", name="message_choices_category"),
        )


class MessageChoiceChange(Model):
    """The evidence of one choice; it is never changed."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    channel = fields.CharField(8)
    category = fields.CharField(12)
    is_given = fields.IntField()
    changed_at = InstantField()
    source = fields.CharField(8)
    stated_by = fields.CharField(64)  # the name of the caller
    text_version = fields.CharField(40)  # of the words that the member was shown

    class Meta:
        """Table."""

        table = "message_choice_changes"
        indexes = (("member_id", "id"),)
        constraints = (
            CheckConstraint(check="is_given IN (0, 1)", name="message_choice_changes_is_given"),
        )


class QuietHours(Model):
    """When a member wants no sound, instead of the programme's hours; by the member's id."""

    id = IdField()  # the member's
    from_minute = fields.IntField()  # of the local day, 0 to 1439
    until_minute = fields.IntField()  # exclusive; the same as `from_minute` is never quiet
    changed_at = InstantField()

    class Meta:
        """Table."""

        table = "quiet_hours"
        constraints = (
            CheckConstraint(
                check="from_minute BETWEEN 0 AND 1439 AND until_minute BETWEEN 0 AND 1439",
                name="quiet_hours_minutes",
            ),
        )


class CampaignRun(Model):
    """One campaign being sent, from the first member that is looked at to the last."""

    id = IdField()
    campaign = fields.CharField(80)  # its key; of one that an offer began, `offer:` and its key
    version_id = fields.BigIntField()  # of `definition_versions`: the campaign's, or the offer's
    message = fields.CharField(64, db_default="")  # what is said of an offer, by its key
    state = fields.CharField(8)  # planning, sending, paused, stopped, done
    resumes_as = fields.CharField(8, null=True)  # while it is paused: planning or sending
    after_id = fields.BigIntField()  # planning: members up to this id have been looked at
    looked_at = fields.BigIntField()  # members in the audience
    started_at = InstantField()
    planned_at = InstantField(null=True)
    changed_at = InstantField()

    class Meta:
        """Table."""

        table = "campaign_runs"
        unique_together = (("campaign", "version_id", "message"),)
        constraints = (
            CheckConstraint(
                check="state IN ('planning', 'sending', 'paused', 'stopped', 'done')",
                name="campaign_runs_state",
            ),
        )


class Notification(Model):
    """One message to one member, as they read it; at most one for each topic."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    topic = fields.CharField(160)  # what it is about: a campaign's key, an event
    category = fields.CharField(12)
    message = fields.CharField(64)  # the key of the `message` that it was written from
    version_id = fields.BigIntField()  # its version, of `definition_versions`
    run_id = fields.BigIntField(null=True)  # of `campaign_runs`
    variant = fields.CharField(40, null=True)
    is_held_out = fields.IntField()  # 1: to be compared with, and never sent or shown
    is_shown = fields.IntField()  # 1: in the inbox
    locale = fields.CharField(16)
    title = fields.CharField(400)
    body = fields.CharField(2000)
    wire = fields.TextField()  # JSON: link, image, data, options of the platforms
    created_at = InstantField()
    shown_from = InstantField()  # in the inbox
    expires_at = InstantField()  # when it leaves the inbox; until when it is sent: `Delivery`
    read_at = InstantField(null=True)
    opened_at = InstantField(null=True)

    class Meta:
        """Table."""

        table = "notifications"
        unique_together = (("member_id", "topic"),)
        indexes = (("member_id", "id"), ("run_id", "variant"))
        constraints = (
            CheckConstraint(check="is_held_out IN (0, 1)", name="notifications_is_held_out"),
            CheckConstraint(check="is_shown IN (0, 1)", name="notifications_is_shown"),
            CheckConstraint(check=f"category IN {_CATEGORIES}", name="notifications_category"),
        )


class Delivery(Model):
    """One notification on its way to one device or one address, and what became of it."""

    id = IdField()
    member_id = fields.BigIntField()
    notification_id = fields.BigIntField()
    run_id = fields.BigIntField(null=True)
    channel = fields.CharField(8)  # push, email
    category = fields.CharField(12)
    device_id = fields.BigIntField(null=True)
    status = fields.CharField(12)
    reason = fields.CharField(40, null=True)  # of failed, suppressed, in_doubt, or a retry
    attempts = fields.IntField()
    due_at = InstantField()
    expires_at = InstantField()
    claimed_by = fields.BigIntField(null=True)  # the sender's id
    claimed_until = InstantField(null=True)
    attempted_at = InstantField(null=True)  # the last time
    settled_at = InstantField(null=True)
    provider_id = fields.CharField(200, null=True)  # the name that the provider gave it

    class Meta:
        """Table."""

        table = "deliveries"
        indexes = (("member_id", "attempted_at"), ("notification_id",), ("run_id", "status"))
        constraints = (
            CheckConstraint(
                check="status IN ('queued', 'claimed', 'attempting', 'sent', 'failed',"
                " 'suppressed', 'in_doubt')",
                name="deliveries_status",
            ),
            CheckConstraint(check="channel IN ('push', 'email')", name="deliveries_channel"),
            CheckConstraint(check=f"category IN {_CATEGORIES}", name="deliveries_category"),
            CheckConstraint(check="attempts >= 0", name="deliveries_attempts"),
        )


class SendRate(Model):
    """How many messages were handed to the provider in one second; a second is its Unix time."""

    id = IdField()  # seconds since 1970-01-01T00:00:00Z
    sent = fields.IntField()

    class Meta:
        """Table."""

        table = "send_rates"


class SendPause(Model):
    """Until when nothing is handed to a provider, as it asked or because it is out of order."""

    id = IdField()  # 1: push messages, 2: e-mail
    until = InstantField()
    failures = fields.IntField()  # in a row

    class Meta:
        """Table."""

        table = "send_pauses"
