"""The tables of offers: what members activated, what they used, and what of a limit is used."""

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from server.members.models import Member
from server.storage.fields import IdField, InstantField
from server.storage.indexes import PartialIndex

EVER = -1_000_000
"""Stands where a local day stands, for what counts on all days together: before every calendar."""


class OfferActivation(Model):
    """That a member has activated an offer. Deactivating takes the row away."""

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    offer = fields.CharField(64)
    activated_at = InstantField()

    class Meta:
        """Table."""

        table = "offer_activations"
        unique_together = (("member_id", "offer"),)
        indexes = (("offer",),)


class OfferUse(Model):
    """One offer in one basket: held while the basket is open, used once it is a purchase.

    Whether a hold is over is read off the clock; one that is released leaves no row. `returned_*`
    is what of it returns have undone; RETURNED is a use of which the whole purchase came back.
    """

    id = IdField()
    member: fields.ForeignKeyRelation[Member] = fields.ForeignKeyField(
        "laurel.Member", on_delete=fields.RESTRICT
    )
    offer = fields.CharField(64)
    version = fields.IntField()
    basket_id = fields.BigIntField(null=True)
    purchase_id = fields.BigIntField(null=True)
    local_day = fields.IntField()  # of the programme, for the limits of a day
    status = fields.CharField(8)  # held, used, returned
    held_until = InstantField(null=True)
    used_at = InstantField(null=True)
    discount_minor = fields.BigIntField()  # off the lines
    shipping_minor = fields.BigIntField()
    points = fields.BigIntField()
    cashback_minor = fields.BigIntField()
    budget_minor = fields.BigIntField()
    budget_points = fields.BigIntField()
    returned_discount_minor = fields.BigIntField()
    returned_shipping_minor = fields.BigIntField()
    returned_points = fields.BigIntField()
    returned_cashback_minor = fields.BigIntField()
    returned_budget_minor = fields.BigIntField()
    returned_budget_points = fields.BigIntField()

    class Meta:
        """Table."""

        table = "offer_uses"
        indexes = (
            ("member_id", "offer"),
            ("offer", "local_day"),
            PartialIndex(
                fields=("offer", "held_until"), where="status = 'held'", name="offer_uses_held"
            ),
            PartialIndex(
                fields=("basket_id",), where="basket_id IS NOT NULL", name="offer_uses_basket"
            ),
            PartialIndex(
                fields=("purchase_id",), where="purchase_id IS NOT NULL", name="offer_uses_purchase"
            ),
        )
        constraints = (
            CheckConstraint(
                check="status IN ('held', 'used', 'returned')",
                name="offer_uses_status",
            ),
            CheckConstraint(
                check="status <> 'held' OR (held_until IS NOT NULL AND basket_id IS NOT NULL)",
                name="offer_uses_held_until",
            ),
            CheckConstraint(
                check="(status IN ('used', 'returned')) = (used_at IS NOT NULL)",
                name="offer_uses_used_at",
            ),
            CheckConstraint(
                check="returned_discount_minor >= 0 AND returned_discount_minor <= discount_minor"
                " AND returned_shipping_minor >= 0 AND returned_shipping_minor <= shipping_minor"
                " AND returned_points >= 0 AND returned_points <= points"
                " AND returned_cashback_minor >= 0 AND returned_cashback_minor <= cashback_minor",
                name="offer_uses_returned",
            ),
            CheckConstraint(
                check="returned_budget_minor >= 0 AND returned_budget_minor <= budget_minor"
                " AND returned_budget_points >= 0 AND returned_budget_points <= budget_points",
                name="offer_uses_returned_budget",
            ),
        )


class OfferCounter(Model):
    """What is used of an offer's limits that all members share, on one local day or EVER.

    Only offers that have such limits, or had them once, are counted. What is held is not in it.
    """

    id = IdField()
    offer = fields.CharField(64)
    local_day = fields.IntField()
    uses = fields.BigIntField()
    budget_minor = fields.BigIntField()
    budget_points = fields.BigIntField()

    class Meta:
        """Table."""

        table = "offer_counters"
        unique_together = (("offer", "local_day"),)
        constraints = (
            CheckConstraint(
                check="uses >= 0 AND budget_minor >= 0 AND budget_points >= 0",
                name="offer_counters_used",
            ),
        )
