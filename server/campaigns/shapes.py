"""What is known of campaigns being sent."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from server.clock import Instant

OF_OFFER = "offer:"
"""What the key of a campaign begins with that an offer began."""


class RunState(StrEnum):
    """How far a campaign's run is."""

    PLANNING = "planning"  # members are being looked at; what is due goes out meanwhile
    SENDING = "sending"  # all were looked at
    PAUSED = "paused"  # nothing goes out, and nobody is looked at, until it is resumed
    STOPPED = "stopped"  # for good: what was not sent never is
    DONE = "done"  # everything has been sent, or never will be


class Run(Struct, frozen=True):
    """One version of a campaign being sent; the attributes are the columns of `campaign_runs`."""

    id: int
    campaign: str
    version_id: int
    message: str  # of an offer's: the key of what is said of it; else empty
    state: RunState
    resumes_as: RunState | None
    after_id: int
    audience: int  # members in it, of those who were looked at
    started_at: Instant
    planned_at: Instant | None
    changed_at: Instant


class Progress(Struct, frozen=True):
    """How many messages of a run wait, and what became of the others; one member may have one on
    each device and by e-mail."""

    by_status: Mapping[str, int]

    def of(self, status: str) -> int:
        """How many have the status."""
        return self.by_status.get(status, 0)


class Reason(StrEnum):
    """Why a member does not get a campaign by a channel: as senders say it, and one more."""

    ALREADY_HAD = "already_had"  # they have a message of the campaign's key
    NO_CONSENT = "no_consent"
    NO_DEVICE = "no_device"
    NO_ADDRESS = "no_address"
    QUIET = "quiet"
    CAP = "cap"
    HELD_OUT = "held_out"
    EXPIRED = "expired"
    STOPPED = "stopped"
    UNREGISTERED = "unregistered"
    MERGED = "merged"
