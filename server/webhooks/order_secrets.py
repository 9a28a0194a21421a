"""The secrets that shops sign their orders with: shown once, replaced with an overlap, revoked.

Their time is the machine's, whatever a request says: they are what shows who somebody is.
"""

from collections.abc import Sequence

import msgspec

from server.clock import MICROSECONDS_PER_SECOND, Instant, system_now
from server.errors import LimitReached, NotAllowed, NotFound
from server.storage import sql
from server.storage.ids import new_id
from server.webhooks import order_queries, queries, rules
from server.webhooks.signing import secret_bytes

MAXIMUM_OF_PARTNER = 5
"""Secrets of one partner that are accepted at the same time."""
_HOUR = 3_600 * MICROSECONDS_PER_SECOND


class OrderSecret(msgspec.Struct, frozen=True):
    """What is known of a secret; the secret itself is stored nowhere."""

    id: int
    partner: str
    created_at: Instant
    expires_at: Instant | None

    def is_accepted_at(self, now: Instant) -> bool:
        """Whether it counts then."""
        return self.expires_at is None or self.expires_at > now


class RotatedSecret(msgspec.Struct, frozen=True):
    """A secret that takes another's place, and the other as it stands now."""

    made: OrderSecret
    former: OrderSecret


def _shown(row: sql.Row) -> OrderSecret:
    id_, partner, created_at, expires_at = row
    return OrderSecret(id_, partner, created_at, expires_at)


async def create(partner: str) -> OrderSecret:
    """A new secret for the partner's orders. Writes; call it inside a transaction. Raises
    InvalidInput, and LimitReached if the partner has five."""
    return await _create(rules.valid_partner(partner), system_now())


async def _create(partner: str, now: Instant) -> OrderSecret:
    count = len(await order_queries.accepted(partner, now))
    if count >= MAXIMUM_OF_PARTNER:
        raise LimitReached("webhook.secret_limit", limit=MAXIMUM_OF_PARTNER, left=0)
    made = OrderSecret(new_id(), partner, now, None)
    await sql.execute(queries.INSERT_SECRET, made.id, None, partner, now, None)
    return made


async def rotate(secret_id: int, *, overlap_hours: int) -> RotatedSecret:
    """Make a secret for the same partner; the former one counts for `overlap_hours` more. Writes;
    call it inside a transaction. Raises NotFound, InvalidInput, LimitReached, and NotAllowed for a
    secret that has ended."""
    rules.valid_overlap_hours(overlap_hours)
    now = system_now()
    former = await _locked(secret_id)
    if not former.is_accepted_at(now):
        raise NotAllowed("webhook.secret_ended", path=("orderWebhookSecretId",))
    made = await _create(former.partner, now)
    await sql.execute(order_queries.EXPIRE, now + overlap_hours * _HOUR, secret_id)
    return RotatedSecret(made, await _locked(secret_id))


async def revoke(secret_id: int) -> OrderSecret:
    """End a secret at once; one that has ended stays as it is. Writes; call it inside a
    transaction. Raises NotFound."""
    await _locked(secret_id)
    await sql.execute(order_queries.EXPIRE, system_now(), secret_id)
    return await _locked(secret_id)


async def _locked(secret_id: int) -> OrderSecret:
    row = await order_queries.secret(secret_id, locks=True)
    if row is None:
        raise NotFound("webhook.secret_not_found", path=("orderWebhookSecretId",))
    return _shown(row)


async def find(secret_id: int) -> OrderSecret | None:
    """The secret with that id; None if there is none."""
    row = await order_queries.secret(secret_id)
    return None if row is None else _shown(row)


async def secrets(*, before: int, limit: int) -> list[OrderSecret]:
    """The newest secrets with an id below `before`, ended ones included."""
    return [_shown(row) for row in await order_queries.secrets(before, limit)]


async def accepted(partner: str | None, now: Instant) -> dict[str, Sequence[bytes]]:
    """The secrets that count now, by partner; of one partner alone, if one is named."""
    found: dict[str, list[bytes]] = {}
    for secret_id, owner in await order_queries.accepted(partner, now):
        found.setdefault(owner, []).append(await secret_bytes(secret_id))
    return dict(found)
