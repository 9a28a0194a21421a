"""What one request carries: who calls, in which language, and its batched look-ups."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from strawberry.dataloader import DataLoader
from strawberry.types import Info as StrawberryInfo

from server import clock
from server.clock import Instant
from server.principal import ANONYMOUS, Principal, PrincipalKind

_Value = TypeVar("_Value")


@dataclass
class Context:
    """One request's context."""

    principal: Principal = ANONYMOUS
    language: str = "en"
    asked_language: str | None = None  # None if the caller states none that there are texts in
    at: Instant = field(default_factory=clock.now)  # what every answer of the request holds for
    address: str = ""  # the caller's network address, as far as limits tell callers apart by it
    request_id: str = ""  # what the log finds the request by
    _loaders: dict[Any, DataLoader[Any, Any]] = field(default_factory=dict)

    @property
    def caller(self) -> str:
        """Who calls, as limits see it: the account or key, or the address of nobody known."""
        if self.principal.kind is PrincipalKind.ANONYMOUS:
            return f"address:{self.address}"
        return self.principal.name

    def again(self, principal: Principal) -> "Context":
        """The same caller's context for a later instant: nothing that was looked up is kept."""
        return Context(
            principal=principal,
            language=self.language,
            asked_language=self.asked_language,
            address=self.address,
            request_id=self.request_id,
        )

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
