"""What one request carries: who calls, in which language, and its batched look-ups."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from strawberry.dataloader import DataLoader
from strawberry.types import Info as StrawberryInfo

from server.principal import ANONYMOUS, Principal

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


@dataclass
class Context:
    """One request's context."""

    principal: Principal = ANONYMOUS
    language: str = "en"
    request_id: str = ""
    simulated_at: int | None = None
    _loaders: dict[Any, DataLoader[Any, Any]] = field(default_factory=dict)

    def loader(
        self, load: Callable[[list[_Key]], Awaitable[Sequence[_Value]]]
    ) -> DataLoader[_Key, _Value]:
        """This request's batching look-up for `load`: one call for all keys asked for at once.

        Never await one inside a write transaction: on SQLite it would wait for that transaction.
        """
        if load not in self._loaders:
            self._loaders[load] = DataLoader(load_fn=load, max_batch_size=500)
        return self._loaders[load]


Info = StrawberryInfo[Context, None]
