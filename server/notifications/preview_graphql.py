"""What staff who write messages look at: the triggers with their variables, and previews."""

from typing import Annotated, cast

import strawberry

from server import clock
from server.definitions.shapes import InvalidDefinition
from server.edge.context import Info
from server.edge.enums import described
from server.edge.permissions import STAFF, query, shown_to
from server.edge.problems import InvalidInput, NotFound, problem_of
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.notifications import previewing
from server.notifications.fitting import ADVERTISING
from server.notifications.previewing import Preview
from server.notifications.triggers import (
    COMMON,
    TRIGGERS,
    Money,
    Trigger,
    Value,
    Variable,
    VariableType,
)

described(
    VariableType,
    name="MessageVariableType",
    description="What the values of a variable of messages are.",
    INT="A whole number: {points}, {points, number} or {points, plural, …}.",
    DAYS="A whole number of days, written as INT is.",
    MONEY="An amount with its currency: {amount} or {amount, money}.",
    TEXT="Words: {offer}, or {tier, select, …} by the very words.",
    DATE="A calendar day: {ends_on}, or {ends_on, date, …} short, medium, long or full.",
)


@shown_to(STAFF)
@strawberry.type(description="Something that the texts of a message may mention.")
class MessageVariable:
    """A variable."""

    name: str = strawberry.field(description="Its name, as it stands in the braces.")
    type: VariableType = strawberry.field(description="What its values are.")
    description: str = strawberry.field(description="What it holds, in English.")
    maximum_characters: int | None = strawberry.field(
        description="What is longer is cut there, with an ellipsis; null for what is no text."
    )
    can_be_empty: bool = strawberry.field(
        description="Whether it may be empty: {name, select, none {…} other {…}} tells that. A "
        "date that may be empty stands only in such a form."
    )
    sample: str = strawberry.field(
        description="What previews take for it, as `variables` of previewMessage takes it."
    )


@shown_to(STAFF)
@strawberry.type(description="Something that happens, or comes near, and that members are told of.")
class MessageTrigger:
    """A trigger."""

    name: str | None = strawberry.field(
        description="As `trigger.kind` of a message; null for messages of campaigns, which have "
        "none."
    )
    description: str = strawberry.field(description="When it is sent, in English.")
    is_reminder: bool = strawberry.field(
        description="Whether it is found by looking through the members now and then, instead of "
        "as it happens."
    )
    can_be_service: bool = strawberry.field(
        description="Whether its messages may be of the category service, which needs no consent; "
        "of those that advertise none may."
    )
    variables: list[MessageVariable] = strawberry.field(
        description="What the texts of its messages may mention."
    )


@shown_to(STAFF)
@strawberry.type(description="A message as it would look to a member who has agreed to it.")
class MessagePreview:
    """Success of previewMessage."""

    locale: str = strawberry.field(description="The language tag of the text that they would read.")
    title: str = strawberry.field(description="The title.")
    body: str = strawberry.field(description="The body.")
    email_subject: str = strawberry.field(description="The subject of the e-mail.")
    email_body: str = strawberry.field(description="The text of the e-mail.")
    call_to_action: str | None = strawberry.field(
        description="The label of the e-mail's link; null if the message has none of its own."
    )
    link: str | None = strawberry.field(description="Where a tap leads; null for the app itself.")
    payload: str = strawberry.field(
        description="What goes to Firebase for a device, as JSON, but for the device's token: "
        "encoded as it would be sent."
    )
    payload_bytes: int = strawberry.field(description="How many bytes of UTF-8 that takes.")
    longest_payload_bytes: int = strawberry.field(
        description="How many it takes in this language with all variables at their longest; "
        "messages with more than 4,096 are refused when they are saved."
    )


@strawberry.input(description="A value to try.")
class MessageVariableInput:
    """A variable and its value."""

    name: str = strawberry.field(description="The variable's name.")
    value: str = strawberry.field(
        description="Its value: digits for INT and DAYS, 12.50 in the programme's currency for "
        "MONEY, 2026-12-24 for DATE, and any text for TEXT. Empty for an empty one."
    )


PreviewMessageResult = Annotated[
    MessagePreview | InvalidDefinition | InvalidInput | NotFound,
    strawberry.union(
        "PreviewMessageResult", description="The message as it would look, or what is wrong."
    ),
]


def _sample_text(sample: Value) -> str:
    if isinstance(sample, Money):
        return previewing.raw_amount(sample)
    return "" if sample is None else str(sample)


def _variable_shown(variable: Variable) -> MessageVariable:
    return MessageVariable(
        name=variable.name,
        type=variable.type,
        description=variable.description,
        maximum_characters=variable.maximum,
        can_be_empty=variable.can_be_empty,
        sample=_sample_text(variable.sample),
    )


def _trigger_shown(trigger: Trigger) -> MessageTrigger:
    return MessageTrigger(
        name=trigger.name,
        description=trigger.description,
        is_reminder=trigger.is_reminder,
        can_be_service=trigger.name not in ADVERTISING,
        variables=[_variable_shown(one) for one in trigger.variables.values()],
    )


def _of_campaigns() -> MessageTrigger:
    return MessageTrigger(
        name=None,
        description="A campaign sends it.",
        is_reminder=False,
        can_be_service=True,
        variables=[_variable_shown(one) for one in COMMON.values()],
    )


def _preview_shown(preview: Preview) -> MessagePreview:
    rendered = preview.rendered
    return MessagePreview(
        locale=rendered.locale,
        title=rendered.title,
        body=rendered.body,
        email_subject=rendered.email_subject or rendered.title,
        email_body=rendered.email_body or rendered.body,
        call_to_action=rendered.wire.call_to_action,
        link=rendered.wire.link,
        payload=preview.payload,
        payload_bytes=preview.payload_bytes,
        longest_payload_bytes=preview.longest_payload_bytes,
    )


def _given(variables: list[MessageVariableInput]) -> dict[str, str]:
    """The values by name. Raises InvalidInput for one that is given twice."""
    given: dict[str, str] = {}
    for place, one in enumerate(variables):
        if one.name in given:
            raise InvalidInputError(
                "preview.variable",
                path=("variables", place, "name"),
                value=one.name,
                accepted=phrase("accepted.each_once"),
            )
        given[one.name] = one.value
    return given


@strawberry.type
class MessagePreviewQueries:
    """The root fields of those who write messages."""

    @query(
        STAFF,
        description="What messages are sent for, and what their texts may mention; last, what "
        "those of campaigns may.",
    )
    def message_triggers(self) -> list[MessageTrigger]:
        """All triggers."""
        return [*(_trigger_shown(one) for one in TRIGGERS.values()), _of_campaigns()]

    @query(
        STAFF,
        description="How a message would look: the one that counts now under a key, or one that "
        "is written down here and saved nowhere. Nobody gets it.",
    )
    async def preview_message(
        self,
        info: Info,
        locale: Annotated[
            str, strawberry.argument(description="The member's language tag, such as lt-LT.")
        ],
        key: Annotated[
            str | None,
            strawberry.argument(description="The message's key; null if `document` is given."),
        ] = None,
        document: Annotated[
            str | None,
            strawberry.argument(
                description="A document of the kind `message`, as YAML or JSON; null if `key` is "
                "given."
            ),
        ] = None,
        variables: Annotated[
            list[MessageVariableInput] | None,
            strawberry.argument(
                description="Values to try; those that are left out are as in the samples of "
                "messageTriggers."
            ),
        ] = None,
    ) -> PreviewMessageResult:
        """A message as it would look."""
        try:
            found = await previewing.preview(
                key, document, locale, _given(variables or []), now=clock.now()
            )
        except DomainError as error:
            return cast(PreviewMessageResult, problem_of(error, info.context.language))
        return _preview_shown(found)
