"""Refusals of the catalogue as GraphQL types."""

import strawberry

from server.catalogue import errors
from server.clock import Instant
from server.edge.context import Info
from server.edge.fields import computed
from server.edge.permissions import EVERYONE, shown_to
from server.edge.problems import Problem, Telling, presents, shown_path
from server.principal import PrincipalKind


@shown_to(EVERYONE)
@strawberry.type(description="It can be had later.")
class NotYetOpen(Problem):
    """Too early."""

    path: list[str] = strawberry.field(
        description="Where the reference stands, from the argument down; positions count from 0."
    )
    opens_at: Instant = strawberry.field(
        description="From when on it can be had, by this member: members of some tiers may be "
        "earlier."
    )


@shown_to(EVERYONE)
@strawberry.type(description="It is for other members.")
class NotInAudience(Problem):
    """Not for this member."""

    path: list[str] = strawberry.field(
        description="Where the reference stands, from the argument down; positions count from 0."
    )
    tiers: list[str] = strawberry.field(
        description="The tiers of which one is needed; empty if none is."
    )
    needed: strawberry.Private[list[str]]

    @computed(
        description="The segments of which one is needed, by key; empty if none is, and always for "
        "members, who are not told how the shop sorts them."
    )
    def segments(self, info: Info) -> list[str]:
        """The segments, for who works with them."""
        is_member = info.context.principal.kind is PrincipalKind.MEMBER
        return [] if is_member else self.needed


@presents(errors.NotYetOpen)
def _not_yet_open(error: errors.NotYetOpen, telling: Telling) -> Problem:
    return NotYetOpen(
        code=error.code,
        message=telling.message,
        path=shown_path(error.path),
        opens_at=error.opens_at,
    )


@presents(errors.NotInAudience)
def _not_in_audience(error: errors.NotInAudience, telling: Telling) -> Problem:
    return NotInAudience(
        code=error.code,
        message=telling.message,
        path=shown_path(error.path),
        tiers=error.tiers,
        needed=error.segments,
    )
