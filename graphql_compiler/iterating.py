"""Lists that come bit by bit: from asynchronous iterators."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from graphql import located_error
from graphql.pyutils import is_awaitable

if TYPE_CHECKING:
    from graphql_compiler.running import Run, Waits, Where
    from graphql_compiler.sites import Spot


async def completed_iterator(item: "Spot", run: "Run", value: Any, where: "Where") -> Any:
    """The list of what an asynchronous iterator gives, its items completed as they come."""
    iterator = value.__aiter__()
    results: list[Any] = []
    waits: Waits | None = None
    try:
        while True:
            try:
                one = await anext(iterator)
            except StopAsyncIteration:
                break
            except Exception as error:
                raise located_error(error, item.site.nodes, run.path(where).as_list()) from error
            done, waits = _completed(item, run, (where, len(results), None), one, waits)
            results.append(done)
    except Exception:
        if (close := getattr(iterator, "aclose", None)) is not None:
            with suppress(Exception):
                await close()
        run.settle(waits)
        raise
    return await run.gather(results, waits) if waits else results


def _completed(
    item: "Spot", run: "Run", where: "Where", value: Any, waits: "Waits | None"
) -> "tuple[Any, Waits | None]":
    if is_awaitable(value):
        return item.awaited(run, where, value, waits)
    try:
        return item.slow(run, where, value, waits)
    except Exception as error:
        item.fail(run, where, error)
        return None, waits
