"""The signing keys and the secret: made once for all processes, changed without a gap."""

import asyncio

import jwt
import pytest
import time_machine
from jwt import PyJWK
from tortoise.connection import get_connections

from server.members import keys as key_store
from server.members import service as members
from server.members.errors import AuthenticationFailed
from server.storage import secrets as shared
from server.storage import sql
from server.storage.database import Address
from tests.members.people import SECOND, START, count, signed_up


def forget() -> None:
    """What a process knows is gone, as after a restart."""
    key_store._rings.clear()
    shared._known.clear()


async def test_the_first_start_makes_one_key_and_later_ones_none(database: Address) -> None:
    await members.prepare_keys()
    first = await members.jwks()
    forget()
    await members.prepare_keys()
    assert await members.jwks() == first
    assert (await count("signing_keys"), await count("shared_secrets")) == (1, 1)


async def test_processes_that_start_at_once_share_one_key(database: Address) -> None:
    await asyncio.gather(*(members.prepare_keys() for _ in range(4)))
    assert (await count("signing_keys"), await count("shared_secrets")) == (1, 1)


async def test_the_published_key_checks_our_tokens(keys: Address) -> None:
    tokens = await members.session_tokens(await signed_up())
    (published,) = (await members.jwks())["keys"]
    assert {name: published[name] for name in ("kty", "crv", "use", "alg")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
    }
    assert sorted(published) == ["alg", "crv", "kid", "kty", "use", "x"]  # nothing private
    claims = jwt.decode(
        tokens.access_token, PyJWK(published), audience="laurel-app", issuer="laurel"
    )
    assert claims["kind"] == "member"


async def test_another_process_after_a_restart_makes_the_same_tokens(keys: Address) -> None:
    opened = await signed_up()
    tokens = await members.session_tokens(opened)
    forget()
    assert await members.session_tokens(opened) == tokens


async def test_the_issuer_and_the_audience_are_the_deployments(
    database: Address, clock: time_machine.Traveller
) -> None:
    await members.prepare_keys(issuer="https://laurel.example", audience="shop")
    tokens = await members.session_tokens(await signed_up())
    claims = jwt.decode(tokens.access_token, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == ("https://laurel.example", "shop")
    clock.shift(61)
    await members.session_tokens(await signed_up("eve@example.com"))  # reads the keys again
    assert (await members.authenticate(f"Bearer {tokens.access_token}")).session_id


async def test_a_new_key_signs_and_the_old_one_still_counts(
    keys: Address, clock: time_machine.Traveller
) -> None:
    old = await members.session_tokens(await signed_up())
    clock.shift(1)
    async with sql.transaction():
        key_id = await members.add_signing_key()
    clock.shift(61)
    new = await members.session_tokens(await signed_up("eve@example.com"))
    assert jwt.get_unverified_header(new.access_token)["kid"] == key_id
    for tokens in (old, new):
        assert (await members.authenticate(f"Bearer {tokens.access_token}")).member_id
    assert [key["kid"] for key in (await members.jwks())["keys"]][1:] == [key_id]


async def test_a_key_that_another_process_made_is_found_when_a_token_names_it(
    keys: Address, clock: time_machine.Traveller
) -> None:
    before = await key_store.ring()
    clock.shift(6)
    async with sql.transaction():
        await members.add_signing_key()
    opened = await signed_up()
    forget()
    token = (await members.session_tokens(opened)).access_token
    key_store._rings[get_connections()] = before
    with sql.counted_statements() as statements:
        assert (await members.authenticate(f"Bearer {token}")).session_id == opened.session_id
    assert len(statements) == 2  # the keys, the session
    with sql.counted_statements() as statements:
        await members.authenticate(f"Bearer {token}")
    assert len(statements) == 1


async def test_made_up_key_names_do_not_keep_the_database_busy(keys: Address) -> None:
    signing = (await key_store.ring()).pairs[0].private_key
    token = jwt.encode({"sub": "1"}, signing, "EdDSA", {"kid": "none", "typ": "at+jwt"})
    with sql.counted_statements() as statements:
        for _ in range(5):
            with pytest.raises(AuthenticationFailed, match="unknown"):
                await members.authenticate(f"Bearer {token}")
    assert statements == []


async def test_a_retired_key_ends_its_tokens_at_once_everywhere(
    keys: Address, clock: time_machine.Traveller
) -> None:
    token = (await members.session_tokens(await signed_up())).access_token
    async with sql.transaction():
        assert await members.retire_signing_key((await members.jwks())["keys"][0]["kid"])
    with pytest.raises(AuthenticationFailed, match="revoked"):
        await members.authenticate(f"Bearer {token}")  # this process still has it on its ring
    clock.shift(61)
    assert len((await members.jwks())["keys"]) == 1  # and a new one was made
    with pytest.raises(AuthenticationFailed, match="unknown"):
        await members.authenticate(f"Bearer {token}")


async def test_keys_made_in_a_transaction_that_fails_are_forgotten(database: Address) -> None:
    async def fail() -> None:
        async with sql.transaction():
            await members.jwks()
            raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await fail()
    published = await members.jwks()
    forget()
    assert await members.jwks() == published
    assert await count("signing_keys") == 1


async def test_a_clock_set_back_reads_the_keys_again(
    keys: Address, clock: time_machine.Traveller
) -> None:
    ring = await key_store.ring()
    assert not ring.is_older_than(60)
    clock.move_to(START.timestamp() - 1)
    assert ring.is_older_than(60)
    assert ring.loaded_at == int(START.timestamp()) * SECOND + 890123
