"""The inbox in the schema: reading it, and telling what was read, opened and put away."""

from collections.abc import Sequence
from typing import Annotated, cast

import msgspec
import strawberry

from server import clock
from server.clock import Instant
from server.edge import nodes, pages
from server.edge.context import Info
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.nodes import Node
from server.edge.pages import PageInfo
from server.edge.permissions import MEMBER, STAFF, mutation, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput, NotFound
from server.errors import DomainError
from server.notifications import inbox
from server.notifications.inbox import NotificationView, Opened
from server.notifications.message_words import Category
from server.principal import PrincipalKind

_READERS = MEMBER | STAFF


@shown_to(_READERS)
@strawberry.type(description="Something that the app is given with a message.")
class NotificationDatum:
    """A name and its value."""

    key: str = strawberry.field(description="Its name.")
    value: str = strawberry.field(description="Its value, always text.")


@shown_to(_READERS)
@strawberry.type(
    description="A message to a member, in their language, as it stands in the inbox of the app. "
    "It is there whether or not it was also sent as a push message or a letter. A push message has "
    "this id as `notificationId` among its data."
)
class Notification(Node):
    """A message."""

    category: Category = strawberry.field(description="What it is about.")
    title: str = strawberry.field(description="The headline.")
    body: str = strawberry.field(description="The text.")
    link: str | None = strawberry.field(
        description="Where it leads, as an address of the app or the web; null if nowhere."
    )
    image_url: str | None = strawberry.field(description="Where its picture is; null without one.")
    data: list[NotificationDatum] = strawberry.field(
        description="What else the app is given with it, in the order of the names."
    )
    created_at: Instant = strawberry.field(description="Since when it is in the inbox.")
    read_at: Instant | None = strawberry.field(
        description="When the member read it first; null if not yet."
    )
    opened_at: Instant | None = strawberry.field(
        description="When the member opened it first, there or as a push message; null if not yet."
    )
    expires_at: Instant = strawberry.field(description="When it leaves the inbox.")


@shown_to(_READERS)
@strawberry.type(description="A message and its cursor.")
class NotificationEdge:
    """An edge."""

    cursor: str = strawberry.field(description="The message's opaque position.")
    node: Notification = strawberry.field(description="The message.")


@shown_to(_READERS)
@strawberry.type(description="A page of messages, the newest first.")
class NotificationConnection:
    """A page."""

    edges: list[NotificationEdge] = strawberry.field(description="The messages with their cursors.")
    nodes: list[Notification] = strawberry.field(description="The messages themselves.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@strawberry.input(description="What the member has read.")
class MarkNotificationsReadInput:
    """Input of markNotificationsRead."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    notification_ids: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description="The messages' ids, 1 to 100; all that are in the inbox, if left out. Ids of "
        "anything else are passed over.",
    )


@shown_to(MEMBER)
@strawberry.type(description="The messages are read.")
class NotificationsRead:
    """Success of markNotificationsRead."""

    marked_count: int = strawberry.field(
        description="How many were not read until now, at least 0."
    )
    unread_count: int = strawberry.field(description="How many are still unread, at least 0.")


MarkNotificationsReadResult = Annotated[
    NotificationsRead | InvalidInput | IdempotencyConflict,
    strawberry.union(
        "MarkNotificationsReadResult", description="What was marked, or why nothing was."
    ),
]


@strawberry.input(description="Which message was opened.")
class NotificationOpenedInput:
    """Input of notificationOpened."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    notification_id: strawberry.ID = strawberry.field(
        description="The message's id: of the inbox, or `notificationId` of a push message."
    )


@shown_to(MEMBER)
@strawberry.type(description="That the message was opened is noted; with that it is read.")
class NotificationNoted:
    """Success of notificationOpened."""

    notification: Notification = strawberry.field(description="The message as it stands now.")
    is_first: bool = strawberry.field(
        description="Whether it was opened for the first time: only that counts in reports."
    )


NotificationOpenedResult = Annotated[
    NotificationNoted | NotFound | InvalidInput | IdempotencyConflict,
    strawberry.union("NotificationOpenedResult", description="The message, or what is wrong."),
]


@strawberry.input(description="Which message to put away.")
class DismissNotificationInput:
    """Input of dismissNotification."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    notification_id: strawberry.ID = strawberry.field(description="The message's id.")


@shown_to(MEMBER)
@strawberry.type(description="The message is not in the inbox any more, for good.")
class NotificationDismissed:
    """Success of dismissNotification."""

    notification_id: strawberry.ID = strawberry.field(description="The message's id.")
    was_shown: bool = strawberry.field(description="Whether it was in the inbox until now.")


DismissNotificationResult = Annotated[
    NotificationDismissed | NotFound | InvalidInput | IdempotencyConflict,
    strawberry.union("DismissNotificationResult", description="That it is gone, or what is wrong."),
]


class _Marked(msgspec.Struct, frozen=True):
    """What markNotificationsRead answers."""

    marked_count: int
    unread_count: int


class _Dismissed(msgspec.Struct, frozen=True):
    """What dismissNotification answers."""

    was_shown: bool


def _shown(view: NotificationView) -> Notification:
    return Notification(
        id=nodes.global_id("Notification", view.id),
        category=view.category,
        title=view.title,
        body=view.body,
        link=view.wire.link,
        image_url=view.wire.image,
        data=[
            NotificationDatum(key=key, value=text) for key, text in sorted(view.wire.data.items())
        ],
        created_at=view.shown_from,
        read_at=view.read_at,
        opened_at=view.opened_at,
        expires_at=view.expires_at,
    )


# ---------------------------------------------------------------- reading


async def _pages(
    member_ids: list[int], unread_only: bool, limit: int, before: int, at: Instant
) -> list[list[NotificationView]]:
    found = await inbox.of_members(
        member_ids, unread_only=unread_only, before=before, limit=limit, now=at
    )
    return [found[member_id] for member_id in member_ids]


async def inbox_of_member(
    info: Info, member_id: int, *, first: int, after: str | None, unread_only: bool
) -> NotificationConnection:
    """A page of the member's inbox; one statement for all members asked for."""
    limit, before = pages.page(first, after)
    loader = info.context.loader(
        _pages, unread_only, limit + 1, pages.before(before), info.context.at
    )
    found = await loader.load(member_id)
    return pages.connected(
        NotificationConnection,
        NotificationEdge,
        [(one.id, _shown(one)) for one in found[:limit]],
        has_next=len(found) > limit,
        after=after,
    )


async def _counts(member_ids: list[int], at: Instant) -> Sequence[int]:
    found = await inbox.unread_counts(member_ids, now=at)
    return [found[member_id] for member_id in member_ids]


async def unread_count_of_member(info: Info, member_id: int) -> int:
    """How many messages the member has not read; one statement for all members asked for."""
    return await info.context.loader(_counts, info.context.at).load(member_id)


async def _found(ids: list[int], at: Instant) -> list[NotificationView | None]:
    found = await inbox.find(ids, now=at)
    return [found.get(number) for number in ids]


@nodes.fetches("Notification")
async def _notification(info: Info, number: int) -> Notification | None:
    view = await info.context.loader(_found, info.context.at).load(number)
    principal = info.context.principal
    if view is None:
        return None
    is_own = principal.kind is PrincipalKind.MEMBER and principal.member_id == view.member_id
    return _shown(view) if is_own or STAFF.allows(principal) else None


# ---------------------------------------------------------------- telling


@strawberry.type
class InboxMutations:
    """The mutations of the inbox, for the schema's root."""

    @mutation(MEMBER, description="Mark messages of one's own inbox as read, some or all.")
    async def mark_notifications_read(
        self,
        info: Info,
        input: Annotated[
            MarkNotificationsReadInput, strawberry.argument(description="What was read.")
        ],
    ) -> MarkNotificationsReadResult:
        """Mark messages."""
        member_id, now = info.context.principal.member_id or 0, clock.now()
        given = input.notification_ids
        ids = None if given is None else [nodes.number_of(one, "Notification") for one in given]

        async def work() -> _Marked:
            try:
                marked = await inbox.mark_read(member_id, ids, now=now)
            except DomainError as error:
                raise error.below("input") from None
            return _Marked(marked, (await inbox.unread_counts([member_id], now=now))[member_id])

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Marked,
            present=lambda done: NotificationsRead(
                marked_count=done.marked_count, unread_count=done.unread_count
            ),
        )
        return cast(MarkNotificationsReadResult, answer)

    @mutation(
        MEMBER,
        description="Tell that the member opened a message, by tapping the push message or in the "
        "inbox, also when it has left that. The first time counts; told again, nothing changes.",
    )
    async def notification_opened(
        self,
        info: Info,
        input: Annotated[NotificationOpenedInput, strawberry.argument(description="Which one.")],
    ) -> NotificationOpenedResult:
        """Note an opening."""
        member_id = info.context.principal.member_id or 0

        async def work() -> Opened:
            number = nodes.number_of(input.notification_id, "Notification")
            try:
                return await inbox.open_(member_id, number, now=clock.now())
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(
            info,
            input,
            work=work,
            result=Opened,
            present=lambda done: NotificationNoted(
                notification=_shown(done.notification), is_first=done.is_first
            ),
        )
        return cast(NotificationOpenedResult, answer)

    @mutation(
        MEMBER,
        description="Put a message of one's own inbox away for good. It can still be opened from "
        "the push message.",
    )
    async def dismiss_notification(
        self,
        info: Info,
        input: Annotated[DismissNotificationInput, strawberry.argument(description="Which one.")],
    ) -> DismissNotificationResult:
        """Put a message away."""
        member_id = info.context.principal.member_id or 0

        async def work() -> _Dismissed:
            number = nodes.number_of(input.notification_id, "Notification")
            try:
                return _Dismissed(await inbox.dismiss(member_id, number, now=clock.now()))
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Dismissed,
            present=lambda done: NotificationDismissed(
                notification_id=input.notification_id, was_shown=done.was_shown
            ),
        )
        return cast(DismissNotificationResult, answer)
