"""Requests that name their time: who may, which time, and what is reckoned at it."""

import httpx2
import pytest

from server import clock
from server.app import create_app
from server.members import service as members
from server.principal import Scope
from server.programme import service as programme
from server.settings import InvalidSettings, Mode, Settings, SimulatedTime, read
from tests.api.calling import NOW_SHOWN, VERSION, Api, Caller, coded, instant


async def at_time(api: Api, caller: Caller, moment: str) -> httpx2.Response:
    return await api.client.post(
        "/graphql",
        json={"query": VERSION},
        headers={**caller.headers, "Laurel-Simulated-Time": moment},
    )


async def test_only_a_key_with_the_scope_names_the_time(api: Api, till: Caller) -> None:
    others = [
        await api.key(*(set(Scope) - {Scope.SIMULATE_TIME})),
        await api.member("anna"),
        Caller(),
    ]
    for caller in others:
        response = await at_time(api, caller, NOW_SHOWN)
        assert response.status_code == 400
        assert coded(response) == ["SIMULATED_TIME_REFUSED"]
    assert (await at_time(api, till, NOW_SHOWN)).status_code == 200


@pytest.mark.parametrize(
    "moment",
    [
        "",
        "now",
        "2026-03-04",
        "2026-03-04T12:00:00",
        "1",
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "9000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-01:00",
    ],
)
async def test_a_time_that_is_none_is_refused(api: Api, till: Caller, moment: str) -> None:
    response = await at_time(api, till, moment)
    assert response.status_code == 400
    assert coded(response) == ["SIMULATED_TIME_REFUSED"]


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "8999-12-31T23:59:59.999999Z"])
async def test_everything_can_be_reckoned_at_the_first_and_last_time(
    api: Api, till: Caller, moment: str
) -> None:
    bought = await api.record(
        till,
        at=instant(moment),
        occurredAt=moment,
        member={"externalId": "anna"},
        enrolIfUnknown=True,
    )
    assert bought["points"] == 200
    query = (
        "{ members { nodes { points { available nextExpiry { points } } tier { name }"
        " challenges { periodStart periodEnd } cashback { monthAccrued { amount } } } }"
        " insights { months { month } retention { cohort } } }"
    )
    data = await api.data(query, caller=till, at=instant(moment))
    assert data["members"]["nodes"][0]["points"]["available"] == 100


async def test_the_time_of_a_request_is_its_own(api: Api, till: Caller, anna: int) -> None:
    query = '{ member(by: {externalId: "anna"}) { points { available } } }'
    at = {"available": [instant("2026-03-05T00:00:00Z"), instant("2027-03-05T00:00:00Z")]}
    seen = [(await api.data(query, caller=till, at=moment)) for moment in at["available"]]
    assert [one["member"]["points"]["available"] for one in seen] == [100, 0]
    before = clock.system_now()
    assert before <= clock.now()


async def test_a_server_that_does_not_take_the_time_refuses_it(database: object) -> None:
    await members.prepare_keys()
    app = create_app(Settings(simulated_time=SimulatedTime.REFUSE), opens_database=False)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://laurel.test") as client:
        api = Api(client)
        response = await at_time(api, await api.key(*Scope), NOW_SHOWN)
    assert response.status_code == 400
    assert coded(response) == ["SIMULATED_TIME_REFUSED"]
    assert response.json()["errors"][0]["message"] == (
        "This server does not take the time from requests."
    )


def test_simulated_time_is_refused_in_production() -> None:
    with pytest.raises(InvalidSettings, match="LAUREL_SIMULATED_TIME=accept is refused"):
        read(
            mode=Mode.PRODUCTION,
            simulated_time=SimulatedTime.ACCEPT,
            issuer="https://loyalty.example.com",
        )
    assert not Settings().accepts_simulated_time


async def test_a_version_published_later_counts_from_then(api: Api, till: Caller) -> None:
    """The terms of a request are those of its own time."""
    assert (await programme.rulebook()).newest_version == 1
    for moment in (NOW_SHOWN, "2017-01-01T00:00:00Z"):
        assert (await at_time(api, till, moment)).json()["data"] == {"programme": {"version": 1}}
