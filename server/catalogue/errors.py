"""What is refused about rewards, their orders and drops."""

from server.clock import Instant
from server.errors import AlreadyDecided, LimitReached, NotAllowed, NotFound, Path, ProblemCode


class OutOfStock(LimitReached):
    """Fewer units are left than asked for."""


class NotYetOpen(NotAllowed):
    """It can be had from `opens_at` on."""

    code = ProblemCode.NOT_YET_OPEN

    def __init__(self, reason: str, *, opens_at: Instant, path: Path) -> None:
        super().__init__(reason, path=path)
        self.opens_at = opens_at


class NotInAudience(NotAllowed):
    """It is for members of one of the tiers, and of one of the segments; empty asks for nothing."""

    code = ProblemCode.NOT_IN_AUDIENCE

    def __init__(self, *, tiers: list[str], segments: list[str], path: Path) -> None:
        super().__init__("reward.audience", path=path)
        self.tiers, self.segments = tiers, segments


class NotYourTurn(NotAllowed):
    """Others come first: `ahead` of them wait."""

    def __init__(self, *, ahead: int, path: Path) -> None:
        super().__init__("drop.not_your_turn", path=path)
        self.ahead = ahead


def unknown_reward() -> NotFound:
    """Nothing in the catalogue has this key now."""
    return NotFound("reward.not_found", path=("rewardKey",))


def unknown_drop() -> NotFound:
    """No drop has this key now."""
    return NotFound("drop.not_found", path=("dropKey",))


def no_place() -> NotFound:
    """The member has no place in the drop's line."""
    return NotFound("drop.no_place", path=("dropKey",))


def unknown_order(path: Path) -> NotFound:
    """No order has this id or code."""
    return NotFound("reward_order.not_found", path=path)


def decided(status: str, path: Path) -> AlreadyDecided:
    """Something else has become of the order: it is ready, delivered or cancelled."""
    return AlreadyDecided(f"reward_order.{status}", status=status.upper(), path=path)


def paid(path: Path) -> AlreadyDecided:
    """The order's money was paid before, or there is none to pay."""
    return AlreadyDecided("reward_order.paid", status="PAID", path=path)
