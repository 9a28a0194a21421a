"""Definitions in the schema: what staff write, publish, decide and bring in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

import strawberry

from server import clock
from server.definitions import bundles, importing
from server.definitions import service as definitions
from server.definitions.graphql import money_of
from server.definitions.importing import Import
from server.definitions.inputs import (
    ApproveDefinitionInput,
    DiscardDefinitionInput,
    ImportDefinitionsInput,
    PublishDefinitionInput,
    RejectDefinitionInput,
    RollBackDefinitionInput,
    SaveDefinitionInput,
    WithdrawDefinitionInput,
)
from server.definitions.rules import Version
from server.definitions.shapes import (
    DECIDERS,
    WRITERS,
    DefinitionsImported,
    DefinitionVersion,
    ImportMode,
    InvalidDefinition,
    import_shown,
    version_shown,
)
from server.edge.context import Info
from server.edge.mutation import write_once
from server.edge.permissions import mutation, shown_to
from server.edge.problems import (
    AlreadyDecided,
    IdempotencyConflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    problem_of,
)
from server.errors import DomainError


@shown_to(WRITERS)
@strawberry.type(description="The draft is written; it counts for nobody yet.")
class DefinitionSaved:
    """Success of saveDefinition."""

    definition: DefinitionVersion = strawberry.field(description="The draft.")


@shown_to(WRITERS)
@strawberry.type(description="The version is published, or waits for a second person.")
class DefinitionPublished:
    """Success of publishDefinition, withdrawDefinition and rollBackDefinition."""

    definition: DefinitionVersion = strawberry.field(
        description="The version; WAITING if its budget is above the programme's limit."
    )


@shown_to(DECIDERS)
@strawberry.type(description="A second person has decided.")
class DefinitionDecided:
    """Success of approveDefinition and rejectDefinition."""

    definition: DefinitionVersion = strawberry.field(description="The version, decided.")


@shown_to(WRITERS)
@strawberry.type(description="The version is given up.")
class DefinitionDiscarded:
    """Success of discardDefinition."""

    definition: DefinitionVersion = strawberry.field(description="The version, discarded.")


SaveDefinitionResult = Annotated[
    DefinitionSaved | InvalidDefinition | InvalidInput | AlreadyDecided | IdempotencyConflict,
    strawberry.union("SaveDefinitionResult", description="The draft, or why there is none."),
]
PublishDefinitionResult = Annotated[
    DefinitionPublished
    | InvalidDefinition
    | InvalidInput
    | NotFound
    | AlreadyDecided
    | IdempotencyConflict,
    strawberry.union("PublishDefinitionResult", description="The version, or why it is refused."),
]
ApproveDefinitionResult = Annotated[
    DefinitionDecided
    | InvalidDefinition
    | InvalidInput
    | NotFound
    | NotAllowed
    | AlreadyDecided
    | IdempotencyConflict,
    strawberry.union("ApproveDefinitionResult", description="The version, or why it still waits."),
]
RejectDefinitionResult = Annotated[
    DefinitionDecided | InvalidInput | NotFound | NotAllowed | AlreadyDecided | IdempotencyConflict,
    strawberry.union("RejectDefinitionResult", description="The version, or why it still waits."),
]
DiscardDefinitionResult = Annotated[
    DefinitionDiscarded | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("DiscardDefinitionResult", description="The version, or why it is kept."),
]
WithdrawDefinitionResult = Annotated[
    DefinitionPublished | InvalidInput | NotFound | AlreadyDecided | IdempotencyConflict,
    strawberry.union("WithdrawDefinitionResult", description="The end, or why it goes on."),
]
RollBackDefinitionResult = Annotated[
    DefinitionPublished
    | InvalidDefinition
    | InvalidInput
    | NotFound
    | AlreadyDecided
    | IdempotencyConflict,
    strawberry.union("RollBackDefinitionResult", description="The new version, or why not."),
]
ImportDefinitionsResult = Annotated[
    DefinitionsImported | InvalidDefinition | InvalidInput | IdempotencyConflict,
    strawberry.union(
        "ImportDefinitionsResult", description="What became of the file, or all that is wrong."
    ),
]


async def _once(
    info: Info, input: Any, success: Callable[..., Any], work: Callable[[], Awaitable[Version]]
) -> Any:
    """Do the work once; the version that it answers, as a success."""

    async def placed() -> Version:
        try:
            return await work()
        except DomainError as error:
            raise error.below("input") from None

    async def present(done: Version) -> Any:
        return success(definition=version_shown(done, *await money_of(info)))

    return await write_once(info, input, work=placed, result=Version, present=present)


def _by(info: Info) -> str:
    return info.context.principal.name


@strawberry.type
class DefinitionMutations:
    """The root fields that write definitions."""

    @mutation(
        WRITERS,
        description="Write a draft of an offer, a segment or another thing of `definitionKinds`: a "
        "new one, the next version, or the draft that is open anew. It counts for nobody.",
    )
    async def save_definition(
        self,
        info: Info,
        input: Annotated[SaveDefinitionInput, strawberry.argument(description="What to write.")],
    ) -> SaveDefinitionResult:
        """Write a draft."""

        async def work() -> Version:
            plain = definitions.read(input.document)
            return await definitions.save_draft(
                input.kind, input.key, plain, by=_by(info), now=clock.now()
            )

        return cast(SaveDefinitionResult, await _once(info, input, DefinitionSaved, work))

    @mutation(
        WRITERS,
        description="Let a draft count, from now or a later instant on. With a budget above the "
        "programme's `approvals` limit it waits for `approveDefinition` by somebody else.",
    )
    async def publish_definition(
        self,
        info: Info,
        input: Annotated[
            PublishDefinitionInput, strawberry.argument(description="What to publish.")
        ],
    ) -> PublishDefinitionResult:
        """Publish a draft."""

        async def work() -> Version:
            return await definitions.publish(
                input.kind,
                input.key,
                input.version,
                effective_at=input.effective_at,
                by=_by(info),
                now=clock.now(),
            )

        return cast(PublishDefinitionResult, await _once(info, input, DefinitionPublished, work))

    @mutation(
        DECIDERS,
        description="Publish a version that somebody else has asked for, from the instant that was "
        "asked for or, if that has passed, from now on.",
    )
    async def approve_definition(
        self,
        info: Info,
        input: Annotated[
            ApproveDefinitionInput, strawberry.argument(description="Which one to publish.")
        ],
    ) -> ApproveDefinitionResult:
        """Approve a waiting version."""

        async def work() -> Version:
            return await definitions.approve(
                input.kind, input.key, input.version, by=_by(info), now=clock.now()
            )

        return cast(ApproveDefinitionResult, await _once(info, input, DefinitionDecided, work))

    @mutation(DECIDERS, description="Refuse a version that somebody else has asked for.")
    async def reject_definition(
        self,
        info: Info,
        input: Annotated[
            RejectDefinitionInput, strawberry.argument(description="Which one to refuse.")
        ],
    ) -> RejectDefinitionResult:
        """Reject a waiting version."""

        async def work() -> Version:
            return await definitions.reject(
                input.kind, input.key, input.version, input.note, by=_by(info), now=clock.now()
            )

        return cast(RejectDefinitionResult, await _once(info, input, DefinitionDecided, work))

    @mutation(WRITERS, description="Give up a draft, or a version that waits.")
    async def discard_definition(
        self,
        info: Info,
        input: Annotated[
            DiscardDefinitionInput, strawberry.argument(description="Which one to give up.")
        ],
    ) -> DiscardDefinitionResult:
        """Discard an open version."""

        async def work() -> Version:
            return await definitions.discard(
                input.kind, input.key, input.version, by=_by(info), now=clock.now()
            )

        return cast(DiscardDefinitionResult, await _once(info, input, DefinitionDiscarded, work))

    @mutation(
        WRITERS,
        description="End something, from now or a later instant on. Its history stays, and "
        "`rollBackDefinition` brings it back.",
    )
    async def withdraw_definition(
        self,
        info: Info,
        input: Annotated[WithdrawDefinitionInput, strawberry.argument(description="What to end.")],
    ) -> WithdrawDefinitionResult:
        """Withdraw a thing."""

        async def work() -> Version:
            return await definitions.withdraw(
                input.kind,
                input.key,
                effective_at=input.effective_at,
                by=_by(info),
                now=clock.now(),
            )

        return cast(WithdrawDefinitionResult, await _once(info, input, DefinitionPublished, work))

    @mutation(
        WRITERS,
        description="Publish the document of an earlier published version again, as a new version "
        "from now on. Its budget needs the approval that any other's does.",
    )
    async def roll_back_definition(
        self,
        info: Info,
        input: Annotated[
            RollBackDefinitionInput, strawberry.argument(description="Where to go back to.")
        ],
    ) -> RollBackDefinitionResult:
        """Roll back to a version."""

        async def work() -> Version:
            return await definitions.rollback(
                input.kind, input.key, input.version, by=_by(info), now=clock.now()
            )

        return cast(RollBackDefinitionResult, await _once(info, input, DefinitionPublished, work))

    @mutation(
        WRITERS,
        description="Take a file of definitions: all of it, or nothing if anything in it is wrong. "
        "What counts already makes no version, so that it can be taken again.",
    )
    async def import_definitions(
        self,
        info: Info,
        input: Annotated[
            ImportDefinitionsInput, strawberry.argument(description="The file, and how to take it.")
        ],
    ) -> ImportDefinitionsResult:
        """Bring in a file."""
        try:  # before the transaction, and off the loop: a large file takes a while
            items = await asyncio.to_thread(bundles.read, input.text, input.format)
        except DomainError as error:
            return cast(ImportDefinitionsResult, problem_of(error, info.context.language))

        async def work() -> Import:
            return await importing.bring_in(
                items,
                as_drafts=input.mode is ImportMode.DRAFTS,
                is_dry_run=input.dry_run,
                by=_by(info),
                now=clock.now(),
            )

        answer = await write_once(
            info,
            input,
            work=work,
            result=Import,
            present=lambda done: import_shown(done, is_dry_run=input.dry_run),
        )
        return cast(ImportDefinitionsResult, answer)
