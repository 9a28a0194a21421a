"""What the replay has to know of a programme file, which it checks as the server does."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from server import clock
from server.programme.document import Offer, RedemptionPolicy
from server.programme.errors import InvalidDocument
from server.programme.rules import checked
from server.replay.errors import ReplayStopped


@dataclass(frozen=True)
class ProgrammeFile:
    """The parts of a programme that decide what is played, when, and in which units."""

    path: Path
    digest: str  # SHA-256 of the canonical document, as the server states it
    currency: str
    minor_units_per_major: int
    timezone: str
    first_date: date
    last_date: date
    policy: RedemptionPolicy
    offers: tuple[Offer, ...] = ()
    data_package: str = ""

    @property
    def starts_at(self) -> clock.Instant:
        """The first instant of the first local date."""
        return clock.start_of_day(clock.day_of(self.first_date), self.timezone)

    @property
    def ends_before(self) -> clock.Instant:
        """The first instant after the last local date."""
        day = clock.LocalDay(clock.day_of(self.last_date) + 1)
        return clock.start_of_day(day, self.timezone)


def read_programme(path: Path) -> ProgrammeFile:
    """Reads a programme file. Raises ReplayStopped with the reasons if that cannot be."""
    try:
        document = checked(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReplayStopped(f"The programme {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ReplayStopped(f"The programme {path} is not UTF-8 text: {error}.") from error
    except InvalidDocument as error:
        lines = error.lines.splitlines()
        raise ReplayStopped(f"The programme {path} is not valid: {'; '.join(lines)}.") from error
    identity = document.programme.programme
    return ProgrammeFile(
        path=path,
        digest=document.digest,
        currency=identity.currency,
        minor_units_per_major=identity.minor_units_per_major,
        timezone=identity.timezone,
        first_date=identity.first_local_date,
        last_date=identity.last_local_date,
        policy=document.programme.redemption_policy,
        offers=document.programme.offers,
        data_package=document.programme.data_source.package,
    )
