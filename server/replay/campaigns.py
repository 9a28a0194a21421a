"""A programme's offers, as definitions and as redemptions to play: pure functions of the tables."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from server import clock
from server.clock import Instant
from server.programme.document import Offer
from server.replay.tables import Redemption, Tables

LANGUAGE = "en"
REDEMPTIONS_PER_BATCH = 200
_KEY = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
_MIDDAY = 12 * 3600 * clock.MICROSECONDS_PER_SECOND
_TITLE_CHARACTERS = 120

Document = dict[str, Any]


@dataclass(frozen=True)
class Use:
    """A redemption as a till tells it."""

    household: str
    code: str
    at: Instant
    offer: str  # its id


def key_of(offer_id: str) -> str:
    """The key of the offer's definitions: its id, where that can be one."""
    if _KEY.fullmatch(offer_id):
        return offer_id
    return f"offer-{hashlib.sha256(offer_id.encode()).hexdigest()[:16]}"


def code_of(offers: Sequence[Offer], place: int, coupon: str) -> str:
    """The code of a coupon. The same coupon may be in several campaigns, and the same campaign in
    several offers, and each has limits of its own."""
    campaign = offers[place].campaign_id
    before = sum(other.campaign_id == campaign for other in offers[:place])
    return f"C{campaign}-U{coupon}" + (f"-N{before + 1}" if before else "")


def campaigns_of(offers: Sequence[Offer]) -> frozenset[int]:
    """The campaigns whose rows the offers need."""
    return frozenset(
        campaign
        for offer in offers
        for campaign in (
            offer.campaign_id,
            offer.segment.campaign_id,
            offer.coupons.campaign_id,
        )
    )


def lacking(offers: Sequence[Offer], tables: Tables) -> Iterator[str]:
    """What the tables do not have, in a line for each offer that it concerns."""
    for offer in offers:
        parts = (
            ("members", offer.segment.campaign_id, tables.households),
            ("coupons", offer.coupons.campaign_id, tables.coupons),
        )
        for what, campaign, known in parts:
            if campaign not in known:
                yield f"Offer {offer.id}: the tables have no {what} of campaign {campaign}."


def definitions_of(
    offers: Sequence[Offer], tables: Tables, households: frozenset[str]
) -> list[Document]:
    """What is published for the offers: for each a segment, the offer, and its coupons.

    A segment has those of the campaign's households that are played, as nobody else is a member.
    """
    items: list[Document] = []
    for place, offer in enumerate(offers):
        key = key_of(offer.id)
        items.append(
            {"kind": "segment", "key": key, "document": _segment(offer, tables, households)}
        )
        items.append({"kind": "offer", "key": key, "document": _offer(offer)})
        coupons = tables.coupons.get(offer.coupons.campaign_id)
        if coupons:
            codes = [
                {"code": code_of(offers, place, coupon), "products": _in_order(products)}
                for coupon, products in sorted(coupons.items(), key=lambda one: _rank(one[0]))
            ]
            items.append({"kind": "coupon", "key": key, "document": _coupon(offer, codes)})
    return items


def _segment(offer: Offer, tables: Tables, households: frozenset[str]) -> Document:
    listed = tables.households.get(offer.segment.campaign_id, frozenset()) & households
    members = {"kind": "list", "external_ids": _in_order(listed)}
    return {"name": f"Members of {offer.name}"[:_TITLE_CHARACTERS], "members": members}


def _offer(offer: Offer) -> Document:
    description = f"Coupons of campaign {offer.campaign_id}, {offer.campaign_type}"
    return {
        "default_language": LANGUAGE,
        "texts": {
            LANGUAGE: {"title": offer.name[:_TITLE_CHARACTERS], "description": description[:1000]}
        },
        "discount": {"kind": "till"},
        "audience": {"segments": [key_of(offer.id)]},
        "schedule": {
            "starts_on": offer.valid_from.isoformat(),
            "ends_on": offer.valid_to.isoformat(),
        },
        "needs_coupon": True,
    }


def _coupon(offer: Offer, codes: list[Document]) -> Document:
    # Which of the pool's coupons a member was issued is not in the data: each of them may be used.
    return {
        "offer": key_of(offer.id),
        "codes": {"kind": "shared", "codes": codes},
        "per_member_per_day": offer.max_redemptions_per_coupon_member_day,
    }


def _rank(name: str) -> tuple[int, str]:
    """Numbers by their value."""
    return len(name), name


def _in_order(names: frozenset[str]) -> list[str]:
    return sorted(names, key=_rank)


def uses(
    offers: Sequence[Offer],
    tables: Tables,
    households: frozenset[str],
    *,
    first: date,
    last: date,
    zone_name: str,
) -> Iterator[Use]:
    """The redemptions to play, by date: those of the offers' coupons by members of their segments,
    within the replay's dates. Whether they count is for the server to say."""
    for row in tables.redemptions:
        if first <= row.date <= last and row.household in households:
            at = midday(row.date, zone_name)
            for place, offer in enumerate(offers):
                if _is_of(offer, row, tables):
                    yield Use(row.household, code_of(offers, place, row.coupon), at, offer.id)


def _is_of(offer: Offer, row: Redemption, tables: Tables) -> bool:
    return (
        row.campaign == offer.campaign_id
        and row.household in tables.households.get(offer.segment.campaign_id, frozenset())
        and row.coupon in tables.coupons.get(offer.coupons.campaign_id, {})
    )


def midday(day: date, zone_name: str) -> Instant:
    """An instant in the middle of the local day."""
    return Instant(clock.start_of_day(clock.day_of(day), zone_name) + _MIDDAY)


def batches(all_uses: Iterator[Use], size: int = REDEMPTIONS_PER_BATCH) -> Iterator[list[Use]]:
    """The redemptions in groups of at most `size`, in order."""
    while group := list(islice(all_uses, size)):
        yield group
