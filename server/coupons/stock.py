"""Single-use codes in the database: by keyed hash alone, made in batches, taken and put back."""

import base64
import hmac
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from server.clock import Instant
from server.coupons import codes, models
from server.coupons.documents import CouponTerms, SingleUse
from server.coupons.kinds import COUPON
from server.definitions import service as definitions
from server.errors import InvalidInput, NotFound, phrase
from server.storage import sql
from server.storage.ids import new_id, new_ids
from server.storage.secrets import shared_secret

_SECRET = "coupon codes"  # noqa: S105 - the name of a secret
_HASH_CONTEXT = b"laurel coupon code 1:"
_DERIVE_CONTEXT = b"laurel coupon batch 1:"


class BatchView(Struct, frozen=True):
    """A batch of codes; the first attributes are the columns of its table."""

    id: int
    coupon: str
    size: int
    status: str  # making, ready, void
    made_by: str
    made_at: Instant
    finished_at: Instant | None
    redeemed: int = 0  # how many of its codes


class Hasher:
    """The keyed hashes of codes."""

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(secret, _HASH_CONTEXT, "sha256")

    def hash_of(self, code: str) -> str:
        """HMAC-SHA-256 of a code without dashes, in base 64."""
        keyed = self._keyed.copy()
        keyed.update(code.encode())
        return base64.urlsafe_b64encode(keyed.digest())[:43].decode()


async def hasher() -> Hasher:
    """What hashes the deployment's codes."""
    return Hasher(await shared_secret(_SECRET))


async def single_use_terms(coupon: str, now: Instant) -> CouponTerms:
    """The terms of a coupon whose codes are generated. Raises NotFound, or InvalidInput for one
    with shared codes."""
    published = (await definitions.shelves()).of(COUPON.name).at(coupon, now)
    if published is None:
        raise NotFound("not_found", path=("coupon",))
    terms: CouponTerms = published.document
    if not isinstance(terms.codes, SingleUse):
        raise InvalidInput(
            "coupon.not_generated",
            path=("coupon",),
            value=coupon,
            accepted=phrase("accepted.single_use_coupon"),
        )
    return terms


async def begin(coupon: str, size: int, *, by: str, now: Instant) -> BatchView:
    """Note a batch that is about to be made; none of its codes counts before it is finished.
    Writes; call it inside a transaction."""
    batch = BatchView(new_id(), coupon, size, "making", by, now, None)
    await sql.execute(models.INSERT_BATCH, *_row(batch))
    return batch


def _row(batch: BatchView) -> sql.Row:
    return (
        *(batch.id, batch.coupon, batch.size, batch.status),
        *(batch.made_by, batch.made_at, batch.finished_at),
    )


async def add(batch_id: int, hashes: Iterable[str]) -> None:
    """Put codes into a batch, by their hashes. Writes; call it inside a transaction."""
    ordered = sorted(hashes)  # so that the index grows in few places at a time
    rows = [(one, code, batch_id) for one, code in zip(new_ids(len(ordered)), ordered, strict=True)]
    await sql.execute_many(models.INSERT_CODE, rows)


async def finish(batch_id: int, *, is_whole: bool, now: Instant) -> bool:
    """Let the codes of a batch count, or none of them ever; False if that was decided before.
    Writes; call it inside a transaction."""
    status = "ready" if is_whole else "void"
    return await sql.execute(models.FINISH_BATCH, status, now, batch_id) == 1


async def derived_batch(
    coupon: str, size: int, *, by: str, now: Instant
) -> tuple[BatchView, list[str]]:
    """A finished batch whose codes can be told again by `codes_of`: they follow from its id and
    the deployment's secret. Writes; call it inside a transaction."""
    batch = await begin(coupon, size, by=by, now=now)
    made = await codes_of(batch.id, size)
    hashing = await hasher()
    await add(batch.id, map(hashing.hash_of, made))
    await finish(batch.id, is_whole=True, now=now)
    return BatchView(batch.id, coupon, size, "ready", by, now, now), made


async def codes_of(batch_id: int, size: int) -> list[str]:
    """The codes of a batch that `derived_batch` made, without dashes."""
    return list(_derived(await shared_secret(_SECRET), batch_id, size))


def _derived(secret: bytes, batch_id: int, size: int) -> Iterator[str]:
    keyed = hmac.new(secret, _DERIVE_CONTEXT + f"{batch_id}:".encode(), "sha256")
    for number in range(size):
        one = keyed.copy()
        one.update(str(number).encode())
        yield codes.code_of(int.from_bytes(one.digest()[:7], "big"))


async def batches(coupon: str | None, *, before: int, limit: int) -> list[BatchView]:
    """The newest batches, of the coupon or of all, with an id below `before`."""
    return [BatchView(*row) for row in await models.batches(coupon, before=before, limit=limit)]


async def found(hashes: Sequence[str]) -> dict[str, sql.Row]:
    """What is known of the codes with these hashes, by hash; unknown ones are left out."""
    if not hashes:
        return {}
    statement, values = models.codes_by_hash(hashes)
    return {row[0]: row for row in await sql.fetch(statement, *values)}


async def take(
    code_hash: str,
    member_id: int,
    *,
    basket_id: int | None,
    reserved_until: Instant | None,
    now: Instant,
) -> bool:
    """Reserve the code until then, or redeem it (None); False if somebody else has it.
    Writes; call it inside a transaction."""
    redeemed_at = now if reserved_until is None else None
    changed = await sql.execute(
        models.TAKE_CODE, member_id, basket_id, reserved_until, redeemed_at, code_hash, now
    )
    return changed == 1
