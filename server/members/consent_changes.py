"""The evidence of consents in the schema: every statement, as it is kept for ever."""

import strawberry

from server.clock import Instant
from server.edge import pages
from server.edge.context import Info
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER, STAFF, shown_to
from server.members import consents
from server.members.consents import ConsentEvidence, ConsentPurpose, ConsentSource

_READERS = MEMBER | STAFF


@shown_to(_READERS)
@strawberry.type(
    description="One statement of what a member's data may be used for, as it is kept for ever."
)
class ConsentChange:
    """Evidence."""

    purpose: ConsentPurpose = strawberry.field(description="The use.")
    is_given: bool = strawberry.field(description="Whether the member agreed from then on.")
    changed_at: Instant = strawberry.field(description="When it was stated.")
    source: ConsentSource = strawberry.field(description="Who stated it.")
    text_version: str | None = strawberry.field(
        description="The version of the words that the member was shown; null if it was not said."
    )
    note: str | None = strawberry.field(
        description="What whoever stated it noted, such as how the member told it.",
        directives=[STAFF.directive],
    )
    stated_by: str = strawberry.field(
        description="The caller who stated it: the sort and the number of their account, such as "
        "member:7.",
        directives=[STAFF.directive],
    )


@shown_to(_READERS)
@strawberry.type(description="A statement of a consent and its cursor.")
class ConsentChangeEdge:
    """An edge."""

    cursor: str = strawberry.field(description="The statement's opaque position.")
    node: ConsentChange = strawberry.field(description="The statement.")


@shown_to(_READERS)
@strawberry.type(description="A page of statements of consents, the newest first.")
class ConsentChangeConnection:
    """A page."""

    edges: list[ConsentChangeEdge] = strawberry.field(
        description="The statements with their cursors."
    )
    nodes: list[ConsentChange] = strawberry.field(description="The statements themselves.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


def _shown(one: ConsentEvidence) -> ConsentChange:
    return ConsentChange(
        purpose=one.purpose,
        is_given=one.is_given,
        changed_at=one.changed_at,
        source=one.source,
        text_version=one.text_version,
        note=one.note,
        stated_by=one.stated_by,
    )


async def _pages(member_ids: list[int], limit: int, before: int) -> list[list[ConsentEvidence]]:
    found = await consents.evidence_of_members(member_ids, before=before, limit=limit)
    return [found[member_id] for member_id in member_ids]


async def consent_changes_of_member(
    info: Info, member_id: int, *, first: int, after: str | None
) -> ConsentChangeConnection:
    """A page of what was stated; one statement for all members asked for."""
    limit, before = pages.page(first, after)
    found = await info.context.loader(_pages, limit + 1, pages.before(before)).load(member_id)
    return pages.connected(
        ConsentChangeConnection,
        ConsentChangeEdge,
        [(one.id, _shown(one)) for one in found[:limit]],
        has_next=len(found) > limit,
        after=after,
    )
