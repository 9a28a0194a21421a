"""The verbs of the catalogue: the only door to it for other domains."""

from server.catalogue.audiences import MemberStanding, standing_of
from server.catalogue.browsing import (
    Favoured,
    MemberReward,
    Shown,
    catalogue,
    favour,
    published,
    rewards_of_members,
    sold_units,
)
from server.catalogue.errors import NotInAudience, NotYetOpen, NotYourTurn, OutOfStock
from server.catalogue.kinds import DROP, REWARD
from server.catalogue.lines import (
    Drop,
    Line,
    PlaceView,
    audience_of,
    audiences_of,
    followed,
    join,
    leave,
    live_drop,
    live_drops,
    places_of,
    taken_units,
)
from server.catalogue.moving import move, move_back
from server.catalogue.orders import cancel, mark_delivered, mark_paid, mark_ready
from server.catalogue.placing import Ordered, Wish, place_order
from server.catalogue.rules import OrderStatus
from server.catalogue.turns import PlaceStatus
from server.catalogue.views import (
    OrderReference,
    OrderView,
    find_orders,
    orders,
    orders_of_members,
)

__all__ = [
    "DROP",
    "REWARD",
    "Drop",
    "Favoured",
    "Line",
    "MemberReward",
    "MemberStanding",
    "NotInAudience",
    "NotYetOpen",
    "NotYourTurn",
    "OrderReference",
    "OrderStatus",
    "OrderView",
    "Ordered",
    "OutOfStock",
    "PlaceStatus",
    "PlaceView",
    "Shown",
    "Wish",
    "audience_of",
    "audiences_of",
    "cancel",
    "catalogue",
    "favour",
    "find_orders",
    "followed",
    "join",
    "leave",
    "live_drop",
    "live_drops",
    "mark_delivered",
    "mark_paid",
    "mark_ready",
    "move",
    "move_back",
    "orders",
    "orders_of_members",
    "place_order",
    "places_of",
    "published",
    "rewards_of_members",
    "sold_units",
    "standing_of",
    "taken_units",
]
