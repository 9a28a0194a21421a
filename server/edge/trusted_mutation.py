"""Publishing documents through a running server."""

from typing import Annotated

import msgspec
import strawberry

from server.edge import publishing, trusted
from server.edge.context import Info
from server.edge.documents import Preparing
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.permissions import access, mutation, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput
from server.edge.publishing import MAXIMUM_DOCUMENTS
from server.edge.refusing import RequestRefused
from server.edge.trusted import MAXIMUM_LABEL_LENGTH, NewDocument
from server.errors import InvalidInput as InvalidInputError
from server.errors import phrase
from server.principal import StaffRole

_PUBLISHERS = access(roles=frozenset({StaffRole.MANAGER}))


class Published(msgspec.Struct, frozen=True):
    """What became of the documents, as it is kept for repetitions."""

    published: int
    unchanged: int


@strawberry.input(description="A document to publish.")
class DocumentInput:
    """A document."""

    body: str = strawberry.field(
        description="Its text, at most 262,144 characters. Its id is the SHA-256 of exactly this "
        "text in UTF-8."
    )
    label: str | None = strawberry.field(
        default=None,
        description="What people call it: 1 to 255 characters. Without it, the names of its "
        "operations.",
    )


@strawberry.input(description="Which documents to publish.")
class PublishDocumentsInput:
    """Documents to publish."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    documents: list[DocumentInput] = strawberry.field(
        description="1 to 1,000 documents; all of them are published, or none."
    )


@shown_to(_PUBLISHERS)
@strawberry.type(description="The documents are published: apps may ask for them by their ids.")
class DocumentsPublished:
    """What became of the documents."""

    published: int = strawberry.field(description="How many were not published before.")
    unchanged: int = strawberry.field(description="How many were.")


PublishDocumentsResult = Annotated[
    DocumentsPublished | InvalidInput | IdempotencyConflict,
    strawberry.union(
        "PublishDocumentsResult", description="The published documents, or why there are none."
    ),
]


@strawberry.type
class DocumentMutations:
    """The root field that publishes documents."""

    @mutation(
        _PUBLISHERS,
        description="Publish documents that members' apps may ask for by their ids; every server "
        "knows them at once. What is published already stays so.",
    )
    async def publish_documents(
        self,
        info: Info,
        input: Annotated[
            PublishDocumentsInput, strawberry.argument(description="Which documents.")
        ],
    ) -> PublishDocumentsResult:
        """Publish documents."""

        async def work() -> Published:
            documents = _checked(info, input.documents)
            count = await trusted.publish(documents)
            return Published(count, len(documents) - count)

        def present(done: Published) -> DocumentsPublished:
            return DocumentsPublished(published=done.published, unchanged=done.unchanged)

        answer: PublishDocumentsResult = await write_once(
            info, input, work=work, result=Published, present=present
        )
        return answer


def _checked(info: Info, documents: list[DocumentInput]) -> list[NewDocument]:
    if not 1 <= len(documents) <= MAXIMUM_DOCUMENTS:
        raise InvalidInputError(
            "documents.count",
            path=("input", "documents"),
            value=len(documents),
            accepted=phrase("accepted.documents", maximum=MAXIMUM_DOCUMENTS),
            maximum=MAXIMUM_DOCUMENTS,
        )
    preparing = Preparing(info.schema._schema)
    found: list[NewDocument] = []
    for place, one in enumerate(documents):
        path = ("input", "documents", str(place))
        if one.label is not None and not (
            1 <= len(one.label) <= MAXIMUM_LABEL_LENGTH and one.label.isprintable()
        ):
            raise InvalidInputError(
                "documents.label",
                path=(*path, "label"),
                value=one.label,
                accepted=phrase("accepted.printable", minimum=1, maximum=MAXIMUM_LABEL_LENGTH),
            )
        try:
            found.append(publishing.checked(preparing, one.body, one.label))
        except RequestRefused as refused:
            raise InvalidInputError(
                "documents.invalid",
                path=(*path, "body"),
                accepted=phrase("accepted.document"),
                said=publishing.said(refused, info.context.language),
            ) from None
    return list({one.body: one for one in found}.values())
