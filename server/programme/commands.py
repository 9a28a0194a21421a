"""`python -m server programme ...`: publishing, showing and comparing versions by hand.

Each command assumes an open, migrated database and returns the text to print.
"""

from datetime import date, datetime
from pathlib import Path

import yaml

from server import clock, messages
from server.clock import Instant
from server.errors import InvalidInput, NotFound
from server.programme import comparing, rules, service
from server.programme.errors import InvalidDocument, NoProgramme
from server.programme.rules import CheckedDocument
from server.programme.service import PublishedProgramme
from server.storage import sql

PUBLISHED_BY = "command line"
NOTHING_PUBLISHED = "no programme has been published yet: publish one with `programme publish FILE`"


class CommandRefused(Exception):
    """The command can't do what was asked, and has written nothing; the message says why."""


def text_of(file: Path) -> str:
    """What stands in the file. Raises CommandRefused if it is not text in UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandRefused(f"can't read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CommandRefused(f"{file} is not text in UTF-8") from error


def _checked(document: str, file: Path) -> CheckedDocument:
    try:
        return rules.checked(document)
    except InvalidDocument as error:
        count = len(error.problems)
        raise CommandRefused(
            f"{file}: {count} problem{'s' * (count != 1)}\n{error.lines}"
        ) from error


def _effective_at(text: str, zone: str) -> Instant:
    try:
        if len(text) == len("YYYY-MM-DD"):
            return clock.start_of_day(clock.day_of(date.fromisoformat(text)), zone)
        return clock.instant_of(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise CommandRefused(
            f"{text!r} is not accepted: a date, 2026-12-01, from its start in the programme's time"
            " zone, or an instant with its time zone, 2026-12-01T06:00:00Z"
        ) from error


def _moment(instant: Instant) -> str:
    return clock.datetime_of(instant).isoformat().replace("+00:00", "Z")


def _effect(published: PublishedProgramme) -> str:
    if published.counts_from_the_beginning:
        return "from the beginning"
    return f"from {_moment(published.effective_at)}"


async def publish(file: Path, effective: str | None = None) -> str:
    """Publish the file's document, from now on or from `effective`: a date or an instant.

    Raises CommandRefused with everything that is wrong, having written nothing.
    """
    document = text_of(file)
    zone = _checked(document, file).programme.programme.timezone
    effective_at = None if effective is None else _effective_at(effective, zone)

    async def work() -> tuple[PublishedProgramme, bool]:
        async with sql.transaction(shares_commit=False):
            return await service.publish_or_find(
                document, effective_at=effective_at, published_by=PUBLISHED_BY
            )

    try:
        published, is_new = await sql.retried(work)
    except InvalidInput as error:
        accepted = messages.told(error.accepted, "en")
        raise CommandRefused(f"{error.value} is not accepted: {accepted}") from error
    if not is_new:
        return f"nothing to publish: version {published.version} says the same"
    return f"published version {published.version}, in effect {_effect(published)}"


async def _version(number: int | None) -> PublishedProgramme:
    try:
        if number is None:
            return await service.current()
        return (await service.rulebook()).numbered(number)
    except NoProgramme as error:
        raise CommandRefused(NOTHING_PUBLISHED) from error
    except NotFound as error:
        newest = (await service.rulebook()).newest_version
        there_are = f"the versions are 1 to {newest}" if newest else NOTHING_PUBLISHED
        raise CommandRefused(f"there is no version {number}: {there_are}") from error


async def show(version: int | None = None) -> str:
    """A version (None: the one in effect now) as YAML that `publish` takes, with a header."""
    published = await _version(version)
    header = (
        f"# version: {published.version}\n"
        f"# effective: {_effect(published)}\n"
        f"# published: {_moment(published.published_at)} by {published.published_by}\n"
        f"# digest: {published.digest}\n"
    )
    document = rules.in_reading_order(published.plain)
    return header + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


async def _plain(version_or_file: str) -> object:
    if version_or_file.isdecimal():
        return (await _version(int(version_or_file))).plain
    file = Path(version_or_file)
    return _checked(text_of(file), file).plain


async def diff(a: str, b: str) -> str:
    """The changes from `a` to `b`, each a version's number or a file, one a line."""
    before, after = await _plain(a), await _plain(b)
    changes = comparing.diff(before, after)
    return "\n".join(change.line for change in changes) or "(no difference)"
