"""Accounts with passwords, as tests of the API act on them."""

from server.members import models
from server.members import service as members
from server.storage import sql
from tests.api.calling import NOBODY, Api, Caller, Json

NEW = "another horse battery"
THIRD = "a third horse battery"
REJECTED = ("CredentialsRejected", "CREDENTIALS_REJECTED")


async def address_of(caller: Caller) -> str:
    address = await models.email_key_of(caller.account_id)
    assert address is not None
    return address


async def sign_in(api: Api, address: str, password: str) -> str:
    """The type that signIn answers."""
    told = await api.mutate("signIn", {"email": address, "password": password}, NOBODY, at=None)
    return str(told["__typename"])


async def signed_in_too(caller: Caller) -> Caller:
    """Another session of the same account."""
    async with sql.transaction():
        opened = await members.open_session(caller.account_id, "tablet")
    tokens = await members.session_tokens(opened)
    return Caller(tokens.access_token, caller.account_id, caller.member_id)


async def goes_on(api: Api, caller: Caller) -> bool:
    response = await api.send("{ sessions { nodes { id } } }", caller=caller)
    return response.status_code == 200


def told_of(answer: Json) -> tuple[str, str]:
    return answer["__typename"], answer["code"]


def change(current: str, new: str) -> Json:
    return {"currentPassword": current, "newPassword": new}
