"""The types in which the schema shows campaigns and what came of messages."""

from typing import Annotated

import strawberry

from server.campaigns import service
from server.campaigns.documents import Campaign as Document
from server.campaigns.dry_run import DryRun
from server.campaigns.service import CampaignState, Progress, Run, RunState, Standing
from server.campaigns.shapes import Reason
from server.clock import Instant
from server.definitions.service import Shelves
from server.definitions.shapes import WRITERS, InvalidDefinition
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.mutation import KEY_DESCRIPTION
from server.edge.pages import PageInfo
from server.edge.permissions import STAFF, shown_to
from server.edge.problems import AlreadyDecided, IdempotencyConflict, InvalidInput, NotFound
from server.edge.scalars import BigInt
from server.notifications import message_words  # noqa: F401 - it names the enums below
from server.notifications.shapes import Channel, Status

HANDLERS = WRITERS
"""Who pauses, resumes and stops campaigns."""

described(
    Status,
    name="DeliveryStatus",
    description="What became of a message on its way to one device or one address.",
    QUEUED="It waits until it is due.",
    CLAIMED="A sender is about to look at it.",
    ATTEMPTING="It is being handed to the provider.",
    SENT="The provider has taken it.",
    FAILED="The provider refuses it for good, or did until it was too late.",
    SUPPRESSED="It was never sent, on purpose.",
    IN_DOUBT="It may have been sent: nobody knows, and marketing is not sent again.",
)
described(
    CampaignState,
    description="How far a campaign is.",
    SCHEDULED="Its time has not come for anybody.",
    PLANNING="Members are being looked at; what is due goes out meanwhile.",
    SENDING="All members were looked at, and messages are being sent.",
    PAUSED="Nothing goes out until it is resumed.",
    STOPPED="It was stopped or withdrawn: what was not sent never is.",
    DONE="Everything has been sent, or never will be.",
    MISSED="Its time was over before it was published.",
)
described(
    RunState,
    name="CampaignRunState",
    description="How far one version of a campaign is.",
    PLANNING="Members are being looked at; what is due goes out meanwhile.",
    SENDING="All members were looked at, and messages are being sent.",
    PAUSED="Nothing goes out until it is resumed.",
    STOPPED="It was stopped or withdrawn: what was not sent never is.",
    DONE="Everything has been sent, or never will be.",
)
described(
    Reason,
    name="NotReachedReason",
    description="Why a member does not get a message by a channel.",
    ALREADY_HAD="They have a message of the same campaign: nobody gets two.",
    NO_CONSENT="They have not agreed to such messages by this channel, or no more.",
    NO_DEVICE="They have no device that is signed in and was used in the last 270 days.",
    NO_ADDRESS="Their account has no e-mail address.",
    QUIET="It would have expired before their quiet hours end.",
    CAP="They have had as many messages as they get.",
    HELD_OUT="They are compared with those who get the campaign.",
    EXPIRED="It is too late for them.",
    STOPPED="The campaign was stopped.",
    UNREGISTERED="Their device is not reached any more.",
    MERGED="They are another member's duplicate.",
)


# ---------------------------------------------------------------- how far


@shown_to(STAFF)
@strawberry.type(
    description="What became of a campaign's messages so far. One message to a member may be "
    "several deliveries: one to each device, and one by e-mail."
)
class CampaignProgress:
    """Progress of a run."""

    queued: BigInt = strawberry.field(description="Deliveries that wait for their time.")
    being_sent: BigInt = strawberry.field(description="Deliveries that a sender has in hand.")
    sent: BigInt = strawberry.field(description="Deliveries that the provider has taken.")
    failed: BigInt = strawberry.field(description="Deliveries that the provider has refused.")
    suppressed: BigInt = strawberry.field(description="Deliveries that were not sent on purpose.")
    in_doubt: BigInt = strawberry.field(
        description="Deliveries that may or may not have been sent, and are not sent again."
    )


@shown_to(STAFF)
@strawberry.type(description="One version of a campaign being sent.")
class CampaignRun:
    """A run."""

    campaign: str = strawberry.field(
        description="The campaign's key; `offer:` and its key for what tells of an offer."
    )
    version: int = strawberry.field(
        description="The number of the campaign's version, or of the offer's."
    )
    state: RunState = strawberry.field(description="How far it is.")
    audience: BigInt = strawberry.field(
        description="The members in the audience, of those who were looked at so far; those who "
        "are held out included."
    )
    started_at: Instant = strawberry.field(description="When planning began.")
    planned_at: Instant | None = strawberry.field(
        description="When the last member was looked at; null before."
    )
    changed_at: Instant = strawberry.field(description="Since when it is in this state.")
    number: strawberry.Private[int]

    @computed(description="What became of its messages so far.")
    async def progress(self, info: Info) -> CampaignProgress:
        """Counted for all runs asked for in one go."""
        return progress_shown(await info.context.loader(_progress).load(self.number))


async def _progress(run_ids: list[int]) -> list[Progress]:
    found = await service.progress(run_ids)
    return [found[run_id] for run_id in run_ids]


def progress_shown(progress: Progress) -> CampaignProgress:
    """The counts of a run."""
    return CampaignProgress(
        queued=BigInt(progress.of(Status.QUEUED)),
        being_sent=BigInt(progress.of(Status.CLAIMED) + progress.of(Status.ATTEMPTING)),
        sent=BigInt(progress.of(Status.SENT)),
        failed=BigInt(progress.of(Status.FAILED)),
        suppressed=BigInt(progress.of(Status.SUPPRESSED)),
        in_doubt=BigInt(progress.of(Status.IN_DOUBT)),
    )


def run_shown(run: Run, shelves: Shelves) -> CampaignRun:
    """A run as the schema shows it."""
    return CampaignRun(
        campaign=run.campaign,
        version=shelves.by_id[run.version_id].version,
        state=run.state,
        audience=BigInt(run.audience),
        started_at=run.started_at,
        planned_at=run.planned_at,
        changed_at=run.changed_at,
        number=run.id,
    )


@shown_to(STAFF)
@strawberry.type(description="A run with its place in the list.")
class CampaignRunEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The run's place, for `after`.")
    node: CampaignRun = strawberry.field(description="The run.")


@shown_to(STAFF)
@strawberry.type(description="A page of runs, the newest first.")
class CampaignRunConnection:
    """Relay's connection."""

    edges: list[CampaignRunEdge] = strawberry.field(description="The runs with their places.")
    nodes: list[CampaignRun] = strawberry.field(description="The runs alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(STAFF)
@strawberry.type(description="A message to many members, or what tells of an offer.")
class Campaign:
    """A campaign."""

    key: str = strawberry.field(
        description="Its key; `offer:` and the offer's key for what tells of an offer."
    )
    name: str | None = strawberry.field(
        description="What staff call it; null of an offer's, and of one that was withdrawn."
    )
    version: int | None = strawberry.field(
        description="The number of the version that counts now; null of an offer's, and of one "
        "that was withdrawn."
    )
    state: CampaignState = strawberry.field(description="How far it is.")
    due: str | None = strawberry.field(
        description="When it is due by the clock on the wall, as 2026-12-01T10:00:00; null where "
        "`version` is."
    )
    time_zone: str | None = strawberry.field(
        description="Whose clock that is: `member` is each member's own, or an IANA name; null "
        "where `version` is."
    )
    runs: list[CampaignRun] = strawberry.field(
        description="Its versions that are or were being sent, the newest first."
    )


def campaign_shown(standing: Standing, shelves: Shelves) -> Campaign:
    """A campaign as the schema shows it."""
    version = standing.version
    document: Document | None = None if version is None else version.document
    return Campaign(
        key=standing.key,
        name=None if document is None else document.name,
        version=None if version is None else version.version,
        state=standing.state,
        due=None if document is None else document.at.isoformat(),
        time_zone=None if document is None else document.time_zone,
        runs=[run_shown(run, shelves) for run in standing.runs],
    )


# ---------------------------------------------------------------- in mid-flight


@strawberry.input
class HandleCampaignInput:
    """What the inputs below have in common; the schema shows those alone."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    key: str = strawberry.field(
        description="The campaign's key; `offer:` and its key for what tells of an offer."
    )


@strawberry.input(description="The campaign to pause.")
class PauseCampaignInput(HandleCampaignInput):
    """Input of pauseCampaign."""


@strawberry.input(description="The campaign to resume.")
class ResumeCampaignInput(HandleCampaignInput):
    """Input of resumeCampaign."""


@strawberry.input(description="The campaign to stop.")
class StopCampaignInput(HandleCampaignInput):
    """Input of stopCampaign."""


@shown_to(HANDLERS)
@strawberry.type(description="The campaign is as it was asked for.")
class CampaignHandled:
    """Success of pauseCampaign, resumeCampaign and stopCampaign."""

    campaign: Campaign = strawberry.field(description="The campaign.")


PauseCampaignResult = Annotated[
    CampaignHandled | NotFound | AlreadyDecided | InvalidInput | IdempotencyConflict,
    strawberry.union("PauseCampaignResult", description="The campaign, or why it stays as it is."),
]
ResumeCampaignResult = Annotated[
    CampaignHandled | NotFound | AlreadyDecided | InvalidInput | IdempotencyConflict,
    strawberry.union("ResumeCampaignResult", description="The campaign, or why it stays as it is."),
]
StopCampaignResult = Annotated[
    CampaignHandled | NotFound | AlreadyDecided | InvalidInput | IdempotencyConflict,
    strawberry.union("StopCampaignResult", description="The campaign, or why it stays as it is."),
]


# ---------------------------------------------------------------- a dry run


@shown_to(STAFF)
@strawberry.type(description="How many members a campaign reaches by a channel.")
class ChannelReach:
    """Members of one channel."""

    channel: Channel = strawberry.field(description="The channel.")
    members: BigInt = strawberry.field(description="The members who get it so.")


@shown_to(STAFF)
@strawberry.type(description="How many members a campaign does not reach by a channel, and why.")
class ChannelMiss:
    """Members of one channel and reason."""

    channel: Channel = strawberry.field(description="The channel.")
    reason: Reason = strawberry.field(description="Why not.")
    members: BigInt = strawberry.field(description="The members who don't get it so.")


@shown_to(STAFF)
@strawberry.type(description="How many members get a variant.")
class VariantSize:
    """Members of one variant."""

    variant: str | None = strawberry.field(
        description="Its name; null of a campaign without variants."
    )
    members: BigInt = strawberry.field(
        description="The members who drew it, whether or not they are reached."
    )


@shown_to(STAFF)
@strawberry.type(
    description="Whom a campaign would reach if it were planned now and sent at its time; nothing "
    "was written."
)
class CampaignDryRun:
    """Success of dryRunCampaign."""

    audience: BigInt = strawberry.field(description="The members in the audience.")
    looked_at: BigInt = strawberry.field(description="How many members were looked at.")
    is_complete: bool = strawberry.field(
        description="Whether all were; false if there are more than can be looked at in about "
        "eight seconds."
    )
    held_out: BigInt = strawberry.field(description="Of the audience, who would be held out.")
    variants: list[VariantSize] = strawberry.field(
        description="The others by variant, in the order of the names."
    )
    reached: BigInt = strawberry.field(
        description="The members who would get it by one channel at least, the inbox included."
    )
    by_channel: list[ChannelReach] = strawberry.field(description="The same by channel.")
    not_reached: list[ChannelMiss] = strawberry.field(
        description="Members of the audience who would not, by channel and reason."
    )


DryRunCampaignResult = Annotated[
    CampaignDryRun | InvalidDefinition | InvalidInput | NotFound,
    strawberry.union(
        "DryRunCampaignResult", description="Whom it would reach, or what is wrong with it."
    ),
]


def dry_run_shown(found: DryRun) -> CampaignDryRun:
    """A dry run as the schema shows it."""
    return CampaignDryRun(
        audience=BigInt(found.audience),
        looked_at=BigInt(found.looked_at),
        is_complete=found.is_complete,
        held_out=BigInt(found.held_out),
        variants=[
            VariantSize(variant=name or None, members=BigInt(count))
            for name, count in found.by_variant.items()
        ],
        reached=BigInt(found.reached),
        by_channel=[
            ChannelReach(channel=channel, members=BigInt(count))
            for channel, count in found.by_channel.items()
        ],
        not_reached=[
            ChannelMiss(channel=channel, reason=reason, members=BigInt(count))
            for (channel, reason), count in found.unreached.items()
        ],
    )
