"""What whole replays in tests need: no real waiting, a short replay, and its death."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from server.replay import session
from server.replay.client import Client
from server.replay.server_process import Patience, RemoteServer
from tests.replay.helpers import Json, many_baskets, rules


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without real waiting."""

    def impatient(url: str) -> RemoteServer:
        return RemoteServer(url, Patience(seconds=0.2, pause=0.005))

    monkeypatch.setattr(session, "RemoteServer", impatient)


@pytest.fixture
def reliable_power(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk: no test here switches the machine off."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def short() -> tuple[Json, list[Json]]:
    """Few baskets, but several rounds of redemptions in several chunks."""
    document = rules(programme={"last_local_date": "2017-01-18"})
    return document, many_baskets()[:14]


NEVER = -1


class Killed(BaseException):
    """Stands for the end of the process: nothing of the replay's own handling runs."""


class Death:
    """Ends the replay at one of its requests, before or after the server has had it."""

    def __init__(self) -> None:
        self.at = NEVER
        self.after = False
        self._count = 0
        self._how: type[BaseException] = Killed

    def comes(self, at: int, *, after: bool, how: type[BaseException] = Killed) -> None:
        """A new life, which ends at that request."""
        self.at, self.after, self._count, self._how = at, after, 0, how

    def around(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """The client's `execute`, which death may interrupt."""

        def execute_or_die(*args: Any, **named: Any) -> Any:
            number, self._count = self._count, self._count + 1
            if number == self.at and not self.after:
                raise self._how
            answer = execute(*args, **named)
            if number == self.at and self.after:
                raise self._how
            return answer

        return execute_or_die


@pytest.fixture
def death(monkeypatch: pytest.MonkeyPatch) -> Death:
    death = Death()
    monkeypatch.setattr(Client, "execute", death.around(Client.execute))
    return death
