"""API keys: making, replacing and ending them, and when they were last used."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import time_machine

from server.clock import Instant, system_now
from server.errors import InvalidInput, NotAllowed, NotFound
from server.members import api_keys, key_queries
from server.members import service as members
from server.members.errors import AuthenticationFailed
from server.members.key_uses import MINUTE
from server.principal import KEY_SCOPES, KeyKind, Scope
from server.storage import secrets as shared
from server.storage import sql
from server.storage.database import Address
from tests.members.people import DAY, count

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


# ---------------------------------------------------------------- replacing, ending, listing


async def replaced(key_id: int, **options: Any) -> api_keys.ReplacedApiKey:
    async with sql.transaction():
        return await members.replace_api_key(key_id, **options)


async def test_a_replacement_has_the_same_rights_and_both_are_accepted_for_a_day(
    database: Address, clock: time_machine.Traveller
) -> None:
    expires_at = api_keys.expiry_in(365)
    former = await create(key=None, expires_at=expires_at)
    clock.shift(100 * 86_400)
    made = api_keys.new_key()
    told = await replaced(former.id, key_hash=api_keys.hash_of(made))
    new = await api_keys.authenticate_api_key(made)
    old = await api_keys.authenticate_api_key(former.key)
    assert (new.scopes, new.partner) == (old.scopes, old.partner)
    assert (new.id, told.made.replaces_id) == (told.made.id, former.id)
    assert told.made.expires_at == expires_at + 100 * DAY
    assert told.former.expires_at == old.expires_at == system_now() + DAY
    clock.shift(86_399)
    await api_keys.authenticate_api_key(former.key)
    clock.shift(1)
    with pytest.raises(AuthenticationFailed):
        await api_keys.authenticate_api_key(former.key)
    await api_keys.authenticate_api_key(made)


async def test_an_overlap_does_not_prolong_a_key(
    database: Address, clock: time_machine.Traveller
) -> None:
    former = await create(key=None, expires_at=Instant(system_now() + DAY))
    told = await replaced(former.id, overlap_hours=720)
    assert told.former.expires_at == system_now() + DAY


async def test_without_overlap_the_former_key_ends_at_once(database: Address) -> None:
    former = await create(key=None)
    told = await replaced(former.id, overlap_hours=0)
    assert told.made.expires_at is None
    with pytest.raises(AuthenticationFailed):
        await api_keys.authenticate_api_key(former.key)
    derived = await api_keys.derived_key(told.made.id)
    assert (await api_keys.authenticate_api_key(derived)).id == told.made.id


async def test_a_key_is_replaced_once_and_only_while_it_is_good(database: Address) -> None:
    first, second, third = [await create(key=None) for _ in range(3)]
    told = await replaced(first.id)
    async with sql.transaction():
        await members.revoke_api_key(second.id)
    await replaced(third.id, overlap_hours=0)
    for key_id, reason in (
        (first.id, "api_key.replaced"),
        (second.id, "api_key.ended"),
        (third.id, "api_key.ended"),
    ):
        with pytest.raises(NotAllowed) as caught:
            await replaced(key_id)
        assert caught.value.reason == reason
    assert await count("api_keys") == 5
    async with sql.transaction():  # a replacement that was lost makes room for another
        await members.revoke_api_key(told.made.id)
    await replaced(first.id)


async def test_of_two_replacements_at_once_one_is_made(database: Address) -> None:
    former = await create(key=None)
    outcomes = await asyncio.gather(
        *(replaced(former.id) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in outcomes) == [
        *["NotAllowed"] * 3,
        "ReplacedApiKey",
    ]
    assert await count("api_keys") == 2


async def test_what_can_not_be_replaced(database: Address) -> None:
    former = await create(key=None)
    for hours in (-1, 721):
        with pytest.raises(InvalidInput):
            await replaced(former.id, overlap_hours=hours)
    with pytest.raises(NotFound):
        await replaced(17)
    assert await count("api_keys") == 1


async def test_expiries_are_within_ten_years(clock: time_machine.Traveller) -> None:
    now = system_now()
    assert api_keys.expiry_in(1) == now + DAY
    latest = api_keys.expiry_in(3650)
    assert api_keys.valid_expiry(latest) == latest
    for days in (0, 3651):
        with pytest.raises(InvalidInput):
            api_keys.expiry_in(days)
    for instant in (now, latest + 1):
        with pytest.raises(InvalidInput):
            api_keys.valid_expiry(Instant(instant))


async def test_a_derived_key_is_the_same_for_ever_and_stands_nowhere(database: Address) -> None:
    async with sql.transaction():
        key_id = await api_keys.add_api_key("Till", "grocer", [Scope.PURCHASES_WRITE])
    key = await api_keys.derived_key(key_id)
    assert (await api_keys.authenticate_api_key(key)).id == key_id
    shared._known.clear()
    assert await api_keys.derived_key(key_id) == key
    assert await api_keys.derived_key(key_id + 1) != key
    rows = [
        str(row)
        for table in ("api_keys", "shared_secrets")
        for row in await sql.fetch(f"SELECT * FROM {table}")  # noqa: S608 - our tables
    ]
    assert not any(key in row or key.removeprefix("laurel_") in row for row in rows)


async def test_keys_are_listed_newest_first_in_pages(database: Address) -> None:
    made = [(await create(name=f"Till {number}", key=None)).id for number in range(3)]
    assert [view.id for view in await members.api_keys(limit=2)] == made[:0:-1]
    assert [view.id for view in await members.api_keys(before=made[1], limit=2)] == made[:1]


@pytest.mark.parametrize(
    ("kind", "scopes"),
    [
        (KeyKind.TILL, "MEMBERS_READ POINTS_REDEEM PURCHASES_WRITE"),
        (KeyKind.SHOP, "CARDS_WRITE MEMBERS_ENROL MEMBERS_READ POINTS_REDEEM PURCHASES_WRITE"),
        (KeyKind.PARTNER, "PURCHASES_WRITE"),
    ],
    ids=[kind.value for kind in KeyKind],
)
def test_each_kind_of_key_may_do_what_it_is_for(kind: KeyKind, scopes: str) -> None:
    assert " ".join(sorted(KEY_SCOPES[kind])) == scopes


# ---------------------------------------------------------------- last use


async def until(answer: Callable[[], Awaitable[object]]) -> None:
    """Waits until the answer is something."""
    async with asyncio.timeout(30):
        while not await answer():  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(0.001)


async def last_use(key_id: int) -> int | None:
    """When the key was last used, by the database."""
    view = await api_keys.find_api_key(key_id)
    assert view is not None
    return view.last_used_at


async def test_the_last_use_is_known_to_the_minute_and_written_once_a_minute(
    database: Address, clock: time_machine.Traveller
) -> None:
    key = await create(key=None)
    async with members.noting_key_uses():
        with sql.counted_statements() as statements:
            await api_keys.authenticate_api_key(key.key)
        assert len(statements) == 1, "the caller waits for nothing"
        await until(lambda: last_use(key.id))
        minute = system_now() // MINUTE * MINUTE
        assert await last_use(key.id) == minute
        clock.shift(30)
        await api_keys.authenticate_api_key(key.key)
        clock.shift(30)
        await api_keys.authenticate_api_key(key.key)
    # What waited was written at the end.
    assert await last_use(key.id) == minute + MINUTE


async def test_a_use_that_can_not_be_written_fails_nobody_and_is_written_later(
    database: Address, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await create(key=None)
    tries: list[int] = []

    async def refuse(_uses: object) -> None:
        tries.append(system_now())
        raise OSError("no space")

    async with members.noting_key_uses():
        with monkeypatch.context() as broken:
            broken.setattr(key_queries, "note_uses", refuse)
            for _ in range(3):
                await api_keys.authenticate_api_key(key.key)
            await until(lambda: _answered(len(tries)))
        assert len(tries) == 1
        assert await last_use(key.id) is None
        clock.shift(60)
        await api_keys.authenticate_api_key(key.key)
    assert await last_use(key.id) == system_now() // MINUTE * MINUTE


async def _answered(value: int) -> int:
    return value


async def test_an_older_use_does_not_hide_a_newer_one(database: Address) -> None:
    key = await create(key=None)
    for minute in (2 * MINUTE, MINUTE):  # of two processes, the second is late
        async with sql.transaction():
            await key_queries.note_uses([(minute, key.id)])
    assert await last_use(key.id) == 2 * MINUTE


async def test_refused_keys_are_not_noted(database: Address) -> None:
    key = await create(key=None)
    async with sql.transaction():
        await members.revoke_api_key(key.id)
    async with members.noting_key_uses():
        with pytest.raises(AuthenticationFailed):
            await api_keys.authenticate_api_key(key.key)
    assert await last_use(key.id) is None
