"""Tables of webhooks."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.storage.fields import IdField, InstantField


class WebhookSubscription(Model):
    """An address of a shop's system, and which events it is told of."""

    id = IdField()
    name = fields.CharField(120)
    url = fields.CharField(500)
    partner = fields.CharField(64, null=True)  # whose members' events alone; null is everybody's
    kinds = fields.TextField()  # event types, separated by spaces; empty is all
    state = fields.CharField(8)  # active, paused, disabled, deleted
    state_reason = fields.CharField(200, null=True)
    failing_since = InstantField(null=True)
    created_at = InstantField()
    changed_at = InstantField()

    class Meta:
        """Table."""

        table = "webhook_subscriptions"
        constraints = (
            CheckConstraint(
                check="state IN ('active', 'paused', 'disabled', 'deleted')",
                name="webhook_subscriptions_state",
            ),
        )


class WebhookSecret(Model):
    """What webhooks are signed with, or those of a shop are checked with; several while one follows
    another. The secret itself is derived from the id, and stored nowhere."""

    id = IdField()
    subscription_id = fields.BigIntField(null=True)  # of those that go out
    partner = fields.CharField(64, null=True)  # of those that come in
    created_at = InstantField()
    expires_at = InstantField(null=True)  # from when on it counts no more

    class Meta:
        """Table."""

        table = "webhook_secrets"
        indexes = (("subscription_id",), ("partner",))


class WebhookDelivery(Model):
    """One event on its way to one subscription, and what became of it."""

    id = IdField()  # ascending for each member
    subscription_id = fields.BigIntField()
    event_id = fields.BigIntField()
    kind = fields.CharField(40)
    member_id = fields.BigIntField(null=True)
    payload = fields.TextField()  # JSON, as it is sent
    status = fields.CharField(12)  # queued, delivered, dead, cancelled
    attempts = fields.IntField()
    due_at = InstantField()
    created_at = InstantField()
    tried_since = InstantField(null=True)  # the first attempt; of those since it was replayed
    claimed_until = InstantField(null=True)
    settled_at = InstantField(null=True)
    answer_status = fields.IntField(null=True)  # HTTP, of the last attempt
    error = fields.CharField(200, null=True)  # of the last attempt

    class Meta:
        """Table."""

        table = "webhook_deliveries"
        unique_together = (("subscription_id", "event_id"),)
        indexes = (("status", "due_at"), ("subscription_id", "member_id", "status"))
        constraints = (
            CheckConstraint(
                check="status IN ('queued', 'delivered', 'dead', 'cancelled')",
                name="webhook_deliveries_status",
            ),
        )


class WebhookReceived(Model):
    """A webhook that a shop sent and that was taken: the same one again changes nothing."""

    id = IdField()
    partner = fields.CharField(64)
    webhook_id = fields.CharField(128)
    content_hash = fields.CharField(64)  # SHA-256, hexadecimal
    answer = fields.TextField()  # JSON
    received_at = InstantField()

    class Meta:
        """Table."""

        table = "webhooks_received"
        unique_together = (("partner", "webhook_id"),)
