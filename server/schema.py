"""The schema: the domains' root fields, joined."""

import strawberry
from graphql import GraphQLError
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from server.adjustments.graphql import AdjustmentMutations, AdjustmentQueries
from server.audit.graphql import AuditQueries
from server.cards.graphql import Card, CardMutations
from server.edge.limits import document_shape, document_size
from server.edge.reporting import Reporting
from server.edge.scalars import SCALARS
from server.enrolment.graphql import EnrolmentMutations
from server.households.graphql import HouseholdMutations
from server.imports.graphql import ImportMutations
from server.insights.graphql import InsightsQueries
from server.members.graphql import MemberMutations
from server.membership.graphql import Member, MembershipQueries
from server.merging.graphql import MergingMutations, MergingQueries
from server.payments.graphql import PaymentMutations
from server.payouts.graphql import PayoutMutations, PayoutQueries
from server.payouts.shapes import Payout
from server.programme.graphql import ProgrammeMutations, ProgrammeQueries
from server.programme.terms import Programme
from server.purchases.graphql import PurchaseMutations
from server.purchases.purchase_type import Purchase, PurchaseQueries
from server.purchases.return_mutation import ReturnMutations
from server.rewards.graphql import RewardMutations, Voucher
from server.transfers.graphql import TransferMutations


@strawberry.type(description="What can be read.")
class Query(
    MembershipQueries,
    PurchaseQueries,
    ProgrammeQueries,
    PayoutQueries,
    AdjustmentQueries,
    MergingQueries,
    InsightsQueries,
    AuditQueries,
):
    """The root of queries."""


@strawberry.type(
    description="What can be changed. Each mutation happens in full or not at all, and is safe to "
    "repeat with its idempotency key."
)
class Mutation(
    EnrolmentMutations,
    MemberMutations,
    CardMutations,
    PurchaseMutations,
    ReturnMutations,
    RewardMutations,
    PaymentMutations,
    PayoutMutations,
    TransferMutations,
    HouseholdMutations,
    AdjustmentMutations,
    ImportMutations,
    MergingMutations,
    ProgrammeMutations,
):
    """The root of mutations."""


class Schema(strawberry.Schema):
    """A schema whose errors are logged by `Reporting` alone."""

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        """Leave errors to the extension, which masks and logs them."""


schema = Schema(
    Query,
    Mutation,
    types=[Member, Card, Voucher, Purchase, Payout, Programme],
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[Reporting, document_size, document_shape, ParserCache, ValidationCache],
)
