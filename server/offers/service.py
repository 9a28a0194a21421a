"""The verbs of offers: how members stand with them, holding, using, giving back, activating."""

from server.offers import queries
from server.offers.clipping import activate, deactivate
from server.offers.eligible import MemberOffer, OfferState, key_of, member_offers, number_of
from server.offers.limits import Limit, OfferExhausted
from server.offers.returning import Share, asks_purchase_uses, give_back, uses_found
from server.offers.shoppers import register_plans
from server.offers.standings import Sought, standings, standings_of_many
from server.offers.uses import HoldOver, UseView, basket_uses, hold, release, use, use_held

__all__ = [
    "HoldOver",
    "Limit",
    "MemberOffer",
    "OfferExhausted",
    "OfferState",
    "Share",
    "Sought",
    "UseView",
    "activate",
    "asks_purchase_uses",
    "basket_uses",
    "deactivate",
    "give_back",
    "hold",
    "key_of",
    "member_offers",
    "move",
    "move_back",
    "number_of",
    "register_plans",
    "release",
    "standings",
    "standings_of_many",
    "use",
    "use_held",
    "uses_found",
]
move = queries.move_activations
"""When members are merged: the receiver has what the giver has activated."""
move_back = queries.move_activations_back
"""And when they are parted."""
