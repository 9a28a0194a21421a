"""The results: members, months and retention as the server states them, in JSON Lines."""

import os
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from server import clock
from server.replay.checkpoint import sync_folder
from server.replay.client import Client
from server.replay.errors import ReplayStopped
from server.replay.results import INSIGHTS, MEMBERS, Insights, Member, Money, Month

Row = dict[str, Any]

MEMBERS_FILE, MONTHS_FILE, RETENTION_FILE = "members.jsonl", "months.jsonl", "retention.jsonl"
MEMBERS_PER_PAGE = 100


def write_results(
    client: Client,
    folder: Path,
    *,
    households: frozenset[str],
    minor_units_per_major: int,
    at: clock.Instant,
) -> None:
    """Writes the three files, each at one instant, as of the instant `at`."""
    members = _whole(_members(client, at), households)
    rows = (member_row(member, minor_units_per_major) for member in members)
    write_rows(folder / MEMBERS_FILE, rows)
    insights = client.execute(INSIGHTS, b"{}", at=at, about="Insights").insights
    write_rows(folder / MONTHS_FILE, map(month_row, insights.months))
    write_rows(folder / RETENTION_FILE, retention_rows(insights))


def _members(client: Client, at: clock.Instant) -> Iterator[Member]:
    """All members of the server, page by page."""
    after: str | None = None
    while True:
        variables = msgspec.json.encode({"first": MEMBERS_PER_PAGE, "after": after})
        page = client.execute(MEMBERS, variables, at=at, about="Members").members
        for edge in page.edges:
            yield edge.node
        if not page.page_info.has_next_page:
            return
        after = page.page_info.end_cursor


def _whole(members: Iterable[Member], households: frozenset[str]) -> Iterator[Member]:
    """The members that are the replay's households, and all of them."""
    seen = set()
    for member in members:
        if member.external_id in households:
            seen.add(member.external_id)
            yield member
    if len(seen) != len(households):
        missing = min(households - seen, key=lambda household: (len(household), household))
        raise ReplayStopped(f"Members: the server does not list household {missing}.")


def member_row(member: Member, minor_units_per_major: int) -> Row:
    """A member's line."""

    def minor(money: Money) -> int:
        return minor_of(money.amount, minor_units_per_major)

    completed = {challenge.key: challenge.completions for challenge in member.challenges}
    streaks = sum(
        challenge.streak.completions for challenge in member.challenges if challenge.streak
    )
    return {
        "household_id": member.external_id,
        "points_earned": member.points.lifetime_earned,
        "points_redeemed": member.points.lifetime_redeemed,
        "points_expired": member.points.lifetime_expired,
        "points_available": member.points.available,
        "points_pending": member.points.pending,
        "vouchers_issued": member.vouchers_issued,
        "cashback_earned_minor": minor(member.cashback.lifetime_accrued),
        "cashback_available_minor": minor(member.cashback.available),
        "cashback_pending_minor": minor(member.cashback.pending),
        "cashback_capped_minor": minor(member.cashback.lifetime_capped),
        "eligible_spend_minor": minor(member.eligible_spend),
        "tier": member.tier.name,
        "tier_changes": member.tier.changes,
        "weekly_visits_completed": completed.get("weekly_visits", 0),
        "streaks_completed": streaks,
        "departments_completed": completed.get("departments", 0),
        "month_spend_completed": completed.get("month_spend", 0),
    }


def month_row(month: Month) -> Row:
    """A month's line."""
    row: Row = {
        "month": month.month,
        "new_members": month.new_members,
        "active_members": month.active_members,
        "repeat_members": month.repeat_members,
        "baskets": month.purchases,
        "net_minor": int(month.net_minor),
        "eligible_minor": int(month.eligible_minor),
        "repeat_purchase_rate": number(month.repeat_purchase_rate),
        "purchase_frequency": number(month.purchase_frequency),
        "average_basket_minor": number(month.average_basket_minor),
        "points_earned": int(month.points_earned),
        "points_redeemed": int(month.points_redeemed),
        "points_expired": int(month.points_expired),
        "points_outstanding": int(month.points_outstanding),
        "vouchers_issued": month.vouchers_issued,
        "cashback_accrued_minor": int(month.cashback_accrued_minor),
        "cashback_capped_minor": int(month.cashback_capped_minor),
        "cashback_outstanding_minor": int(month.cashback_outstanding_minor),
        "liability_minor": int(month.liability_minor),
        "redemption_rate": number(month.redemption_rate),
        "breakage_rate": number(month.breakage_rate),
    }
    for count in month.members_by_tier:
        row[f"members_{count.tier.lower()}"] = count.members
    return row


def retention_rows(insights: Insights) -> Iterator[Row]:
    """The lines of the retention table."""
    for cell in insights.retention:
        yield {
            "cohort": cell.cohort,
            "month": cell.month,
            "cohort_size": cell.cohort_size,
            "active_members": cell.active_members,
            "retention": number(cell.retention),
        }


def minor_of(amount: Decimal, minor_units_per_major: int) -> int:
    """The whole minor units of a decimal amount. Raises ReplayStopped if it has a fraction more."""
    minor = amount * minor_units_per_major
    if minor != int(minor):
        raise ReplayStopped(
            f"The server states {amount}, which has no whole number of minor units "
            f"at {minor_units_per_major} to one."
        )
    return int(minor)


def number(value: Decimal) -> Raw:
    """The decimal as a JSON number with all of its digits, never through a float."""
    return Raw(format(value, "f").encode())


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes one JSON object a line; `path` changes only when all are written."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            for row in rows:
                file.write(msgspec.json.encode(row) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)
