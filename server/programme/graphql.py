"""The programme in the schema: its terms for everyone, its versions and publishing for staff."""

from collections.abc import Awaitable
from typing import Annotated, cast

import strawberry

from server.clock import Instant
from server.edge import problems
from server.edge.context import Context, Info
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.nodes import fetches
from server.edge.permissions import EVERYONE, STAFF, access, mutation, query, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput, Problem
from server.edge.refusing import RequestRefused
from server.errors import DomainError
from server.principal import StaffRole
from server.programme import service
from server.programme.errors import InvalidDocument, NoProgramme
from server.programme.present import Present, present_of
from server.programme.service import PublishedProgramme as Published
from server.programme.service import Rulebook
from server.programme.terms import Programme, effective_at, programme_shown

_PUBLISHERS = access(roles=frozenset({StaffRole.MANAGER}))


@shown_to(STAFF)
@strawberry.type(description="A published version of the programme: who made it count, and when.")
class ProgrammeVersion:
    """An entry of the programme's history."""

    version: int = strawberry.field(description="The number of the version, from 1.")
    digest: str = strawberry.field(
        description="SHA-256 of the rules in hexadecimal: equal digests mean equal rules."
    )
    effective_at: Instant | None = strawberry.field(
        description="From when on the version counts; null for always, as the first one does."
    )
    published_at: Instant = strawberry.field(description="When it was published.")
    published_by: str = strawberry.field(
        description='Who published it: "staff:" with the number of the account, or "command line".'
    )


def _version_shown(published: Published) -> ProgrammeVersion:
    return ProgrammeVersion(
        version=published.version,
        digest=published.digest,
        effective_at=effective_at(published),
        published_at=published.published_at,
        published_by=published.published_by,
    )


@shown_to(_PUBLISHERS)
@strawberry.type(
    description="The programme is published. Where the same rules counted already, no version was "
    "made, and this is the one that has them."
)
class PublishedProgramme:
    """A published version."""

    programme: Programme = strawberry.field(description="The terms of the version.")
    version: ProgrammeVersion = strawberry.field(description="Its entry in the history.")


def _published_shown(published: Published) -> PublishedProgramme:
    return PublishedProgramme(
        programme=programme_shown(published), version=_version_shown(published)
    )


@shown_to(EVERYONE)
@strawberry.type(description="One place of a programme document that is not accepted.")
class ProgrammeProblem:
    """One wrong place."""

    path: list[str] = strawberry.field(
        description="Where in the document, from its root down; list positions count from 0. Empty "
        "if it is the document as a whole."
    )
    value: str | None = strawberry.field(
        description="What stands there, as JSON of at most 80 characters; null if the key is "
        "missing."
    )
    accepted: str = strawberry.field(description="What would be accepted, in English words.")


@shown_to(EVERYONE)
@strawberry.type(description="The programme document has values that are not accepted.")
class InvalidProgramme(Problem):
    """A document with problems."""

    problems: list[ProgrammeProblem] = strawberry.field(
        description="All places that are wrong, in the order of the document; 100 at most."
    )


@problems.presents(InvalidDocument)
def _invalid_programme(error: InvalidDocument, telling: problems.Telling) -> Problem:
    return InvalidProgramme(
        code=error.code,
        message=telling.message,
        problems=[
            ProgrammeProblem(
                path=problems.shown_path(problem.path),
                value=problem.value,
                accepted=problem.accepted,
            )
            for problem in error.problems
        ],
    )


@fetches("Programme")
async def _programme_node(_info: Info, version: int) -> Programme | None:
    try:
        return programme_shown((await service.rulebook()).numbered(version))
    except DomainError:
        return None


async def _presents(instants: list[Instant], context: Context) -> list[Present]:
    book = await service.rulebook()
    return [_noted(context, book, instant) for instant in instants]


def _noted(context: Context, book: Rulebook, at: Instant) -> Present:
    context.changes_at(book.next_start(at))
    return present_of(book.at(at), at)


def prime_programme(context: Context, book: Rulebook) -> None:
    """The request knows the versions: its fields ask for them no more."""
    context.give(_presents, context.at, _noted(context, book, context.at))


def present_now(context: Context) -> Present | Awaitable[Present]:
    """The programme's day at the request's instant; asked of the database once a request."""
    given: Present | None = context.given(_presents, context.at)
    return context.loader(_presents, context).get(context.at) if given is None else given


async def programme_now(info: Info) -> Published:
    """The version in effect at the request's instant; asked of the database once a request."""
    present = present_now(info.context)
    return (present if isinstance(present, Present) else await present).published


# ---------------------------------------------------------------- root fields


@strawberry.type
class ProgrammeQueries:
    """The programme's root fields that read."""

    @query(
        EVERYONE,
        description="The terms of the programme. Refused with the code NOT_FOUND as long as none "
        "has been published.",
    )
    async def programme(
        self,
        info: Info,
        at: Annotated[
            Instant | None,
            strawberry.argument(description="The terms that count at this instant; now if null."),
        ] = None,
    ) -> Programme:
        """The terms at an instant."""
        try:
            published = (await service.rulebook()).at(info.context.at if at is None else at)
        except NoProgramme as error:
            raise RequestRefused(error.code.value, error.reason, status=404) from None
        return programme_shown(published)

    @query(STAFF, description="All published versions of the programme, the newest first.")
    async def programme_versions(self, info: Info) -> list[ProgrammeVersion]:
        """The history."""
        return [_version_shown(published) for published in reversed(await service.history())]


@strawberry.input(description="A programme to publish.")
class PublishProgrammeInput:
    """The input of publishProgramme."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    document: str = strawberry.field(
        description="The whole programme as a YAML document of at most 256 KiB. All keys are "
        "required, except `tier_rates_basis_points` and `caps` in `cashback`, and the sections "
        "`returns`, `paying_with_points`, `holds`, `transfers`, `households`, `payouts`, "
        "`adjustments` and `approvals` with everything in them: what they leave out has a default, "
        "which the type Programme shows."
    )
    effective_at: Instant | None = strawberry.field(
        default=None,
        description="From when on it counts: now if null, and never in the past. The first "
        "version counts from always.",
    )


PublishProgrammeResult = Annotated[
    PublishedProgramme | InvalidProgramme | InvalidInput | IdempotencyConflict,
    strawberry.union(
        "PublishProgrammeResult", description="The published programme, or why it is refused."
    ),
]


@strawberry.type
class ProgrammeMutations:
    """The programme's root fields that write."""

    @mutation(
        _PUBLISHERS,
        description="Publish a programme as the next version. Purchases keep the version that "
        "counted when they happened. To call off a version that is to count later, publish "
        "another one for the same instant.",
    )
    async def publish_programme(
        self,
        info: Info,
        input: Annotated[
            PublishProgrammeInput, strawberry.argument(description="What to publish.")
        ],
    ) -> PublishProgrammeResult:
        """Publish a version."""
        answer = await write_once(
            info,
            input,
            work=lambda: service.publish(
                input.document,
                effective_at=input.effective_at,
                published_by=info.context.principal.name,
            ),
            result=Published,
            present=_published_shown,
        )
        return cast(PublishProgrammeResult, answer)
