"""What the provider is asked, after what it follows from is committed.

Each question has a key of its own that is stored with the answer to the member's request, so that
the same question is asked again when the request is repeated, and is done once. A provider that was
never reached goes on charging: what it charges then is not counted, and it is told again.
"""

from msgspec import Struct

from server import clock
from server.clock import Instant
from server.integrations import billing
from server.integrations.billing import Checkout
from server.plans.rules import CHECKOUT_SECONDS, PlanStatus
from server.plans.views import PlanView

_UNPAID = (PlanStatus.PENDING, PlanStatus.TRIALING, PlanStatus.PAST_DUE)


class Asked(Struct, frozen=True):
    """One thing that the provider is to do: `what` is cancel or resume."""

    what: str
    subscription_id: int
    at_once: bool
    key: str


async def ask(asked: tuple[Asked, ...]) -> None:
    """Ask for all of it. Raises BillingUnavailable; without a provider there is nobody to ask."""
    provider = billing.provider()
    if not provider.is_set:
        return
    for one in asked:
        subscription = str(one.subscription_id)
        if one.what == "cancel":
            await provider.cancel(subscription, at_once=one.at_once, key=one.key)
        else:
            await provider.resume(subscription, key=one.key)


def needs_payment(view: PlanView, now: Instant) -> bool:
    """Whether the member is still to enter how to pay, or has to enter it anew."""
    return view.source == "paid" and view.status(now) in _UNPAID


async def checkout(view: PlanView, title: str, now: Instant) -> str | None:
    """Where the member enters how to pay; None where nothing is to be paid now.

    Raises BillingUnavailable.
    """
    if not needs_payment(view, now):
        return None
    waits_until = Instant(view.created_at + CHECKOUT_SECONDS * clock.MICROSECONDS_PER_SECOND)
    is_first = view.covered_until is None
    return await billing.provider().create_checkout(
        Checkout(
            subscription=str(view.id),
            plan=view.plan_key,
            title=title,
            price_minor=view.price_minor,
            currency=view.currency,
            interval=view.interval.value,
            first_charge_at=_shown(view.covered_until),
            expires_at=_shown(waits_until) if is_first else None,
        ),
        key=f"checkout-{view.id}-{view.periods}",
    )


def _shown(instant: Instant | None) -> str | None:
    return None if instant is None else clock.datetime_of(instant).isoformat()
