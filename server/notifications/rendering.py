"""Messages as a member reads them: in their language, with the values of the variables."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

import msgspec
from msgspec import Struct

from server.definitions.service import Published
from server.notifications.documents import Android, Apns, Message, Text, WebPush
from server.notifications.shapes import Wire
from server.notifications.templates import parsed
from server.notifications.triggers import Value, Variable, variables_of
from server.notifications.using import Given, Saying, Use, saying

_KEPT = 512
"""So many messages are kept ready to be rendered."""


class Rendered(Struct, frozen=True, kw_only=True):
    """A message for one member."""

    locale: str  # the language tag of its text
    title: str
    body: str
    wire: Wire
    email_subject: str | None = None  # the title, if it has none of its own
    email_body: str | None = None  # the body, likewise


Renderer = Callable[[Given], Rendered]
"""Renders one message in one language; for batches."""


def rendered(message: Message | Published, locale: str, variables: Mapping[str, Value]) -> Rendered:
    """The message in the language of the member's locale, or the nearest that it has.

    `variables` has a value for each variable of the message's trigger; others are left alone.
    """
    return renderer(message, locale)(variables)


def renderer(message: Message | Published, locale: str) -> Renderer:
    """What renders the message for members of the locale."""
    document = cast(Message, message.document) if isinstance(message, Published) else message
    return _ready(document).for_locale(locale)


def trigger_of(message: Message) -> str | None:
    """The name of the message's trigger; None for a campaign's."""
    return None if message.trigger is None else str(message.trigger.__struct_config__.tag)


def variables_in(message: Message) -> Mapping[str, Variable]:
    """What the message's texts may mention."""
    return variables_of(trigger_of(message))


def language_for(message: Message, locale: str) -> str:
    """The language tag of the message's texts for a locale: `lt` for `lt-LT` if it has no text of
    its own, or another text of the language, and else the message's default language."""
    return _language_for(tuple(message.texts), message.default_language, locale)


@lru_cache(maxsize=4096)
def _language_for(tags: tuple[str, ...], default: str, locale: str) -> str:
    by_tag = {tag.lower(): tag for tag in tags}
    subtags = locale.replace("_", "-").lower().split("-")
    language = subtags[0]
    while subtags:
        if found := by_tag.get("-".join(subtags)):
            return found
        subtags.pop()
    # Another country's or script's is nearer than another language.
    return next((tag for tag in (default, *tags) if tag.lower().split("-")[0] == language), default)


# ---------------------------------------------------------------- made ready once


class _Ready:
    """One message with its renderers, made as they are asked for."""

    def __init__(self, document: Message) -> None:
        self.document = document
        self._by_locale: dict[str, Renderer] = {}
        self._by_language: dict[str, Renderer] = {}

    def for_locale(self, locale: str) -> Renderer:
        found = self._by_locale.get(locale)
        if found is None:
            language = language_for(self.document, locale)
            found = self._by_language.get(language) or _made(self.document, language)
            self._by_language[language] = found
            if len(self._by_locale) < _KEPT:
                self._by_locale[locale] = found
        return found


_kept: OrderedDict[int, _Ready] = OrderedDict()
"""By the identity of the document, which is kept, so that no other can have it."""


def _ready(document: Message) -> _Ready:
    found = _kept.get(id(document))
    if found is None:
        found = _kept[id(document)] = _Ready(document)
        if len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return found


def _nothing(_given: Given) -> None:
    return None


def _made(document: Message, language: str) -> Renderer:
    text: Text = document.texts[language]
    variables = variables_in(document)

    def said(source: str) -> Saying:
        return saying(parsed(source), variables, language)

    def said_or_none(source: str | None) -> Callable[[Given], str | None]:
        return _nothing if source is None else said(source)

    title, body = said(text.title), said(text.body)
    subject, letter = said_or_none(text.email_subject), said_or_none(text.email_body)
    wire = _wire(document, text, language, variables)
    if text.email_subject is None and text.email_body is None:
        return lambda given: Rendered(
            locale=language, title=title(given), body=body(given), wire=wire(given)
        )
    return lambda given: Rendered(
        locale=language,
        title=title(given),
        body=body(given),
        email_subject=subject(given),
        email_body=letter(given),
        wire=wire(given),
    )


def _wire(
    document: Message, text: Text, language: str, variables: Mapping[str, Variable]
) -> Callable[[Given], Wire]:
    fixed = fixed_wire(document)
    if document.link is None and text.call_to_action is None and not document.data:
        return lambda _given: fixed

    def said(source: str | None, use: Use) -> Callable[[Given], str | None]:
        return _nothing if source is None else saying(parsed(source), variables, language, use)

    link, label = said(document.link, Use.LINK), said(text.call_to_action, Use.WORDS)
    data = {
        key: saying(parsed(source), variables, language, Use.DATA)
        for key, source in document.data.items()
    }
    return lambda given: Wire(
        link=link(given),
        call_to_action=label(given),
        data={key: said(given) for key, said in data.items()},
        image=fixed.image,
        collapse_key=fixed.collapse_key,
        ttl_seconds=fixed.ttl_seconds,
        is_high_priority=fixed.is_high_priority,
        android=fixed.android,
        apns=fixed.apns,
        webpush=fixed.webpush,
    )


def fixed_wire(document: Message) -> Wire:
    """What goes with the message to devices, but the link and the data."""
    return Wire(
        image=document.image,
        collapse_key=document.collapse_key,
        ttl_seconds=document.time_to_live_seconds,
        is_high_priority=document.priority == "high",
        android=_android(document.android),
        apns=_apns(document.apns),
        webpush=_webpush(document.web_push),
    )


# ---------------------------------------------------------------- options by FCM's names


def _stated(options: Struct, *without: str) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(options)
    return {name: value for name, value in plain.items() if name not in without}


def _android(options: Android) -> Mapping[str, Any] | None:
    stated = _stated(options)
    if "visibility" in stated:
        stated["visibility"] = stated["visibility"].upper()
    return {"notification": stated} if stated else None


def _apns(options: Apns) -> Mapping[str, Any] | None:
    stated = _stated(options)
    aps = {name.replace("_", "-"): 1 if value is True else value for name, value in stated.items()}
    return {"payload": {"aps": aps}} if aps else None


def _webpush(options: WebPush) -> Mapping[str, Any] | None:
    stated = _stated(options, "urgency")
    if "require_interaction" in stated:
        stated["requireInteraction"] = stated.pop("require_interaction")
    made: dict[str, Any] = {}
    if options.urgency is not None:
        made["headers"] = {"Urgency": options.urgency}
    if stated:
        made["notification"] = stated
    return made or None
