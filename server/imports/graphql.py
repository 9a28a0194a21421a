"""Opening balances in the schema, for systems that send them without a file."""

from datetime import date
from typing import Annotated, cast

import strawberry

from server import clock
from server.clock import LocalDay
from server.edge import nodes
from server.edge.batches import answer_each, shown_each
from server.edge.context import Info
from server.edge.idempotency import NothingWritten
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.permissions import access, mutation, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput, NotFound
from server.edge.scalars import BigInt, Money
from server.errors import DomainError
from server.imports import rules, service
from server.imports.service import ImportedLines, Line, TakenLine
from server.principal import StaffRole

_IMPORTERS = access(roles=frozenset({StaffRole.MANAGER}))

_FIELDS = {
    rules.EXTERNAL_ID: "externalId",
    rules.POINTS_EXPIRE_ON: "pointsExpireOn",
    rules.CASHBACK: "cashbackMinor",
}


@strawberry.input(description="What one member brings along from another system.")
class OpeningBalanceInput:
    """One line."""

    external_id: str = strawberry.field(description="The member's id in the operator's systems.")
    points: int = strawberry.field(default=0, description="Points, usable at once; 0 or more.")
    points_expire_on: date | None = strawberry.field(
        default=None,
        description="The local day at whose start the points lapse, after today; by the "
        "programme's rule from today, if left out.",
    )
    cashback_minor: BigInt = strawberry.field(
        default=BigInt(0),
        description="Cashback in minor units, usable at once and for ever; 0 or more.",
    )


@strawberry.input(description="Balances to bring along, in one commit.")
class ImportBalancesInput:
    """Input of importBalances."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    lines: list[OpeningBalanceInput] = strawberry.field(
        description="1 to 500 lines; each is answered by itself. A member may have several, such "
        "as points with different expiries."
    )
    dry_run: bool = strawberry.field(
        default=False,
        description="Whether to check and answer every line and write nothing; the key stays free.",
    )


@shown_to(_IMPORTERS)
@strawberry.type(description="The balance was taken in.")
class OpeningBalanceTaken:
    """Success of one line."""

    member_id: strawberry.ID = strawberry.field(description="Whose balance it is.")
    points: int = strawberry.field(description="The points that were brought along.")
    cashback: Money = strawberry.field(description="The cashback that was brought along.")
    had_opening_balance: bool = strawberry.field(
        description="Whether an earlier import had brought some along for this member, who now has "
        "both."
    )


OpeningBalanceAnswer = Annotated[
    OpeningBalanceTaken | InvalidInput | NotFound,
    strawberry.union("OpeningBalanceAnswer", description="The balance, or why it was refused."),
]


@shown_to(_IMPORTERS)
@strawberry.type(description="What became of each line.")
class BalancesImported:
    """Success of importBalances."""

    answers: list[OpeningBalanceAnswer] = strawberry.field(
        description="One for each line, in the order given."
    )


ImportBalancesResult = Annotated[
    BalancesImported | InvalidInput | IdempotencyConflict,
    strawberry.union("ImportBalancesResult", description="The answers, or why there are none."),
]


def _line(number: int, given: OpeningBalanceInput) -> Line:
    day = given.points_expire_on
    return Line(
        number=number,
        external_id=given.external_id,
        points=given.points,
        points_expire_on=None if day is None else LocalDay(clock.day_of(day)),
        cashback_minor=int(given.cashback_minor),
    )


def _placed(answer: TakenLine | DomainError) -> TakenLine | DomainError:
    """The answer, its path with the names of the schema instead of those of a file's columns."""
    if not isinstance(answer, DomainError) or not answer.path:
        return answer
    placed = answer.below()
    placed.path = tuple(_FIELDS.get(str(step), step) for step in answer.path)
    return placed


def _shown(line: TakenLine) -> OpeningBalanceTaken:
    return OpeningBalanceTaken(
        member_id=nodes.global_id("Member", line.member_id),
        points=line.points,
        cashback=Money.of(line.cashback_minor, line.currency, line.digits),
        had_opening_balance=line.had_opening_balance,
    )


@strawberry.type
class ImportMutations:
    """The mutations of imports, for the schema's root."""

    @mutation(
        _IMPORTERS,
        description="Bring balances along from another system, for members who exist. A line that "
        "is refused spoils no other. Files are taken by `python -m server import balances`.",
    )
    async def import_balances(
        self,
        info: Info,
        input: Annotated[
            ImportBalancesInput, strawberry.argument(description="Which balances to take in.")
        ],
    ) -> ImportBalancesResult:
        """Take balances in."""

        async def do(lines: list[Line]) -> list[TakenLine | DomainError]:
            return [_placed(one) for one in await service.take_call(lines, now=clock.now())]

        async def work() -> ImportedLines:
            try:
                service.check_count(len(input.lines))
            except DomainError as error:
                raise error.below("input") from None
            numbered = list(enumerate(input.lines, 1))
            answers = await answer_each(
                numbered, field="lines", wish_of=lambda one: _line(*one), do=do
            )
            imported = ImportedLines(tuple(answers))
            if input.dry_run or not any(isinstance(answer, TakenLine) for answer in answers):
                raise NothingWritten(imported)
            return imported

        def present(imported: ImportedLines) -> BalancesImported:
            return BalancesImported(
                answers=shown_each(imported.answers, info.context.language, show=_shown)
            )

        answer = await write_once(info, input, work=work, result=ImportedLines, present=present)
        return cast(ImportBalancesResult, answer)
