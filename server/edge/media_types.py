"""Which media type an answer takes, by the request's Accept header (RFC 9110, 12.5.1)."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

RESPONSE = "application/graphql-response+json"
LEGACY = "application/json"
EVENTS = "text/event-stream"

_RANGE = re.compile(
    r"\s*(?P<range>[A-Za-z0-9!#$&^_.+*-]+/[A-Za-z0-9!#$&^_.+*-]+)(?P<parameters>(?:\s*;[^,]*)?)\s*"
)
_WEIGHT = re.compile(r";\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE)


LONGEST_REMEMBERED = 256
"""What programs send is shorter; whoever sends longer headers has them read each time."""


@dataclass(frozen=True)
class Accepted:
    """What the caller takes."""

    media_types: tuple[str, ...]  # of ours, the preferred first; empty if it takes none

    @cached_property
    def preferred(self) -> str | None:
        """The best of them for an answer that is not a stream."""
        return next((one for one in self.media_types if one != EVENTS), None)

    @cached_property
    def takes_events(self) -> bool:
        """Whether it takes a stream of events."""
        return EVENTS in self.media_types

    @cached_property
    def prefers_events(self) -> bool:
        """Whether it takes every answer as a stream of events sooner than as JSON."""
        return self.media_types[:1] == (EVENTS,)


def accepted(header: str | None) -> Accepted:
    """What an Accept header takes; without one, anything."""
    if header is None or len(header) <= LONGEST_REMEMBERED:
        return _known_accepted(header)
    return _accepted(header)


def _accepted(header: str | None) -> Accepted:
    if header is None or not header.strip():
        return Accepted((LEGACY, RESPONSE))
    weights: dict[str, tuple[int, int, int]] = {}
    for place, part in enumerate(header.split(",")[:50]):
        match = _RANGE.fullmatch(part)
        if match is None:
            continue
        found = _WEIGHT.search(match["parameters"])
        weight = _thousandths(found[1]) if found else 1000
        for media_type in (LEGACY, RESPONSE, EVENTS):  # a wildcard means the first
            specificity = _specificity(match["range"].lower(), media_type)
            if specificity and specificity >= weights.get(media_type, (0, 0, 0))[2]:
                weights[media_type] = (weight, -place, specificity)
    taken = [one for one in weights if weights[one][0] > 0]
    return Accepted(tuple(sorted(taken, key=lambda one: weights[one][:2], reverse=True)))


_known_accepted = lru_cache(maxsize=256)(_accepted)


def _thousandths(weight: str) -> int:
    whole, _, fraction = weight.partition(".")
    return int(whole) * 1000 + int(fraction.ljust(3, "0"))


def _specificity(offered: str, media_type: str) -> int:
    if offered == media_type:
        return 3
    if media_type == EVENTS:  # a stream is only for who asks for it
        return 0
    if offered == media_type.split("/", maxsplit=1)[0] + "/*":
        return 2
    return 1 if offered == "*/*" else 0


def is_json(content_type: str) -> bool:
    """Whether a Content-Type is JSON in UTF-8, which it also is where it names no charset."""
    return content_type == LEGACY or _is_json(content_type)


def _is_json(content_type: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            return False
    return media_type == LEGACY
