"""Members' plans as they are read, and how they are written anew after an event."""

from collections.abc import Collection, Iterable

from msgspec import Struct
from msgspec.structs import astuple, replace

from server.clock import Instant
from server.plans import errors, models, rules
from server.plans.documents import Cancellation, Interval
from server.plans.rules import Event, EventKind, Facts, PlanStatus, ReviewReason, Terms
from server.storage import changes, sql
from server.storage.ids import new_id


class PlanView(Struct, frozen=True):
    """A plan that a member has or had; as `models.COLUMNS`."""

    id: int
    member_id: int
    plan_key: str
    plan_version: int
    interval: Interval
    price_minor: int
    currency: str
    digits: int
    grace_days: int
    cancellation: Cancellation
    time_zone: str
    created_at: Instant
    first_period_at: Instant | None
    is_trial: bool
    source: str  # paid, free, granted
    expires_at: Instant
    granted_by: int | None = None
    reason: str | None = None
    follows_id: int | None = None
    begins_at: Instant | None = None
    periods: int = 0
    covered_until: Instant | None = None
    cancelled_at: Instant | None = None
    ended_at: Instant | None = None
    failed_at: Instant | None = None
    review_count: int = 0

    @property
    def terms(self) -> Terms:
        """What was agreed on."""
        return Terms(
            interval=self.interval,
            price_minor=self.price_minor,
            currency=self.currency,
            grace_days=self.grace_days,
            cancellation=self.cancellation,
            time_zone=self.time_zone,
            created_at=self.created_at,
            begins_at=self.first_period_at,
            is_trial=self.is_trial,
            is_billed=self.source == "paid",
            expires_at=self.expires_at,
        )

    @property
    def facts(self) -> Facts:
        """What follows from its events."""
        return Facts(
            begins_at=self.begins_at,
            periods=self.periods,
            covered_until=self.covered_until,
            cancelled_at=self.cancelled_at,
            ended_at=self.ended_at,
            failed_at=self.failed_at,
        )

    @property
    def ends_at(self) -> Instant:
        """From when on nothing is left of it, as things are."""
        return rules.ends_at(self.terms, self.facts)

    def status(self, now: Instant) -> PlanStatus:
        """How it stands."""
        return rules.status_at(self.terms, self.facts, now)


class EventView(Struct, frozen=True):
    """Something that happened to a plan; as `models.EVENT_COLUMNS`, with why it is to be looked
    at."""

    id: int
    event_id: str
    subscription_id: int
    kind: EventKind
    occurred_at: Instant
    payment_id: str | None
    amount_minor: int | None
    currency: str | None
    note: str | None
    recorded_by: str
    recorded_at: Instant
    review: ReviewReason | None = None

    @property
    def event(self) -> Event:
        """What counts of it."""
        return Event(
            self.event_id,
            self.kind,
            self.occurred_at,
            self.payment_id,
            self.amount_minor,
            self.currency,
        )


def view_of(row: sql.Row) -> PlanView:
    """The plan of a row."""
    view = PlanView(*row)
    return replace(
        view,
        interval=Interval(view.interval),
        cancellation=Cancellation(view.cancellation),
        is_trial=bool(view.is_trial),
    )


def _event_of(row: sql.Row) -> EventView:
    view = EventView(*row)
    return replace(view, kind=EventKind(view.kind))


def _row_of(view: PlanView) -> sql.Row:
    stored = replace(
        view,
        interval=view.interval.value,
        cancellation=view.cancellation.value,
        is_trial=int(view.is_trial),
    )
    return astuple(stored)


async def add(view: PlanView) -> PlanView:
    """Write a new one down."""
    begun = replace(view, begins_at=view.first_period_at, covered_until=view.first_period_at)
    await sql.execute(models.INSERT, *_row_of(begun))
    changes.note(changes.MEMBER, view.member_id)
    return begun


async def found(subscription_id: int, *, of_member: int | None = None) -> PlanView:
    """The plan, locked. Raises NotFound for one that there is not, or is another member's."""
    row = await models.subscription_for_writing(subscription_id)
    view = None if row is None else view_of(row)
    if view is None or of_member not in (None, view.member_id):
        raise errors.unknown_subscription()
    return view


async def happen(
    view: PlanView,
    kind: EventKind,
    *,
    at: Instant,
    by: str,
    recorded_at: Instant,
    event_id: str | None = None,
    payment: tuple[str | None, int | None, str | None] = (None, None, None),
    note: str | None = None,
) -> PlanView | None:
    """Write an event down and what follows from all of them; None if it is known. The plan's row
    is locked."""
    number = new_id()
    row = (
        *(number, event_id or f"laurel:{number}", view.id, kind.value, at),
        *(*payment, note, by, recorded_at),
    )
    if not await sql.execute(models.INSERT_EVENT, *row):
        return None
    events = (await events_of([view.id]))[view.id]
    facts = rules.facts_of(view.terms, [one.event for one in events])
    await sql.execute(
        models.UPDATE_FACTS,
        facts.begins_at,
        facts.periods,
        facts.covered_until,
        facts.cancelled_at,
        facts.ended_at,
        facts.failed_at,
        len(facts.reviews),
        view.id,
    )
    changes.note(changes.MEMBER, view.member_id)
    return replace(
        view,
        begins_at=facts.begins_at,
        periods=facts.periods,
        covered_until=facts.covered_until,
        cancelled_at=facts.cancelled_at,
        ended_at=facts.ended_at,
        failed_at=facts.failed_at,
        review_count=len(facts.reviews),
    )


# ---------------------------------------------------------------- reading


async def plans_of_members(member_ids: Iterable[int]) -> dict[int, list[PlanView]]:
    """All plans that each of the members has or had, the oldest first."""
    told: dict[int, list[PlanView]] = {member_id: [] for member_id in member_ids}
    rows = await models.subscriptions_of_members(told) if told else ()
    for view in map(view_of, rows):
        told[view.member_id].append(view)
    return told


async def events_of(subscription_ids: Collection[int]) -> dict[int, list[EventView]]:
    """What happened to each of the plans, by when it happened."""
    told: dict[int, list[EventView]] = {number: [] for number in subscription_ids}
    rows = await models.events_of(told) if told else ()
    for view in map(_event_of, rows):
        told[view.subscription_id].append(view)
    return told
