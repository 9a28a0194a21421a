"""Making API keys: what is taken, and a key that is known beforehand."""

import pytest

from server.clock import Instant
from server.errors import InvalidInput
from server.members import api_keys
from server.members import service as members
from server.principal import Scope
from server.storage import sql
from server.storage.database import Address
from tests.members.people import count

KNOWN = "laurel_demo_till_0123456789"


async def create(
    name: str = "Till 3",
    partner: str = "grocer",
    scopes: tuple[Scope, ...] = (Scope.PURCHASES_WRITE,),
    *,
    expires_at: Instant | None = None,
    key: str | None = KNOWN,
) -> members.CreatedApiKey:
    async with sql.transaction():
        return await members.create_api_key(name, partner, scopes, expires_at=expires_at, key=key)


async def test_a_known_key_can_be_given_again(database: Address) -> None:
    first = await create()
    assert await create() == first
    assert first.key == KNOWN
    assert await count("api_keys") == 1


async def test_a_known_key_does_not_change_what_it_stands_for(database: Address) -> None:
    created = await create()
    for other in (
        create(name="Till 4"),
        create(partner="baker"),
        create(scopes=(Scope.PURCHASES_WRITE, Scope.POINTS_REDEEM)),
        create(expires_at=Instant(1)),
    ):
        with pytest.raises(InvalidInput) as caught:
            await other
        assert (caught.value.reason, caught.value.path) == ("api_key.taken", ("key",))
        assert caught.value.value is None
    assert (await api_keys.authenticate_api_key(KNOWN)).scopes == {Scope.PURCHASES_WRITE}
    assert (await api_keys.authenticate_api_key(KNOWN)).id == created.id


async def test_a_revoked_key_does_not_come_back(database: Address) -> None:
    created = await create()
    async with sql.transaction():
        await members.revoke_api_key(created.id)
    with pytest.raises(InvalidInput):
        await create()


@pytest.mark.parametrize("key", ["", "laurel_", "laurel_short", "x" * 50, "laurel_" + "é" * 20])
async def test_a_known_key_has_the_form_of_a_key(database: Address, key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await create(key=key)
    assert (caught.value.path, caught.value.value) == (("key",), None)
    assert await count("api_keys") == 0


async def test_a_key_needs_a_name_a_partner_and_a_scope(database: Address) -> None:
    for refused, path in (
        (create(name=""), "name"),
        (create(partner=""), "partner"),
        (create(partner="x" * 65), "partner"),
        (create(scopes=()), "scopes"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await refused
        assert caught.value.path == (path,)
    assert await count("api_keys") == 0


async def test_a_scope_given_twice_counts_once(database: Address) -> None:
    await create(scopes=(Scope.PURCHASES_WRITE, Scope.PURCHASES_WRITE))
    row = await sql.fetch_one("SELECT scopes FROM api_keys")
    assert row is not None
    assert row[0] == "PURCHASES_WRITE"


async def test_every_scope_fits_into_the_table(database: Address) -> None:
    await create(scopes=tuple(Scope))
    assert (await api_keys.authenticate_api_key(KNOWN)).scopes == frozenset(Scope)
