"""The schema: the domains' root fields, joined."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from server.actions.graphql import ActionMutations
from server.actions.survey_results import SurveyQueries
from server.adjustments.graphql import AdjustmentMutations, AdjustmentQueries
from server.audit.graphql import AuditQueries
from server.baskets.basket_types import Basket
from server.baskets.graphql import BasketMutations, BasketQueries
from server.campaigns.graphql import CampaignMutations, CampaignQueries
from server.cards.graphql import Card, CardMutations
from server.catalogue.browsing_graphql import CatalogueQueries
from server.catalogue.drop_mutations import DropMutations
from server.catalogue.graphql import CatalogueMutations
from server.catalogue.order_shapes import RewardOrder
from server.coupons.graphql import CouponMutations, CouponQueries
from server.definitions.graphql import DefinitionQueries
from server.definitions.mutations import DefinitionMutations
from server.edge import sizing
from server.edge.executing import schema_of
from server.edge.scalars import SCALARS
from server.edge.subscribing import read_when_delivered
from server.edge.trusted_mutation import DocumentMutations
from server.enrolment.firebase_mutation import FirebaseMutations
from server.enrolment.graphql import EnrolmentMutations
from server.households.graphql import HouseholdMutations
from server.imports.graphql import ImportMutations
from server.insights.graphql import InsightsQueries
from server.members.consent_mutations import ConsentMutations
from server.members.graphql import MemberMutations
from server.members.key_mutations import KeyMutations, KeyQueries
from server.members.password_mutations import PasswordMutations
from server.members.session_mutations import SessionMutations, SessionQueries
from server.membership.graphql import MembershipQueries
from server.membership.member_type import Member
from server.membership.session_mutations import MemberSessionMutations
from server.membership.subscription import MembershipSubscriptions
from server.merging.graphql import MergingMutations, MergingQueries
from server.notifications.choice_mutations import ChoiceMutations
from server.notifications.device_mutations import Device, DeviceMutations
from server.notifications.inbox_mutations import InboxMutations, Notification
from server.notifications.preview_graphql import MessagePreviewQueries
from server.notifications.quiet_mutations import QuietHoursMutations
from server.offers.graphql import MemberOffer, OfferMutations
from server.offers.staff_graphql import Offer, OfferQueries
from server.partners.graphql import PartnerQueries
from server.payments.graphql import PaymentMutations
from server.payouts.graphql import PayoutMutations, PayoutQueries
from server.payouts.shapes import Payout
from server.plans.graphql import PlanMutations, PlanQueries
from server.plans.shapes import PlanSubscription
from server.programme.graphql import ProgrammeMutations, ProgrammeQueries
from server.programme.terms import Programme
from server.purchases.graphql import PurchaseMutations
from server.purchases.purchase_type import Purchase, PurchaseQueries
from server.purchases.return_mutation import ReturnMutations
from server.referrals.graphql import ReferralMutations, ReferralQueries
from server.rewards.graphql import RewardMutations, Voucher
from server.segments.graphql import SegmentQueries
from server.sizes import STATED
from server.transfers.graphql import TransferMutations
from server.webhooks.graphql import WebhookQueries
from server.webhooks.mutations import WebhookMutations
from server.webhooks.order_graphql import OrderWebhookMutations, OrderWebhookQueries


@strawberry.type(description="What can be read.")
class Query(
    MembershipQueries,
    SessionQueries,
    KeyQueries,
    PurchaseQueries,
    ProgrammeQueries,
    PayoutQueries,
    CatalogueQueries,
    PlanQueries,
    AdjustmentQueries,
    MergingQueries,
    InsightsQueries,
    AuditQueries,
    DefinitionQueries,
    SegmentQueries,
    PartnerQueries,
    CouponQueries,
    BasketQueries,
    OfferQueries,
    ReferralQueries,
    SurveyQueries,
    CampaignQueries,
    MessagePreviewQueries,
    WebhookQueries,
    OrderWebhookQueries,
):
    """The root of queries."""


@strawberry.type(
    description="What can be changed. Each mutation happens in full or not at all, and is safe to "
    "repeat with its idempotency key."
)
class Mutation(
    EnrolmentMutations,
    FirebaseMutations,
    MemberMutations,
    ConsentMutations,
    SessionMutations,
    MemberSessionMutations,
    KeyMutations,
    PasswordMutations,
    CardMutations,
    PurchaseMutations,
    ReturnMutations,
    RewardMutations,
    CatalogueMutations,
    DropMutations,
    PlanMutations,
    PaymentMutations,
    PayoutMutations,
    TransferMutations,
    HouseholdMutations,
    AdjustmentMutations,
    ImportMutations,
    MergingMutations,
    ProgrammeMutations,
    DefinitionMutations,
    DocumentMutations,
    CouponMutations,
    BasketMutations,
    OfferMutations,
    ReferralMutations,
    ActionMutations,
    DeviceMutations,
    ChoiceMutations,
    QuietHoursMutations,
    InboxMutations,
    CampaignMutations,
    WebhookMutations,
    OrderWebhookMutations,
):
    """The root of mutations."""


@strawberry.type(
    description="What can be followed: each field answers at once, and then again and again."
)
class Subscription(MembershipSubscriptions):
    """The root of subscriptions."""


schema = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    types=[
        Member,
        Card,
        Voucher,
        Purchase,
        Payout,
        RewardOrder,
        PlanSubscription,
        Programme,
        Basket,
        MemberOffer,
        Offer,
        Device,
        Notification,
        *sizing.DIRECTIVES,
    ],
    config=StrawberryConfig(scalar_map=SCALARS),
)
"""Operations on it are run by `server.edge.executing`."""
read_when_delivered(schema_of(schema))
sizing.state(schema, STATED)
