"""How often members, staff and strangers may try what shows who they are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.edge import attempts
from server.edge.attempts import Attempt, AttemptRule
from server.edge.context import Info
from server.edge.refusing import RequestRefused
from server.members.errors import TooManySignIns

_QUARTER = 15 * 60

SIGN_IN_ACCOUNT = AttemptRule("sign in, account", 10, _QUARTER)
"""Failed sign-ins with one address, whether it has an account or not."""
SIGN_IN_CLIENT = AttemptRule("sign in, client", 100, _QUARTER)
"""Failed sign-ins from one network address."""
SIGN_UP_CLIENT = AttemptRule("sign up, client", 100, _QUARTER)
"""Refused sign-ups from one network address: they tell which addresses have an account."""
CHANGE_PASSWORD = AttemptRule("change password", 10, _QUARTER)
"""Wrong passwords of one account that is signed in."""
RESET_CLIENT = AttemptRule("reset password, client", 20, _QUARTER)
"""Refused codes from one network address."""
ASK_CLIENT = AttemptRule("ask for a reset, client", 20, 60 * 60)
"""Requests for a reset from one network address."""
LETTERS = AttemptRule("reset letters", 3, 60 * 60)
"""Letters to one account."""
REFRESH_CLIENT = AttemptRule("refresh, client", 100, _QUARTER)
"""Refused refresh tokens from one network address."""


def client(info: Info) -> str | None:
    """What stands for the caller's network address in a limit."""
    return attempts.client_of(info.context.address)


@asynccontextmanager
async def trying(*limits: tuple[AttemptRule, str | None]) -> AsyncIterator[Attempt]:
    """`attempts.counted` for what checks passwords: one that was not checked is no attempt.

    Raises RequestRefused if too much was tried, or if too many passwords wait to be checked.
    """
    async with attempts.counted(*limits) as attempt:
        try:
            yield attempt
        except TooManySignIns as error:
            attempt.give_back()
            seconds = error.retry_after_seconds
            raise RequestRefused(
                "TOO_MANY_SIGN_INS",
                "sign_in.busy",
                status=503,
                headers={"Retry-After": str(seconds)},
                extensions={"retryAfterSeconds": seconds},
                seconds=seconds,
            ) from error
