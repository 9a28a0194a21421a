"""The signing keys and the secret: made once for all processes, changed without a gap."""

import asyncio

import jwt
import pytest
import time_machine
from jwt import PyJWK
from tortoise.connection import get_connections

from server.clock import system_now as clock_now
from server.members import commands
from server.members import keys as key_store
from server.members import service as members
from server.members.errors import AuthenticationFailed
from server.members.service import SigningKey
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
    (key,) = (await members.jwks())["keys"]
    assert {name: key[name] for name in ("kty", "crv", "use", "alg")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
    }
    assert sorted(key) == ["alg", "crv", "kid", "kty", "use", "x"]  # nothing private
    claims = jwt.decode(tokens.access_token, PyJWK(key), audience="laurel-app", issuer="laurel")
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


def signed_by(tokens: members.SessionTokens) -> str:
    """The name of the key that signed the access token."""
    return str(jwt.get_unverified_header(tokens.access_token)["kid"])


async def rotated(*, is_compromised: bool = False) -> SigningKey:
    """The next key, as the command makes it: in this process, whose ring knows nothing of it."""
    async with sql.transaction():
        return await members.rotate_signing_key(is_compromised=is_compromised)


async def published() -> list[str]:
    return [key["kid"] for key in (await members.jwks())["keys"]]


async def is_known(tokens: members.SessionTokens) -> bool:
    return (await members.authenticate(f"Bearer {tokens.access_token}")).member_id is not None


async def refused(tokens: members.SessionTokens) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        await is_known(tokens)
    return caught.value.reason


async def test_a_new_key_is_published_at_once_and_signs_after_two_minutes(
    keys: Address, clock: time_machine.Traveller
) -> None:
    opened = await signed_up()
    old = await members.session_tokens(opened)
    made = await rotated()
    assert made.signs_from == clock_now() + 120 * SECOND
    assert await published() == [signed_by(old), made.key_id]
    clock.shift(119.999999)
    before = await members.session_tokens(await signed_up("eve@example.com"))
    clock.shift(0.000001)
    after = await members.session_tokens(await signed_up("bob@example.com"))
    assert (signed_by(before), signed_by(after)) == (signed_by(old), made.key_id)
    for tokens in (old, before, after):
        assert await is_known(tokens)


async def test_a_key_counts_until_the_last_token_that_it_signed_has_expired(
    keys: Address, clock: time_machine.Traveller
) -> None:
    old = await members.session_tokens(await signed_up())
    made = await rotated()
    first, second = await members.signing_keys()
    assert (first.retired_at, second) == (made.signs_from + 660 * SECOND, made)
    clock.shift(119.999999)
    last = await members.session_tokens(await signed_up("eve@example.com"))
    assert signed_by(last) == first.key_id
    clock.move_to(last.access_token_expires_at / SECOND - 1)
    assert await is_known(last)
    retired_at = made.signs_from + 660 * SECOND
    clock.move_to((retired_at - 1) / SECOND)
    assert await published() == [first.key_id, made.key_id]
    clock.move_to(retired_at / SECOND)
    assert await published() == [made.key_id]
    assert await refused(old) == "unknown"


async def test_a_retired_key_is_refused_from_its_instant_on(
    keys: Address, clock: time_machine.Traveller
) -> None:
    tokens = await members.session_tokens(await signed_up())
    async with sql.transaction():
        retired_at = clock_now() + 5 * SECOND
        await sql.execute("UPDATE signing_keys SET retired_at = $1", retired_at)
    clock.shift(4.999999)
    assert await is_known(tokens)
    clock.shift(0.000001)
    assert await refused(tokens) == "revoked"  # this process still has it on its ring


async def test_the_same_facts_make_the_same_tokens_across_a_rotation(
    keys: Address, clock: time_machine.Traveller
) -> None:
    await rotated()
    clock.shift(119)
    opened = await signed_up()
    tokens = await members.session_tokens(opened)
    clock.shift(30)  # the newer key signs what is issued now
    assert await members.session_tokens(opened) == tokens
    forget()
    assert await members.session_tokens(opened) == tokens


async def test_processes_with_their_own_rings_refuse_nothing_during_a_rotation(
    keys: Address, clock: time_machine.Traveller
) -> None:
    """Two rings take turns: one signs, the other checks, every minute for a quarter hour."""
    rings = [await key_store.ring()] * 2
    issued: list[members.SessionTokens] = []
    await rotated()
    opened = await signed_up()
    for number in range(15):
        for place in (0, 1):
            key_store._rings[get_connections()] = rings[place]
            if number % 2 == place:
                shown = await members.shown_refresh_token(
                    (await members.session_tokens(opened)).refresh_token
                )
                async with sql.transaction():
                    refreshed = await members.refresh_session(shown)
                assert isinstance(refreshed, members.OpenedSession)
                opened = refreshed
                issued.append(await members.session_tokens(opened))
            for tokens in issued:
                if tokens.access_token_expires_at > clock_now():
                    assert await is_known(tokens)
            rings[place] = await key_store.ring()
        clock.shift(59.5)
    assert len({signed_by(tokens) for tokens in issued}) == 2
    assert len(await published()) == 1


async def test_a_stolen_key_ends_at_once_and_refresh_tokens_go_on(
    keys: Address, clock: time_machine.Traveller
) -> None:
    opened = await signed_up()
    old = await members.session_tokens(opened)
    pending = await rotated()
    made = await rotated(is_compromised=True)
    assert await refused(old) == "revoked"
    assert await published() == [made.key_id]
    assert all(key.retired_at for key in await members.signing_keys() if key != made)
    clock.shift(2)
    shown = await members.shown_refresh_token(old.refresh_token)
    async with sql.transaction():
        refreshed = await members.refresh_session(shown)
    assert isinstance(refreshed, members.OpenedSession)
    new = await members.session_tokens(refreshed)
    assert signed_by(new) == made.key_id != pending.key_id
    assert await is_known(new)


async def test_another_process_signs_with_what_replaced_a_stolen_key_within_a_second(
    keys: Address, clock: time_machine.Traveller
) -> None:
    before = await key_store.ring()
    made = await rotated(is_compromised=True)
    opened = await signed_up()
    key_store._rings[get_connections()] = before
    clock.shift(1)
    tokens = await members.session_tokens(opened)
    assert signed_by(tokens) == made.key_id
    assert await is_known(tokens)


async def test_keys_sign_in_the_order_of_their_making_whatever_the_clocks_say(
    keys: Address, clock: time_machine.Traveller
) -> None:
    clock.shift(3600)
    ahead = await rotated()
    clock.shift(-3600)
    latest = await rotated()
    assert latest.signs_from == ahead.signs_from + 1
    first, *others = await members.signing_keys()
    assert [key.key_id for key in others] == [ahead.key_id, latest.key_id]
    assert [key.retired_at for key in (first, others[0])] == [
        ahead.signs_from + 660 * SECOND,
        latest.signs_from + 660 * SECOND,
    ]
    assert signed_by(await members.session_tokens(await signed_up())) == first.key_id
    stolen = await rotated(is_compromised=True)
    assert await published() == [stolen.key_id]


async def test_rotations_at_once_go_one_by_one(keys: Address) -> None:
    made = await asyncio.gather(*(rotated() for _ in range(4)))
    listed = await members.signing_keys()
    assert len({key.signs_from for key in made}) == 4
    assert [key.retired_at is None for key in listed] == [False] * 4 + [True]
    assert len(await published()) == 5


async def test_a_key_that_another_process_made_is_found_when_a_token_names_it(
    keys: Address, clock: time_machine.Traveller
) -> None:
    before = await key_store.ring()
    await rotated()
    clock.shift(120)
    opened = await signed_up()
    forget()
    tokens = await members.session_tokens(opened)
    key_store._rings[get_connections()] = before
    with sql.counted_statements() as statements:
        assert await is_known(tokens)
    assert len(statements) == 2  # the keys, the session
    with sql.counted_statements() as statements:
        await is_known(tokens)
    assert len(statements) == 1


async def test_made_up_key_names_cost_a_statement_a_second_at_most(
    keys: Address, clock: time_machine.Traveller
) -> None:
    signing = (await key_store.ring()).pairs[0].private_key

    async def shown() -> int:
        """How many statements 40 tokens of made-up keys cost, one by one and at once."""

        async def show(number: int) -> None:
            header = {"kid": f"{number:016x}", "typ": "at+jwt"}
            token = jwt.encode({"sub": "1"}, signing, "EdDSA", header)
            with pytest.raises(AuthenticationFailed, match="unknown"):
                await members.authenticate(f"Bearer {token}")

        with sql.counted_statements() as statements:
            await asyncio.gather(*(show(number) for number in range(20)))
            for number in range(20):
                await show(number)
        return len(statements)

    assert await shown() == 0
    clock.shift(1)
    assert await shown() == 1
    clock.shift(1)
    assert await shown() == 1


async def test_names_that_no_key_can_have_cost_no_statement(
    keys: Address, clock: time_machine.Traveller
) -> None:
    signing = (await key_store.ring()).pairs[0].private_key
    clock.shift(3600)
    with sql.counted_statements() as statements:
        for name in ("none", "x" * 16, "../jwks.json", "https://evil.example"):
            token = jwt.encode({"sub": "1"}, signing, "EdDSA", {"kid": name, "typ": "at+jwt"})
            with pytest.raises(AuthenticationFailed, match="malformed"):
                await members.authenticate(f"Bearer {token}")
    assert statements == []


async def test_when_all_keys_are_retired_a_new_one_is_made(
    keys: Address, clock: time_machine.Traveller
) -> None:
    before = await published()
    async with sql.transaction():
        await sql.execute("UPDATE signing_keys SET retired_at = $1", clock_now())
    after = await published()
    assert len(after) == 1
    assert after != before


async def test_the_command_says_what_it_did_and_lists_the_keys(
    keys: Address, clock: time_machine.Traveller
) -> None:
    said = await commands.rotate_signing_key(is_compromised=False)
    second = (await members.signing_keys())[1].key_id
    assert said.startswith(f"{second} is published, and signs from 2026-03-04T05:08:07Z.")
    said = await commands.rotate_signing_key(is_compromised=True)
    assert "signs now; all other keys are retired" in said
    lines = (await commands.list_signing_keys()).splitlines()
    assert [line.partition(", ")[0][18:] for line in lines] == ["made 2026-03-04T05:06:07Z"] * 3
    assert sorted(line.rpartition(", ")[2] for line in lines) == [
        "retired from 2026-03-04T05:05:37Z",
        "retired from 2026-03-04T05:05:37Z",
        "signs from 2026-03-04T05:05:37Z",
    ]


async def test_keys_made_in_a_transaction_that_fails_are_forgotten(database: Address) -> None:
    async def fail() -> None:
        async with sql.transaction():
            await members.jwks()
            raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await fail()
    first = await members.jwks()
    forget()
    assert await members.jwks() == first
    assert await count("signing_keys") == 1


async def test_a_clock_set_back_reads_the_keys_again(
    keys: Address, clock: time_machine.Traveller
) -> None:
    ring = await key_store.ring()
    assert not ring.is_older_than(60)
    clock.move_to(START.timestamp() - 1)
    assert ring.is_older_than(60)
    assert ring.loaded_at == int(START.timestamp()) * SECOND + 890123
