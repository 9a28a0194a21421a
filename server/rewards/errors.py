"""What is refused about vouchers."""

from server.errors import AlreadyDecided, NotAllowed, NotFound, Path


def unknown_voucher(path: Path) -> NotFound:
    """No voucher has this code or id."""
    return NotFound("voucher.not_found", path=path)


def spent(status: str, path: Path) -> AlreadyDecided:
    """The voucher was used in full, or cancelled; `status` says which."""
    return AlreadyDecided(f"voucher.{status}", status=status.upper(), path=path)


def of_order(path: Path) -> NotAllowed:
    """The voucher was ordered from the catalogue: whoever cancels it cancels the order."""
    return NotAllowed("voucher.of_order", path=path)


def partly_used(path: Path) -> NotAllowed:
    """Something was paid with the voucher, so it can't be cancelled."""
    return NotAllowed("voucher.partly_used", path=path)
