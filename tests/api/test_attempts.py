"""What may be tried how often: guesses count one by one, and who is refused learns nothing."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from server.edge.attempts import AttemptRule
from server.members import limits, models, passwords
from server.members.errors import TooManySignIns
from server.principal import Scope
from server.storage import sql
from tests.api.calling import NOBODY, Api, Caller, Json, new_key
from tests.api.redeeming import rich
from tests.members.people import PASSWORD, PASSWORD_HASH

SIGN_IN = "mutation ($input: SignInInput!) { signIn(input: $input) { __typename } }"
TOO_MANY = "TOO_MANY_ATTEMPTS"
LITHUANIAN: Any = {"Accept-Language": "lt"}


@pytest.fixture
def standing() -> Iterator[time_machine.Traveller]:
    """The machine's time, standing still until it's moved."""
    with time_machine.travel(datetime.now(UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed; it takes no time, and PASSWORD is the right one."""
    tried: list[str] = []

    def verify(_hash: str, password: str) -> bool:
        tried.append(password)
        return password == PASSWORD and _hash != passwords.DUMMY_HASH

    monkeypatch.setattr(passwords, "_verify", verify)
    return tried


async def address_of(caller: Caller) -> str:
    address = await models.email_key_of(caller.account_id)
    assert address is not None
    return address


async def tried(
    api: Api, document: str, mutation: str, caller: Caller = NOBODY, **given: Any
) -> str:
    """The type of the answer, or the code of the error in its place."""
    input = {"idempotencyKey": new_key(), **given}
    body = (await api.send(document, {"input": input}, caller)).json()
    if "errors" in body:
        return str(body["errors"][0]["extensions"]["code"])
    return str(body["data"][mutation]["__typename"])


async def sign_in(api: Api, address: str, password: str = "a wrong guess") -> str:  # noqa: S107 - none
    return await tried(api, SIGN_IN, "signIn", email=address, password=password)


# ---------------------------------------------------------------- signing in


@pytest.mark.parametrize("is_known", [True, False])
async def test_the_eleventh_failure_is_refused_and_costs_no_hash(
    api: Api, standing: time_machine.Traveller, hashed: list[str], *, is_known: bool
) -> None:
    address = await address_of(await api.member()) if is_known else "nobody@example.com"
    assert [await sign_in(api, address) for _ in range(10)] == ["CredentialsRejected"] * 10
    assert len(hashed) == 10
    given = {"idempotencyKey": "k", "email": address.upper(), "password": PASSWORD}
    response = await api.send(SIGN_IN, {"input": given}, **LITHUANIAN)
    assert response.json()["errors"] == [
        {
            "message": "Per daug bandymų. Bandykite dar kartą po 90 sek.",
            "locations": [{"line": 1, "column": 35}],
            "path": ["signIn"],
            "extensions": {"code": TOO_MANY, "retryAfterSeconds": 90},
        }
    ]
    assert len(hashed) == 10
    standing.shift(timedelta(seconds=90))
    right = await sign_in(api, address, PASSWORD)
    assert right == ("Session" if is_known else "CredentialsRejected")
    assert await sign_in(api, address) == ("CredentialsRejected" if is_known else TOO_MANY)


async def test_sixty_four_guesses_at_once_are_ten(api: Api, hashed: list[str]) -> None:
    address = await address_of(await api.member())
    # A caller may have so many requests under way; the server's other limits are not meant here.
    outcomes = []
    for _ in range(2):
        outcomes += await asyncio.gather(*(sign_in(api, address) for _ in range(32)))
    assert outcomes.count("CredentialsRejected") == len(hashed) == 10
    assert outcomes.count(TOO_MANY) == 54


async def test_each_alias_of_a_request_is_an_attempt(api: Api, hashed: list[str]) -> None:
    address = await address_of(await api.member())
    codes = []
    for request in range(3):
        fields = " ".join(
            f'a{number}: signIn(input: {{idempotencyKey: "{request}", email: "{address}",'
            f' password: "guess {number}"}}) {{ __typename }}'
            for number in range(4)
        )
        body = (await api.send(f"mutation {{ {fields} }}")).json()
        codes += [error["extensions"]["code"] for error in body.get("errors", [])]
    assert len(hashed) == 10
    assert set(codes) == {
        TOO_MANY
    }  # an error in the root of a mutation ends the data, not the rest


async def test_the_right_password_gives_its_attempt_back(api: Api, hashed: list[str]) -> None:
    address = await address_of(await api.member())
    assert [await sign_in(api, address) for _ in range(9)] == ["CredentialsRejected"] * 9
    assert [await sign_in(api, address, PASSWORD) for _ in range(12)] == ["Session"] * 12
    assert await sign_in(api, address) == "CredentialsRejected"
    assert await sign_in(api, address, PASSWORD) == TOO_MANY


async def test_forty_right_ones_at_once_are_none_too_many(api: Api, hashed: list[str]) -> None:
    address = await address_of(await api.member())
    outcomes = await asyncio.gather(*(sign_in(api, address, PASSWORD) for _ in range(40)))
    assert outcomes == ["Session"] * 40
    assert await sql.fetch("SELECT * FROM attempt_limits") == []


async def test_a_client_that_guesses_is_refused_whatever_the_address(
    api: Api, hashed: list[str], standing: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = AttemptRule("sign in, client", 4, 60)
    monkeypatch.setattr(limits, "SIGN_IN_CLIENT", rule)
    guesses = [await sign_in(api, f"nobody{number}@example.com") for number in range(4)]
    assert guesses == ["CredentialsRejected"] * 4
    address = await address_of(await api.member())
    before = await sql.fetch("SELECT COUNT(*) FROM attempt_limits")
    assert await sign_in(api, address, PASSWORD) == TOO_MANY
    # Nor does it use up what others may try with the address.
    assert await sql.fetch("SELECT COUNT(*) FROM attempt_limits") == before
    standing.shift(15)
    assert await sign_in(api, address, PASSWORD) == "Session"


async def test_a_password_that_waits_in_vain_is_no_attempt(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_work: object) -> bool:
        raise TooManySignIns

    address = await address_of(await api.member())
    monkeypatch.setattr(passwords, "_in_pool", full)
    assert [await sign_in(api, address) for _ in range(12)] == ["TOO_MANY_SIGN_INS"] * 12
    assert await sql.fetch("SELECT * FROM attempt_limits") == []


async def test_unknown_and_known_addresses_cost_the_same_statements_and_hashes(
    api: Api, hashed: list[str]
) -> None:
    await sign_in(api, "first@example.com")
    counted = []
    for address in (await address_of(await api.member()), "nobody@example.com"):
        with sql.counted_statements() as statements:
            await sign_in(api, address)
        counted.append((list(statements), len(hashed)))
    assert counted[0][0] == counted[1][0]
    assert [number for _, number in counted] == [2, 3]


# ---------------------------------------------------------------- others


async def test_refused_sign_ups_of_one_client_are_limited(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hash_password(_password: str, **_path: object) -> str:
        return PASSWORD_HASH

    monkeypatch.setattr("server.members.service.hash_password", hash_password)
    monkeypatch.setattr(limits, "SIGN_UP_CLIENT", AttemptRule("sign up", 3, 900))
    document = "mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }"

    async def sign_up(address: str, name: str = "Ada") -> str:
        given: Any = {"email": address, "password": PASSWORD, "name": name}
        return await tried(api, document, "signUp", **given)

    fresh = [await sign_up(f"ada{number}@example.com") for number in range(5)]
    assert fresh == ["Session"] * 5
    assert [await sign_up("x@example.com", name="\n") for _ in range(5)] == ["InvalidInput"] * 5
    taken = [await sign_up("ada1@example.com") for _ in range(4)]
    assert taken == ["CredentialsRejected"] * 3 + [TOO_MANY]


async def test_made_up_refresh_tokens_of_one_client_are_limited(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REFRESH_CLIENT", AttemptRule("refresh", 3, 900))
    document = """mutation ($input: RefreshSessionInput!) {
        refreshSession(input: $input) { __typename ... on Session { refreshToken } }
    }"""
    token = (await api.member()).refresh_token
    for _ in range(5):
        given = {"idempotencyKey": new_key(), "refreshToken": token}
        token = (await api.data(document, {"input": given}))["refreshSession"]["refreshToken"]
    made_up: list[str] = [
        await tried(api, document, "refreshSession", refreshToken="x") for _ in range(4)
    ]
    assert made_up == ["SessionRejected"] * 3 + [TOO_MANY]


async def test_made_up_invitations_of_one_member_are_limited(api: Api) -> None:
    document = "mutation ($input: JoinHouseholdInput!) { joinHousehold(input: $input) {__typename}}"
    guesser, other = await api.member(), await api.member()

    async def join(caller: Caller, code: str = "ABCD-EFGH-JKMN-PQRS") -> str:
        return await tried(api, document, "joinHousehold", caller, code=code)

    assert [await join(guesser) for _ in range(11)] == ["NotFound"] * 10 + [TOO_MANY]
    assert await join(other) == "NotFound"


async def test_made_up_vouchers_of_one_till_are_limited(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = AttemptRule("voucher codes", 3, 900)
    monkeypatch.setattr("server.payments.graphql.VOUCHER_CODES", rule)
    monkeypatch.setattr("server.rewards.graphql.VOUCHER_CODES", rule)
    await rich(api, "anna", 5000)
    guesser, other = [await api.key(Scope.POINTS_REDEEM) for _ in range(2)]
    wish = {"member": {"externalId": "anna"}, "points": 1000}
    voucher = (await api.mutate("redeemPoints", wish, other))["voucher"]
    basket = {"netMinor": 5000, "currencyCode": "USD"}
    pay = "mutation ($input: PayWithVoucherInput!) { payWithVoucher(input: $input) {__typename} }"
    cancel = """mutation ($input: CancelRedemptionInput!) {
        cancelRedemption(input: $input) { __typename }
    }"""

    async def pay_with(caller: Caller, code: str) -> str:
        given: Json = {"voucherCode": code, "basket": basket, "amountMinor": 100}
        return await tried(api, pay, "payWithVoucher", caller, **given)

    async def cancel_by(caller: Caller, **given: str) -> str:
        return await tried(api, cancel, "cancelRedemption", caller, **given)

    assert [await pay_with(guesser, "ABCDEFG-HJKMNPQ") for _ in range(2)] == ["NotFound"] * 2
    assert await cancel_by(guesser, voucherCode="ABCDEFG-HJKMNPQ") == "NotFound"
    assert await pay_with(guesser, voucher["code"]) == TOO_MANY
    assert await cancel_by(guesser, voucherCode=voucher["code"]) == TOO_MANY
    assert await pay_with(other, voucher["code"]) == "Paid"
    assert await cancel_by(guesser, voucherId=voucher["id"]) == "NotAllowed"
