"""A real server with the demo's data, and a browser to visit it with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Page, chromium
from tests.serving.servers import started


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `python -m server serve --demo` answers."""
    folder = tmp_path_factory.mktemp("server")
    words = ("--demo", "--port", "0", "--data", str(folder / "data"))
    with started(*words, cwd=folder) as server:
        yield server.url
        assert server.stop() == 0
    assert server.complaints == []


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A fresh browser's only tab."""
    with chromium(tmp_path / "profile") as opened:
        yield opened
