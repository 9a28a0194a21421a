"""What the replay has to know of a programme file; the server reads the whole of it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfoNotFoundError

import yaml
from msgspec import Meta, Struct, ValidationError, convert

from server import clock
from server.replay.errors import ReplayStopped
from server.replay.policy import RedemptionPolicy


class _Header(Struct, frozen=True):
    """The programme file's `programme`."""

    currency: str
    minor_units_per_major: Annotated[int, Meta(ge=1)]
    timezone: str
    first_local_date: date
    last_local_date: date


class _Document(Struct, frozen=True):
    programme: _Header
    redemption_policy: RedemptionPolicy


@dataclass(frozen=True)
class Programme:
    """The parts of a programme that decide what is played, when, and in which units."""

    path: Path
    digest: str
    currency: str
    minor_units_per_major: int
    timezone: str
    first_date: date
    last_date: date
    policy: RedemptionPolicy

    @property
    def starts_at(self) -> clock.Instant:
        """The first instant of the first local date."""
        return clock.start_of_day(clock.day_of(self.first_date), self.timezone)

    @property
    def ends_before(self) -> clock.Instant:
        """The first instant after the last local date."""
        day = clock.LocalDay(clock.day_of(self.last_date) + 1)
        return clock.start_of_day(day, self.timezone)


def digest_of(document: Any) -> str:
    """The SHA-256 of a programme document as JSON with sorted keys and without spaces."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_programme(path: Path) -> Programme:
    """Reads a programme file. Raises ReplayStopped with the reason if that cannot be."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        read = convert(document, _Document)
        clock.zone(read.programme.timezone)
    except OSError as error:
        raise ReplayStopped(f"The programme {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ReplayStopped(f"The programme {path} is not a YAML file: {reason}.") from error
    except ValidationError as error:
        raise ReplayStopped(f"The programme {path} is not complete: {error}.") from error
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ReplayStopped(f"The programme {path} names an unknown time zone: {error}.") from error
    header = read.programme
    if header.last_local_date < header.first_local_date:
        raise ReplayStopped(f"The programme {path} ends before its first local date.")
    return Programme(
        path=path,
        digest=digest_of(document),
        currency=header.currency,
        minor_units_per_major=header.minor_units_per_major,
        timezone=header.timezone,
        first_date=header.first_local_date,
        last_date=header.last_local_date,
        policy=read.redemption_policy,
    )
