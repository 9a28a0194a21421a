"""What is refused about offers."""

from server.errors import LimitReached, Path
from server.offers.documents import Limits
from server.offers.limits import Used, Want, exhausted


def used_up(limits: Limits, used: Used, *, path: Path) -> LimitReached:
    """Nothing of the offer is left for the member: which limit says so, and what is left of it."""
    met = exhausted(Want("", 0, limits, budget_minor=1, budget_points=1), used)
    assert met is not None, "the offer is used up"
    return LimitReached("offer.used_up", limit=met.allowed, left=met.left, path=path)
