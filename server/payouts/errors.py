"""What is refused about payouts, and why."""

from server.errors import AlreadyDecided, NotAllowed, NotFound

_PATH = ("payoutId",)


def unknown() -> NotFound:
    """Nothing that the caller may see is this payout."""
    return NotFound("payout.not_found", path=_PATH)


def not_approved() -> NotAllowed:
    """It waits for a decision: nothing can have been paid."""
    return NotAllowed("payout.not_approved", path=_PATH)


def already(status: str) -> AlreadyDecided:
    """Something else has become of it."""
    return AlreadyDecided(f"payout.{status}", status=status.upper(), path=_PATH)


def own_request() -> NotAllowed:
    """Who asked for it on the member's behalf does not decide on it."""
    return NotAllowed("payout.own_request", path=_PATH)
