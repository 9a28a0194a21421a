"""The expected failures of this domain that are not answered as problems of a mutation.

Refused sign-ins and refresh tokens are `server.errors.CredentialsRejected` and `SessionRejected`.
"""

from typing import Literal

FailureReason = Literal["malformed", "expired", "unknown", "revoked"]


class AuthenticationFailed(Exception):
    """The request's credentials are not accepted: nobody is calling.

    `reason` is "malformed" (not a credential that this deployment made), "expired", "unknown"
    (well made, but of a key, session or account that does not exist) or "revoked".
    """

    def __init__(self, reason: FailureReason) -> None:
        super().__init__(reason)
        self.reason: FailureReason = reason


class TooManySignIns(Exception):
    """More passwords wait to be checked than the server takes at a time; nothing was done.

    The caller may try again after `retry_after_seconds`.
    """

    retry_after_seconds = 3
