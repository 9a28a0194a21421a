"""The loopback FCM is as strict as the real one, and tells what it has seen."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from server.clock import MICROSECONDS_PER_SECOND, system_now
from tests.fcm import Conduct, ServedFcm, Way, busiest, running, schema, service_account, serving
from tests.fcm.conduct import answer
from tests.fcm.fcm import GOOGLE_AUDIENCE, GRANT
from tests.fcm.schema import Violation

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
PHONE = {"token": "phone", "notification": {"title": "Hello"}}


@pytest.fixture
def fcm() -> Iterator[ServedFcm]:
    with serving() as served:
        yield served


def access(fcm: ServedFcm, **changes: Any) -> httpx2.Response:
    """What the token endpoint answers to the account's assertion, with changes."""
    now = system_now() // MICROSECONDS_PER_SECOND
    claims: dict[str, Any] = {
        "iss": fcm.account.email,
        "aud": GOOGLE_AUDIENCE,
        "iat": now,
        "exp": now + 3600,
        "scope": SCOPE,
    } | changes
    key = claims.pop("key", fcm.account.key)
    assertion = jwt.encode(claims, key, algorithm=claims.pop("algorithm", "RS256"))
    fields = {"grant_type": GRANT, "assertion": assertion}
    return httpx2.post(fcm.token_url, data=fields)


def send(fcm: ServedFcm, content: Any, *, bearer: str | None = None) -> httpx2.Response:
    token = access(fcm).json()["access_token"] if bearer is None else bearer
    url = f"{fcm.url}/v1/projects/laurel-test/messages:send"
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx2.post(url, content=body, headers={"Authorization": f"Bearer {token}"})


def test_a_message_is_named_and_kept(fcm: ServedFcm) -> None:
    answered = send(fcm, {"message": PHONE})
    assert answered.status_code == 200
    assert answered.json() == {"name": "projects/laurel-test/messages/0:1%31bd1c9631bd1c96"}
    assert [one.message for one in fcm.shown("phone")] == [PHONE]


def test_what_is_only_validated_is_not_shown(fcm: ServedFcm) -> None:
    assert send(fcm, {"message": PHONE, "validate_only": True}).status_code == 200
    assert (fcm.count, fcm.shown("phone")) == (1, [])


def test_an_access_token_that_nobody_gave_out_is_refused(fcm: ServedFcm) -> None:
    answered = send(fcm, {"message": PHONE}, bearer="guessed")
    assert answered.status_code == 401
    assert answered.json()["error"]["status"] == "UNAUTHENTICATED"
    assert (fcm.count, fcm.unauthorized) == (0, 1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"iss": "somebody@else.example"}, "invalid_grant"),
        ({"aud": "https://elsewhere.example"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"iat": 0}, "invalid_grant"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope"),
        ({"key": "0123456789abcdef0123456789abcdef", "algorithm": "HS256"}, "invalid_grant"),
    ],
)
def test_an_assertion_is_checked(fcm: ServedFcm, changes: dict[str, Any], told: str) -> None:
    answered = access(fcm, **changes)
    assert (answered.status_code, answered.json()["error"]) == (400, told)


def test_another_key_is_refused(fcm: ServedFcm) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - only here

    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert access(fcm, key=other).status_code == 400


@pytest.mark.parametrize("content", [b"", b"{", b"[]", {}, {"message": PHONE, "x": 1}])
def test_what_is_no_request_is_an_invalid_argument(fcm: ServedFcm, content: Any) -> None:
    answered = send(fcm, content)
    assert answered.status_code == 400
    assert answered.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert fcm.count == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"token": ""}, "message.token"),
        ({"token": None}, "message"),
        ({"topic": "news"}, "message"),
        ({"tokens": []}, "message"),
        ({"data": {"a": 1}}, "message.data[0].value"),
        ({"data": {"from": "a"}}, "message.data"),
        ({"notification": {"titel": "x"}}, "message.notification"),
        ({"notification": {"title": "x" * 4_096}}, "message"),
        ({"android": {"ttl": "3600"}}, "message.android.ttl"),
        ({"android": {"ttl": "2419201s"}}, "message.android.ttl"),
        ({"android": {"priority": "urgent"}}, "message.android.priority"),
        ({"android": {"notification": {"x": 1}}}, "message.android.notification"),
        ({"apns": {"headers": {"apns-priority": "7"}}}, "message.apns.headers[apns-priority]"),
        ({"apns": {"headers": {"apns-expiration": "x"}}}, "message.apns.headers[apns-expiration]"),
        (
            {"apns": {"headers": {"apns-collapse-id": "x" * 65}}},
            "message.apns.headers[apns-collapse-id]",
        ),
        ({"webpush": {"headers": {"TTL": "1s"}}}, "message.webpush.headers[TTL]"),
        ({"webpush": {"headers": {"Urgency": "now"}}}, "message.webpush.headers[Urgency]"),
        ({"webpush": {"headers": {"Topic": "a b"}}}, "message.webpush.headers[Topic]"),
        (
            {"webpush": {"fcm_options": {"link": "http://a.example"}}},
            "message.webpush.fcm_options.link",
        ),
    ],
)
def test_a_message_that_the_reference_does_not_know_is_refused(
    fcm: ServedFcm, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(Violation) as refused:
        schema.check(PHONE | change)
    assert refused.value.field == field
    answered = send(fcm, {"message": PHONE | change}).json()["error"]
    assert answered["details"][0]["fieldViolations"][0]["field"] == field


def test_a_payload_of_4096_bytes_is_taken_and_one_more_is_not() -> None:
    frame = len(json.dumps({"title": ""}, separators=(",", ":")))
    schema.check({"token": "phone", "notification": {"title": "x" * (4_096 - frame)}})
    with pytest.raises(Violation, match="Message too big"):
        schema.check({"token": "phone", "notification": {"title": "x" * (4_097 - frame)}})


def test_it_does_as_the_script_says_then_as_is_said_for_the_token_then_as_usual(
    fcm: ServedFcm,
) -> None:
    fcm.usual = Way.INTERNAL
    fcm.by_token["phone"] = Conduct(Way.QUOTA_EXCEEDED, retry_after="7")
    fcm.script += [Way.OK, Way.UNREGISTERED]
    statuses = [send(fcm, {"message": PHONE}).status_code for _ in range(3)]
    others = [send(fcm, {"message": PHONE | {"token": one}}) for one in ("x", "unavailable=3:x")]
    assert statuses == [200, 404, 429]
    assert [one.status_code for one in others] == [500, 503]
    assert others[1].headers["Retry-After"] == "3"
    assert [one.conduct.way for one in fcm.received] == [
        Way.OK,
        Way.UNREGISTERED,
        Way.QUOTA_EXCEEDED,
        Way.INTERNAL,
        Way.UNAVAILABLE,
    ]


def test_chances_come_about_as_often_as_they_say(fcm: ServedFcm) -> None:
    fcm.chances = [(0.25, Way.UNAVAILABLE)]
    found = [fcm._conduct("phone").way for _ in range(10_000)]
    assert 2_300 < found.count(Way.UNAVAILABLE) < 2_700


def test_an_error_is_told_as_firebase_documents_it() -> None:
    head, _, body = answer(Conduct(Way.UNREGISTERED)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert json.loads(body) == {
        "error": {
            "code": 404,
            "message": "Requested entity was not found.",
            "status": "NOT_FOUND",
            "details": [
                {
                    "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
                    "errorCode": "UNREGISTERED",
                }
            ],
        }
    }


@pytest.mark.parametrize(
    ("times", "seconds", "most"),
    [
        ([], 60, 0),
        ([0, 60], 60, 1),
        ([0, 59.9, 60], 60, 2),
        ([59.9, 0, 60, 30], 60, 3),
        ([0, 0, 0, 0.5, 1.1], 1, 4),
    ],
)
def test_the_busiest_window_is_found_wherever_it_begins(
    times: list[float], seconds: float, most: int
) -> None:
    assert busiest(times, seconds) == most


async def test_pipelined_requests_are_answered_in_order(fcm: ServedFcm) -> None:
    token = access(fcm).json()["access_token"]
    body = json.dumps({"message": PHONE}).encode()
    request = (
        f"POST /v1/projects/laurel-test/messages:send HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    reader, writer = await asyncio.open_connection("127.0.0.1", fcm.port)
    writer.write(request * 5)
    names = []
    for _ in range(5):
        await reader.readuntil(b"messages/0:")
        names.append((await reader.readuntil(b"%"))[:-1])
    assert names == [b"1", b"2", b"3", b"4", b"5"]
    writer.close()
    await writer.wait_closed()


def test_a_process_of_its_own_has_written_a_message_before_it_answers(tmp_path: Path) -> None:
    with running(tmp_path, is_logged=True) as fcm:
        account = service_account(fcm.token_url)
        content = json.loads(fcm.credentials.read_text())
        assert (content["client_email"], content["token_uri"]) == (account.email, fcm.token_url)
        now = system_now() // MICROSECONDS_PER_SECOND
        claims = {"iss": account.email, "aud": fcm.token_url, "iat": now, "exp": now + 60}
        assertion = jwt.encode(claims | {"scope": SCOPE}, content["private_key"], "RS256")
        fields = {"grant_type": GRANT, "assertion": assertion}
        token = httpx2.post(fcm.token_url, data=fields).json()["access_token"]
        assert fcm.tell(by_token={"gone": "unregistered"})["token_requests"] == 1
        statuses = []
        for to in ("phone", "gone"):
            answered = httpx2.post(
                f"{fcm.url}/v1/projects/laurel-test/messages:send",
                json={"message": PHONE | {"token": to, "data": {"campaign": "spring"}}},
                headers={"Authorization": f"Bearer {token}"},
            )
            statuses.append(answered.status_code)
        fcm.process.kill()
        lines = fcm.lines()
    assert statuses == [200, 404]
    assert [line.pop("at") > 0 for line in lines] == [True, True]
    shared = {"notification": {"title": "Hello"}, "data": {"campaign": "spring"}}
    assert lines == [
        {"token": "phone", "way": "ok", "is_delivered": True} | shared,
        {"token": "gone", "way": "unregistered", "is_delivered": False} | shared,
    ]
