"""The arithmetic of redemption: what points buy, and the codes of vouchers."""

import secrets

from server.errors import InvalidInput
from server.programme.document import Programme

MAXIMUM_REDEMPTIONS = 500

_CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Letters and digits without 0, O, 1, I, L and U, which are easily taken for another."""
_CODE_LENGTH = 14


def new_code() -> str:
    """A voucher code of 68 random bits, in two groups of seven."""
    drawn = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH))
    return f"{drawn[:7]}-{drawn[7:]}"


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
            accepted=f"{step} or a multiple of it",
            step=step,
        )
    return points // step * policy.voucher_value_minor
