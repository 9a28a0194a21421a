"""Campaigns in the schema: how far they are, holding them up, trying them and what came of them."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

import msgspec
import strawberry

from server import clock
from server.campaigns import dry_run, results, service
from server.campaigns.result_views import (
    CampaignResults,
    LoggedNotificationConnection,
    LoggedNotificationEdge,
    logged_shown,
    results_shown,
)
from server.campaigns.service import Standing
from server.campaigns.views import (
    HANDLERS,
    Campaign,
    CampaignHandled,
    CampaignRunConnection,
    CampaignRunEdge,
    DryRunCampaignResult,
    HandleCampaignInput,
    PauseCampaignInput,
    PauseCampaignResult,
    ResumeCampaignInput,
    ResumeCampaignResult,
    StopCampaignInput,
    StopCampaignResult,
    campaign_shown,
    dry_run_shown,
    run_shown,
)
from server.cards import service as cards
from server.cards.graphql import MemberReference, member_reference
from server.clock import Instant
from server.definitions import service as definitions
from server.edge import pages
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import STAFF, mutation, query
from server.edge.problems import problem_of
from server.errors import DomainError, NotFound

DRY_RUN_SECONDS = 8.0
"""How long members are looked at for one answer; an operation may take ten."""
_First = Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")]
_After = Annotated[
    str | None,
    strawberry.argument(description="The `endCursor` of the page before; null for the first page."),
]
_Key = Annotated[
    str,
    strawberry.argument(description="Its key; `offer:` and its key for what tells of an offer."),
]


@strawberry.type
class CampaignQueries:
    """The root fields that read campaigns."""

    @query(STAFF, description="One campaign by its key; null if there is none.")
    async def campaign(self, info: Info, key: _Key) -> Campaign | None:
        """A campaign."""
        try:
            found = await service.standing(key, info.context.at)
        except NotFound:
            return None
        return campaign_shown(found, await definitions.shelves())

    @query(STAFF, description="All campaigns that are or were being sent, the newest first.")
    async def campaign_runs(
        self, info: Info, first: _First = 20, after: _After = None
    ) -> CampaignRunConnection:
        """A page of runs."""
        limit, position = pages.page(first, after)
        found = await service.runs(before=pages.before(position), limit=limit + 1)
        shelves = await definitions.shelves()
        return pages.connected(
            CampaignRunConnection,
            CampaignRunEdge,
            [(run.id, run_shown(run, shelves)) for run in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )

    @query(
        STAFF,
        description="Whom a campaign would reach by which channel, and why others not, if it were "
        "planned now; nothing is written. What changes before its time is not known: members who "
        "agree or refuse, other messages that count against caps. With more members than can be "
        "looked at in about eight seconds, it tells of those it came to.",
    )
    async def dry_run_campaign(
        self,
        info: Info,
        key: Annotated[
            str, strawberry.argument(description="Its key: members draw their lots by it.")
        ],
        document: Annotated[
            str | None,
            strawberry.argument(
                description="A document as YAML or JSON, which need not be saved; null takes the "
                "newest version of the key, drafts included."
            ),
        ] = None,
    ) -> DryRunCampaignResult:
        """Try a campaign."""
        try:
            found = await dry_run.dry_run(key, document, info.context.at, seconds=DRY_RUN_SECONDS)
        except DomainError as error:
            return cast(DryRunCampaignResult, problem_of(error, info.context.language))
        return dry_run_shown(found)

    @query(STAFF, description="What came of a campaign so far; null if there is none.")
    async def campaign_results(self, info: Info, key: _Key) -> CampaignResults | None:
        """Results."""
        try:
            found = await results.results(key, info.context.at)
        except NotFound:
            return None
        return results_shown(found, await definitions.shelves())

    @query(
        STAFF,
        description="What was written to a member, the newest first, and what became of each "
        "message on its way; empty for a reference to nobody. A blocked or replaced card refers to "
        "nobody.",
    )
    async def notifications_of(
        self,
        info: Info,
        member: Annotated[MemberReference, strawberry.argument(description="Who is meant.")],
        first: _First = 20,
        after: _After = None,
    ) -> LoggedNotificationConnection:
        """A page of messages."""
        limit, position = pages.page(first, after)
        reference = member_reference(member)
        assert reference is not None, "the schema requires it"
        found: list[results.Logged] = []
        try:
            member_id = await cards.member_of(reference, path=("member",))
        except DomainError:
            pass
        else:
            before = pages.before(position)
            found = await results.log_of(member_id, before=before, limit=limit + 1)
        return pages.connected(
            LoggedNotificationConnection,
            LoggedNotificationEdge,
            [(one.id, logged_shown(one)) for one in found[:limit]],
            has_next=len(found) > limit,
            after=after,
        )


class Handled(msgspec.Struct, frozen=True):
    """Which campaign was paused, resumed or stopped."""

    key: str


async def _handled(
    info: Info,
    input: HandleCampaignInput,
    verb: Callable[[str, Instant], Awaitable[Standing]],
) -> Any:
    async def work() -> Handled:
        try:
            await verb(input.key, clock.now())
        except DomainError as error:
            raise error.below("input") from None
        return Handled(input.key)

    async def present(handled: Handled) -> CampaignHandled:
        standing = await service.standing(handled.key, clock.now())
        return CampaignHandled(campaign=campaign_shown(standing, await definitions.shelves()))

    return await write_once(info, input, work=work, result=Handled, present=present)


_WHICH = strawberry.argument(description="Which campaign.")


@strawberry.type
class CampaignMutations:
    """The mutations of campaigns, for the schema's root."""

    @mutation(
        HANDLERS,
        description="Let nothing more of a campaign go out until it is resumed: what a sender has "
        "in hand already, a minute's work at most, may still go. One that is scheduled does not "
        "begin, nor does a version that is published meanwhile. Pausing what is paused changes "
        "nothing.",
    )
    async def pause_campaign(
        self, info: Info, input: Annotated[PauseCampaignInput, _WHICH]
    ) -> PauseCampaignResult:
        """Pause."""
        return cast(PauseCampaignResult, await _handled(info, input, service.pause))

    @mutation(
        HANDLERS,
        description="Let a campaign that was paused go on; what has expired meanwhile is not sent. "
        "Resuming what goes on changes nothing.",
    )
    async def resume_campaign(
        self, info: Info, input: Annotated[ResumeCampaignInput, _WHICH]
    ) -> ResumeCampaignResult:
        """Resume."""
        return cast(ResumeCampaignResult, await _handled(info, input, service.resume))

    @mutation(
        HANDLERS,
        description="Let nothing more of a campaign go out, for good: what a sender has in hand "
        "already may still go, and what waits is suppressed within minutes. Whoever has a message "
        "of it gets no other, sent or not; a new version goes to those who have none. Stopping "
        "what was stopped changes nothing.",
    )
    async def stop_campaign(
        self, info: Info, input: Annotated[StopCampaignInput, _WHICH]
    ) -> StopCampaignResult:
        """Stop."""
        return cast(StopCampaignResult, await _handled(info, input, service.stop))
