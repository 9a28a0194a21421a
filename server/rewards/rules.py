"""The arithmetic of redemption: what points buy, and the codes of vouchers."""

import secrets

from server import clock
from server.clock import Instant, LocalDay
from server.errors import InvalidInput, phrase
from server.programme.document import Programme
from server.programme.service import PublishedProgramme

MAXIMUM_REDEMPTIONS = 500

_CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Letters and digits without 0, O, 1, I, L and U, which are easily taken for another."""
_CODE_LENGTH = 14


def new_code() -> str:
    """A voucher code of 68 random bits, in two groups of seven."""
    drawn = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH))
    return f"{drawn[:7]}-{drawn[7:]}"


def written_code(text: str) -> str:
    """A voucher's code as it is stored, from what was typed or scanned: any case, with or without
    its hyphen. What is no code stays something that no voucher has."""
    drawn = "".join(text.split()).replace("-", "").upper()
    return f"{drawn[:7]}-{drawn[7:]}"[:24]


def voucher_value_minor(points: int, programme: Programme) -> int:
    """What a voucher for the points is worth, in minor units.

    Points are redeemed in whole steps of the programme. Raises InvalidInput for anything else.
    """
    policy = programme.redemption_policy
    step = policy.redeem_points
    if points < 1 or points > 2**31 - 1 or points % step:
        raise InvalidInput(
            "redemption.step",
            path=("points",),
            value=points,
            accepted=phrase("accepted.step", step=step),
            step=step,
        )
    return points // step * policy.voucher_value_minor


def grace_expires_at(published: PublishedProgramme, now: Instant) -> Instant:
    """When value that is given back lapses if its own expiry has passed: the start of the local day
    that is the programme's `returns.grace_days` after today. With 0 days it has lapsed at once."""
    zone_name = published.programme.programme.timezone
    today = clock.local_day(now, zone_name)
    day = LocalDay(today + published.programme.returns.grace_days)
    return clock.start_of_day(day, zone_name)
