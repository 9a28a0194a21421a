"""What the mutations of definitions take."""

import strawberry

from server.clock import Instant
from server.definitions.formats import FileFormat
from server.definitions.shapes import ImportMode
from server.edge.mutation import KEY_DESCRIPTION

_KIND = "What it is: one of the names of `definitionKinds`."
_KEY = "Which one it is: 1 to 64 small letters, digits and dashes."
_VERSION = "The number of the version."
_EFFECTIVE_AT = "From when on it counts: now if null, and never in the past."


@strawberry.input(description="A document to write.")
class SaveDefinitionInput:
    """Input of saveDefinition."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    kind: str = strawberry.field(description=_KIND)
    key: str = strawberry.field(description=_KEY)
    document: str = strawberry.field(
        description="The whole document as YAML or JSON; `definitionKinds` says what it may hold."
    )


@strawberry.input(description="A draft to publish.")
class PublishDefinitionInput:
    """Input of publishDefinition."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    kind: str = strawberry.field(description=_KIND)
    key: str = strawberry.field(description=_KEY)
    version: int = strawberry.field(description=_VERSION)
    effective_at: Instant | None = strawberry.field(default=None, description=_EFFECTIVE_AT)


@strawberry.input(description="Which version to publish.")
class ApproveDefinitionInput:
    """Input of approveDefinition."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    kind: str = strawberry.field(description=_KIND)
    key: str = strawberry.field(description=_KEY)
    version: int = strawberry.field(description=_VERSION)


@strawberry.input(description="Which draft to give up.")
class DiscardDefinitionInput:
    """Input of discardDefinition."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    kind: str = strawberry.field(description=_KIND)
    key: str = strawberry.field(description=_KEY)
    version: int = strawberry.field(description=_VERSION)


@strawberry.input(description="Which version to refuse, and why.")
class RejectDefinitionInput:
    """Input of rejectDefinition."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    kind: str = strawberry.field(description=_KIND)
    key: str = strawberry.field(description=_KEY)
    version: int = strawberry.field(description=_VERSION)
    note: str = strawberry.field(description="Why, for colleagues: 1 to 500 characters.")


@strawberry.input(description="What to end.")
class WithdrawDefinitionInput:
    """Input of withdrawDefinition."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    kind: str = strawberry.field(description=_KIND)
    key: str = strawberry.field(description=_KEY)
    effective_at: Instant | None = strawberry.field(
        default=None, description="From when on it counts no more: now if null, never in the past."
    )


@strawberry.input(description="Which version to go back to.")
class RollBackDefinitionInput:
    """Input of rollBackDefinition."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    kind: str = strawberry.field(description=_KIND)
    key: str = strawberry.field(description=_KEY)
    version: int = strawberry.field(
        description="The number of the published version to go back to."
    )


@strawberry.input(description="A file to take.")
class ImportDefinitionsInput:
    """Input of importDefinitions."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    text: str = strawberry.field(
        description="The file, as `exportDefinitions` gives it. What is larger than a request may "
        "be is for `python -m server definitions import`."
    )
    format: FileFormat = strawberry.field(
        default=FileFormat.YAML, description="How the file is written."
    )
    mode: ImportMode = strawberry.field(
        default=ImportMode.DRAFTS, description="What is made of what stands in the file."
    )
    dry_run: bool = strawberry.field(
        default=False, description="Whether to check everything and write nothing."
    )
