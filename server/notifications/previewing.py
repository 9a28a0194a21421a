"""How a message would look to a member, before anybody gets it."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import msgspec

from server.clock import Instant
from server.definitions import service as definitions
from server.errors import InvalidInput, NotFound, Path, phrase
from server.integrations import push
from server.members.rules import valid_locale
from server.notifications import policy
from server.notifications.documents import Message
from server.notifications.fitting import longest_push
from server.notifications.kinds import MESSAGE
from server.notifications.pushing import LONGEST_ID, pushed
from server.notifications.rendering import Rendered, rendered, variables_in
from server.notifications.triggers import (
    GREATEST_INTEGER,
    LEAST_INTEGER,
    Money,
    Value,
    Variable,
    VariableType,
)
from server.notifications.values import raw
from server.programme import service as programme

PREVIEWED_KEY = "preview"
"""Under which a document is looked at that has no key yet."""
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?")
_EXAMPLE_DAY = "2026-12-24"
_TOKEN = "-"  # noqa: S105 - of no device


class Preview(msgspec.Struct, frozen=True):
    """A message as it would be for one member."""

    message: Message
    rendered: Rendered
    payload: str  # JSON: what goes to Firebase, all but the device's token
    payload_bytes: int
    longest_payload_bytes: int  # with everything at its longest, in the same language


async def preview(
    key: str | None,
    text: str | None,
    locale: str,
    given: Mapping[str, str],
    *,
    now: Instant,
) -> Preview:
    """The message that counts under the key, or that the document describes, to a member of the
    locale; what is not given is as in the samples of its variables.

    Raises InvalidInput, NotFound, or InvalidDefinition with everything that is wrong.
    """
    tag = valid_locale(locale)
    message = await _message(key, text, now)
    variables = variables_in(message)
    identity = (await programme.rulebook()).at(now).programme.programme
    money = identity.currency, identity.minor_unit_digits
    name = (await policy.document_at(now)).programme_name or identity.id
    values = _samples(variables, money) | {"programme": name} | _told(variables, given, money)
    shown = rendered(message, tag, values)
    sent = push.wire(
        pushed(_TOKEN, shown.title, shown.body, shown.wire, notification_id=LONGEST_ID), now=now
    )
    del sent["token"]
    longest = longest_push(message, message.texts[shown.locale], variables, shown.locale)
    return Preview(
        message,
        shown,
        msgspec.json.format(msgspec.json.encode(sent), indent=2).decode(),
        len(msgspec.json.encode(sent)),
        push.payload_bytes(longest),
    )


async def _message(key: str | None, text: str | None, now: Instant) -> Message:
    if (key is None) == (text is None):
        accepted = phrase("accepted.one_of_two", one="key", other="document")
        raise InvalidInput("preview.which", path=("key",), accepted=accepted)
    if text is not None:
        plain = definitions.read(text)
        document: Message = await definitions.checked_document(
            MESSAGE, PREVIEWED_KEY if key is None else key, plain, now=now
        )
        return document
    found = (await definitions.shelves()).of(MESSAGE.name).at(str(key), now)
    if found is None:
        raise NotFound("not_found", path=("key",))
    standing: Message = found.document
    return standing


def _samples(variables: Mapping[str, Variable], money: tuple[str, int]) -> dict[str, Value]:
    samples = {name: variable.sample for name, variable in variables.items()}
    return {
        name: Money(one.amount_minor, *money) if isinstance(one, Money) else one
        for name, one in samples.items()
    }


# ---------------------------------------------------------------- values that staff try


def raw_amount(amount: Money) -> str:
    """An amount as a preview takes it: 12.34."""
    return raw(amount, None)


def _told(
    variables: Mapping[str, Variable], given: Mapping[str, str], money: tuple[str, int]
) -> dict[str, Value]:
    told: dict[str, Value] = {}
    for place, (name, text) in enumerate(given.items()):
        variable = variables.get(name)
        if variable is None:
            raise InvalidInput(
                "preview.variable",
                path=("variables", place, "name"),
                value=name,
                accepted=phrase("accepted.variable", names=", ".join(variables)),
            )
        told[name] = _value(variable, text, money, ("variables", place, "value"))
    return told


def _value(variable: Variable, text: str, money: tuple[str, int], path: Path) -> Value:
    if variable.type is VariableType.TEXT:
        return text
    if variable.type is VariableType.MONEY:
        return _amount(text, money, path)
    if variable.type is VariableType.DATE:
        return _day(variable, text, path)
    if not _WHOLE.fullmatch(text) or not LEAST_INTEGER <= int(text) <= GREATEST_INTEGER:
        accepted = phrase(
            "accepted.whole_number", minimum=str(LEAST_INTEGER), maximum=str(GREATEST_INTEGER)
        )
        raise InvalidInput("preview.value", path=path, value=text, accepted=accepted)
    return int(text)


def _amount(text: str, money: tuple[str, int], path: Path) -> Money:
    currency, digits = money
    if not _DECIMAL.fullmatch(text) or len(text.partition(".")[2]) > digits:
        accepted = phrase("accepted.decimals", digits=digits, example="12.5" if digits else "12")
        raise InvalidInput("preview.value", path=path, value=text, accepted=accepted)
    return Money(int(Decimal(text).scaleb(digits)), currency, digits)


def _day(variable: Variable, text: str, path: Path) -> date | None:
    if variable.can_be_empty and not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        accepted = phrase("accepted.calendar_day", example=_EXAMPLE_DAY)
        raise InvalidInput("preview.value", path=path, value=text, accepted=accepted) from None
