"""The GraphQL operations of the replay and the shapes of their answers."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct, field

Data = TypeVar("Data")


class GraphQLError(Struct):
    """A top-level error: the request as a whole was refused."""

    message: str
    path: list[str | int] | None = None
    extensions: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The stable code, or an empty text."""
        return str(self.extensions.get("code", ""))


class Envelope(Struct, Generic[Data]):
    """The body of every answer."""

    data: Data | None = None
    errors: list[GraphQLError] = field(default_factory=list)


@dataclass(frozen=True)
class Operation(Generic[Data]):
    """A named operation with the type of its data."""

    name: str
    document: str
    data: type[Data]

    def opening(self) -> bytes:
        """The request's body up to the value of `variables`."""
        head = msgspec.json.encode({"operationName": self.name, "query": self.document})
        return head[:-1] + b',"variables":'

    def decoded(self, body: bytes) -> Envelope[Data]:
        """The answer. Raises msgspec.DecodeError if the body is none."""
        shape: Any = Envelope[self.data]  # type: ignore[name-defined]  # known only when run
        envelope: Envelope[Data] = msgspec.json.decode(body, type=shape)
        return envelope


PROBLEM_FIELDS = """
fragment ProblemFields on Problem {
  code message
  ... on InvalidInput { path value accepted }
  ... on NotFound { path }
  ... on CardUnusable { path }
  ... on ExternalIdConflict { path }
}
"""


class Answer(Struct, rename="camel"):
    """Any member of a result union: what it is, and what the replay wants to know of it."""

    typename: str = field(name="__typename")
    answers: "list[Answer] | None" = None
    points_available_after: int | None = None
    code: str | None = None
    message: str | None = None
    path: list[str] | None = None
    value: str | None = None
    accepted: str | None = None

    @property
    def is_problem(self) -> bool:
        """Whether the server refused."""
        return self.code is not None

    def described(self) -> str:
        """The problem in one line."""
        text = f"{self.code}: {self.message}"
        if self.path:
            text += f" At {'.'.join(self.path)}"
            text += f" = {self.value}." if self.value is not None else "."
        if self.accepted:
            text += f" Accepted: {self.accepted}."
        return text


class RecordPurchasesData(Struct, rename="camel"):
    """Data of RECORD_PURCHASES."""

    record_purchases: Answer


RECORD_PURCHASES = Operation(
    "RecordPurchases",
    """mutation RecordPurchases($input: RecordPurchasesInput!) {
  recordPurchases(input: $input) {
    __typename
    ... on RecordedPurchases { answers { __typename ...ProblemFields } }
    ...ProblemFields
  }
}"""
    + PROBLEM_FIELDS,
    RecordPurchasesData,
)


class RedeemPointsData(Struct, rename="camel"):
    """Data of REDEEM_POINTS."""

    redeem_points_for_members: Answer


REDEEM_POINTS = Operation(
    "RedeemPointsForMembers",
    """mutation RedeemPointsForMembers($input: RedeemPointsForMembersInput!) {
  redeemPointsForMembers(input: $input) {
    __typename
    ... on PointsRedeemedForMembers {
      answers { __typename ... on PointsRedeemed { pointsAvailableAfter } ...ProblemFields }
    }
    ...ProblemFields
  }
}"""
    + PROBLEM_FIELDS,
    RedeemPointsData,
)


class RedeemCouponsData(Struct, rename="camel"):
    """Data of REDEEM_COUPONS."""

    redeem_coupons: Answer


REDEEM_COUPONS = Operation(
    "RedeemCoupons",
    """mutation RedeemCoupons($input: RedeemCouponsInput!) {
  redeemCoupons(input: $input) {
    __typename
    ... on CouponsRedeemed { answers { __typename ...ProblemFields } }
    ...ProblemFields
  }
}"""
    + PROBLEM_FIELDS,
    RedeemCouponsData,
)


class PointBalance(Struct, rename="camel"):
    """What a household may spend."""

    external_id: str
    available: int


class PointBalancesData(Struct, rename="camel"):
    """Data of POINT_BALANCES."""

    point_balances: list[PointBalance]


POINT_BALANCES = Operation(
    "PointBalances",
    """query PointBalances($externalIds: [String!]!) {
  pointBalances(externalIds: $externalIds) { externalId available }
}""",
    PointBalancesData,
)


class ProgrammeIdentity(Struct):
    """Which programme document the server applies at an instant."""

    digest: str


class ProgrammeData(Struct):
    """Data of PROGRAMME."""

    programme: ProgrammeIdentity


PROGRAMME = Operation(
    "ProgrammeAt",
    "query ProgrammeAt($at: DateTime!) { programme(at: $at) { digest } }",
    ProgrammeData,
)
