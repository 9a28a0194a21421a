"""The basket file: reading it line by line, and checking all of it before anything is played."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated

from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec.json import Decoder

from server import clock
from server.replay.errors import ReplayStopped

GZIP_MAGIC = b"\x1f\x8b"

Name = Annotated[str, Meta(min_length=1)]


class Line(Struct, frozen=True, gc=False):
    """One line of a till receipt."""

    product_id: Name
    department: str
    product_category: str
    product_type: str
    quantity: int
    sales_minor: Annotated[int, Meta(ge=0)]
    coupon_minor: Annotated[int, Meta(ge=0)]


class Basket(Struct, frozen=True):
    """One visit to a till: a line of the basket file."""

    basket_id: Annotated[str, Meta(pattern="^[0-9]+$")]  # compared as a number
    household_id: Name
    store_id: Name
    timestamp: Annotated[datetime, Meta(tz=True)]
    lines: list[Line]


@dataclass(frozen=True)
class Window:
    """The instants that are played: from `start`, before `end`."""

    start: clock.Instant
    end: clock.Instant

    def has(self, instant: clock.Instant) -> bool:
        """Whether the instant is played."""
        return self.start <= instant < self.end


@dataclass(frozen=True)
class Survey:
    """What a basket file holds."""

    digest: str  # of its content, packed or not
    inside: int  # baskets that are played
    outside: int  # baskets before or after the programme's local dates
    households: frozenset[str]  # of the baskets that are played


def survey(path: Path, window: Window) -> Survey:
    """Checks every line and the order. Raises ReplayStopped naming the first line that is wrong."""
    decoder = Decoder(Basket)
    digest = hashlib.sha256()
    inside = outside = 0
    households: set[str] = set()
    before: tuple[clock.Instant, int] | None = None
    for number, line in _lines(path):
        digest.update(line)
        basket = _decoded(decoder, line, path, number)
        instant = clock.instant_of(basket.timestamp)
        place = (instant, int(basket.basket_id))
        if before is not None and place <= before:
            raise ReplayStopped(
                f"{path}:{number}: basket {basket.basket_id} must not follow basket {before[1]}; "
                "baskets are sorted by timestamp, then by basket id as a number, each id once."
            )
        before = place
        if window.has(instant):
            inside += 1
            households.add(basket.household_id)
        else:
            outside += 1
    return Survey(digest.hexdigest(), inside, outside, frozenset(households))


def played(path: Path, window: Window) -> Iterator[tuple[clock.Instant, Basket]]:
    """The baskets that are played, with their instants, in the order of the file."""
    decoder = Decoder(Basket)
    for number, line in _lines(path):
        basket = _decoded(decoder, line, path, number)
        instant = clock.instant_of(basket.timestamp)
        if window.has(instant):
            yield instant, basket


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers from 1."""
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield number, line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ReplayStopped(f"The baskets {path} are not a whole gzip file: {error}.") from error
    except OSError as error:
        raise ReplayStopped(f"The baskets {path} cannot be read: {error.strerror}.") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's content, unpacked if it is packed, whatever its name says."""
    with path.open("rb") as file:
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        if packed:
            with gzip.open(file, "rb") as unpacked:
                yield unpacked  # type: ignore[misc]  # a GzipFile reads like any binary file
        else:
            yield file


def _decoded(decoder: Decoder[Basket], line: bytes, path: Path, number: int) -> Basket:
    try:
        return decoder.decode(line)
    except ValidationError as error:
        raise ReplayStopped(f"{path}:{number}: not a basket: {error}.") from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise ReplayStopped(f"{path}:{number}: not JSON: {error}.") from error
