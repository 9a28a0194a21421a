"""What one request carries: who calls, in which language, and its batched look-ups."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from strawberry.types import Info as StrawberryInfo

from server import clock
from server.clock import NEVER, Instant
from server.edge.estimating import Size
from server.edge.loading import Loader
from server.principal import ANONYMOUS, Principal, PrincipalKind

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What an operation asks for, known before it runs."""

    fields: frozenset[tuple[str, str]]  # (type, field) as the schema names them, wherever they are
    firsts: Mapping[tuple[str, str], frozenset[Size]] = field(default_factory=dict)
    """By field that answers pages: how long the pages are that begin with the list."""


@dataclass(eq=False)
class Context:
    """One request's context."""

    principal: Principal = ANONYMOUS
    language: str = "en"
    asked_language: str | None = None  # None if the caller states none that there are texts in
    at: Instant = field(default_factory=clock.now)  # what every answer of the request holds for
    address: str = ""  # the caller's network address, as far as limits tell callers apart by it
    request_id: str = ""  # what the log finds the request by
    asked: Asked | None = None  # None: unknown, so that everything is read when it is come to
    variables: Mapping[str, Any] = field(default_factory=dict)  # as they were sent
    next_change_at: Instant = NEVER  # until when time alone changes nothing of the answer
    _loaders: dict[Any, Loader[Any, Any]] = field(default_factory=dict)
    _given: dict[tuple[object, int], Any] = field(default_factory=dict)

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

    def asks(self, type_name: str, field_name: str) -> bool:
        """Whether the operation may ask for the field of the type."""
        return self.asked is None or (type_name, field_name) in self.asked.fields

    def changes_at(self, instant: Instant) -> None:
        """Something of the answer will be another one at the instant, with nothing written: what
        lies behind the request says nothing. Every field that is `exact` tells all its instants."""
        if self.at < instant < self.next_change_at:
            self.next_change_at = instant

    def loader(
        self, load: Callable[..., Awaitable[Sequence[_Value]]], *bound: Any
    ) -> Loader[Any, _Value]:
        """This request's batching look-up: one call of `load(keys, *bound)` for all keys asked for
        at once. Equal values bound mean the same look-up.

        Never await one inside a write transaction: on SQLite it would wait for that transaction.
        """
        key = (load, *bound)
        found = self._loaders.get(key)
        if found is None:
            found = self._loaders[key] = Loader(load, bound)
        return found

    def give(self, kind: object, key: int, value: Any) -> None:
        """The request knows this value of the key: what asks `given` for it looks up nothing."""
        self._given[kind, key] = value

    def given(self, kind: object, key: int) -> Any:
        """What the request was given of that kind, or None."""
        return self._given.get((kind, key))


Info = StrawberryInfo[Context, None]
