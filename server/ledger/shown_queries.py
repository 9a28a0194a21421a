"""What a member's balances and statement are made from: the branches of one question."""

from server.ledger.queries import EFFECT, IS_LINE
from server.storage.parts import Branch

_LOT_OF_ACCOUNT = "FROM ledger_accounts a JOIN lots l ON l.account_id = a.id"

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
    numbers=(
        "l.remaining",
        "l.available_at",
        "l.expires_at",
        "l.id",
        "l.sequence",
        "l.programme_version",
    ),
    texts=("a.asset", "l.rule"),
    source=f"{_LOT_OF_ACCOUNT} AND l.remaining > 0 WHERE a.member_id IN ({{members}})",
)
"""What is left of their lots."""

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
