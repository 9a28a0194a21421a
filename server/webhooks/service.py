"""The verbs of webhooks that go out: subscriptions, their secrets, and what became of deliveries.

What writes runs inside `sql.transaction()`.
"""

from collections.abc import Collection, Sequence

import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.errors import LimitReached, NotAllowed, NotFound, Path
from server.storage import outbox, sql
from server.storage.ids import new_id
from server.webhooks import queries, rules
from server.webhooks.rules import DisabledReason, State, Status

MAXIMUM_REPLAYED = 1_000
KEPT_DAYS = 30
"""What was delivered or cancelled, and what waits for a subscription that is paused."""
KEPT_DEAD_DAYS = 90
KEPT_RECEIVED_DAYS = 400
PURGED_AT_ONCE = 1_000
_DAY = 86_400 * MICROSECONDS_PER_SECOND
_HOUR = 3_600 * MICROSECONDS_PER_SECOND


class Subscription(msgspec.Struct, frozen=True):
    """An address of a shop's system, and which events it is told of."""

    id: int
    name: str
    url: str
    partner: str | None  # whose members' events alone; None is everybody's
    kinds: tuple[str, ...]  # empty is all
    state: State
    disabled_reason: DisabledReason | None
    failing_since: Instant | None
    created_at: Instant
    changed_at: Instant


class Wish(msgspec.Struct, frozen=True):
    """What staff want a subscription to be; its URL has been looked at."""

    name: str
    url: str
    partner: str | None
    kinds: tuple[str, ...]


class Signed(msgspec.Struct, frozen=True):
    """A subscription, and the id of the secret that it is signed with from now on."""

    subscription: Subscription
    secret_id: int
    former_until: Instant | None = None


class Delivery(msgspec.Struct, frozen=True):
    """One event on its way to one subscription, and what became of it."""

    id: int
    subscription_id: int
    event_id: int
    kind: str
    member_id: int | None
    status: Status
    attempts: int
    due_at: Instant
    created_at: Instant
    settled_at: Instant | None
    answer_status: int | None
    error: str | None


class Replayed(msgspec.Struct, frozen=True):
    """How many dead letters wait again, and whether more of them are left."""

    subscription_id: int
    count: int
    has_more: bool


class Counts(msgspec.Struct, frozen=True):
    """What of a subscription waits, and how many of its deliveries were given up."""

    waiting: int = 0
    dead: int = 0


_SHOWN = Delivery.__struct_fields__
"""In the order of SHOWN_COLUMNS."""


def subscription_of(row: sql.Row) -> Subscription:
    """The subscription of a row (SUBSCRIPTION_COLUMNS)."""
    id_, name, url, partner, kinds, state, reason, failing_since, created_at, changed_at = row
    return Subscription(
        id_,
        name,
        url,
        partner,
        tuple(kinds.split()),
        State(state),
        None if reason is None else DisabledReason(reason),
        failing_since,
        created_at,
        changed_at,
    )


def delivery_of(row: sql.Row) -> Delivery:
    """The delivery of a row (SHOWN_COLUMNS)."""
    return msgspec.convert(dict(zip(_SHOWN, row, strict=True)), Delivery)


# ---------------------------------------------------------------- subscriptions


async def create(wish: Wish, *, now: Instant) -> Signed:
    """Begin to tell an address of events, signed with a new secret. Raises InvalidInput and
    LimitReached."""
    wish = _checked(wish)
    count = await queries.count_subscriptions()
    if count >= rules.MAXIMUM_SUBSCRIPTIONS:
        raise LimitReached("webhook.limit", limit=rules.MAXIMUM_SUBSCRIPTIONS, left=0)
    id_, secret_id = new_id(), new_id()
    made = Subscription(
        *(id_, wish.name, wish.url, wish.partner, wish.kinds),
        *(State.ACTIVE, None, None, now, now),
    )
    await sql.execute(queries.INSERT_SUBSCRIPTION, *_row(made))
    await sql.execute(queries.INSERT_SECRET, secret_id, id_, None, now, None)
    return Signed(made, secret_id)


def _checked(wish: Wish) -> Wish:
    return msgspec.structs.replace(
        wish,
        name=rules.valid_name(wish.name),
        partner=None if wish.partner is None else rules.valid_partner(wish.partner),
        kinds=tuple(sorted(set(wish.kinds))),
    )


def _row(one: Subscription) -> sql.Row:
    reason = None if one.disabled_reason is None else one.disabled_reason.value
    return (
        *(one.id, one.name, one.url, one.partner, " ".join(one.kinds), one.state.value, reason),
        *(one.failing_since, one.created_at, one.changed_at),
    )


async def update(subscription_id: int, wish: Wish, *, now: Instant) -> Subscription:
    """Make the subscription as wished; what waits goes to its new address. Raises NotFound and
    InvalidInput."""
    wish = _checked(wish)
    await _locked(subscription_id)
    kinds = " ".join(wish.kinds)
    await sql.execute(
        queries.UPDATE_SUBSCRIPTION,
        *(wish.name, wish.url, wish.partner, kinds, now, subscription_id),
    )
    return await subscription(subscription_id)


async def delete(subscription_id: int, *, now: Instant) -> Subscription:
    """End the subscription; what waits, and its dead letters, are cancelled. Raises NotFound."""
    found = await _locked(subscription_id)
    await sql.execute(queries.SET_STATE, State.DELETED.value, None, None, now, subscription_id)
    await sql.execute(queries.CANCEL_QUEUED, now, subscription_id)
    await sql.execute(queries.EXPIRE_SECRETS, now, subscription_id)
    return msgspec.structs.replace(found, state=State.DELETED, changed_at=now)


async def pause(subscription_id: int, *, now: Instant) -> Subscription:
    """Keep what happens until the subscription is resumed. Raises NotFound, and NotAllowed if it is
    disabled."""
    found = await _locked(subscription_id)
    if found.state is State.DISABLED:
        raise NotAllowed("webhook.disabled", path=("webhookId",))
    return await _become(found, State.PAUSED, now)


async def resume(subscription_id: int, *, now: Instant) -> Subscription:
    """Tell a paused or disabled subscription of events again. Raises NotFound."""
    return await _become(await _locked(subscription_id), State.ACTIVE, now)


async def _become(found: Subscription, state: State, now: Instant) -> Subscription:
    if found.state is state:
        return found
    await sql.execute(queries.SET_STATE, state.value, None, None, now, found.id)
    return msgspec.structs.replace(
        found, state=state, disabled_reason=None, failing_since=None, changed_at=now
    )


async def disable(subscription_id: int, reason: DisabledReason, *, now: Instant) -> bool:
    """Tell an endpoint that fails no more; whether it was told until now. What waits for it becomes
    dead letters, and other subscriptions are told by the event `webhook.disabled`."""
    row = await queries.subscription(subscription_id, locks=True)
    if row is None or subscription_of(row).state is not State.ACTIVE:
        return False
    failing_since = subscription_of(row).failing_since
    await sql.execute(
        queries.SET_STATE, State.DISABLED.value, reason.value, failing_since, now, subscription_id
    )
    await sql.execute(queries.BURY_QUEUED, now, "disabled", subscription_id, system_now())
    outbox.put("webhook.disabled", None, {"subscription_id": subscription_id}, occurred_at=now)
    return True


async def _locked(subscription_id: int) -> Subscription:
    row = await queries.subscription(subscription_id, locks=True)
    if row is None:
        raise unknown()
    return subscription_of(row)


def unknown(path: Path = ("webhookId",)) -> NotFound:
    """There is no such subscription."""
    return NotFound("webhook.not_found", path=path)


async def subscription(subscription_id: int) -> Subscription:
    """The subscription. Raises NotFound."""
    found = await find(subscription_id)
    if found is None:
        raise unknown()
    return found


async def find(subscription_id: int) -> Subscription | None:
    """The subscription with that id; None if there is none."""
    row = await queries.subscription(subscription_id)
    return None if row is None else subscription_of(row)


async def subscriptions(*, before: int, limit: int) -> list[Subscription]:
    """The newest subscriptions with an id below `before`."""
    return [subscription_of(row) for row in await queries.subscriptions(before, limit)]


async def counts(subscription_ids: Collection[int]) -> dict[int, Counts]:
    """What waits and what is dead of each of the subscriptions."""
    found = {id_: dict.fromkeys(("queued", "dead"), 0) for id_ in subscription_ids}
    for id_, status, count in await queries.counts(subscription_ids) if found else ():
        found[id_][status] = count
    return {id_: Counts(one["queued"], one["dead"]) for id_, one in found.items()}


# ---------------------------------------------------------------- secrets


async def rotate_secret(
    subscription_id: int, *, overlap_hours: int = rules.OVERLAP_HOURS, now: Instant
) -> Signed:
    """Sign with a new secret, and for `overlap_hours` with the former ones beside it. Raises
    NotFound and InvalidInput."""
    rules.valid_overlap_hours(overlap_hours)
    found = await _locked(subscription_id)
    until = Instant(now + overlap_hours * _HOUR)
    await sql.execute(queries.EXPIRE_SECRETS, until, subscription_id)
    secret_id = new_id()
    await sql.execute(queries.INSERT_SECRET, secret_id, subscription_id, None, now, None)
    return Signed(found, secret_id, until)


# ---------------------------------------------------------------- deliveries


async def deliveries(
    *, subscription_id: int | None, status: Status | None, before: int, limit: int
) -> list[Delivery]:
    """The newest deliveries with an id below `before`."""
    rows = await queries.deliveries(
        subscription_id=subscription_id,
        status=None if status is None else status.value,
        before=before,
        limit=limit,
    )
    return [delivery_of(row) for row in rows]


async def find_delivery(delivery_id: int) -> Delivery | None:
    """The delivery with that id; None if there is none."""
    row = await queries.delivery(delivery_id)
    return None if row is None else delivery_of(row)


async def _delivery(delivery_id: int) -> Delivery:
    found = await find_delivery(delivery_id)
    if found is None:
        raise NotFound("webhook.delivery_not_found", path=("webhookDeliveryId",))
    return found


async def replay(delivery_id: int, *, now: Instant) -> Delivery:
    """Have a dead letter attempted anew, as if it had never been. Raises NotFound, and NotAllowed
    if it is none, or if its subscription is gone."""
    found = await _delivery(delivery_id)
    await _telling(found.subscription_id, ("webhookDeliveryId",))
    if not await sql.execute(queries.REPLAY_ONE, now, delivery_id):
        raise NotAllowed("webhook.not_dead", path=("webhookDeliveryId",))
    return await _delivery(delivery_id)


async def replay_since(subscription_id: int, since: Instant, *, now: Instant) -> Replayed:
    """Have the subscription's dead letters of events since then attempted anew, the oldest 1,000 at
    once. Raises NotFound, and NotAllowed for a subscription that is disabled."""
    await _telling(subscription_id, ("webhookId",))
    count = await sql.execute(queries.REPLAY_MANY, now, subscription_id, since, MAXIMUM_REPLAYED)
    has_more = count == MAXIMUM_REPLAYED and await queries.has_dead(subscription_id, since)
    return Replayed(subscription_id, count, has_more)


async def _telling(subscription_id: int, path: Path) -> Subscription:
    row = await queries.subscription(subscription_id, locks=True)
    if row is None:
        raise unknown(path)
    found = subscription_of(row)
    if found.state is State.DISABLED:
        raise NotAllowed("webhook.disabled", path=path)
    return found


async def queue_ping(
    subscription_id: int, payload: str, *, event_id: int, now: Instant
) -> Delivery:
    """Queue an event that is of one subscription alone, whatever it wants to be told of. Raises
    NotFound, and NotAllowed for a subscription that is not active."""
    row = await queries.subscription(subscription_id, locks=True)
    if row is None:
        raise unknown()
    if subscription_of(row).state is not State.ACTIVE:
        raise NotAllowed("webhook.not_active", path=("webhookId",))
    delivery_id = new_id()
    await sql.execute(
        queries.INSERT_DELIVERY,
        *queued_row(delivery_id, subscription_id, event_id, "ping", None, payload, now),
    )
    return await _delivery(delivery_id)


def queued_row(
    delivery_id: int,
    subscription_id: int,
    event_id: int,
    kind: str,
    member_id: int | None,
    payload: str,
    now: Instant,
) -> sql.Row:
    """The values of INSERT_DELIVERY for what waits for its first attempt."""
    return (
        *(delivery_id, subscription_id, event_id, kind, member_id, payload, Status.QUEUED.value),
        *(0, now, now, None, None, None, None, None),
    )


# ---------------------------------------------------------------- retention


async def purge(now: Instant) -> int:
    """Remove what is kept no longer; how many rows. What has waited 30 days for a subscription that
    is paused becomes a dead letter. In transactions of its own."""
    settled, dead = now - KEPT_DAYS * _DAY, now - KEPT_DEAD_DAYS * _DAY
    received = now - KEPT_RECEIVED_DAYS * _DAY
    steps: Sequence[tuple[str, tuple[int | str, ...]]] = (
        (queries.BURY_OLD, (now, "paused", settled)),
        (queries.DELETE_SETTLED, (settled,)),
        (queries.DELETE_DEAD, (dead,)),
        (queries.DELETE_RECEIVED, (received,)),
    )
    total = 0
    for statement, values in steps:
        count = PURGED_AT_ONCE
        while count == PURGED_AT_ONCE:
            async with sql.transaction(shares_commit=False):
                count = await sql.execute(statement, *values, PURGED_AT_ONCE)
            total += count
    async with sql.transaction():
        total += await sql.execute(queries.DELETE_SECRETS, settled)
    return total
