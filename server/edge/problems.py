"""Refusals as GraphQL types: one for each reason, shared by all mutations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import strawberry

from server import errors, messages
from server.edge.enums import described
from server.edge.observing import note_refusal
from server.edge.permissions import EVERYONE, shown_to
from server.edge.scalars import BigInt, Money
from server.errors import ProblemCode

described(
    ProblemCode,
    description="Why a request was refused, for programs to decide on.",
    INVALID_INPUT="A value is outside what is accepted.",
    NOT_FOUND="Nothing that the caller may see has this reference.",
    CARD_UNUSABLE="The card is blocked or was replaced.",
    INSUFFICIENT_POINTS="Fewer points are available than needed.",
    EXTERNAL_ID_CONFLICT="The external id was recorded before with other content.",
    IDEMPOTENCY_CONFLICT="The idempotency key was used before with other content.",
    CREDENTIALS_REJECTED="A password, or what else shows who somebody is, was refused.",
    SESSION_REJECTED="The refresh token is not, or no longer, valid.",
    INSUFFICIENT_CASHBACK="Less cashback is available than needed.",
    ALREADY_DECIDED="It happens only once, and has been settled, cancelled or decided before.",
    LIMIT_REACHED="A limit of the programme would be exceeded.",
    NOT_ALLOWED="The programme, or the caller's role in it, does not allow it.",
    NOT_YET_OPEN="It can be had later.",
    NOT_IN_AUDIENCE="It is for members of other tiers or segments.",
    QUOTE_CHANGED="The basket is not as it was quoted.",
    INVALID_PROGRAMME="The programme document has values that are not accepted.",
    INVALID_DEFINITION="A document of an offer or the like has values that are not accepted.",
)


@shown_to(EVERYONE)
@strawberry.interface(description="Why a request was refused. Nothing was changed by it.")
class Problem:
    """The common part of all refusals."""

    code: ProblemCode = strawberry.field(description="The reason, for programs to decide on.")
    message: str = strawberry.field(
        description="The reason in a sentence for people, in the caller's language."
    )


@shown_to(EVERYONE)
@strawberry.type(description="A value of the input is outside what is accepted.")
class InvalidInput(Problem):
    """A value of the input that is refused."""

    path: list[str] = strawberry.field(
        description="Where the value stands, from the argument down; list positions count from 0."
    )
    value: str | None = strawberry.field(
        description="The refused value as text, at most 200 characters; null if it was missing."
    )
    accepted: str = strawberry.field(description="What would be accepted, in words.")


@shown_to(EVERYONE)
@strawberry.type(description="Nothing that the caller may see has this reference.")
class NotFound(Problem):
    """A reference that leads nowhere."""

    path: list[str] = strawberry.field(
        description="Where the reference stands, from the argument down; positions count from 0."
    )


@shown_to(EVERYONE)
@strawberry.type(description="Fewer points are available than needed.")
class InsufficientPoints(Problem):
    """Too few points."""

    available: int = strawberry.field(description="Points that can be spent now.")
    required: int = strawberry.field(description="Points that were asked for.")
    short_by: int = strawberry.field(description="How many are missing: required less available.")


@shown_to(EVERYONE)
@strawberry.type(description="Less cashback is available than needed.")
class InsufficientCashback(Problem):
    """Too little cashback."""

    available_amount: Money = strawberry.field(description="Cashback that can be used now.")
    required_amount: Money = strawberry.field(description="Cashback that was asked for.")
    short_by_amount: Money = strawberry.field(
        description="How much is missing: required less available."
    )


@shown_to(EVERYONE)
@strawberry.type(
    description="It happens only once, and has happened: settled, released, cancelled or decided."
)
class AlreadyDecided(Problem):
    """A second decision."""

    path: list[str] = strawberry.field(
        description="Where the reference stands, from the argument down; positions count from 0."
    )
    outcome: str = strawberry.field(
        description="What became of it, in capital letters: SETTLED, CANCELLED, PAID and the like."
    )


@shown_to(EVERYONE)
@strawberry.type(description="A limit of the programme would be exceeded.")
class LimitReached(Problem):
    """A limit."""

    path: list[str] = strawberry.field(
        description="Where the value stands, from the argument down; positions count from 0."
    )
    limit: BigInt = strawberry.field(
        description="The limit, in the unit of the value: points, minor units, days or members."
    )
    left: BigInt = strawberry.field(description="What of the limit is left now, at least 0.")


@shown_to(EVERYONE)
@strawberry.type(description="The programme, or the caller's role in it, does not allow it.")
class NotAllowed(Problem):
    """Something not allowed."""

    path: list[str] = strawberry.field(
        description="Where the value stands, from the argument down; positions count from 0."
    )


@shown_to(EVERYONE)
@strawberry.type(description="The external id was recorded before with other content.")
class ExternalIdConflict(Problem):
    """Two contents for one external id."""

    path: list[str] = strawberry.field(
        description="Where the external id stands, from the argument down; positions count from 0."
    )
    external_id: str = strawberry.field(description="The id in question.")


@shown_to(EVERYONE)
@strawberry.type(description="The idempotency key was used before with other content.")
class IdempotencyConflict(Problem):
    """Two contents for one key."""


@shown_to(EVERYONE)
@strawberry.type(
    description="A password, a code or what else shows who somebody is was refused; it does not "
    "say whether the address is known."
)
class CredentialsRejected(Problem):
    """Refused credentials."""


@shown_to(EVERYONE)
@strawberry.type(description="The refresh token is not, or no longer, valid: sign in again.")
class SessionRejected(Problem):
    """A refused refresh token."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How a failure is told: its message, and what else has words, in the caller's language."""

    message: str
    language: str

    def words(self, words: errors.Phrase | str) -> str:
        """The words in the language."""
        return messages.told(words, self.language)


_Presenter = Callable[[Any, Telling], Problem]
_presenters: dict[type[errors.DomainError], _Presenter] = {}


def presents(error: type[errors.DomainError]) -> Callable[[_Presenter], _Presenter]:
    """Register how an expected failure becomes a problem: called with it and how it is told."""

    def register(presenter: _Presenter) -> _Presenter:
        _presenters[error] = presenter
        return presenter

    return register


def problem_of(error: errors.DomainError, language: str) -> Problem:
    """The GraphQL problem that tells of the failure, its message in the language.

    Raises the failure itself if it is not of the request: it is told as a top-level error.
    """
    if not error.is_of_request:
        raise error
    note_refusal(error.code)
    telling = Telling(messages.text(error.reason, language, **error.facts), language)
    presenter = next(_presenters[kind] for kind in type(error).__mro__ if kind in _presenters)
    return presenter(error, telling)


def shown_path(path: errors.Path) -> list[str]:
    """A path as the schema shows it: all steps as text."""
    return [str(step) for step in path]


@presents(errors.InvalidInput)
def _invalid_input(error: errors.InvalidInput, telling: Telling) -> Problem:
    return InvalidInput(
        code=error.code,
        message=telling.message,
        path=shown_path(error.path),
        value=None if error.value is None else telling.words(error.value),
        accepted=telling.words(error.accepted),
    )


@presents(errors.NotFound)
def _not_found(error: errors.NotFound, telling: Telling) -> Problem:
    return NotFound(code=error.code, message=telling.message, path=shown_path(error.path))


@presents(errors.InsufficientPoints)
def _insufficient(error: errors.InsufficientPoints, telling: Telling) -> Problem:
    return InsufficientPoints(
        code=error.code,
        message=telling.message,
        available=error.available,
        required=error.required,
        short_by=error.short_by,
    )


@presents(errors.InsufficientCashback)
def _insufficient_cashback(error: errors.InsufficientCashback, telling: Telling) -> Problem:
    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, error.currency, error.digits)

    return InsufficientCashback(
        code=error.code,
        message=telling.message,
        available_amount=money(error.available),
        required_amount=money(error.required),
        short_by_amount=money(error.required - error.available),
    )


@presents(errors.AlreadyDecided)
def _already_decided(error: errors.AlreadyDecided, telling: Telling) -> Problem:
    return AlreadyDecided(
        code=error.code, message=telling.message, path=shown_path(error.path), outcome=error.status
    )


@presents(errors.LimitReached)
def _limit_reached(error: errors.LimitReached, telling: Telling) -> Problem:
    return LimitReached(
        code=error.code,
        message=telling.message,
        path=shown_path(error.path),
        limit=BigInt(error.limit),
        left=BigInt(max(0, error.left)),
    )


@presents(errors.NotAllowed)
def _not_allowed(error: errors.NotAllowed, telling: Telling) -> Problem:
    return NotAllowed(code=error.code, message=telling.message, path=shown_path(error.path))


@presents(errors.ExternalIdConflict)
def _external_id(error: errors.ExternalIdConflict, telling: Telling) -> Problem:
    return ExternalIdConflict(
        code=error.code,
        message=telling.message,
        path=shown_path(error.path),
        external_id=error.external_id,
    )


@presents(errors.IdempotencyConflict)
def _idempotency(error: errors.IdempotencyConflict, telling: Telling) -> Problem:
    return IdempotencyConflict(code=error.code, message=telling.message)


@presents(errors.CredentialsRejected)
def _credentials(error: errors.CredentialsRejected, telling: Telling) -> Problem:
    return CredentialsRejected(code=error.code, message=telling.message)


@presents(errors.SessionRejected)
def _session(error: errors.SessionRejected, telling: Telling) -> Problem:
    return SessionRejected(code=error.code, message=telling.message)
