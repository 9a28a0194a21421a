"""What is refused about coupons.

Whoever guesses learns nothing: a code that does not exist, one for others and one that somebody
else has used are the same refusal.
"""

from server.errors import (
    AlreadyDecided,
    DomainError,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    Path,
    phrase,
)


def unknown_code(path: Path = ("code",)) -> NotFound:
    """No coupon that the member could use has this code."""
    return NotFound("coupon.unknown", path=path)


def used(path: Path = ("code",)) -> AlreadyDecided:
    """The member has used this single-use code before."""
    return AlreadyDecided("coupon.used", status="REDEEMED", path=path)


def not_valid_then(first: str, last: str, path: Path = ("code",)) -> NotAllowed:
    """The coupon is for the member, but not on that local date."""
    return NotAllowed("coupon.not_valid_then", first=first, last=last, path=path)


def limit_reached(reason: str, limit: int, path: Path = ("code",)) -> LimitReached:
    """The member, or everybody together, may use it no more."""
    return LimitReached(f"coupon.limit_{reason}", limit=limit, left=0, path=path)


def needs_basket(path: Path = ("code",)) -> NotAllowed:
    """What the coupon gives depends on a basket, so that it is used with one."""
    return NotAllowed("coupon.needs_basket", path=path)


def in_the_future(value: str) -> InvalidInput:
    """Nothing is redeemed before its time."""
    return InvalidInput(
        "coupon.in_the_future",
        path=("occurredAt",),
        value=value,
        accepted=phrase("accepted.coupon_time"),
    )


def wrong_count(number: int, maximum: int, path: Path, reason: str) -> DomainError:
    """So many can't be asked for at once."""
    return InvalidInput(
        f"coupon.{reason}",
        path=path,
        value=number,
        accepted=phrase("accepted.range", minimum=1, maximum=maximum),
    )
