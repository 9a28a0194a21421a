"""The kind of definition that a campaign is, and what its documents are checked for."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from server.campaigns import rules
from server.campaigns.documents import OF_MEMBER, WHOLE_BPS, Campaign, OfSegment, RedeemedOffer
from server.definitions import service as definitions
from server.definitions.service import Kind, Misfits, Surroundings
from server.errors import InvalidInput, Path
from server.members import service as members
from server.programme.document import Programme

_LEAST_VARIANTS = 2


def _misfits(campaign: Campaign, surroundings: Surroundings) -> Misfits:
    yield from _said(campaign)
    if not rules.is_in_the_calendar(campaign.at):
        yield ("at",), "a day from 1970-01-03 to 9998-12-31"
    if campaign.time_zone != OF_MEMBER and not _is_zone(campaign.time_zone):
        yield ("time_zone",), "member, or the IANA name of a time zone, such as Europe/Berlin"
    for path, key in _messages(campaign):
        yield from _message_misfits(path, key, surroundings)
    for kind, path, key in _others(campaign):
        if surroundings.shelves.of(kind).at(key, surroundings.now) is None:
            yield path, f"the key of a published {kind}"


def _said(campaign: Campaign) -> Misfits:
    if campaign.message is not None and campaign.variants:
        yield ("variants",), "either message or variants"
        return
    if campaign.message is None and len(campaign.variants) < _LEAST_VARIANTS:
        yield ("message",), "a message, or two variants at least"
    names = Counter(one.name for one in campaign.variants)
    for place, one in enumerate(campaign.variants):
        if names[one.name] > 1:
            yield ("variants", place, "name"), "each name once"
    total = sum(one.share_bps for one in campaign.variants)
    if campaign.variants and total != WHOLE_BPS:
        yield ("variants",), f"shares that are {WHOLE_BPS} together; these are {total}"


def _messages(campaign: Campaign) -> Iterator[tuple[Path, str]]:
    if campaign.message is not None:
        yield ("message",), campaign.message
    for place, one in enumerate(campaign.variants):
        yield ("variants", place, "message"), one.message


def _message_misfits(path: Path, key: str, surroundings: Surroundings) -> Misfits:
    found = surroundings.shelves.of("message").at(key, surroundings.now)
    if found is None:
        yield path, "the key of a published message"
    elif found.document.trigger is not None:
        yield path, "a message without a trigger, which mentions nothing that campaigns don't know"
    elif found.document.segment is not None:
        yield path, "a message without a segment: the campaign says who gets it"


def _others(campaign: Campaign) -> Iterator[tuple[str, Path, str]]:
    if isinstance(campaign.audience, OfSegment):
        yield "segment", ("audience", "segment"), campaign.audience.segment
    if isinstance(campaign.goal, RedeemedOffer):
        yield "offer", ("goal", "offer"), campaign.goal.offer


def _is_zone(name: str) -> bool:
    try:
        members.valid_time_zone(name)
    except InvalidInput:
        return False
    return True


def _budget(campaign: Campaign, _programme: Programme) -> int | None:
    return campaign.budget_minor


_EXAMPLE: dict[str, Any] = {
    "name": "Winter greeting",
    "at": "2026-12-01T10:00:00",
    "variants": [
        {"name": "warm", "message": "winter-warm", "share_bps": 5_000},
        {"name": "short", "message": "winter-short", "share_bps": 5_000},
    ],
    "audience": {"kind": "segment", "segment": "regulars"},
    "hold_out_bps": 1_000,
    "goal": {"kind": "purchase", "within_days": 7},
}
CAMPAIGN = definitions.register(
    Kind(
        "campaign",
        Campaign,
        misfits=_misfits,
        budget=_budget,
        after=("message", "offer", "segment"),
        example=_EXAMPLE,
    )
)
