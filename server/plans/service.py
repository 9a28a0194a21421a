"""The verbs of membership plans: subscribing, cancelling, changing, granting, and who has which.

The provider charges for each period by itself and tells of it; nothing here asks for money
periodically, and no job is needed for a plan to stand right. What writes runs inside
`sql.transaction()`; the provider is told after the commit (`asking`), with keys of its own, so that
a request that is repeated tells it again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from server.clock import NEVER, Instant
from server.definitions import service as definitions
from server.definitions.service import Published
from server.errors import InvalidInput, NotFound, phrase
from server.integrations import billing
from server.plans import errors, models, rules
from server.plans.asking import Asked, ask, checkout, needs_payment
from server.plans.documents import Plan
from server.plans.kinds import PLAN
from server.plans.rules import EventKind, PlanStatus, ReviewReason
from server.plans.views import (
    EventView,
    PlanView,
    add,
    events_of,
    found,
    happen,
    plans_of_members,
    view_of,
)
from server.plans.wording import text_of
from server.programme import service as programme
from server.storage.ids import new_id

__all__ = [
    "Changed",
    "EventKind",
    "EventView",
    "PlanStatus",
    "PlanView",
    "ReviewReason",
    "active_plans",
    "ask",
    "cancel",
    "change",
    "checkout_of",
    "current_plans",
    "documents_of",
    "end",
    "events",
    "find",
    "grant",
    "live_plan",
    "live_plans",
    "page",
    "plans_of",
    "resume",
    "subscribe",
    "title_of",
]
MAXIMUM_TEXT_LENGTH = 200
_LAST_ID = 2**63 - 1


class Changed(Struct, frozen=True):
    """A plan as a request left it, and what the provider is to be asked because of it."""

    plan: PlanView
    asked: tuple[Asked, ...] = ()


# ---------------------------------------------------------------- what there is


async def live_plans(now: Instant) -> Mapping[str, Published]:
    """The plans that can be had now, by key."""
    return (await definitions.shelves()).of(PLAN.name).live(now).by_key


async def live_plan(key: str, now: Instant) -> Published:
    """The plan with the key. Raises NotFound."""
    published = (await live_plans(now)).get(key)
    if published is None:
        raise errors.unknown_plan()
    return published


# ---------------------------------------------------------------- subscribing


async def subscribe(member_id: int, plan_key: str, *, now: Instant) -> Changed:
    """Let the member have the plan: at once if it costs nothing or begins with a trial, else as
    soon as it is paid for. The trial is to be had once in a membership, for each plan.

    Where the member has it and is still to enter how to pay, that goes on. Raises NotFound,
    AlreadyDecided for who has a plan, or NotAllowed without a provider for what costs money.
    """
    published = await live_plan(plan_key, now)
    had = await _locked_plans(member_id)
    asked: tuple[Asked, ...] = ()
    for one in _open(had, now):
        status = one.status(now)
        if one.plan_key == plan_key and needs_payment(one, now):
            return Changed(one)
        if status is not PlanStatus.PENDING or one.follows_id is not None:
            raise errors.has_one(status.value)
        ended = await _happen(one, EventKind.ENDED, by=f"member:{member_id}", now=now)
        asked += (Asked("cancel", ended.id, at_once=True, key=f"end-{ended.id}"),)
    plan: Plan = published.document
    if plan.price_minor and not billing.provider().is_set:
        raise errors.no_provider()
    has_trial = bool(plan.trial_days) and not any(
        one.plan_key == plan_key and one.is_trial for one in had
    )
    made = await _new(member_id, published, now=now)
    if has_trial:
        begins_at = rules.after_days(now, plan.trial_days, made.time_zone)
        made = replace(made, first_period_at=begins_at, is_trial=True)
    return Changed(await add(made), asked)


async def _locked_plans(member_id: int) -> list[PlanView]:
    """All plans of the member, who subscribes once at a time."""
    if not await models.member_for_writing(member_id):
        raise NotFound("not_found", path=("member",))
    return (await plans_of_members([member_id]))[member_id]


def _open(had: Iterable[PlanView], now: Instant) -> list[PlanView]:
    return [one for one in had if one.status(now) is not PlanStatus.ENDED]


async def _new(member_id: int, published: Published, *, now: Instant) -> PlanView:
    then = (await programme.rulebook()).at(now).programme.programme
    plan: Plan = published.document
    return PlanView(
        id=new_id(),
        member_id=member_id,
        plan_key=published.key,
        plan_version=published.version,
        interval=plan.interval,
        price_minor=plan.price_minor,
        currency=then.currency,
        digits=then.minor_unit_digits,
        grace_days=plan.grace_days,
        cancellation=plan.cancellation,
        time_zone=then.timezone,
        created_at=now,
        first_period_at=None,
        is_trial=False,
        source="paid" if plan.price_minor else "free",
        expires_at=NEVER,
    )


async def _happen(
    view: PlanView, kind: EventKind, *, by: str, now: Instant, note: str | None = None
) -> PlanView:
    changed = await happen(view, kind, at=now, by=by, recorded_at=now, note=note)
    assert changed is not None, "an event of our own has a new id"
    return changed


# ---------------------------------------------------------------- going on, or not


async def cancel(
    subscription_id: int, *, of_member: int | None = None, by: str, now: Instant
) -> Changed:
    """Cancel a plan: it ends with what is paid for or with the trial, or at once if that is its
    policy; another that was to follow it is given up. Raises NotFound, or AlreadyDecided if it was
    cancelled or has ended."""
    view = await found(subscription_id, of_member=of_member)
    status = view.status(now)
    asked = await _give_up_followers(view, by=by, now=now)
    if status is PlanStatus.ENDED or (view.cancelled_at is not None and not asked):
        raise errors.already("ended" if view.cancelled_at is None else "cancelled")
    if view.cancelled_at is not None:
        return Changed(view, asked)
    changed = await _happen(view, EventKind.CANCELLED, by=by, now=now)
    return Changed(changed, (*asked, *_told("cancel", changed, now)))


async def _give_up_followers(view: PlanView, *, by: str, now: Instant) -> tuple[Asked, ...]:
    asked: tuple[Asked, ...] = ()
    for one in _open((await plans_of_members([view.member_id]))[view.member_id], now):
        if one.follows_id == view.id:
            asked += _told("cancel", await _happen(one, EventKind.ENDED, by=by, now=now), now)
    return asked


async def resume(
    subscription_id: int, *, of_member: int | None = None, by: str, now: Instant
) -> Changed:
    """Let a cancelled plan that still runs go on; another that was to follow it is given up.

    Raises NotFound, or AlreadyDecided if it has ended or is not cancelled.
    """
    view = await found(subscription_id, of_member=of_member)
    status = view.status(now)
    if status is not PlanStatus.CANCELLED:
        raise errors.already(status.value)
    asked = await _give_up_followers(view, by=by, now=now)
    changed = await _happen(view, EventKind.RESUMED, by=by, now=now)
    return Changed(changed, (*asked, *_told("resume", changed, now)))


async def change(
    subscription_id: int,
    plan_key: str,
    *,
    of_member: int | None = None,
    by: str,
    now: Instant,
) -> Changed:
    """Have another plan when what is paid for, or the trial, ends: nothing is reckoned by days. The
    present one is cancelled, and the other begins then; its own trial is not to be had so.

    Raises NotFound, AlreadyDecided if the plan has ended, is cancelled or does not run yet, or
    NotAllowed for the same plan, one that is not paid for, or without a provider.
    """
    published = await live_plan(plan_key, now)
    view = await found(subscription_id, of_member=of_member)
    status = view.status(now)
    if view.source != "paid":
        raise errors.not_billed()
    if status not in (PlanStatus.ACTIVE, PlanStatus.TRIALING):
        raise errors.already(status.value)
    if view.plan_key == plan_key:
        raise errors.same_plan()
    if published.document.price_minor and not billing.provider().is_set:
        raise errors.no_provider()
    # It ends with the period, whatever its policy is for who leaves.
    ends = view.covered_until
    assert ends is not None, "what runs covers some time"
    made = await _new(view.member_id, published, now=now)
    if made.source == "free":
        raise errors.not_billed()
    cancelled = await _happen(view, EventKind.CHANGED, by=by, now=now)
    follows = await add(replace(made, first_period_at=ends, follows_id=view.id))
    return Changed(follows, _told("cancel", cancelled, now))


def _told(what: str, view: PlanView, now: Instant) -> tuple[Asked, ...]:
    """What the provider is asked after this; nothing for what it does not charge for."""
    if view.source != "paid":
        return ()
    at_once = view.status(now) is PlanStatus.ENDED
    return (Asked(what, view.id, at_once=at_once, key=f"{what}-{view.id}-{now}"),)


# ---------------------------------------------------------------- by the staff


async def grant(
    member_id: int,
    plan_key: str,
    reason: str,
    *,
    expires_at: Instant | None = None,
    by: int,
    now: Instant,
) -> Changed:
    """Give the member the plan free of charge, until an instant or until it is ended.

    Raises NotFound, InvalidInput, or AlreadyDecided for who has a plan.
    """
    _check_reason(reason)
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(
            "plan.expires", path=("expiresAt",), accepted=phrase("accepted.not_past")
        )
    published = await live_plan(plan_key, now)
    for one in _open(await _locked_plans(member_id), now):
        raise errors.has_one(one.status(now).value)
    made = await _new(member_id, published, now=now)
    granted = replace(
        made,
        source="granted",
        price_minor=0,
        granted_by=by,
        reason=reason.strip(),
        expires_at=NEVER if expires_at is None else expires_at,
    )
    return Changed(await add(granted))


async def end(subscription_id: int, reason: str, *, by: str, now: Instant) -> Changed:
    """End a plan at once, as the staff decide. Raises NotFound, InvalidInput or AlreadyDecided."""
    _check_reason(reason)
    view = await found(subscription_id)
    if view.status(now) is PlanStatus.ENDED:
        raise errors.already("ended")
    changed = await _happen(view, EventKind.ENDED, by=by, now=now, note=reason.strip())
    return Changed(changed, _told("cancel", changed, now))


def _check_reason(reason: str) -> None:
    if not reason.strip() or not reason.isprintable() or len(reason) > MAXIMUM_TEXT_LENGTH:
        raise InvalidInput(
            "input.text",
            path=("reason",),
            value=reason,
            accepted=phrase("accepted.printable", minimum=1, maximum=MAXIMUM_TEXT_LENGTH),
        )


# ---------------------------------------------------------------- reading


async def plans_of(member_ids: Collection[int], now: Instant) -> dict[int, frozenset[str]]:
    """The keys of the plans whose benefits each of the members has; one statement for all."""
    found_plans = await plans_of_members(member_ids)
    return {
        member_id: frozenset(one.plan_key for one in each if rules.has_benefits(one.status(now)))
        for member_id, each in found_plans.items()
    }


async def active_plans(member_id: int, now: Instant) -> frozenset[str]:
    """The keys of the plans whose benefits the member has."""
    return (await plans_of([member_id], now))[member_id]


async def current_plans(member_ids: Collection[int], now: Instant) -> dict[int, PlanView | None]:
    """The plan of each of the members: the one whose benefits they have, else the newest that has
    not ended."""
    told: dict[int, PlanView | None] = {}
    for member_id, each in (await plans_of_members(member_ids)).items():
        running = _open(each, now)
        running.sort(key=lambda one: (rules.has_benefits(one.status(now)), one.id))
        told[member_id] = running[-1] if running else None
    return told


async def find(ids: Collection[int]) -> dict[int, PlanView]:
    """The plans of members by id; unknown ids are left out."""
    rows = await models.subscriptions(ids) if ids else ()
    return {row[0]: view_of(row) for row in rows}


async def page(*, needs_review: bool, before: int | None, limit: int) -> list[PlanView]:
    """Everybody's newest plans, or those before the one with that id; only those with something to
    be looked at, if so asked."""
    below = _LAST_ID if before is None else before
    rows = await models.page(needs_review=needs_review, before=below, limit=limit)
    return [view_of(row) for row in rows]


async def events(subscription_ids: Collection[int]) -> dict[int, list[EventView]]:
    """What happened to each of the plans, by when it happened, with why the staff should look."""
    views = await find(subscription_ids)
    told = await events_of(subscription_ids)
    for number, each in told.items():
        facts = rules.facts_of(views[number].terms, [one.event for one in each])
        reviews = dict(facts.reviews)
        told[number] = [_reviewed(one, reviews.get(one.event_id)) for one in each]
    return told


def _reviewed(view: EventView, review: ReviewReason | None) -> EventView:
    return view if review is None else replace(view, review=review)


async def title_of(view: PlanView) -> str:
    """What the plan was called when the member subscribed, in its own language."""
    (plan,) = await documents_of([(view.plan_key, view.plan_version)])
    return text_of(plan, plan.default_language)[1].title


async def documents_of(versions: Sequence[tuple[str, int]]) -> list[Plan]:
    """The plans as they were published under these keys and versions; one statement."""
    shelf = (await definitions.shelves()).of(PLAN.name)
    return [shelf.numbered(key, version).document for key, version in versions]


async def checkout_of(view: PlanView, now: Instant) -> str | None:
    """Where the member enters how to pay; None where nothing is to be paid now. Called outside of
    transactions. Raises BillingUnavailable and NoProvider."""
    return await checkout(view, await title_of(view), now) if needs_payment(view, now) else None
