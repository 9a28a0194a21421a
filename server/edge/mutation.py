"""How a mutation writes: once for each idempotency key, in one transaction."""

import inspect
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Any, TypeVar

import msgspec

from server.edge import idempotency
from server.edge.context import Info
from server.edge.gathered_writes import GatheredWrites
from server.edge.problems import problem_of
from server.errors import DomainError

KEY_DESCRIPTION = (
    "A new key for each new request, such as a UUID: 1 to 255 printable characters. Repeating a "
    "request with its key answers what the first one did and changes nothing more; another request "
    "with the same key is an IdempotencyConflict."
)
"""What the schema says of every `idempotencyKey`."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result", bound=msgspec.Struct)


async def write_together(
    info: Info,
    input: Any,
    *,
    writes: GatheredWrites[_Item, _Result],
    item: _Item,
    apart: Iterable[Hashable],
    alone: Callable[[], Awaitable[_Result]],
    present: Callable[[_Result], Any],
) -> Any:
    """As `write_once`, but that concurrent requests are done together: `item` says what `writes`
    is to do of this one, and `alone` does the same by itself. Requests that have one of `apart` in
    common are not done at once."""
    context = info.context
    try:
        answer = await writes.once(
            scope=f"{context.principal.name}/{info.field_name}",
            key=input.idempotency_key,
            content=await idempotency.content_hash(input),
            item=item,
            apart=apart,
            alone=alone,
        )
    except DomainError as error:
        return problem_of(error, context.language)
    return present(answer)


async def write_once(
    info: Info,
    input: Any,
    *,
    work: Callable[[], Awaitable[_Result]],
    result: type[_Result],
    present: Callable[[_Result], Any],
    hashed: Any = None,
    whom: str | None = None,
) -> Any:
    """Do `work` once for the input's `idempotency_key`; what `present` shows of its result.

    `work` runs inside the one transaction that also keeps its result for later repetitions; a
    DomainError rolls it back and is answered as a Problem. `present` may be asynchronous.
    `hashed` stands in for the input where that holds secrets, which must not be hashed into the
    database. `whom` stands in for the caller where the input says who is calling (an address, a
    session) and not the credentials: each of them has keys of its own, whatever credentials are
    sent as well. It's kept as a hash.
    """
    context = info.context
    try:
        caller = context.principal.name if whom is None else await idempotency.caller_hash(whom)
        answer = await idempotency.once(
            scope=f"{caller}/{info.field_name}",
            key=input.idempotency_key,
            content=await idempotency.content_hash(input if hashed is None else hashed),
            work=work,
            result=result,
        )
    except DomainError as error:
        return problem_of(error, context.language)
    shown = present(answer)
    return await shown if inspect.isawaitable(shown) else shown
