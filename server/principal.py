"""Who is calling: a member, staff, the key of a till, shop or partner, or nobody known."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from server.clock import Instant


class PrincipalKind(StrEnum):
    """What sort of caller it is."""

    ANONYMOUS = "anonymous"  # no or no valid credentials
    MEMBER = "member"  # a member, by access token
    STAFF = "staff"  # the operator's staff, by access token
    KEY = "key"  # a till, shop or service, by API key


class StaffRole(StrEnum):
    """What a member of staff may do."""

    SUPPORT = "SUPPORT"  # sees members and helps with their cards
    MARKETER = "MARKETER"  # runs challenges and offers, sees reports
    MANAGER = "MANAGER"  # everything that staff may do, publishing the programme included
    AUDITOR = "AUDITOR"  # sees everything and changes nothing


class Scope(StrEnum):
    """What an API key may do."""

    MEMBERS_ENROL = "MEMBERS_ENROL"  # enrol members
    MEMBERS_READ = "MEMBERS_READ"  # find members and see their balances
    CARDS_WRITE = "CARDS_WRITE"  # block and replace cards
    PURCHASES_WRITE = "PURCHASES_WRITE"  # record purchases
    POINTS_REDEEM = "POINTS_REDEEM"  # redeem members' points
    PAYOUTS_WRITE = "PAYOUTS_WRITE"  # report payouts as paid or failed
    INSIGHTS_READ = "INSIGHTS_READ"  # read the programme's reports
    SETTLEMENTS_READ = "SETTLEMENTS_READ"  # read what the key's own partner pays and is owed
    SCHEMA_READ = "SCHEMA_READ"  # ask for the schema itself, as developers' tools do
    SIMULATE_TIME = "SIMULATE_TIME"  # name the time of a request, where the server allows it


class KeyKind(StrEnum):
    """What an API key is for; the scopes of each are in `KEY_SCOPES`."""

    TILL = "till"  # records purchases, takes value and looks members up
    SHOP = "shop"  # a till at a counter that also enrols people and sees to their cards
    PARTNER = "partner"  # records its own purchases, and sees nothing else


_TILL_SCOPES = frozenset({Scope.PURCHASES_WRITE, Scope.POINTS_REDEEM, Scope.MEMBERS_READ})
KEY_SCOPES: dict[KeyKind, frozenset[Scope]] = {
    KeyKind.TILL: _TILL_SCOPES,
    KeyKind.SHOP: _TILL_SCOPES | {Scope.MEMBERS_ENROL, Scope.CARDS_WRITE},
    KeyKind.PARTNER: frozenset({Scope.PURCHASES_WRITE}),
}
"""What a key of each kind may do."""


class AsOf(NamedTuple):
    """The versions (`server.storage.versions`) that stood when a request's caller was known: what
    is read after that is at least as new."""

    member: int  # of the member; 0 for a caller who is none
    programme: int


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credentials have been checked."""

    kind: PrincipalKind
    id: int = 0  # of the account or the key; 0 for nobody known
    member_id: int | None = None
    staff_role: StaffRole | None = None
    scopes: frozenset[Scope] = frozenset()
    partner: str | None = None  # whose till or shop it is
    session_id: int | None = None
    locale: str | None = None  # the member's language, as a BCP 47 tag
    expires_at: Instant | None = None  # until when what was shown counts; None is for ever
    as_of: AsOf | None = field(default=None, compare=False)  # None for nobody known
    name: str = field(init=False, compare=False, repr=False)
    """The caller's name in idempotency scopes and records, stable for ever."""

    def __post_init__(self) -> None:
        """Name the caller."""
        object.__setattr__(self, "name", f"{self.kind.value}:{self.id}")


ANONYMOUS = Principal(PrincipalKind.ANONYMOUS)
