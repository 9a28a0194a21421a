"""The kind `referral`: what of its documents the type alone cannot say, and which one counts."""

from collections.abc import Iterable

from server.clock import Instant
from server.definitions import service as definitions
from server.definitions.service import Live, Misfits, Published, Surroundings
from server.programme.document import Programme
from server.referrals.documents import ReferralProgramme, Reward

KIND = "referral"
MAXIMUM_KEY = 32
"""Of a longer key the rules that the ledger notes would have no room."""


def _misfits(document: ReferralProgramme, around: Surroundings) -> Misfits:
    if len(around.key) > MAXIMUM_KEY:
        yield (), f"a document under a key of at most {MAXIMUM_KEY} characters"
    friends = [one.friends for one in document.milestones]
    for place, number in enumerate(friends):
        if number in friends[:place]:
            yield ("milestones", place, "friends"), "another number than the milestones before"
    if document.return_period_days >= around.programme.points.expiry_days:
        most = around.programme.points.expiry_days - 1
        yield ("return_period_days",), f"at most {most}: the points would lapse before"


def _budget(document: ReferralProgramme, _programme: Programme) -> int | None:
    """Without limit: nobody knows how many friends come."""
    gives = (document.inviter, document.friend)
    return 0 if all(one == Reward() for one in gives) and not document.milestones else None


REFERRAL = definitions.register(
    definitions.Kind(
        KIND,
        ReferralProgramme,
        misfits=_misfits,
        budget=_budget,
        example={
            "inviter": {"points": 500},
            "friend": {"points": 300},
            "minimum_purchase_minor": 2_000,
            "milestones": [{"friends": 5, "points": 1_000}],
            "caps": {"per_month": 10},
        },
    )
)


def newest(live: Live) -> Published | None:
    """The programme that counts of those that are live: the one that took effect last."""
    return max(
        live.by_key.values(), key=lambda one: (one.effective_at, one.version, one.id), default=None
    )


async def current(now: Instant) -> Published | None:
    """The programme that counts now."""
    return newest((await definitions.shelves()).of(KIND).live(now))


async def accepted(key: str, version: int) -> ReferralProgramme:
    """The terms under which a friend came: what was promised counts, whatever is live now."""
    return (await accepted_all([(key, version)]))[key, version]


async def accepted_all(
    versions: Iterable[tuple[str, int]],
) -> dict[tuple[str, int], ReferralProgramme]:
    """The same of many friends, by key and version; one statement, or none without any."""
    wanted = set(versions)
    if not wanted:
        return {}
    shelf = (await definitions.shelves()).of(KIND)
    return {(key, version): shelf.numbered(key, version).document for key, version in wanted}
