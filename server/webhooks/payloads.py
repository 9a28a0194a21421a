"""How an event becomes what a webhook says: `{"type", "version", "timestamp", "data"}`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from server import money
from server.clock import NEVER, Instant, datetime_of
from server.edge.nodes import global_id
from server.storage.outbox import Event
from server.webhooks import payload_types as types
from server.webhooks.payload_types import Money

VERSION: Final = 1


class EventType(StrEnum):
    """What webhooks tell of."""

    MEMBER_CREATED = "member.created"
    MEMBER_UPDATED = "member.updated"
    MEMBER_MERGED = "member.merged"
    CONSENT_CHANGED = "consent.changed"
    PURCHASE_RECORDED = "purchase.recorded"
    PURCHASE_RETURNED = "purchase.returned"
    POINTS_EARNED = "points.earned"
    POINTS_REDEEMED = "points.redeemed"
    POINTS_REVERSED = "points.reversed"
    POINTS_EXPIRED = "points.expired"
    CASHBACK_ACCRUED = "cashback.accrued"
    TIER_CHANGED = "tier.changed"
    CHALLENGE_COMPLETED = "challenge.completed"
    VOUCHER_ISSUED = "voucher.issued"
    ORDER_CHANGED = "order.changed"
    REFERRAL_REWARDED = "referral.rewarded"
    DEFINITION_PUBLISHED = "definition.published"
    NOTIFICATION_OPENED = "notification.opened"
    WEBHOOK_DISABLED = "webhook.disabled"
    PING = "ping"  # only by request


class Terms(Struct, frozen=True):
    """What facts are told with: the programme's currency, and the purchases referred to."""

    currency: str
    digits: int
    purchases: Mapping[int, tuple[int, str]]  # by its id or a return's: the purchase, its partner

    def money(self, amount_minor: int, currency: str | None = None) -> Money:
        """An amount, in the programme's currency if no other is stated."""
        amount = money.decimal_of(amount_minor, self.digits)
        return Money(format(amount, "f"), currency or self.currency)


class Kind(Struct, frozen=True):
    """An event type: what it says, and how it is made of the facts."""

    data: type[Struct]
    make: Callable[[Event, Terms], Struct]
    example: Mapping[str, Any]
    """Facts of such an event."""

    @property
    def description(self) -> str:
        """What has happened, in a sentence."""
        return (self.data.__doc__ or "").strip()


def encoded(event: Event, terms: Terms) -> str:
    """What a webhook says of the event, as JSON. Raises KeyError for an event that webhooks do not
    tell of, and other errors for facts that are not as they should be."""
    return said(event.kind, KINDS[EventType(event.kind)].make(event, terms), event.occurred_at)


def said(kind: str, data: Struct, at: Instant) -> str:
    """The data with what stands around it."""
    return msgspec.json.encode(
        {"type": kind, "version": VERSION, "timestamp": datetime_of(at), "data": data}
    ).decode()


# ---------------------------------------------------------------- parts


def _member(event: Event) -> str:
    if event.member_id is None:
        raise ValueError("an event of a member without one")
    return global_id("Member", event.member_id)


def _moment(instant: int | None) -> datetime | None:
    return None if instant is None or instant >= NEVER else datetime_of(Instant(instant))


def _upper(word: object) -> str | None:
    return None if word is None else str(word).upper()


def _purchase(event: Event, terms: Terms) -> str | None:
    found = terms.purchases.get(event.facts.get("reference") or 0)
    return None if found is None else global_id("Purchase", found[0])


# ---------------------------------------------------------------- events


def _merged(event: Event, _terms: Terms) -> Struct:
    into = global_id("Member", event.facts["into"])
    return types.MemberMerged(_member(event), into)


def _consent(event: Event, _terms: Terms) -> Struct:
    facts = event.facts
    return types.ConsentChanged(
        _member(event),
        bool(facts["is_given"]),
        *(_upper(facts.get(name)) for name in ("purpose", "channel", "category")),
    )


def _recorded(event: Event, terms: Terms) -> Struct:
    facts = event.facts
    currency = facts["currency"]
    return types.PurchaseRecorded(
        _member(event),
        global_id("Purchase", facts["purchase_id"]),
        facts["external_id"],
        facts["partner"],
        terms.money(facts["net_minor"], currency),
        terms.money(facts["eligible_minor"], currency),
        facts["points"],
        terms.money(facts["cashback_minor"], currency),
    )


def _returned(event: Event, terms: Terms) -> Struct:
    facts = event.facts
    refund_minor = facts.get("refund_minor")
    return types.PurchaseReturned(
        _member(event),
        global_id("Purchase", facts["purchase_id"]),
        global_id("PurchaseReturn", facts["return_id"]),
        facts["external_id"],
        facts["partner"],
        facts["points"],
        terms.money(facts["cashback_minor"]),
        None if refund_minor is None else terms.money(refund_minor),
    )


def _earned(event: Event, terms: Terms) -> Struct:
    facts = event.facts
    return types.PointsEarned(
        _member(event),
        facts["points"],
        str(facts["reason"]).upper(),
        _purchase(event, terms),
        _moment(facts.get("available_at")),
        _moment(facts.get("expires_at")),
    )


def _redeemed(event: Event, _terms: Terms) -> Struct:
    facts = event.facts
    return types.PointsRedeemed(_member(event), facts["points"], str(facts["reason"]).upper())


def _reversed(event: Event, terms: Terms) -> Struct:
    facts = event.facts
    reason = str(facts["reason"]).upper()
    return types.PointsReversed(_member(event), facts["points"], reason, _purchase(event, terms))


def _expired(event: Event, _terms: Terms) -> Struct:
    return types.PointsExpired(_member(event), event.facts["points"])


def _accrued(event: Event, terms: Terms) -> Struct:
    facts = event.facts
    amount = terms.money(facts["amount_minor"], facts["currency"])
    return types.CashbackAccrued(_member(event), amount, _moment(facts.get("available_at")))


def _tier(event: Event, _terms: Terms) -> Struct:
    return types.TierChanged(_member(event), event.facts["before"], event.facts["after"])


def _completed(event: Event, _terms: Terms) -> Struct:
    facts = event.facts
    return types.ChallengeCompleted(
        _member(event), facts["challenge"], facts["points"], facts["times"]
    )


def _voucher(event: Event, terms: Terms) -> Struct:
    facts = event.facts
    value = terms.money(facts["value_minor"], facts["currency"])
    return types.VoucherIssued(_member(event), global_id("Voucher", facts["voucher_id"]), value)


def _order(event: Event, _terms: Terms) -> Struct:
    facts = event.facts
    order_id = global_id("RewardOrder", facts["order_id"])
    return types.OrderChanged(
        _member(event), order_id, facts["reward"], str(facts["state"]).upper()
    )


def _referral(event: Event, _terms: Terms) -> Struct:
    facts = event.facts
    referral_id = global_id("Referral", facts["referral_id"])
    return types.ReferralRewarded(
        _member(event), referral_id, str(facts["role"]).upper(), facts["points"]
    )


def _published(event: Event, _terms: Terms) -> Struct:
    facts = event.facts
    return types.DefinitionPublished(facts["kind"], facts["key"], facts["version"])


def _opened(event: Event, _terms: Terms) -> Struct:
    notification_id = global_id("Notification", event.facts["notification_id"])
    return types.NotificationOpened(_member(event), notification_id)


def _disabled(event: Event, _terms: Terms) -> Struct:
    return types.WebhookDisabled(global_id("Webhook", event.facts["subscription_id"]))


def _ping(event: Event, _terms: Terms) -> Struct:
    return types.Ping(global_id("Webhook", event.facts["subscription_id"]))


# ---------------------------------------------------------------- all of them

_AT = 1_769_860_800_000_000  # 2026-01-31T12:00:00Z
_LATER = 1_801_396_800_000_000  # 2027-01-31T12:00:00Z
_POINTS = {"points": 120, "reason": "purchase", "reference": 31}

KINDS: Final[Mapping[EventType, Kind]] = {
    EventType.MEMBER_CREATED: Kind(
        types.MemberCreated, lambda event, _: types.MemberCreated(_member(event)), {}
    ),
    EventType.MEMBER_UPDATED: Kind(
        types.MemberUpdated, lambda event, _: types.MemberUpdated(_member(event)), {}
    ),
    EventType.MEMBER_MERGED: Kind(types.MemberMerged, _merged, {"into": 8}),
    EventType.CONSENT_CHANGED: Kind(
        types.ConsentChanged, _consent, {"purpose": "email", "is_given": True}
    ),
    EventType.PURCHASE_RECORDED: Kind(
        types.PurchaseRecorded,
        _recorded,
        {
            "purchase_id": 31,
            "external_id": "order-1001",
            "partner": "bakery",
            "currency": "USD",
            "net_minor": 12_050,
            "eligible_minor": 12_000,
            "points": 120,
            "cashback_minor": 60,
        },
    ),
    EventType.PURCHASE_RETURNED: Kind(
        types.PurchaseReturned,
        _returned,
        {
            "purchase_id": 31,
            "return_id": 32,
            "external_id": "refund-1001",
            "partner": "bakery",
            "points": 20,
            "cashback_minor": 10,
            "refund_minor": 2_000,
        },
    ),
    EventType.POINTS_EARNED: Kind(
        types.PointsEarned, _earned, {**_POINTS, "available_at": _AT, "expires_at": _LATER}
    ),
    EventType.POINTS_REDEEMED: Kind(
        types.PointsRedeemed, _redeemed, {**_POINTS, "reason": "redemption", "reference": 41}
    ),
    EventType.POINTS_REVERSED: Kind(
        types.PointsReversed, _reversed, {**_POINTS, "reason": "return"}
    ),
    EventType.POINTS_EXPIRED: Kind(types.PointsExpired, _expired, {"points": 50}),
    EventType.CASHBACK_ACCRUED: Kind(
        types.CashbackAccrued,
        _accrued,
        {"currency": "USD", "amount_minor": 60, "available_at": _AT},
    ),
    EventType.TIER_CHANGED: Kind(types.TierChanged, _tier, {"before": "Silver", "after": "Gold"}),
    EventType.CHALLENGE_COMPLETED: Kind(
        types.ChallengeCompleted, _completed, {"challenge": "five-visits", "points": 50, "times": 1}
    ),
    EventType.VOUCHER_ISSUED: Kind(
        types.VoucherIssued, _voucher, {"voucher_id": 41, "value_minor": 1_000, "currency": "USD"}
    ),
    EventType.ORDER_CHANGED: Kind(
        types.OrderChanged, _order, {"order_id": 42, "reward": "mug", "state": "ready"}
    ),
    EventType.REFERRAL_REWARDED: Kind(
        types.ReferralRewarded, _referral, {"referral_id": 43, "role": "inviter", "points": 500}
    ),
    EventType.DEFINITION_PUBLISHED: Kind(
        types.DefinitionPublished, _published, {"kind": "offer", "key": "spring", "version": 2}
    ),
    EventType.NOTIFICATION_OPENED: Kind(types.NotificationOpened, _opened, {"notification_id": 44}),
    EventType.WEBHOOK_DISABLED: Kind(types.WebhookDisabled, _disabled, {"subscription_id": 45}),
    EventType.PING: Kind(types.Ping, _ping, {"subscription_id": 45}),
}
_OF_NOBODY = (EventType.DEFINITION_PUBLISHED, EventType.WEBHOOK_DISABLED, EventType.PING)


def ping(subscription_id: int, event_id: int, at: Instant) -> str:
    """What tests a subscription."""
    facts = {"subscription_id": subscription_id}
    event = Event(event_id, EventType.PING.value, None, facts, at, at)
    return encoded(event, Terms("", 0, {}))


def example(kind: EventType) -> str:
    """What such an event looks like."""
    member_id = None if kind in _OF_NOBODY else 7
    event = Event(1, kind.value, member_id, KINDS[kind].example, Instant(_AT), Instant(_AT))
    return encoded(event, Terms("USD", 2, {31: (31, "bakery")}))


def envelope(kind: EventType) -> type[Struct]:
    """The type of the whole of what a webhook says of such an event."""
    one = KINDS[kind]
    occurred = Annotated[datetime, Meta(tz=True, description="When it happened, in UTC.")]
    return msgspec.defstruct(
        f"{one.data.__name__}Event",
        [
            ("type", Literal[kind.value]),
            ("version", Literal[1]),
            ("timestamp", occurred),
            ("data", one.data),
        ],
        frozen=True,
    )


def json_schema(kind: EventType) -> str:
    """The JSON Schema (2020-12) of what such an event looks like."""
    return msgspec.json.format(msgspec.json.encode(msgspec.json.schema(envelope(kind)))).decode()
