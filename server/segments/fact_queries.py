"""What the facts of members are read from: the branches of one statement, each by an index."""

from functools import lru_cache

from server.storage import sql
from server.storage.parts import Branch

_NET = "p.net_minor - p.returned_net_minor"
_LINE_NET = "l.sales_minor - l.coupon_minor - l.returned_minor"
_PURCHASES = "FROM purchases p"
_IN_A_YEAR = "WHERE p.member_id IN ({members}) AND p.occurred_at >= {0} AND p.occurred_at < {1}"


def _sum(amount: str, since: str | None = None) -> str:
    counted = amount if since is None else f"CASE WHEN p.occurred_at >= {since} THEN {amount} END"
    return f"COALESCE(CAST(SUM({counted}) AS BIGINT), 0)"


LAST_VISIT = Branch(
    "last visits",
    member="m.id",
    numbers=(
        "(SELECT MAX(p.occurred_at) FROM purchases p"
        " WHERE p.member_id = m.id AND p.occurred_at < {0})",
    ),
    source="FROM members m WHERE m.id IN ({members})",
    value_count=1,
)
"""The newest purchase before an instant ({0})."""

VISIT_COUNT = Branch(
    "visit counts",
    member="p.member_id",
    numbers=("COUNT(*)",),
    source=f"{_PURCHASES} WHERE p.member_id IN ({{members}}) AND p.occurred_at < {{0}}"
    " GROUP BY p.member_id",
    value_count=1,
)
"""How many purchases there were before an instant ({0})."""

STORES = Branch(
    "visits by store",
    member="p.member_id",
    numbers=(
        _sum("1", "{3}"),
        _sum("1", "{2}"),
        _sum("1"),
        _sum(_NET, "{3}"),
        _sum(_NET, "{2}"),
        _sum(_NET),
    ),
    texts=("p.store_id",),
    source=f"{_PURCHASES} {_IN_A_YEAR} GROUP BY p.member_id, p.store_id",
    value_count=4,
)
"""Visits, then spend, of the spans that begin at {3}, {2} and {0} and end before {1}, by store."""

DEPARTMENTS = Branch(
    "spend by department",
    member="p.member_id",
    numbers=(_sum(_LINE_NET, "{2}"), _sum(_LINE_NET)),
    texts=("l.department",),
    source=f"{_PURCHASES} JOIN purchase_lines l ON l.purchase_id = p.id {_IN_A_YEAR}"
    " GROUP BY p.member_id, l.department",
    value_count=3,
)
"""Spend of the spans that begin at {2} and {0} and end before {1}, by department."""

CONSENTS = Branch(
    "consents",
    member="c.member_id",
    numbers=("c.is_given",),
    texts=("c.purpose",),
    source="FROM member_consents c WHERE c.member_id IN ({members})",
)

HOUSEHOLD = Branch(
    "present stays",
    member="h.member_id",
    numbers=("h.household_id",),
    source="FROM household_members h WHERE h.member_id IN ({members}) AND h.left_at IS NULL",
)


@lru_cache(maxsize=64)
def listed_in(count: int) -> Branch:
    """In which of `count` versions of segments the members are listed."""
    wanted = ", ".join(f"{{{place}}}" for place in range(count))
    return Branch(
        "listings",
        member="s.member_id",
        numbers=("s.version_id",),
        source="FROM segment_members s WHERE s.member_id IN ({members})"
        f" AND s.version_id IN ({wanted})",
        value_count=count,
    )


PAGE = "SELECT id FROM members WHERE id > $1 AND merged_into IS NULL ORDER BY id LIMIT $2"


async def page_of_ids(*, after_id: int, limit: int) -> list[int]:
    """The next members in the order of their ids, those who were merged left out."""
    return [row[0] for row in await sql.fetch(PAGE, after_id, limit)]


async def member_count() -> int:
    """How many members there are, those who were merged left out."""
    row = await sql.fetch_one("SELECT COUNT(*) FROM members WHERE merged_into IS NULL")
    return 0 if row is None else int(row[0])
