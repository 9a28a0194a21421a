"""The tables of members' plans and of what happened to them, and their named queries."""

from collections.abc import Iterable, Sequence

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage import sql
from server.storage.fields import IdField, InstantField


class PlanSubscription(Model):
    """A plan that a member has, or had: what was agreed on, and what follows from its events."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    plan_key = fields.CharField(64)
    plan_version = fields.IntField()  # whose terms were agreed on
    period_unit = fields.CharField(5)
    price_minor = fields.BigIntField()
    currency = fields.CharField(3)
    digits = fields.SmallIntField()  # a major unit has 10**digits minor units
    grace_days = fields.SmallIntField()
    cancellation = fields.CharField(13)
    time_zone = fields.CharField(64)
    created_at = InstantField()
    first_period_at = InstantField(null=True)  # as agreed on; null: with the first payment
    is_trial = fields.SmallIntField()  # 1: until first_period_at
    source = fields.CharField(7)
    expires_at = InstantField()  # of what is granted
    granted_by = fields.BigIntField(null=True)  # an account of staff
    reason = fields.CharField(200, null=True)  # why it was granted
    follows_id = fields.BigIntField(null=True)  # the plan that it was changed from
    # What follows from the events, worked out anew with each.
    begins_at = InstantField(null=True)
    periods = fields.IntField()
    covered_until = InstantField(null=True)
    cancelled_at = InstantField(null=True)
    ended_at = InstantField(null=True)
    failed_at = InstantField(null=True)
    review_count = fields.IntField()

    class Meta:
        """Table."""

        table = "plan_subscriptions"
        indexes = (("member_id", "id"),)
        constraints = (
            CheckConstraint(check="price_minor >= 0", name="plan_subscriptions_price_minor"),
            CheckConstraint(
                check="period_unit IN ('month', 'year')", name="plan_subscriptions_period_unit"
            ),
            CheckConstraint(
                check="cancellation IN ('at_period_end', 'at_once')",
                name="plan_subscriptions_cancellation",
            ),
            CheckConstraint(
                check="source IN ('paid', 'free', 'granted')", name="plan_subscriptions_source"
            ),
            CheckConstraint(
                check="is_trial = 0 OR (is_trial = 1 AND first_period_at IS NOT NULL)",
                name="plan_subscriptions_is_trial",
            ),
            CheckConstraint(
                check="periods >= 0 AND review_count >= 0", name="plan_subscriptions_counts"
            ),
        )


class PlanEvent(Model):
    """Something that happened to a member's plan; never changed, and kept for ever."""

    id = IdField()
    event_id = fields.CharField(160, unique=True)  # the provider's with `billing:`, or our own
    subscription: fields.ForeignKeyRelation[PlanSubscription] = fields.ForeignKeyField(
        "laurel.PlanSubscription", on_delete=fields.RESTRICT
    )
    kind = fields.CharField(24)
    occurred_at = InstantField()
    payment_id = fields.CharField(120, null=True)
    amount_minor = fields.BigIntField(null=True)
    currency = fields.CharField(3, null=True)
    note = fields.CharField(200, null=True)
    recorded_by = fields.CharField(32)
    recorded_at = InstantField()

    class Meta:
        """Table."""

        table = "plan_events"
        indexes = (("subscription_id", "id"),)
        constraints = (CheckConstraint(check="amount_minor >= 0", name="plan_events_amount_minor"),)


COLUMNS = (
    "id, member_id, plan_key, plan_version, period_unit, price_minor, currency, digits, grace_days,"
    " cancellation, time_zone, created_at, first_period_at, is_trial, source, expires_at,"
    " granted_by, reason, follows_id, begins_at, periods, covered_until, cancelled_at, ended_at,"
    " failed_at, review_count"
)
INSERT = sql.insert("plan_subscriptions", COLUMNS)
UPDATE_FACTS = (
    "UPDATE plan_subscriptions SET begins_at = $1, periods = $2, covered_until = $3,"
    " cancelled_at = $4, ended_at = $5, failed_at = $6, review_count = $7 WHERE id = $8"
)
EVENT_COLUMNS = (
    "id, event_id, subscription_id, kind, occurred_at, payment_id, amount_minor, currency, note,"
    " recorded_by, recorded_at"
)
INSERT_EVENT = sql.insert(
    "plan_events", EVENT_COLUMNS, otherwise="ON CONFLICT (event_id) DO NOTHING"
)


def _lock(kind: str = "UPDATE") -> str:
    return f" FOR {kind}" if sql.engine() == "postgres" else ""


async def member_for_writing(member_id: int) -> bool:
    """Whether there is such a member; their row is locked against others who subscribe them."""
    row = await sql.fetch_one(
        "SELECT id FROM members WHERE id = $1 AND merged_into IS NULL" + _lock("NO KEY UPDATE"),
        member_id,
    )
    return row is not None


async def subscriptions(ids: Iterable[int]) -> Sequence[sql.Row]:
    """COLUMNS of the subscriptions."""
    values = sql.padded(ids)
    return await sql.fetch(
        f"SELECT {COLUMNS} FROM plan_subscriptions WHERE id IN ({sql.placeholders(len(values))})",
        *values,
    )


async def subscription_for_writing(subscription_id: int) -> sql.Row | None:
    """COLUMNS of one subscription, locked."""
    return await sql.fetch_one(
        f"SELECT {COLUMNS} FROM plan_subscriptions WHERE id = $1{_lock()}", subscription_id
    )


async def subscriptions_of_members(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """COLUMNS of all subscriptions of the members, the oldest first."""
    values = sql.padded(member_ids)
    return await sql.fetch(
        f"SELECT {COLUMNS} FROM plan_subscriptions"
        f" WHERE member_id IN ({sql.placeholders(len(values))}) ORDER BY id",
        *values,
    )


async def page(*, needs_review: bool, before: int, limit: int) -> Sequence[sql.Row]:
    """The newest `limit` subscriptions (COLUMNS) with an id below `before`; only those with
    something to review, if so asked."""
    only = "review_count > 0 AND " if needs_review else ""
    return await sql.fetch(
        f"SELECT {COLUMNS} FROM plan_subscriptions WHERE {only}id < $1 ORDER BY id DESC LIMIT $2",
        before,
        limit,
    )


async def events_of(subscription_ids: Iterable[int]) -> Sequence[sql.Row]:
    """EVENT_COLUMNS of all events of the subscriptions, by when they happened."""
    values = sql.padded(subscription_ids)
    return await sql.fetch(
        f"SELECT {EVENT_COLUMNS} FROM plan_events"
        f" WHERE subscription_id IN ({sql.placeholders(len(values))})"
        " ORDER BY occurred_at, event_id",
        *values,
    )
