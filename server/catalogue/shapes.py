"""Rewards in the schema: what anybody is shown of one, and how a member stands to it."""

from enum import Enum

import strawberry

from server.catalogue import rules, service
from server.catalogue.documents import Donation, Fulfilment, PartnerReward, Voucher, kind_name
from server.catalogue.service import MemberReward as Standing
from server.catalogue.service import Shown
from server.clock import NEVER, Instant
from server.edge.context import Info
from server.edge.enums import described
from server.edge.fields import computed
from server.edge.pages import PageInfo
from server.edge.permissions import EVERYONE, MEMBER_DATA, shown_to
from server.edge.scalars import Money


class RewardKind(Enum):
    """What a reward is."""

    PRODUCT = "product"
    VOUCHER = "voucher"
    EXPERIENCE = "experience"
    DONATION = "donation"
    FREE_SHIPPING = "free_shipping"
    PARTNER = "partner"


described(
    RewardKind,
    description="What a reward is.",
    PRODUCT="Goods that the shop hands over or sends.",
    VOUCHER="A voucher that tills take as payment.",
    EXPERIENCE="Something to take part in.",
    DONATION="Points given to a good cause.",
    FREE_SHIPPING="One delivery without its charge, by the order's code.",
    PARTNER="Something of a partner's, who takes the order's code.",
)
described(
    Fulfilment,
    name="RewardFulfilment",
    description="How a member comes by what was ordered.",
    INSTANT="It is theirs at once.",
    MANUAL="The shop makes it ready and hands it over.",
)


@shown_to(EVERYONE)
@strawberry.type(description="Something of the catalogue that points buy.")
class Reward:
    """A reward."""

    key: str = strawberry.field(description="What orders name it by; it stays the same for ever.")
    kind: RewardKind = strawberry.field(description="What it is.")
    title: str = strawberry.field(description="What it is called, in the caller's language.")
    description: str | None = strawberry.field(description="What it is, if more is said of it.")
    terms: str | None = strawberry.field(description="The small print, if there is any.")
    language: str = strawberry.field(
        description="The language of the texts, as a BCP 47 tag: the caller's, or the reward's own "
        "where there are no texts in that."
    )
    image_url: str | None = strawberry.field(description="Where its picture is, if it has one.")
    categories: list[str] = strawberry.field(
        description="Where it stands in the catalogue, as the shop has sorted it."
    )
    points: int = strawberry.field(description="What one unit costs, in points.")
    money: Money | None = strawberry.field(
        description="What one unit costs in money besides, to be paid at the counter; null if "
        "nothing."
    )
    value: Money | None = strawberry.field(
        description="What a voucher is worth; null for everything else."
    )
    donation_to: str | None = strawberry.field(
        description="Who receives a donation; null for everything else."
    )
    partner: str | None = strawberry.field(
        description="Which partner gives it; null for everything else."
    )
    fulfilment: Fulfilment = strawberry.field(description="How a member comes by it.")
    valid_from: Instant | None = strawberry.field(
        description="Since when it can be ordered; null for always."
    )
    valid_to: Instant | None = strawberry.field(
        description="From when on it can't be ordered any more; null for never."
    )
    per_member: int | None = strawberry.field(
        description="How many units one member may have; null for as many as they like."
    )
    tiers: list[str] = strawberry.field(
        description="The tiers of which one is needed; empty if none is."
    )
    valid_days: int | None = strawberry.field(
        description="For how many days after that of its order its code is good; null for ever."
    )
    by_drop_only: bool = strawberry.field(
        description="Whether it is to be had in flash drops alone."
    )
    shown: strawberry.Private[Shown]

    @computed(
        description="How many units are left, if they are 100 or fewer; null for more, or where "
        "there is no end of them."
    )
    async def units_left(self, info: Info) -> int | None:
        """The stock."""
        left = await _left(info, self.shown)
        return None if left is None or left > rules.MAXIMUM_STOCK_SHOWN else left

    @computed(description="Whether none is left.")
    async def is_out_of_stock(self, info: Info) -> bool:
        """No stock."""
        return await _left(info, self.shown) == 0


async def _left(info: Info, shown: Shown) -> int | None:
    if shown.document.stock is None:
        return None
    return rules.stock_left(shown.document, await info.context.loader(_sold).load(shown.key))


async def _sold(keys: list[str]) -> list[int]:
    sold = await service.sold_units()
    return [sold.get(key, 0) for key in keys]


def shown_reward(shown: Shown, language: str) -> Reward:
    """A reward as the schema shows it to who reads the language."""
    document, what = shown.document, shown.document.what
    tag, text = rules.text_of(document, language)

    def money(amount_minor: int) -> Money:
        return Money.of(amount_minor, shown.currency, shown.digits)

    return Reward(
        key=shown.key,
        kind=RewardKind(kind_name(what)),
        title=text.title,
        description=text.description,
        terms=text.terms,
        language=tag,
        image_url=document.image_url,
        categories=list(document.categories),
        points=document.price.points,
        money=money(document.price.money_minor) if document.price.money_minor else None,
        value=money(what.value_minor) if isinstance(what, Voucher) else None,
        donation_to=what.to if isinstance(what, Donation) else None,
        partner=what.partner if isinstance(what, PartnerReward) else None,
        fulfilment=document.fulfilment,
        valid_from=None if document.valid_from is None else shown.starts_at,
        valid_to=None if shown.ends_at == NEVER else shown.ends_at,
        per_member=document.per_member,
        tiers=list(document.audience.tiers),
        valid_days=document.voucher_valid_days,
        by_drop_only=document.by_drop_only,
        shown=shown,
    )


@shown_to(EVERYONE)
@strawberry.type(description="A reward with its place in the list.")
class RewardEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The reward's place, for `after`.")
    node: Reward = strawberry.field(description="The reward.")


@shown_to(EVERYONE)
@strawberry.type(description="A page of the catalogue, the cheapest in points first.")
class RewardConnection:
    """Relay's connection."""

    edges: list[RewardEdge] = strawberry.field(description="The rewards with their places.")
    nodes: list[Reward] = strawberry.field(description="The rewards alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="How a member stands to a reward of the catalogue.")
class MemberReward:
    """A reward, for a member."""

    reward: Reward = strawberry.field(description="The reward.")
    is_for_member: bool = strawberry.field(
        description="Whether the member has a tier that it asks for, or it asks for none."
    )
    can_afford: bool = strawberry.field(
        description="Whether the member has the points for one unit now."
    )
    short_by_points: int = strawberry.field(
        description="How many points are missing to one unit; 0 if none are."
    )
    reachable_in_purchases: int | None = strawberry.field(
        description="After how many purchases like the last ones the points are there: "
        "`shortByPoints` divided by the average that the member's last ten purchases earned (what "
        "was returned taken off), rounded up. 0 if nothing is missing; null if there were no "
        "purchases, or they earned nothing."
    )
    is_favourite: bool = strawberry.field(description="Whether the member likes it.")
    units_ordered: int = strawberry.field(
        description="How many units the member has ordered and not cancelled."
    )


def shown_standing(standing: Standing, language: str) -> MemberReward:
    """How a member stands to a reward, as the schema shows it."""
    return MemberReward(
        reward=shown_reward(standing.shown, language),
        is_for_member=standing.is_for_member,
        can_afford=not standing.short_by,
        short_by_points=standing.short_by,
        reachable_in_purchases=standing.reachable_in_purchases,
        is_favourite=standing.is_favourite,
        units_ordered=standing.ordered,
    )


@shown_to(MEMBER_DATA)
@strawberry.type(description="A reward, as a member stands to it, with its place in the list.")
class MemberRewardEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The reward's place, for `after`.")
    node: MemberReward = strawberry.field(description="The reward.")


@shown_to(MEMBER_DATA)
@strawberry.type(description="A page of the catalogue for a member, the cheapest in points first.")
class MemberRewardConnection:
    """Relay's connection."""

    edges: list[MemberRewardEdge] = strawberry.field(description="The rewards with their places.")
    nodes: list[MemberReward] = strawberry.field(description="The rewards alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")
