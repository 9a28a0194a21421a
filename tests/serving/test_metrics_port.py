"""Metrics are shown on a port of their own, if one is asked for, and nowhere else."""

import shutil
import socket
from pathlib import Path

import pytest

from server.storage.database import DATABASE_FILE
from tests.serving.servers import Server, ask, finished, get, started


@pytest.fixture
def data(tmp_path: Path, sqlite_template: Path) -> Path:
    """A folder with a migrated, empty database."""
    shutil.copyfile(sqlite_template, tmp_path / DATABASE_FILE)
    return tmp_path


def metrics_url(server: Server) -> str:
    """Where the figures are, as the server says itself."""
    return server.wait_for(r"^Metrics: (http://\S+)$")[1]


def test_they_have_a_port_of_their_own(data: Path) -> None:
    words = ("--port", "0", "--metrics-port", "0", "--data", str(data))
    with started(*words, cwd=data) as server:
        url = metrics_url(server)
        assert url.startswith("http://127.0.0.1:")
        assert not url.startswith(server.url)
        assert ask(server.url, "{ __typename }") == {"__typename": "Query"}
        status, text = get(url)
        assert status == 200
        labels = '{field="introspection",kind="query",outcome="answered"}'
        assert f"laurel_requests_total{labels} 1.0" in text
        assert "process_cpu_seconds_total" in text
        assert get(f"{server.url}/metrics")[0] == 404
        assert server.stop() == 0
    assert server.printed == [f"Ready: {server.url}", f"Metrics: {url}", "Stopped."]
    assert server.complaints == []


def test_a_setting_asks_for_them_too(data: Path) -> None:
    settings = {"LAUREL_METRICS_PORT": "0", "LAUREL_METRICS_HOST": "127.0.0.2"}
    with started("--port", "0", "--data", str(data), cwd=data, settings=settings) as server:
        assert get(metrics_url(server))[0] == 200
        assert server.stop() == 0


@pytest.mark.parametrize("host", ["", "192.0.2.1"])
def test_a_place_that_cannot_be_listened_on_is_named(data: Path, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ("--port", "0", "--metrics-port", str(port), "--data", str(data))
        settings = {"LAUREL_METRICS_HOST": host} if host else {}
        result = finished("serve", *words, cwd=data, settings=settings)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    option = "LAUREL_METRICS_HOST" if host else "--metrics-port"
    assert line.startswith(f"laurel: can't listen on {host or '127.0.0.1'} port {port}: ")
    assert line.endswith(f"choose another with {option}")
