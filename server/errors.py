"""What can be refused, and why: the expected failures that callers are told about.

A `DomainError` is an answer, not a fault: it carries a stable code for programs, a message key for
people (translated by `server.messages`) and typed facts. Anything else that is raised is a defect
and reaches the caller only as a masked error.
"""

from enum import StrEnum
from typing import ClassVar, Self

import msgspec


class ProblemCode(StrEnum):
    """Why a request was refused, for programs to decide on."""

    INVALID_INPUT = "INVALID_INPUT"  # a value is outside what is accepted
    NOT_FOUND = "NOT_FOUND"  # nothing that the caller may see has this reference
    CARD_UNUSABLE = "CARD_UNUSABLE"  # the card is blocked or replaced
    INSUFFICIENT_POINTS = "INSUFFICIENT_POINTS"  # fewer points are available than required
    EXTERNAL_ID_CONFLICT = "EXTERNAL_ID_CONFLICT"  # the external id stands for other content
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"  # the key was used with other content
    CREDENTIALS_REJECTED = "CREDENTIALS_REJECTED"  # sign-in or sign-up is refused
    SESSION_REJECTED = "SESSION_REJECTED"  # the refresh token is not, or no longer, valid
    INSUFFICIENT_CASHBACK = "INSUFFICIENT_CASHBACK"  # less cashback is available than required
    ALREADY_DECIDED = "ALREADY_DECIDED"  # it was settled, released, cancelled or decided before
    LIMIT_REACHED = "LIMIT_REACHED"  # a limit of the programme would be exceeded
    NOT_ALLOWED = "NOT_ALLOWED"  # the programme or one's role does not allow it
    NOT_YET_OPEN = "NOT_YET_OPEN"  # it can be had later
    NOT_IN_AUDIENCE = "NOT_IN_AUDIENCE"  # it is for members of other tiers or segments
    QUOTE_CHANGED = "QUOTE_CHANGED"  # the basket is not as it was quoted
    INVALID_DEFINITION = "INVALID_DEFINITION"  # a document of the shop's has refused values
    INVALID_PROGRAMME = "INVALID_PROGRAMME"  # the programme document is not accepted


Path = tuple[str | int, ...]
"""Where in the input a problem lies, from its root: ("input", "lines", 0, "quantity")."""


class Phrase(msgspec.Struct, frozen=True):
    """Words for people that are not said yet: a message key and the facts that fill it in.

    `server.messages.told` says them, in the language of whoever is told. A plain text stands where
    a phrase may only if it is the same in all languages: a currency, an id.
    """

    key: str
    facts: dict[str, str | int]


def phrase(key: str, **facts: str | int) -> Phrase:
    """The phrase with this message key and these facts."""
    return Phrase(key, facts)


class DomainError(Exception):
    """An expected refusal. `reason` names the message; `facts` fill it in."""

    code: ClassVar[ProblemCode]
    is_of_request: ClassVar[bool] = True
    """False if no request could succeed now, whatever it says: that is a top-level error."""

    def __init__(self, reason: str, *, path: Path = (), **facts: str | int) -> None:
        super().__init__(reason, path, facts)
        self.reason = reason
        self.path = path
        self.facts = facts

    def below(self, *prefix: str | int) -> Self:
        """The same refusal with its path put under `prefix`.

        This one stays as it is: a batch may have one refusal in several places.
        """
        placed = type(self).__new__(type(self), *self.args)
        vars(placed).update(vars(self), path=(*prefix, *self.path))
        return placed


class InvalidInput(DomainError):
    """A value is outside what is accepted. `accepted` says in words what would be taken; `value`
    is what was given, at most 200 characters of it, None if it was missing or is a secret."""

    code = ProblemCode.INVALID_INPUT

    def __init__(
        self,
        reason: str,
        *,
        path: Path,
        value: object = None,
        accepted: Phrase | str,
        **facts: str | int,
    ) -> None:
        super().__init__(reason, path=path, **facts)
        self.value: Phrase | str | None = None
        if value is not None:
            self.value = value if isinstance(value, Phrase) else str(value)[:200]
        self.accepted = accepted


class NotFound(DomainError):
    """Nothing that the caller may see has this reference."""

    code = ProblemCode.NOT_FOUND


class CardUnusable(DomainError):
    """The card exists and is blocked or replaced; `status` says which."""

    code = ProblemCode.CARD_UNUSABLE

    def __init__(self, reason: str, *, path: Path = (), status: str) -> None:
        super().__init__(reason, path=path, status=status)
        self.status = status


class InsufficientPoints(DomainError):
    """Fewer points are available than required."""

    code = ProblemCode.INSUFFICIENT_POINTS

    def __init__(self, *, available: int, required: int, path: Path = ()) -> None:
        short_by = required - available
        super().__init__(
            "points.insufficient",
            path=path,
            available=available,
            required=required,
            short_by=short_by,
        )
        self.available, self.required, self.short_by = available, required, short_by


class InsufficientCashback(DomainError):
    """Less cashback is available than required; amounts are minor units of `currency`, of which a
    major unit has 10**`digits`."""

    code = ProblemCode.INSUFFICIENT_CASHBACK

    def __init__(
        self, *, available: int, required: int, currency: str, digits: int, path: Path = ()
    ) -> None:
        super().__init__(
            "cashback.insufficient",
            path=path,
            available=available,
            required=required,
            currency=currency,
            digits=digits,
        )
        self.available, self.required = available, required
        self.currency, self.digits = currency, digits


class AlreadyDecided(DomainError):
    """It happens only once, and has happened: `status` says what became of it."""

    code = ProblemCode.ALREADY_DECIDED

    def __init__(self, reason: str, *, status: str, path: Path = ()) -> None:
        super().__init__(reason, path=path, status=status)
        self.status = status


class LimitReached(DomainError):
    """A limit of the programme would be exceeded: `limit`, of which `left` is left."""

    code = ProblemCode.LIMIT_REACHED

    def __init__(self, reason: str, *, limit: int, left: int, path: Path = ()) -> None:
        super().__init__(reason, path=path, limit=limit, left=left)
        self.limit, self.left = limit, left


class NotAllowed(DomainError):
    """The programme, or the caller's role in it, does not allow it."""

    code = ProblemCode.NOT_ALLOWED


class ExternalIdConflict(DomainError):
    """The external id was recorded before with other content."""

    code = ProblemCode.EXTERNAL_ID_CONFLICT

    def __init__(self, external_id: str, *, path: Path) -> None:
        super().__init__("external_id.conflict", path=path, external_id=external_id)
        self.external_id = external_id


class IdempotencyConflict(DomainError):
    """The idempotency key was used before with other content."""

    code = ProblemCode.IDEMPOTENCY_CONFLICT

    def __init__(self) -> None:
        super().__init__("idempotency.conflict", path=("input", "idempotencyKey"))


class CredentialsRejected(DomainError):
    """Sign-in or sign-up is refused, without saying which part was wrong."""

    code = ProblemCode.CREDENTIALS_REJECTED


class SessionRejected(DomainError):
    """The refresh token is not, or no longer, valid."""

    code = ProblemCode.SESSION_REJECTED
