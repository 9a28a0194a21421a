"""Roles, names and codes of households, and who may join one when."""

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from enum import StrEnum

from server import clock
from server.clock import MICROSECONDS_PER_SECOND, Instant, LocalDay
from server.errors import InvalidInput, LimitReached, NotAllowed, phrase
from server.programme.document import Programme

MAXIMUM_NAME_LENGTH = 120
INVITATION_LIFETIME_MICROSECONDS = 7 * 86_400 * MICROSECONDS_PER_SECOND

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: five bits a character, without I, L, O and U."""
_CODE_LENGTH = 16
_CODE_CONTEXT = b"laurel household code 1:"
_HASH_CONTEXT = b"laurel household code hash 1:"
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})


class HouseholdRole(StrEnum):
    """What a member of a household may do."""

    OWNER = "owner"  # spends everybody's value, and decides who belongs to the household
    SPENDER = "spender"  # spends everybody's value
    CONTRIBUTOR = "contributor"  # lets others spend their value, and spends their own alone


def valid_name(value: str | None) -> str | None:
    """A household's name: up to 120 characters on one line, or None for nothing.

    Surrounding spaces are dropped. Raises InvalidInput.
    """
    name = unicodedata.normalize("NFC", value or "").strip()
    if len(name) > MAXIMUM_NAME_LENGTH or any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name
    ):
        raise InvalidInput(
            "household.name",
            path=("name",),
            value=value,
            accepted=phrase("accepted.characters_at_most", maximum=MAXIMUM_NAME_LENGTH),
        )
    return name or None


# ---------------------------------------------------------------- codes


def invitation_code(secret: bytes, invitation_id: int) -> str:
    """The invitation's code: 80 bits that only the deployment's secret makes of its id, in four
    groups of four. So the same answer can be given again though no code is stored."""
    digest = hmac.digest(secret, _CODE_CONTEXT + str(invitation_id).encode(), "sha256")
    number = int.from_bytes(digest[:10], "big")
    drawn = "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CODE_LENGTH)))
    return "-".join(drawn[start : start + 4] for start in range(0, _CODE_LENGTH, 4))


def parsed_code(value: str) -> str:
    """The code as it was typed, in its one form. Raises InvalidInput for what can't be one.

    The refusal does not repeat what was typed: it may be a code with one mistake.
    """
    code = value.upper().translate(_READ_AS)
    if len(code) != _CODE_LENGTH or not set(code) <= set(_ALPHABET):
        raise InvalidInput(
            "household.code_malformed",
            path=("code",),
            accepted=phrase("accepted.invitation_code", length=_CODE_LENGTH),
        )
    return code


def code_hash(secret: bytes, code: str) -> str:
    """HMAC-SHA-256, in hexadecimal, of a code as it is typed or shown."""
    plain = code.upper().translate(_READ_AS).encode("utf-8", "surrogatepass")
    return hmac.new(secret, _HASH_CONTEXT + plain, hashlib.sha256).hexdigest()


# ---------------------------------------------------------------- who may join


def check_age(enrolled_at: Instant, programme: Programme, *, now: Instant) -> None:
    """Raise NotAllowed for who has not been a member for long enough, in local days."""
    zone = programme.programme.timezone
    least = programme.households.minimum_account_age_days
    first = LocalDay(clock.local_day(enrolled_at, zone) + least)
    if clock.local_day(now, zone) < first:
        raise NotAllowed("household.too_new", day=clock.date_of(first).isoformat())


def rejoin_day(left_at: Instant, programme: Programme) -> LocalDay:
    """The first local day on which who left then may join or found a household again."""
    left = clock.local_day(left_at, programme.programme.timezone)
    return LocalDay(left + programme.households.rejoin_wait_days)


def check_wait(left_at: Instant | None, programme: Programme, *, now: Instant) -> None:
    """Raise NotAllowed for who left a household, at `left_at`, not long enough ago."""
    if left_at is None:
        return
    first = rejoin_day(left_at, programme)
    if clock.local_day(now, programme.programme.timezone) < first:
        raise NotAllowed("household.wait", day=clock.date_of(first).isoformat())


def check_room(programme: Programme, *, present: int) -> None:
    """Raise LimitReached if a household of so many takes nobody more."""
    limit = programme.households.maximum_members
    if present >= limit:
        raise LimitReached("household.full", limit=limit, left=0)


def check_keeps_owner(roles: Mapping[int, HouseholdRole]) -> None:
    """Raise NotAllowed if the members who would be present have no owner among them."""
    if roles and HouseholdRole.OWNER not in roles.values():
        raise NotAllowed("household.last_owner")
