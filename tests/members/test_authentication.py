"""Who is calling: the header's forms, and each reason to refuse it."""

import jwt
import pytest
import time_machine

from server import clock as house_clock
from server.clock import Instant
from server.members import keys as key_store
from server.members import service as members
from server.members.errors import AuthenticationFailed
from server.principal import ANONYMOUS, Principal, PrincipalKind, Scope, StaffRole
from server.storage import sql
from server.storage.database import Address
from tests.members.people import SECOND, START, signed_up, staff_session

TILL = "laurel_demo_till_0123456789"
START_INSTANT = house_clock.instant_of(START)


async def reason(authorization: str) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        await members.authenticate(authorization)
    return caught.value.reason


async def till_key(
    key: str | None = TILL,
    *,
    scopes: tuple[Scope, ...] = (Scope.PURCHASES_WRITE, Scope.MEMBERS_READ),
    expires_at: Instant | None = None,
) -> members.CreatedApiKey:
    async with sql.transaction():
        return await members.create_api_key(
            "Till 3", "grocer", scopes, expires_at=expires_at, key=key
        )


async def test_without_a_header_nobody_known_calls(keys: Address) -> None:
    with sql.counted_statements() as statements:
        assert await members.authenticate(None) is ANONYMOUS
    assert statements == []


async def test_a_member_is_known_by_the_access_token_with_one_statement(keys: Address) -> None:
    opened = await signed_up()
    token = (await members.session_tokens(opened)).access_token
    with sql.counted_statements() as statements:
        principal = await members.authenticate(f"Bearer {token}")
    assert principal == Principal(
        PrincipalKind.MEMBER,
        id=opened.account_id,
        member_id=opened.member_id,
        session_id=opened.session_id,
        locale="en",
        expires_at=Instant(START_INSTANT // SECOND * SECOND + 600 * SECOND),
    )
    assert len(statements) == 1


async def test_staff_are_known_with_their_role(keys: Address) -> None:
    opened = await staff_session(StaffRole.AUDITOR)
    token = (await members.session_tokens(opened)).access_token
    assert await members.authenticate(f"bearer  {token} ") == Principal(
        PrincipalKind.STAFF,
        id=opened.account_id,
        staff_role=StaffRole.AUDITOR,
        session_id=opened.session_id,
        expires_at=Instant(START_INSTANT // SECOND * SECOND + 600 * SECOND),
    )


async def test_a_member_who_was_merged_speaks_the_language_of_the_one_who_stays(
    keys: Address,
) -> None:
    duplicate, survivor = await signed_up(), await signed_up("eve@example.com")
    token = (await members.session_tokens(duplicate)).access_token
    async with sql.transaction():
        await sql.execute("UPDATE members SET locale = 'lv' WHERE id = $1", survivor.member_id)
        await sql.execute(
            "UPDATE members SET merged_into = $1 WHERE id = $2",
            survivor.member_id,
            duplicate.member_id,
        )
    principal = await members.authenticate(f"Bearer {token}")
    assert (principal.member_id, principal.locale) == (survivor.member_id, "lv")


async def test_a_role_counts_as_it_is_now_and_not_as_the_token_says(keys: Address) -> None:
    token = (await members.session_tokens(await staff_session(StaffRole.MANAGER))).access_token
    async with sql.transaction():
        await sql.execute("UPDATE accounts SET staff_role = $1", "SUPPORT")
    assert (await members.authenticate(f"Bearer {token}")).staff_role is StaffRole.SUPPORT


async def test_an_expired_access_token_is_refused(
    keys: Address, clock: time_machine.Traveller
) -> None:
    token = (await members.session_tokens(await signed_up())).access_token
    clock.shift(600)
    assert await reason(f"Bearer {token}") == "expired"


async def test_simulated_time_keeps_no_token_alive(
    keys: Address, clock: time_machine.Traveller
) -> None:
    token = (await members.session_tokens(await signed_up())).access_token
    clock.shift(600)
    with house_clock.moved_to(START_INSTANT):
        assert await reason(f"Bearer {token}") == "expired"


async def test_a_signed_out_session_is_refused_at_once(keys: Address) -> None:
    opened = await signed_up()
    token = (await members.session_tokens(opened)).access_token
    async with sql.transaction():
        await members.sign_out(session_id=opened.session_id)
    assert await reason(f"Bearer {token}") == "revoked"


async def test_a_token_of_a_session_or_account_that_is_gone_is_refused(keys: Address) -> None:
    opened = await signed_up()
    other = await signed_up("eve@example.com")
    token = (await members.session_tokens(opened)).access_token
    async with sql.transaction():
        await sql.execute("UPDATE sessions SET account_id = $1", other.account_id)
    assert await reason(f"Bearer {token}") == "unknown"
    async with sql.transaction():
        await sql.execute("DELETE FROM sessions")
    assert await reason(f"Bearer {token}") == "unknown"


async def test_a_token_signed_by_us_for_another_purpose_is_refused(keys: Address) -> None:
    token = (await members.session_tokens(await signed_up())).access_token
    (pair,) = (await key_store.ring()).pairs
    claims = jwt.decode(token, options={"verify_signature": False})
    headers = {"kid": pair.key_id, "typ": "JWT"}
    assert await reason(f"Bearer {jwt.encode(claims, pair.private_key, 'EdDSA', headers)}") == (
        "malformed"
    )


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer é",
        "Bearer laurel_",
        "Bearer laurel_short",
        "Bearer laurel_" + "x" * 16 + "\x00",
        "Bearer laurel_" + "x" * 121,
        "Bearer " + "x" * 9999,
        TILL,
    ],
)
async def test_what_is_no_credential_is_refused_without_a_statement(
    keys: Address, authorization: str
) -> None:
    with sql.counted_statements() as statements:
        assert await reason(authorization) == "malformed"
    assert statements == []


async def test_a_refresh_token_is_no_access_token(keys: Address) -> None:
    token = (await members.session_tokens(await signed_up())).refresh_token
    assert await reason(f"Bearer {token}") == "malformed"


async def test_a_key_is_known_with_its_partner_and_scopes_with_one_statement(
    keys: Address,
) -> None:
    created = await till_key()
    with sql.counted_statements() as statements:
        principal = await members.authenticate(f"Bearer {TILL}")
    assert principal == Principal(
        PrincipalKind.KEY,
        id=created.id,
        scopes=frozenset({Scope.PURCHASES_WRITE, Scope.MEMBERS_READ}),
        partner="grocer",
    )
    assert len(statements) == 1


async def test_a_scope_that_this_version_does_not_know_is_left_out(keys: Address) -> None:
    await till_key()
    async with sql.transaction():
        await sql.execute("UPDATE api_keys SET scopes = $1", "FUTURE_SCOPE MEMBERS_READ")
    principal = await members.authenticate(f"Bearer {TILL}")
    assert principal.scopes == frozenset({Scope.MEMBERS_READ})


async def test_an_unknown_an_expired_and_a_revoked_key_are_refused(
    keys: Address, clock: time_machine.Traveller
) -> None:
    assert await reason(f"Bearer {TILL}") == "unknown"
    created = await till_key(expires_at=Instant(START_INSTANT + 5 * SECOND))
    clock.shift(4)
    assert (await members.authenticate(f"Bearer {TILL}")).id == created.id
    clock.shift(1)
    assert await reason(f"Bearer {TILL}") == "expired"
    async with sql.transaction():
        assert await members.revoke_api_key(created.id)
        assert not await members.revoke_api_key(created.id)
    assert await reason(f"Bearer {TILL}") == "revoked"


async def test_a_new_key_is_256_random_bits_and_stored_hashed(keys: Address) -> None:
    first, second = await till_key(None), await till_key(None)
    assert first.key != second.key
    assert first.key.startswith("laurel_")
    assert len(first.key) == len("laurel_") + 43
    row = await sql.fetch_one(
        "SELECT name, partner, scopes, key_hash FROM api_keys WHERE id = $1", first.id
    )
    assert row is not None
    assert tuple(row)[:3] == ("Till 3", "grocer", "MEMBERS_READ PURCHASES_WRITE")
    assert len(row[3]) == 64
    assert first.key not in str(tuple(row))
