"""What a member's and an account's facts may be: pure checks that give the value to store.

All of them raise InvalidInput with the path of the field that was refused; callers put their own
path before it (`DomainError.below`) or name it.
"""

import re
import unicodedata
from datetime import date
from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError

from server.errors import InvalidInput, Path, phrase

MAXIMUM_NAME_LENGTH = 120
MAXIMUM_EMAIL_LENGTH = 254  # RFC 5321: a path of 256 with its brackets
MAXIMUM_EMAIL_LOCAL_PART_LENGTH = 64
MAXIMUM_EXTERNAL_ID_LENGTH = 64
MAXIMUM_DEVICE_NAME_LENGTH = 120
MAXIMUM_LOCALE_LENGTH = 16
MAXIMUM_AGE_YEARS = 130
MINIMUM_PASSWORD_LENGTH = 8
MAXIMUM_PASSWORD_LENGTH = 128

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LANGUAGE_TAG = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-[A-Za-z0-9]{5,8})?"
)
_NOT_PLACES = frozenset({"Factory", "localtime"})


def _has_control_characters(text: str) -> bool:
    # Cc: controls; Cs: halves of surrogate pairs, which no encoding stores; Zl, Zp: line breaks.
    return any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def valid_name(value: str, *, path: Path = ("name",)) -> str:
    """A person's name: 1 to 120 characters on one line; surrounding spaces are dropped."""
    name = unicodedata.normalize("NFC", value).strip()
    if not 1 <= len(name) <= MAXIMUM_NAME_LENGTH or _has_control_characters(name):
        raise InvalidInput(
            "member.name",
            path=path,
            value=value,
            accepted=phrase("accepted.characters", minimum=1, maximum=MAXIMUM_NAME_LENGTH),
        )
    return name


def valid_birthday(value: str, *, today: date, path: Path = ("birthday",)) -> str:
    """An ISO 8601 date, not after `today` and at most 130 years before it."""
    try:
        birthday = date.fromisoformat(value) if _ISO_DATE.fullmatch(value) else None
    except ValueError:
        birthday = None
    if birthday is None or birthday > today or _years(birthday, today) > MAXIMUM_AGE_YEARS:
        raise InvalidInput(
            "member.birthday",
            path=path,
            value=value,
            accepted=phrase("accepted.birthday", years=MAXIMUM_AGE_YEARS),
        )
    return value


def _years(birthday: date, today: date) -> int:
    had_it_this_year = (today.month, today.day) >= (birthday.month, birthday.day)
    return today.year - birthday.year - (0 if had_it_this_year else 1)


def valid_locale(value: str, *, path: Path = ("locale",)) -> str:
    """A language tag (BCP 47) that the CLDR knows, in its usual spelling: "en-gb" is "en-GB"."""
    tag = _language_tag(value)
    if tag is None:
        raise InvalidInput(
            "member.locale",
            path=path,
            value=value,
            accepted=phrase("accepted.locale"),
        )
    return tag


@lru_cache(maxsize=256)
def _language_tag(value: str) -> str | None:
    if len(value) > MAXIMUM_LOCALE_LENGTH or not _LANGUAGE_TAG.fullmatch(value):
        return None
    try:
        tag = str(Locale.parse(value, sep="-")).replace("_", "-")
    except (UnknownLocaleError, ValueError):
        return None
    return tag if len(tag) <= MAXIMUM_LOCALE_LENGTH else None


def valid_time_zone(value: str, *, path: Path = ("timeZone",)) -> str:
    """The name of a time zone in the IANA database, as it is spelled there."""
    if value not in _time_zones():
        raise InvalidInput(
            "member.time_zone",
            path=path,
            value=value,
            accepted=phrase("accepted.time_zone"),
        )
    return value


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NOT_PLACES)


def valid_external_id(value: str, *, path: Path = ("externalId",)) -> str:
    """Another system's id of a member: 1 to 64 printable characters, no spaces at the ends."""
    if (
        not 1 <= len(value) <= MAXIMUM_EXTERNAL_ID_LENGTH
        or not value.isprintable()
        or value != value.strip()
    ):
        raise InvalidInput(
            "member.external_id",
            path=path,
            value=value,
            accepted=phrase("accepted.printable_within", maximum=MAXIMUM_EXTERNAL_ID_LENGTH),
        )
    return value


def valid_device_name(value: str | None, *, path: Path = ("deviceName",)) -> str | None:
    """What a member calls a device: up to 120 characters on one line; nothing is None."""
    name = unicodedata.normalize("NFC", value or "").strip()
    if len(name) > MAXIMUM_DEVICE_NAME_LENGTH or _has_control_characters(name):
        raise InvalidInput(
            "session.device_name",
            path=path,
            value=value,
            accepted=phrase("accepted.characters_at_most", maximum=MAXIMUM_DEVICE_NAME_LENGTH),
        )
    return name or None


def valid_email(value: str, *, path: Path = ("email",)) -> str:
    """An e-mail address as it was typed, without the spaces around it.

    Only the form is looked at: one @, something on both sides, no spaces, and a domain with a dot
    (or localhost). Whether mail arrives there, only mail can tell.
    """
    email = value.strip()
    if not is_email(email):
        raise InvalidInput(
            "account.email",
            path=path,
            value=value,
            accepted=phrase("accepted.email", maximum=MAXIMUM_EMAIL_LENGTH),
        )
    return email


def email_key(email: str) -> str:
    """What two spellings of one address have in common: NFKC and case-folded, spaces dropped.

    Looks like an address only if the address was one; it's for comparing, never for writing to.
    """
    folded = unicodedata.normalize("NFKC", email.strip()).casefold()
    return unicodedata.normalize("NFKC", folded)


def is_email(text: str) -> bool:
    """Whether the text has the form of an e-mail address; see `valid_email`."""
    return _is_address(text) and _is_address(email_key(text))


def _is_address(text: str) -> bool:
    if len(text) > MAXIMUM_EMAIL_LENGTH or text.count("@") != 1:
        return False
    # C: control, format, surrogate and unassigned characters; Z: spaces of every width.
    if any(unicodedata.category(character)[0] in "CZ" for character in text):
        return False
    local_part, _, domain = text.partition("@")
    labels = domain.split(".")
    return (
        1 <= len(local_part) <= MAXIMUM_EMAIL_LOCAL_PART_LENGTH
        and all(label and not label.startswith("-") and not label.endswith("-") for label in labels)
        and (len(labels) > 1 or domain.lower() == "localhost")
    )


def valid_password(value: str, *, path: Path = ("password",)) -> str:
    """A new password in Unicode's NFC: 8 to 128 characters of any kind (NIST SP 800-63B).

    The refusal does not repeat the password.
    """
    password = normal_password(value)
    if password is None or len(password) < MINIMUM_PASSWORD_LENGTH:
        raise InvalidInput(
            "account.password",
            path=path,
            accepted=phrase(
                "accepted.characters_of_any_kind",
                minimum=MINIMUM_PASSWORD_LENGTH,
                maximum=MAXIMUM_PASSWORD_LENGTH,
            ),
        )
    return password


def normal_password(value: str) -> str | None:
    """The password in NFC, so that every keyboard types the same; None if no password can be it."""
    if len(value) > 4 * MAXIMUM_PASSWORD_LENGTH:  # NFC composes at most four characters into one
        return None
    password = unicodedata.normalize("NFC", value)
    is_storable = not any(unicodedata.category(character) == "Cs" for character in password)
    return password if len(password) <= MAXIMUM_PASSWORD_LENGTH and is_storable else None
