"""From what happened to the messages that members get of it: a follower of the outbox.

Each event is followed once, in the transaction that removes it. What is older than a day is told to
nobody. What one purchase gave a member for several reasons is one message.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from server import clock, messages
from server.campaigns import member_queries, planning
from server.campaigns.telling import Occasion, tell
from server.catalogue.rules import text_of
from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Live, Published, Shelves
from server.ledger import service as ledger
from server.ledger.service import Reason
from server.money import POINTS
from server.notifications.rendering import trigger_of
from server.programme import service as programme
from server.storage.outbox import Event

STALE_AFTER = 24 * 3_600 * clock.MICROSECONDS_PER_SECOND
EARNING = frozenset(
    reason.value
    for reason in (
        Reason.PURCHASE,
        Reason.WELCOME,
        Reason.CHALLENGE,
        Reason.STREAK,
        Reason.OFFER,
        Reason.REFERRAL,
        Reason.ACTION,
        Reason.GIFT_RECEIVED,
        Reason.ADJUSTMENT,
    )
)
"""The reasons for points that members are told they have earned: not what is only given back."""

_Found = list[Occasion]
_Teller = Callable[[Sequence[Event], Sequence[Published], Instant], Awaitable[_Found]]


async def follow(events: Sequence[Event], now: Instant) -> None:
    """Write the messages that follow from the events. Writes; call it inside a transaction."""
    shelves = await definitions.shelves()
    fresh = [event for event in events if now - event.occurred_at <= STALE_AFTER]
    occasions: _Found = []
    for kind, trigger, teller in _TELLERS:
        concerned = [event for event in fresh if event.kind in kind]
        told = triggered(shelves, trigger, now) if concerned else ()
        if told:
            occasions += await teller(concerned, told, now)
    await tell(occasions, now)
    await _start_offers(fresh, shelves, now)


async def _start_offers(events: Sequence[Event], shelves: Shelves, now: Instant) -> None:
    """Let it be planned who is told of offers that were published."""
    told = triggered(shelves, "offer_published", now)
    for event in events if told else ():
        if event.kind == "definition.published" and event.facts["kind"] == "offer":
            for message in told:
                key, version = event.facts["key"], event.facts["version"]
                await planning.start_for_offer(key, version, message.key, now)


def triggered(shelves: Shelves, trigger: str, now: Instant) -> Sequence[Published]:
    """The messages that count at the instant and have the trigger, in the order of their keys."""
    by_trigger: Mapping[str, Sequence[Published]] = definitions.derived(
        shelves.of("message").live(now), _by_trigger
    )
    return by_trigger.get(trigger, ())


def _by_trigger(live: Live) -> dict[str, list[Published]]:
    found: dict[str, list[Published]] = {}
    for one in live.by_key.values():
        name = trigger_of(one.document)
        if name is not None:
            found.setdefault(name, []).append(one)
    return found


def _of_events(
    events: Sequence[Event],
    told: Sequence[Published],
    variables: Callable[[Event, str], Mapping[str, Any]],
) -> _Found:
    """Each message for each of the events."""
    return [
        Occasion(
            member_id=event.member_id,
            topic=f"{message.key}:{event.id}",
            message=message,
            variables=lambda locale, event=event: variables(event, locale),  # type: ignore[misc]
        )
        for message in told
        for event in events
        if event.member_id is not None
    ]


# ---------------------------------------------------------------- points


async def _points_earned(
    events: Sequence[Event], told: Sequence[Published], now: Instant
) -> _Found:
    groups: dict[tuple[int, int], list[Event]] = {}
    partners: dict[int, str] = {}
    for event in events:
        if event.kind == "purchase.recorded":
            partners[event.facts["purchase_id"]] = event.facts["partner"]
        elif event.facts["reason"] in EARNING and event.member_id is not None:
            about = event.facts["reference"] or event.id
            groups.setdefault((event.member_id, about), []).append(event)
    if not groups:
        return []
    balances = await ledger.balances({member_id for member_id, _about in groups}, now)
    named = await _partner_names(partners.values(), now)
    found: _Found = []
    for (member_id, about), group in groups.items():
        balance = balances.get((member_id, POINTS), ledger.Balance())
        points = sum(event.facts["points"] for event in group)
        values = {
            "points": points,
            "available": balance.available,
            "source": named.get(partners.get(about, ""), ""),
        }
        found += [
            Occasion(
                member_id=member_id,
                # By what gave them: a purchase's events may come in two batches.
                topic=f"{message.key}:{about}",
                message=message,
                variables=lambda _locale, values=values: values,  # type: ignore[misc]
            )
            for message in told
            if points >= message.document.trigger.minimum_points
        ]
    return found


async def _partner_names(keys: Collection[str], now: Instant) -> dict[str, str]:
    """What the partners are called; those without a document are left out."""
    live = (await definitions.shelves()).of("partner").live(now).by_key if keys else {}
    return {key: live[key].document.name for key in keys if key in live}


# ---------------------------------------------------------------- tiers, challenges, friends


async def _tier_reached(events: Sequence[Event], told: Sequence[Published], now: Instant) -> _Found:
    levels = (await programme.rulebook()).at(now).programme.tiers.levels
    ranks = {level.name: rank for rank, level in enumerate(levels)}

    def is_higher(event: Event) -> bool:
        after = ranks.get(event.facts["after"])
        return after is not None and after > ranks.get(event.facts["before"], -1)

    risen = [event for event in events if is_higher(event)]
    return _of_events(risen, told, lambda event, _locale: {"tier": event.facts["after"]})


async def _challenge_completed(
    events: Sequence[Event], told: Sequence[Published], _now: Instant
) -> _Found:
    return _of_events(
        events,
        told,
        lambda event, locale: {
            "challenge": challenge_title(event.facts["challenge"], locale),
            "points": event.facts["points"],
        },
    )


def challenge_title(key: str, locale: str) -> str:
    """What a challenge is called in the language of a locale."""
    return messages.text(f"challenge.{key}.title", messages.language_of_locale(locale))


async def _referral_paid(
    events: Sequence[Event], told: Sequence[Published], _now: Instant
) -> _Found:
    paid = [one for one in events if one.facts["role"] == "inviter" and one.facts["points"]]
    if not paid:
        return []
    names = await member_queries.friends({event.facts["referral_id"] for event in paid})
    return _of_events(
        paid,
        told,
        lambda event, _locale: {
            "points": event.facts["points"],
            "friend": names.get(event.facts["referral_id"], ""),
        },
    )


# ---------------------------------------------------------------- orders, welcome


async def _reward_ready(events: Sequence[Event], told: Sequence[Published], now: Instant) -> _Found:
    return await _ordered(events, "ready", told, now)


async def _order_delivered(
    events: Sequence[Event], told: Sequence[Published], now: Instant
) -> _Found:
    return await _ordered(events, "delivered", told, now)


async def _ordered(
    events: Sequence[Event], state: str, told: Sequence[Published], now: Instant
) -> _Found:
    concerned = [event for event in events if event.facts["state"] == state]
    shelf = (await definitions.shelves()).of("reward")

    def variables(event: Event, locale: str) -> Mapping[str, str]:
        key = event.facts["reward"]
        published = shelf.at(key, now) or shelf.at(key, event.occurred_at)
        # A reward that was withdrawn since is still what was ordered.
        versions = [one for one in shelf.versions(key) if one.document is not None]
        document = (published or versions[-1]).document
        return {"reward": text_of(document, locale)[1].title}

    return _of_events(concerned, told, variables)


async def _welcome(events: Sequence[Event], told: Sequence[Published], _now: Instant) -> _Found:
    return _of_events(events, told, lambda _event, _locale: {})


_TELLERS: tuple[tuple[Collection[str], str, _Teller], ...] = (
    (("member.created",), "welcome", _welcome),
    (("points.earned", "purchase.recorded"), "points_earned", _points_earned),
    (("tier.changed",), "tier_reached", _tier_reached),
    (("challenge.completed",), "challenge_completed", _challenge_completed),
    (("referral.rewarded",), "referral_paid", _referral_paid),
    (("order.changed",), "reward_ready", _reward_ready),
    (("order.changed",), "order_delivered", _order_delivered),
)
"""What tells of an event: its kinds, the trigger of the messages, and how they come to be."""
