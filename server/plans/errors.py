"""What is refused about plans, and why."""

from server.errors import AlreadyDecided, NotAllowed, NotFound

_ID_PATH = ("planSubscriptionId",)


def unknown_plan() -> NotFound:
    """No plan has this key now."""
    return NotFound("plan.not_found", path=("planKey",))


def unknown_subscription() -> NotFound:
    """Nothing that the caller may see is this."""
    return NotFound("plan.subscription_not_found", path=_ID_PATH)


def has_one(status: str) -> AlreadyDecided:
    """The member has a plan; it can be changed."""
    return AlreadyDecided("plan.has_one", status=status.upper(), path=("planKey",))


def already(status: str) -> AlreadyDecided:
    """It has ended, or been cancelled, or was not cancelled."""
    return AlreadyDecided("plan.already", status=status.upper(), path=_ID_PATH)


def no_provider() -> NotAllowed:
    """It costs money, and nobody is there to take it."""
    return NotAllowed("plan.no_provider", path=("planKey",))


def not_billed() -> NotAllowed:
    """It was granted, or costs nothing: there is nothing to change."""
    return NotAllowed("plan.not_billed", path=_ID_PATH)


def same_plan() -> NotAllowed:
    """It is this plan already."""
    return NotAllowed("plan.same", path=("planKey",))
