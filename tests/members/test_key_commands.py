"""API keys by command: made, listed, replaced and revoked, and never shown again."""

import json

import pytest
import time_machine

from server.errors import InvalidInput, NotFound
from server.members import api_keys, commands
from server.members.errors import AuthenticationFailed
from server.storage.database import Address


async def created(*, expires_in_days: int = 365) -> tuple[int, str]:
    """A key made by command: its id and the key."""
    key = api_keys.new_key()
    key_id = await commands.key_create(
        name="Till 1",
        partner="grocer",
        scopes=["PURCHASES_WRITE", "MEMBERS_READ"],
        expires_in_days=expires_in_days,
        key_hash=api_keys.hash_of(key),
    )
    return int(key_id), key


async def listed() -> list[dict[str, object]]:
    """The list as JSON."""
    found: list[dict[str, object]] = json.loads(await commands.key_list(as_json=True))
    return found


async def test_a_key_that_a_command_made_is_accepted_and_listed(
    database: Address, clock: time_machine.Traveller
) -> None:
    assert await commands.key_list(as_json=False) == "There are no API keys."
    key_id, key = await created()
    assert (await api_keys.authenticate_api_key(key)).id == key_id
    assert await listed() == [
        {
            "id": str(key_id),
            "name": "Till 1",
            "partner": "grocer",
            "scopes": ["MEMBERS_READ", "PURCHASES_WRITE"],
            "createdAt": "2026-03-04T05:06:07Z",
            "expiresAt": "2027-03-04T05:06:07Z",
            "revokedAt": None,
            "lastUsedAt": None,
            "replacesId": None,
            "state": "ACTIVE",
        }
    ]
    assert await commands.key_list(as_json=False) == (
        f"{key_id}  ACTIVE  Till 1 (grocer): MEMBERS_READ, PURCHASES_WRITE;"
        " made 2026-03-04T05:06:07Z, expires 2027-03-04T05:06:07Z, last used never"
    )


async def test_a_key_without_days_never_expires_and_more_than_ten_years_are_refused(
    database: Address,
) -> None:
    await created(expires_in_days=0)
    assert [one["expiresAt"] for one in await listed()] == [None]
    with pytest.raises(InvalidInput):
        await created(expires_in_days=3651)
    assert len(await listed()) == 1


async def test_a_command_replaces_a_key(database: Address, clock: time_machine.Traveller) -> None:
    former_id, former = await created()
    key = api_keys.new_key()
    said = json.loads(
        await commands.key_replace(
            key_id=former_id, overlap_hours=2, key_hash=api_keys.hash_of(key)
        )
    )
    assert said["formerExpiresAt"] == "2026-03-04T07:06:07Z"
    assert str((await api_keys.authenticate_api_key(key)).id) == said["id"]
    clock.shift(7_200)
    with pytest.raises(AuthenticationFailed):
        await api_keys.authenticate_api_key(former)
    assert [(one["state"], one["replacesId"]) for one in await listed()] == [
        ("ACTIVE", str(former_id)),
        ("EXPIRED", None),
    ]


async def test_a_command_revokes_a_key_once(database: Address) -> None:
    key_id, key = await created()
    assert await commands.key_revoke(key_id=key_id) == "Till 1 is refused from now on."
    assert await commands.key_revoke(key_id=key_id) == "Till 1 was revoked."
    with pytest.raises(AuthenticationFailed):
        await api_keys.authenticate_api_key(key)
    with pytest.raises(NotFound):
        await commands.key_revoke(key_id=17)


def test_a_server_does_the_same_for_commands_that_find_it_holding_the_database() -> None:
    assert commands.ERRANDS.keys() >= {
        commands.KEY_CREATE,
        commands.KEY_REPLACE,
        commands.KEY_REVOKE,
    }
