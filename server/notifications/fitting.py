"""What of a message the type alone cannot say: texts, links and data, and how long all may get."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec
from babel import Locale, UnknownLocaleError

from server.definitions.service import Misfits, Surroundings
from server.errors import Path
from server.integrations import push
from server.notifications.agreeing import disagreements
from server.notifications.documents import (
    MAXIMUM_TTL_SECONDS,
    POLICY_KEY,
    Message,
    MessagePolicy,
    PointsExpiring,
    Text,
)
from server.notifications.pushing import ID_KEY, LONGEST_ID, pushed
from server.notifications.rendering import fixed_wire, trigger_of, variables_in
from server.notifications.shapes import Category, Channel
from server.notifications.templates import Words, parsed
from server.notifications.triggers import Variable
from server.notifications.using import Use, longest

MAXIMUM_TITLE_SHOWN = 400
MAXIMUM_BODY_SHOWN = 2_000
"""Characters, with the longest values: what the columns of the inbox hold."""
MAXIMUM_LINK_SHOWN = 2_000

ADVERTISING = frozenset(
    {
        "offer_published",
        "offer_ending",
        "challenge_nearly_done",
        "streak_in_danger",
        "reward_reachable",
        "birthday",
    }
)
"""Triggers whose messages advertise, whatever they say: none of them is service."""

_TEXTS = tuple(field.encode_name for field in msgspec.structs.fields(Text))
_RESERVED = frozenset({"from", "message_type", "notification", "link", ID_KEY.lower()})
_RESERVED_BEGINNINGS = ("google", "gcm")
_DATA_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_HOST = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+"
_CHARACTER = r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2}"
_HTTPS = re.compile(rf"https://{_HOST}(:[0-9]{{1,5}})?([/?#]({_CHARACTER})*)?")
_HTTPS_BEGINNING = re.compile(rf"https://{_HOST}(:[0-9]{{1,5}})?[/?#]")
_LINK = re.compile(rf"(app://({_CHARACTER})+|{_HTTPS.pattern})")
_LINKS = "app://… or https://… with a host in letters, in the characters of links"
_PICTURE = "https://… with a host, in the characters of links, and no variables"


def message_misfits(document: Message, around: Surroundings) -> Misfits:
    """What of a message does not fit."""
    found = [
        *_languages(document),
        *_trigger(document),
        *_texts(document),
        *_link(document),
        *_pictures(document),
        *_data(document),
        *_options(document, around),
    ]
    yield from found
    if not found:  # what can't be read has no length
        yield from _lengths(document)


def policy_misfits(_document: MessagePolicy, around: Surroundings) -> Misfits:
    """What of a policy does not fit."""
    if around.key != POLICY_KEY:
        yield (), f"a document under the key {POLICY_KEY}; there is only this one"


def _languages(document: Message) -> Misfits:
    if document.default_language not in document.texts:
        yield ("default_language",), "a language that there is a text in"
    seen: set[str] = set()
    for tag in document.texts:
        if not is_language(tag):
            yield ("texts", tag), "as a key: a language tag that the CLDR knows, such as lv"
        elif tag.lower() in seen:
            yield ("texts", tag), "as a key: each language once"
        seen.add(tag.lower())


@lru_cache(maxsize=256)
def is_language(tag: str) -> bool:
    """Whether the CLDR knows the language of the tag, and its script and territory if it has."""
    try:
        Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


def _trigger(document: Message) -> Misfits:
    trigger = document.trigger
    if isinstance(trigger, PointsExpiring) and len(set(trigger.days)) < len(trigger.days):
        yield ("trigger", "days"), "each number of days once"
    if document.category is Category.SERVICE and trigger_of(document) in ADVERTISING:
        yield ("category",), "offers, points or challenges: a message for this trigger advertises"


def _texts(document: Message) -> Misfits:
    variables = variables_in(document)
    model = document.texts.get(document.default_language)
    for tag, text in document.texts.items():
        if not is_language(tag):
            continue
        for name in _TEXTS:
            source = getattr(text, name)
            path: Path = ("texts", tag, name)
            if model is not None and (source is None) != (getattr(model, name) is None):
                wanted = "left out, as" if source is not None else "a text, as it is"
                yield path, f"{wanted} in {document.default_language}: all languages have the same"
            elif source is not None:
                yield from ((path, one) for one in disagreements(source, variables, tag))
                if not source.strip():
                    yield path, "a text that is not empty"


def _link(document: Message) -> Misfits:
    if document.link is None:
        return
    variables = variables_in(document)
    found = disagreements(document.link, variables, document.default_language, Use.LINK)
    if found:
        yield from ((("link",), one) for one in found)
        return
    parts = parsed(document.link)
    first = parts[0].text if isinstance(parts[0], Words) else ""
    is_fixed = len(parts) == 1
    begins = first.startswith("app://") or is_fixed or _HTTPS_BEGINNING.match(first)
    shown = longest(parts, variables, document.default_language, len, Use.LINK)
    if not begins or not _LINK.fullmatch(shown):
        yield ("link",), f"{_LINKS}; variables stand after the host"
    elif len(shown) > MAXIMUM_LINK_SHOWN:
        yield ("link",), f"a link of at most {MAXIMUM_LINK_SHOWN} characters with its values"


def _pictures(document: Message) -> Misfits:
    pictures: tuple[tuple[Path, str | None], ...] = (
        (("image",), document.image),
        (("web_push", "icon"), document.web_push.icon),
        (("web_push", "badge"), document.web_push.badge),
    )
    for path, url in pictures:
        if url is not None and not _HTTPS.fullmatch(url):
            yield path, _PICTURE


def _data(document: Message) -> Misfits:
    variables = variables_in(document)
    for key, source in document.data.items():
        path: Path = ("data", key)
        word = key.lower()
        if not _DATA_KEY.fullmatch(key):
            yield path, "as a key: letters, digits, dots, dashes and underscores"
        elif word in _RESERVED or word.startswith(_RESERVED_BEGINNINGS):
            yield path, "as a key: none of those that Firebase or Laurel itself uses"
        for accepted in dict.fromkeys(
            one
            for tag in document.texts
            if is_language(tag)
            for one in disagreements(source, variables, tag, Use.DATA)
        ):
            yield path, accepted


def _options(document: Message, around: Surroundings) -> Misfits:
    if len(set(document.channels)) < len(document.channels):
        yield ("channels",), "each channel once"
    segments = around.shelves.of("segment")
    if document.segment is not None and segments.at(document.segment, around.now) is None:
        yield ("segment",), "the key of a segment that counts then"
    if document.web_push.renotify and document.web_push.tag is None:
        yield ("web_push", "renotify"), "false, or a tag as well"


# ---------------------------------------------------------------- at their longest


def _json_bytes(text: str) -> int:
    """How many bytes the text takes in a push: as JSON in UTF-8, without the quotes."""
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def _lengths(document: Message) -> Misfits:
    variables = variables_in(document)
    for tag, text in document.texts.items():
        yield from _shown_lengths(text, variables, tag)
        if Channel.PUSH in document.channels:
            yield from _payload(document, text, variables, tag)


def _shown_lengths(
    text: Text, variables: Mapping[str, Variable], tag: str
) -> Iterator[tuple[Path, str]]:
    for name, maximum in (("title", MAXIMUM_TITLE_SHOWN), ("body", MAXIMUM_BODY_SHOWN)):
        shown = longest(parsed(getattr(text, name)), variables, tag, len)
        if len(shown) > maximum:
            yield (
                ("texts", tag, name),
                f"at most {maximum} characters with the longest values; it can have {len(shown)}",
            )


def _payload(
    document: Message, text: Text, variables: Mapping[str, Variable], tag: str
) -> Iterator[tuple[Path, str]]:
    try:
        taken = push.payload_bytes(longest_push(document, text, variables, tag))
    except push.InvalidMessage as error:
        yield (), f"what Firebase accepts: {error}"
        return
    if taken > push.MAXIMUM_PAYLOAD_BYTES:
        yield (
            ("texts", tag),
            f"at most {push.MAXIMUM_PAYLOAD_BYTES} bytes of title, body, link, data and options "
            f"together, with the longest values of the variables; it can take {taken}",
        )


def longest_push(
    document: Message, text: Text, variables: Mapping[str, Variable], tag: str
) -> push.PushMessage:
    """The push in a language with everything at its longest."""

    def shown(source: str, use: Use = Use.WORDS) -> str:
        return longest(parsed(source), variables, tag, _json_bytes, use)

    wire = msgspec.structs.replace(
        fixed_wire(document),
        link=None if document.link is None else shown(document.link, Use.LINK),
        data={key: shown(source, Use.DATA) for key, source in document.data.items()},
        ttl_seconds=MAXIMUM_TTL_SECONDS,  # in the most digits
    )
    return pushed("-", shown(text.title), shown(text.body), wire, notification_id=LONGEST_ID)
