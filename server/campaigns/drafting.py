"""From a campaign and members to the message that each of them gets.

No statement is asked here, so that a dry run tells of the very messages that planning writes.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from server import clock
from server.campaigns import rules
from server.campaigns.audiences import Audience, OfOffer
from server.campaigns.documents import Campaign, Variant
from server.campaigns.shapes import OF_OFFER
from server.clock import Instant
from server.definitions.service import Published, Shelves
from server.members.service import Profile
from server.notifications import rendering
from server.notifications.rules import shown_until
from server.notifications.shapes import Draft
from server.offers.documents import Offer
from server.offers.schedules import Timetable
from server.offers.wording import text_of

OFFER_EXPIRES_AFTER = 24 * rules.HOUR
"""For how long an offer's message is worth sending once the offer has begun."""
WHOLE_SHARE = 10_000


class Said(Struct, frozen=True):
    """A variant with the message that is said."""

    variant: Variant
    message: Published


class AnOffer(Struct, frozen=True):
    """An offer that was published, with the time in which it counts."""

    document: Offer
    starts_at: Instant
    ends_at: Instant
    zone_name: str


class Plan(Struct, frozen=True, kw_only=True):
    """A version of a campaign, ready to be drafted for members."""

    topic: str  # its key
    said: tuple[Said, ...]
    audience: Audience
    hold_out_bps: int
    about: Campaign | AnOffer
    programme: str  # what messages call it
    secret: bytes

    @property
    def begins_at(self) -> Instant:
        """From when on members are looked at."""
        return rules.begins_at(self.about) if isinstance(self.about, Campaign) else Instant(0)


def plan_of_campaign(
    key: str, document: Campaign, *, shelves: Shelves, programme: str, secret: bytes, now: Instant
) -> Plan | None:
    """The plan of a campaign; None if a message of it is not published any more."""
    said = _said(document.said, shelves, now)
    if said is None:
        return None
    return Plan(
        topic=key,
        said=said,
        audience=document.audience,
        hold_out_bps=document.hold_out_bps,
        about=document,
        programme=programme,
        secret=secret,
    )


def plan_of_offer(
    offer: Published,
    message: str,
    *,
    shelves: Shelves,
    zone_name: str,
    programme: str,
    secret: bytes,
    now: Instant,
) -> Plan | None:
    """The plan of an offer's message; None if that is not published any more."""
    said = _said((Variant("", message, WHOLE_SHARE),), shelves, now)
    if said is None:
        return None
    document: Offer = offer.document
    timetable = Timetable(document.schedule, zone_name)
    return Plan(
        topic=f"{OF_OFFER}{offer.key}",
        said=said,
        audience=OfOffer(offer.key, said[0].message.document.segment),
        hold_out_bps=0,
        about=AnOffer(document, timetable.starts, timetable.ends, timetable.zone_name),
        programme=programme,
        secret=secret,
    )


def _said(variants: Iterable[Variant], shelves: Shelves, now: Instant) -> tuple[Said, ...] | None:
    messages = shelves.of("message")
    said = [(variant, messages.at(variant.message, now)) for variant in variants]
    found = tuple(Said(variant, message) for variant, message in said if message is not None)
    return found if len(found) == len(said) else None


def drafts(
    plan: Plan, profiles: Iterable[Profile], *, run_id: int | None, now: Instant
) -> Iterator[Draft]:
    """What each of the members gets, those who are held out included, in their order."""
    for profile in profiles:
        held_out_by, variant_by = rules.drawn(plan.secret, plan.topic, profile.id)
        is_held_out = held_out_by < plan.hold_out_bps
        said = plan.said[0] if is_held_out else _chosen(plan, variant_by)
        due_at, expires_at = _when(plan.about, profile.time_zone, now)
        rendered = rendering.rendered(said.message, profile.locale, _values(plan, profile))
        yield Draft(
            member_id=profile.id,
            topic=plan.topic,
            category=said.message.document.category,
            message=said.message.key,
            version_id=said.message.id,
            run_id=run_id,
            variant=None if is_held_out else said.variant.name or None,
            is_held_out=is_held_out,
            is_off_peak=not isinstance(plan.about, Campaign) or plan.about.off_peak,
            locale=rendered.locale,
            title=rendered.title,
            body=rendered.body,
            email_subject=rendered.email_subject,
            email_body=rendered.email_body,
            wire=rendered.wire,
            channels=said.message.document.channels,
            due_at=due_at,
            expires_at=expires_at,
            shown_until=shown_until(due_at, said.message.document.inbox_days, _ends(plan.about)),
        )


def _chosen(plan: Plan, number: int) -> Said:
    if len(plan.said) == 1:
        return plan.said[0]
    variant = rules.chosen([said.variant for said in plan.said], number)
    return next(said for said in plan.said if said.variant is variant)


def _when(about: Campaign | AnOffer, zone_name: str, now: Instant) -> tuple[Instant, Instant]:
    """When a member of the zone is to get it, and from when on it is too late."""
    if isinstance(about, Campaign):
        local = rules.due_in(about, zone_name)
        return Instant(max(local, now)), rules.expiry(about, local)
    due_at = Instant(max(about.starts_at, now))
    return due_at, Instant(min(about.ends_at, due_at + OFFER_EXPIRES_AFTER))


def _ends(about: Campaign | AnOffer) -> Instant:
    return about.ends_at if isinstance(about, AnOffer) else clock.NEVER


def _values(plan: Plan, profile: Profile) -> Mapping[str, Any]:
    values: dict[str, Any] = {"name": profile.name or "", "programme": plan.programme}
    if isinstance(plan.about, AnOffer):
        _tag, text = text_of(plan.about.document, profile.locale)
        values["offer"] = text.title
        values["ends_on"] = _last_day(plan.about)
    return values


def _last_day(offer: AnOffer) -> Any:
    if offer.ends_at == clock.NEVER:
        return None
    return clock.date_of(clock.local_day(Instant(offer.ends_at - 1), offer.zone_name))
