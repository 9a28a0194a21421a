"""What a member's balances and statement are made from: the branches of one question."""

from server.ledger.queries import EFFECT, IS_LINE
from server.storage.parts import Branch

_OPEN_LOT = "FROM ledger_accounts a JOIN lots l ON l.account_id = a.id AND l.remaining > 0"

ACCOUNTS = Branch(
    "accounts",
    member="a.member_id",
    numbers=(
        "a.granted_total",
        "a.redeemed_total",
        "a.expired_total",
        "a.reversed_total",
        "a.moved_total",
        "a.owed",
        "a.last_sequence",
        "a.balance",
    ),
    texts=("a.asset",),
    source="FROM ledger_accounts a WHERE a.member_id IN ({members})",
)
"""Each account of the members."""

LOTS = Branch(
    "lots",
    member="a.member_id",
    numbers=("l.remaining", "l.available_at", "l.expires_at"),
    texts=("a.asset",),
    source=f"{_OPEN_LOT} WHERE a.member_id IN ({{members}})",
)
"""What is left of their lots."""

LOTS_OF = Branch(
    "lots of an asset",
    member="a.member_id",
    numbers=(*LOTS.numbers, "l.id", "l.sequence", "l.programme_version"),
    texts=("a.asset", "l.rule"),
    source=f"{_OPEN_LOT} WHERE a.member_id IN ({{members}}) AND a.asset = {{0}}",
    value_count=1,
)
"""What is left of their lots in an asset, and where it came from."""

SUMS = Branch(
    "sums of lots",
    member="a.member_id",
    numbers=("CAST(SUM(l.remaining) AS BIGINT)", "MAX(l.available_at)", "MIN(l.expires_at)"),
    texts=("a.asset",),
    source=f"{_OPEN_LOT} WHERE a.member_id IN ({{members}}) AND a.asset IN ({{0}}, {{1}})"
    " GROUP BY a.member_id, a.asset,"
    " CASE WHEN l.available_at <= {2} AND l.expires_at > {3} THEN 0 ELSE l.id END",
    value_count=4,
)
"""What is left of their lots in two assets, as few lots that are worth the same at every instant
from {2} to {3}: what can be spent all the while is one, which lapses when the first of it does."""

PORTIONS = Branch(
    "portions",
    member="a.member_id",
    numbers=("h.remaining", "h.releases_at", "h.lot_expires_at", "h.id", "l.sequence", "h.lot_id"),
    texts=("a.asset", "l.rule"),
    source="FROM ledger_accounts a JOIN held_portions h ON h.account_id = a.id AND h.remaining > 0"
    " JOIN lots l ON l.id = h.lot_id WHERE a.member_id IN ({members})",
)
"""What holds still hold, or held when they expired."""

_POSTINGS = "FROM ledger_accounts a JOIN postings p ON p.account_id = a.id"
_LINE = ("p.sequence", EFFECT, "p.balance_after", "p.reference", "p.occurred_at")
_WANTED = f"WHERE a.member_id IN ({{members}}) AND a.asset = {{0}} AND {IS_LINE}"

NEWEST = Branch(
    "newest lines",
    member="a.member_id",
    numbers=_LINE,
    texts=("p.reason", "p.rule"),
    source=f"{_POSTINGS} AND p.sequence > a.last_sequence - {{1}} {_WANTED}",
    value_count=2,
)
"""Of the newest postings of the account in an asset, as many as are said, those that are lines."""

EARLIER = Branch(
    "earlier lines",
    member="a.member_id",
    numbers=_LINE,
    texts=("p.reason", "p.rule"),
    source=f"{_POSTINGS} AND p.sequence < {{1}} AND p.sequence >= {{2}} {_WANTED}",
    value_count=3,
)
"""Those of the postings below a sequence, from another one on, that are lines."""
