"""A referral as it is stored, and as its members may see it."""

from enum import StrEnum

import msgspec
from msgspec import Struct

from server.clock import Instant, LocalDay
from server.referrals.documents import ReferralProgramme
from server.referrals.rules import Doubt, ReferralState
from server.storage import sql


class ReferralView(Struct, frozen=True):
    """A referral; amounts are in points and minor units."""

    id: int
    inviter_id: int
    friend_id: int
    programme: str
    version: int
    state: ReferralState
    doubts: tuple[Doubt, ...]
    accepted_at: Instant
    accepted_day: LocalDay
    enrolled_day: LocalDay
    purchase_id: int | None = None
    purchase_day: LocalDay | None = None
    granted_at: Instant | None = None
    granted_month: int | None = None
    available_at: Instant | None = None
    is_capped: bool = False
    inviter_points: int = 0
    inviter_cashback_minor: int = 0
    friend_points: int = 0
    friend_cashback_minor: int = 0
    decided_by: int | None = None
    decided_at: Instant | None = None
    note: str | None = None


def view_of(row: sql.Row) -> ReferralView:
    """The referral of a row (REFERRAL_COLUMNS)."""
    values = list(row)
    values[5] = ReferralState(values[5])
    values[6] = tuple(Doubt(one) for one in values[6].split())
    values[15] = bool(values[15])
    return ReferralView(*values)


def row_of(view: ReferralView) -> sql.Row:
    """The row (REFERRAL_COLUMNS) of a referral."""
    values = list(msgspec.structs.astuple(view))
    values[5], values[6], values[15] = view.state.value, " ".join(view.doubts), int(view.is_capped)
    return tuple(values)


def change_of(view: ReferralView) -> sql.Row:
    """The values of UPDATE_REFERRAL."""
    row = row_of(view)
    return (row[5], row[6], *row[10:], view.id)


class SeenState(StrEnum):
    """How far a referral is, for its members: they are not told of doubts."""

    WAITING = "waiting"  # for the friend's first purchase
    UNDER_REVIEW = "under_review"  # somebody looks at it
    PENDING = "pending"  # the rewards can be used later
    REWARDED = "rewarded"  # they can be used
    RETURNED = "returned"  # the purchase was returned
    EXPIRED = "expired"  # the friend bought nothing in time
    DECLINED = "declined"  # it does not count


def seen_state(
    view: ReferralView, terms: ReferralProgramme, *, now: Instant, today: LocalDay
) -> SeenState:
    """How far the referral is at the instant, on that local day."""
    state = view.state
    if state is ReferralState.REWARDED:
        is_pending = view.available_at is not None and view.available_at > now
        return SeenState.PENDING if is_pending else SeenState.REWARDED
    if state is ReferralState.WAITING:
        is_late = today > view.enrolled_day + terms.within_days
        return SeenState.EXPIRED if is_late else SeenState.WAITING
    if state is ReferralState.REJECTED:
        return SeenState.DECLINED
    if state is ReferralState.RETURNED:
        return SeenState.RETURNED
    return SeenState.UNDER_REVIEW
