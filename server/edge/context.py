"""What one request carries: who calls, in which language, and its batched look-ups."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from strawberry.dataloader import DataLoader
from strawberry.types import Info as StrawberryInfo

from server import clock
from server.clock import Instant
from server.principal import ANONYMOUS, Principal

_Value = TypeVar("_Value")


@dataclass
class Context:
    """One request's context."""

    principal: Principal = ANONYMOUS
    language: str = "en"
    asked_language: str | None = None  # None if the caller states no language
    at: Instant = field(default_factory=clock.now)  # what every answer of the request holds for
    _loaders: dict[Any, DataLoader[Any, Any]] = field(default_factory=dict)

    def loader(
        self, load: Callable[..., Awaitable[Sequence[_Value]]], *bound: Any
    ) -> DataLoader[Any, _Value]:
        """This request's batching look-up: one call of `load(keys, *bound)` for all keys asked for
        at once. Equal integers and the same other objects bound mean the same look-up.

        Never await one inside a write transaction: on SQLite it would wait for that transaction.
        """
        key = (load, *(one if isinstance(one, int) else id(one) for one in bound))
        if key not in self._loaders:

            async def load_all(keys: list[Any]) -> Sequence[_Value]:
                return await load(keys, *bound)

            self._loaders[key] = DataLoader(load_fn=load_all, max_batch_size=500)
        return self._loaders[key]


Info = StrawberryInfo[Context, None]
