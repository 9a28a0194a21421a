"""What `python -m server keys ...` does: API keys, and the keys that tokens are signed with.

Each command assumes an open, migrated database and returns text for a terminal.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from server.clock import Instant, datetime_of, system_now
from server.members import api_keys, keys
from server.members.api_keys import ApiKeyView
from server.principal import Scope
from server.storage import sql

ROTATE = "rotate_signing_key"
"""The errand of `rotate_signing_key`, for a server that holds the database."""


async def rotate_signing_key(*, is_compromised: bool) -> str:
    """Make the next signing key; what there is to say of it."""
    async with sql.transaction():
        made = await keys.rotate(is_compromised=is_compromised)
    if is_compromised:
        return (
            f"{made.key_id} signs now; all other keys are retired. Access tokens that they signed"
            " are refused, and apps go on with their refresh tokens."
        )
    return (
        f"{made.key_id} is published, and signs from {_shown(made.signs_from)}. The older keys are"
        " retired when the last tokens that they sign have expired."
    )


async def list_signing_keys() -> str:
    """The signing keys, a line each, in the order in which they sign."""
    return "\n".join(_line(key) for key in await keys.signing_keys())


def _line(key: keys.SigningKey) -> str:
    made, signs = _shown(key.created_at), _shown(key.signs_from)
    ends = "" if key.retired_at is None else f", retired from {_shown(key.retired_at)}"
    return f"{key.key_id}  made {made}, signs from {signs}{ends}"


def _shown(instant: Instant) -> str:
    return datetime_of(instant).isoformat(timespec="seconds").replace("+00:00", "Z")


# ---------------------------------------------------------------- API keys

KEY_CREATE, KEY_REPLACE, KEY_REVOKE = "create_api_key", "replace_api_key", "revoke_api_key"
"""The errands of the commands that write API keys. The command makes the secret and tells the
server its hash alone."""


async def key_create(
    *, name: str, partner: str, scopes: Sequence[str], expires_in_days: int, key_hash: str
) -> str:
    """Make the key with the hash, which expires after so many days, never for 0; its id."""
    expires_at = api_keys.expiry_in(expires_in_days) if expires_in_days else None
    async with sql.transaction():
        made = await api_keys.add_api_key(
            name,
            partner,
            [Scope(scope) for scope in scopes],
            expires_at=expires_at,
            key_hash=key_hash,
        )
    return str(made)


async def key_replace(*, key_id: int, overlap_hours: int, key_hash: str) -> str:
    """Put the key with the hash in the other's place; JSON with its id, and with the instant from
    which on the other is refused."""
    async with sql.transaction():
        replaced = await api_keys.replace_api_key(
            key_id, overlap_hours=overlap_hours, key_hash=key_hash
        )
    until = replaced.former.expires_at
    assert until is not None, "what is replaced expires"
    return msgspec.json.encode(
        {"id": str(replaced.made.id), "formerExpiresAt": _shown(until)}
    ).decode()


async def key_revoke(*, key_id: int) -> str:
    """Revoke a key; what there is to say of it. Raises NotFound."""
    async with sql.transaction():
        found = await api_keys.api_key(key_id)
        was_active = await api_keys.revoke_api_key(key_id)
    return f"{found.name} is refused from now on." if was_active else f"{found.name} was revoked."


async def key_list(*, as_json: bool) -> str:
    """All API keys, the newest first: as JSON, or a line each."""
    found: list[ApiKeyView] = []
    while page := await api_keys.api_keys(before=found[-1].id if found else None, limit=500):
        found += page
    now = system_now()
    if as_json:
        return msgspec.json.encode([_key_facts(view, now) for view in found]).decode()
    return "\n".join(_key_line(view, now) for view in found) or "There are no API keys."


def _key_facts(view: ApiKeyView, now: Instant) -> dict[str, object]:
    return {
        "id": str(view.id),
        "name": view.name,
        "partner": view.partner,
        "scopes": view.scopes,
        "createdAt": _shown(view.created_at),
        "expiresAt": _shown_if(view.expires_at),
        "revokedAt": _shown_if(view.revoked_at),
        "lastUsedAt": _shown_if(view.last_used_at),
        "replacesId": None if view.replaces_id is None else str(view.replaces_id),
        "state": view.state_at(now).name,
    }


def _key_line(view: ApiKeyView, now: Instant) -> str:
    return (
        f"{view.id}  {view.state_at(now).name}  {view.name} ({view.partner}):"
        f" {', '.join(view.scopes)}; made {_shown(view.created_at)},"
        f" expires {_shown_if(view.expires_at) or 'never'},"
        f" last used {_shown_if(view.last_used_at) or 'never'}"
    )


def _shown_if(instant: Instant | None) -> str | None:
    return None if instant is None else _shown(instant)


ERRANDS: dict[str, Callable[..., Coroutine[Any, Any, str]]] = {
    ROTATE: rotate_signing_key,
    KEY_CREATE: key_create,
    KEY_REPLACE: key_replace,
    KEY_REVOKE: key_revoke,
}
"""What a server does for commands that find it holding the database."""
