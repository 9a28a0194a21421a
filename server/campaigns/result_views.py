"""The types in which the schema shows what came of campaigns, and what a member was sent."""

import strawberry

from server.campaigns import comparing
from server.campaigns.comparing import Uplift
from server.campaigns.documents import Goal, RedeemedOffer
from server.campaigns.results import Ending, Group, Logged, Outcome, Results, Sent
from server.campaigns.views import Campaign, campaign_shown
from server.clock import Instant
from server.definitions.service import Shelves
from server.edge import nodes
from server.edge.pages import PageInfo
from server.edge.permissions import STAFF, shown_to
from server.edge.scalars import BigInt
from server.notifications.shapes import Category, Channel, Status


@shown_to(STAFF)
@strawberry.type(description="What a campaign is to bring about.")
class CampaignGoal:
    """A goal."""

    offer_key: str | None = strawberry.field(
        description="That the member uses the offer of this key; null: that they buy anything."
    )
    within_days: int = strawberry.field(
        description="Within so many days of 24 hours from when the message was due."
    )


@shown_to(STAFF)
@strawberry.type(
    description="By how much the share of members who reach the goal is above that of those held "
    "out, in basis points: 100 are one percentage point."
)
class CampaignUplift:
    """An uplift."""

    basis_points: int = strawberry.field(description="The difference, to the nearest.")
    low_basis_points: int = strawberry.field(
        description="The lower end of its interval, rounded down."
    )
    high_basis_points: int = strawberry.field(
        description="The upper end of its interval, rounded up."
    )
    method: str = strawberry.field(
        description="How the interval was reckoned: in 95 of 100 campaigns the true difference "
        "lies in it."
    )


@shown_to(STAFF)
@strawberry.type(description="How many deliveries have come to the same.")
class DeliveryOutcome:
    """An outcome."""

    channel: Channel = strawberry.field(description="The channel.")
    status: Status = strawberry.field(description="What became of them.")
    reason: str | None = strawberry.field(
        description="Why, where they were suppressed or have failed or are in doubt, such as "
        "no_consent or invalid_argument."
    )
    deliveries: BigInt = strawberry.field(description="How many: one to each device or address.")
    members: BigInt = strawberry.field(description="Of how many members.")


@shown_to(STAFF)
@strawberry.type(
    description="How far the message of some members came. Each member of the group counts once, "
    "for the best of what became of it: sent, then in doubt, on its way, queued, failed, and "
    "suppressed last. So those of a group are its audience."
)
class MemberOutcome:
    """How far members' messages came."""

    status: Status | None = strawberry.field(
        description="How far it came; null of a message that is for the inbox alone and is there."
    )
    reason: str | None = strawberry.field(
        description="Why, where it was suppressed, has failed or is in doubt, such as no_consent; "
        "of several channels, what kept back the push message."
    )
    members: BigInt = strawberry.field(description="How many members.")


@shown_to(STAFF)
@strawberry.type(description="What came of the members of one variant, or of those held out.")
class CampaignGroup:
    """A group."""

    variant: str | None = strawberry.field(
        description="The variant's name; null of a campaign without variants, and of those held "
        "out."
    )
    is_held_out: bool = strawberry.field(description="Whether they got nothing, to compare with.")
    audience: BigInt = strawberry.field(description="The members in the group.")
    sent: BigInt = strawberry.field(
        description="Members to whom something was sent: to one device at least, or by e-mail."
    )
    opened: BigInt = strawberry.field(description="Members who opened it.")
    reached_goal: BigInt = strawberry.field(
        description="Members who reached the goal in time, whether it was sent to them or not; 0 "
        "without a goal."
    )
    reached_goal_of_sent: BigInt = strawberry.field(
        description="Of the members to whom it was sent, those who reached the goal in time."
    )
    reached_goal_basis_points: int | None = strawberry.field(
        description="Of 10,000 members of the group, how many reached the goal, rounded down; "
        "null without a goal."
    )
    opted_out_of_sent: BigInt = strawberry.field(
        description="Of the members to whom it was sent, those who withdrew a consent to such "
        "messages within the same days."
    )
    opt_out_basis_points: int | None = strawberry.field(
        description="The same of 10,000 to whom it was sent, rounded down; null if there is none."
    )
    uplift: CampaignUplift | None = strawberry.field(
        description="The group against those held out; null without a goal or without any."
    )
    outcomes: list[DeliveryOutcome] = strawberry.field(
        description="What became of their deliveries, by channel, status and reason."
    )
    member_outcomes: list[MemberOutcome] = strawberry.field(
        description="How far each member's message came, by status and reason: together they are "
        "`audience`."
    )


@shown_to(STAFF)
@strawberry.type(
    description="What came of a campaign, all its versions together: a funnel for each variant, "
    "against those who were held out. Who is in which group was decided by lot, so all members of "
    "a group are compared, also those to whom nothing could be sent. `audience` is `alreadyHad` "
    "and the audiences of the groups together, and those are their `memberOutcomes`. Messages are "
    "kept for 400 days, and so are the figures."
)
class CampaignResults:
    """Results of a campaign."""

    campaign: Campaign = strawberry.field(description="The campaign.")
    goal: CampaignGoal | None = strawberry.field(description="What it is to bring about.")
    opt_out_days: int = strawberry.field(
        description="Within how many days of 24 hours from when it was due a consent that is "
        "withdrawn counts."
    )
    is_final: bool = strawberry.field(
        description="Whether everything that counts has happened; until then the figures grow."
    )
    audience: BigInt = strawberry.field(
        description="The members in the audience, of those who were looked at."
    )
    already_had: BigInt = strawberry.field(
        description="Of the audience, those who had a message of the same key before."
    )
    uplift: CampaignUplift | None = strawberry.field(
        description="All variants together against those held out; null without a goal or without "
        "any."
    )
    groups: list[CampaignGroup] = strawberry.field(
        description="The variants in the order of their names, and then those held out."
    )


def results_shown(found: Results, shelves: Shelves) -> CampaignResults:
    """Results as the schema shows them."""
    return CampaignResults(
        campaign=campaign_shown(found.standing, shelves),
        goal=None if found.goal is None else _goal_shown(found.goal),
        opt_out_days=found.within_days,
        is_final=found.is_final,
        audience=BigInt(found.audience),
        already_had=BigInt(found.without_message),
        uplift=_uplift_shown(found.uplift),
        groups=[_group_shown(group, has_goal=found.goal is not None) for group in found.groups],
    )


def _goal_shown(goal: Goal) -> CampaignGoal:
    return CampaignGoal(
        offer_key=goal.offer if isinstance(goal, RedeemedOffer) else None,
        within_days=goal.within_days,
    )


def _uplift_shown(uplift: Uplift | None) -> CampaignUplift | None:
    if uplift is None:
        return None
    return CampaignUplift(
        basis_points=uplift.bps,
        low_basis_points=uplift.low_bps,
        high_basis_points=uplift.high_bps,
        method=comparing.METHOD,
    )


def _group_shown(group: Group, *, has_goal: bool) -> CampaignGroup:
    return CampaignGroup(
        variant=group.variant,
        is_held_out=group.is_held_out,
        audience=BigInt(group.audience),
        sent=BigInt(group.sent),
        opened=BigInt(group.opened),
        reached_goal=BigInt(group.reached),
        reached_goal_of_sent=BigInt(group.reached_of_sent),
        reached_goal_basis_points=comparing.share_bps(group.reached, group.audience)
        if has_goal
        else None,
        opted_out_of_sent=BigInt(group.opted_out_of_sent),
        opt_out_basis_points=group.opt_out_bps,
        uplift=_uplift_shown(group.uplift),
        outcomes=[_outcome_shown(one) for one in group.outcomes],
        member_outcomes=[_ending_shown(one) for one in group.endings],
    )


def _ending_shown(one: Ending) -> MemberOutcome:
    return MemberOutcome(
        status=Status(one.status) if one.status else None,
        reason=one.reason or None,
        members=BigInt(one.members),
    )


def _outcome_shown(one: Outcome) -> DeliveryOutcome:
    return DeliveryOutcome(
        channel=Channel(one.channel),
        status=Status(one.status),
        reason=one.reason,
        deliveries=BigInt(one.deliveries),
        members=BigInt(one.members),
    )


# ---------------------------------------------------------------- the log of one member


@shown_to(STAFF)
@strawberry.type(description="One message on its way to one device or one address.")
class LoggedDelivery:
    """A delivery."""

    channel: Channel = strawberry.field(description="The channel.")
    status: Status = strawberry.field(description="What became of it.")
    reason: str | None = strawberry.field(
        description="Why, where it was suppressed or has failed or is in doubt, such as "
        "no_consent, invalid_argument or, of e-mail, smtp_550; of one that is queued, why the last "
        "attempt failed."
    )
    attempts: int = strawberry.field(description="How often it was handed to the provider.")
    due_at: Instant = strawberry.field(description="When it is to be sent, or was.")
    attempted_at: Instant | None = strawberry.field(
        description="When it was handed to the provider last; null if never."
    )
    settled_at: Instant | None = strawberry.field(
        description="When it came to its end; null before."
    )


@shown_to(STAFF)
@strawberry.type(description="A message that was written to a member, and what became of it.")
class LoggedNotification:
    """A message."""

    id: strawberry.ID = strawberry.field(description="Its id, as the member's own inbox has it.")
    topic: str = strawberry.field(
        description="What it is about: a campaign's key, or a message's key and an event; a member "
        "has at most one message of each."
    )
    category: Category = strawberry.field(description="Which category it is of.")
    message_key: str = strawberry.field(description="The key of the message it was written from.")
    variant: str | None = strawberry.field(description="Which variant of a campaign it is, if any.")
    is_held_out: bool = strawberry.field(
        description="Whether the member was held out of the campaign: it was never sent or shown."
    )
    title: str = strawberry.field(description="Its title, as the member reads it.")
    body: str = strawberry.field(description="Its text, as the member reads it.")
    created_at: Instant = strawberry.field(description="When it was written.")
    due_at: Instant = strawberry.field(description="When it was due.")
    expires_at: Instant = strawberry.field(description="When it leaves the inbox.")
    read_at: Instant | None = strawberry.field(
        description="When the member read it in the inbox; null before."
    )
    opened_at: Instant | None = strawberry.field(
        description="When the member opened it, as the app says; null before."
    )
    deliveries: list[LoggedDelivery] = strawberry.field(
        description="One for each device or address, or why there is none."
    )


@shown_to(STAFF)
@strawberry.type(description="A message with its place in the list.")
class LoggedNotificationEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The message's place, for `after`.")
    node: LoggedNotification = strawberry.field(description="The message.")


@shown_to(STAFF)
@strawberry.type(description="A page of messages to a member, the newest first.")
class LoggedNotificationConnection:
    """Relay's connection."""

    edges: list[LoggedNotificationEdge] = strawberry.field(description="With their places.")
    nodes: list[LoggedNotification] = strawberry.field(description="The messages alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


def logged_shown(one: Logged) -> LoggedNotification:
    """A message of the log as the schema shows it."""
    return LoggedNotification(
        id=nodes.global_id("Notification", one.id),
        topic=one.topic,
        category=Category(one.category),
        message_key=one.message,
        variant=one.variant,
        is_held_out=one.is_held_out,
        title=one.title,
        body=one.body,
        created_at=one.created_at,
        due_at=one.shown_from,
        expires_at=one.expires_at,
        read_at=one.read_at,
        opened_at=one.opened_at,
        deliveries=[_sent_shown(sent) for sent in one.deliveries],
    )


def _sent_shown(one: Sent) -> LoggedDelivery:
    return LoggedDelivery(
        channel=Channel(one.channel),
        status=Status(one.status),
        reason=one.reason,
        attempts=one.attempts,
        due_at=one.due_at,
        attempted_at=one.attempted_at,
        settled_at=one.settled_at,
    )
