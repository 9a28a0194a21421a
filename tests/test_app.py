"""What the app answers besides GraphQL when its database does not."""

from pathlib import Path

import httpx2
import pytest

from server.app import create_app
from server.members import service as members
from server.settings import Settings
from server.storage import sql


async def _unreachable(*_: object) -> None:
    raise ConnectionRefusedError("no database here")


@pytest.mark.parametrize("path", ["/readyz", "/.well-known/jwks.json"])
async def test_without_its_database_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    monkeypatch.setattr(sql, "fetch", _unreachable)
    monkeypatch.setattr(members, "jwks", _unreachable)
    app = create_app(Settings(data=tmp_path), opens_database=False)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get(path)
    assert response.status_code == 503
    assert response.text == "the database does not answer\n"
