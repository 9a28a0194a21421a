"""What paying at the till refuses."""

from server.errors import AlreadyDecided, InvalidInput, NotAllowed, NotFound, Path


def unknown_payment(path: Path = ("paymentId",)) -> NotFound:
    """No payment that the caller may see has this id."""
    return NotFound("payment.not_found", path=path)


def unknown_hold() -> NotFound:
    """No hold that the caller may see has this id."""
    return NotFound("hold.not_found", path=("holdId",))


def cancelled(path: Path = ("paymentId",)) -> AlreadyDecided:
    """The payment was cancelled before."""
    return AlreadyDecided("payment.cancelled", status="CANCELLED", path=path)


def used(path: Path) -> AlreadyDecided:
    """The payment has paid for a purchase already."""
    return AlreadyDecided("payment.used", status="USED", path=path)


def on_purchase() -> NotAllowed:
    """What has paid for a purchase comes back with its return."""
    return NotAllowed("payment.on_purchase", path=("paymentId",))


def of_another_member(path: Path) -> NotAllowed:
    """The payment was made with another member's value."""
    return NotAllowed("payment.other_member", path=path)


def wrong_currency(given: str, *, accepted: str, path: Path) -> InvalidInput:
    """The basket, or the purchase, is in another currency."""
    return InvalidInput("payment.currency", path=path, value=given, accepted=accepted)
