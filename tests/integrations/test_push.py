"""Push messages: what is sent for what is said, and when to try again."""

import json
import subprocess
import sys
from typing import Any

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from server.integrations import push
from server.integrations.push import (
    InvalidMessage,
    NoPush,
    Outcome,
    OutcomeKind,
    PushMessage,
    pause_seconds,
    payload_bytes,
    wire,
)
from tests.fcm import schema

NOON = "2026-03-01T12:00:00Z"
NOON_SECONDS = 1_772_366_400


def message(**said: Any) -> PushMessage:
    return PushMessage(**({"token": "phone", "title": "Hello", "body": "World"} | said))


# ---------------------------------------------------------------- what is sent


def test_a_plain_message_says_its_texts_and_its_priority() -> None:
    assert wire(message()) == {
        "token": "phone",
        "notification": {"title": "Hello", "body": "World"},
        "android": {"priority": "normal"},
        "apns": {"headers": {"apns-priority": "5"}},
        "webpush": {"headers": {"Urgency": "normal"}},
    }


@time_machine.travel(NOON, tick=False)
def test_every_field_is_told_to_every_kind_of_device() -> None:
    whole = message(
        data={"offer": "coffee"},
        image="https://shop.example.com/a.jpg",
        link="https://shop.example.com/offers/1",
        collapse_key="offers",
        ttl_seconds=3_600,
        is_high_priority=True,
    )
    assert wire(whole) == {
        "token": "phone",
        "notification": {
            "title": "Hello",
            "body": "World",
            "image": "https://shop.example.com/a.jpg",
        },
        "data": {"offer": "coffee", "link": "https://shop.example.com/offers/1"},
        "android": {"priority": "high", "collapse_key": "offers", "ttl": "3600s"},
        "apns": {
            "headers": {
                "apns-priority": "10",
                "apns-collapse-id": "offers",
                "apns-expiration": str(NOON_SECONDS + 3_600),
            },
            "payload": {"aps": {"mutable-content": 1}},
            "fcm_options": {"image": "https://shop.example.com/a.jpg"},
        },
        "webpush": {
            "headers": {"Urgency": "high", "TTL": "3600", "Topic": "offers"},
            "fcm_options": {"link": "https://shop.example.com/offers/1"},
        },
    }
    schema.check(wire(whole))


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize(
    ("seconds", "android", "apns", "webpush"),
    [
        (0, "0s", "0", "0"),
        (1, "1s", str(NOON_SECONDS + 1), "1"),
        (2_419_200, "2419200s", str(NOON_SECONDS + 2_419_200), "2419200"),
        (9_999_999, "2419200s", str(NOON_SECONDS + 2_419_200), "2419200"),
        (-5, "0s", "0", "0"),
    ],
)
def test_it_lives_for_as_long_as_it_says_and_four_weeks_at_most(
    seconds: int, android: str, apns: str, webpush: str
) -> None:
    sent = wire(message(ttl_seconds=seconds))
    assert sent["android"]["ttl"] == android
    assert sent["apns"]["headers"]["apns-expiration"] == apns
    assert sent["webpush"]["headers"]["TTL"] == webpush


def test_its_end_is_counted_from_when_it_is_sent() -> None:
    ends = []
    for moment in (NOON, "2026-03-01T12:00:01Z"):
        with time_machine.travel(moment, tick=False):
            ends.append(wire(message(ttl_seconds=60))["apns"]["headers"]["apns-expiration"])
    assert ends == [str(NOON_SECONDS + 60), str(NOON_SECONDS + 61)]


@pytest.mark.parametrize("key", ["two words", "ü", "x" * 65, "a/b"])
def test_a_collapse_key_that_a_service_would_refuse_is_replaced_by_one_that_stands_for_it(
    key: str,
) -> None:
    sent, again, other = (wire(message(collapse_key=one)) for one in (key, key, key + "!"))
    assert sent["android"]["collapse_key"] == key
    assert sent == again
    schema.check(sent)
    topics = {one["webpush"]["headers"]["Topic"] for one in (sent, other)}
    assert len(topics) == 2
    assert {len(topic) for topic in topics} == {32}
    ids = {one["apns"]["headers"]["apns-collapse-id"] for one in (sent, other)}
    assert len(ids) == 2


def test_a_link_into_the_app_is_in_the_data_and_no_browser_is_sent_there() -> None:
    sent = wire(message(link="laurel://offers/1"))
    assert sent["data"] == {"link": "laurel://offers/1"}
    assert "fcm_options" not in sent["webpush"]


def test_the_data_s_own_link_stays() -> None:
    sent = wire(message(link="https://a.example", data={"link": "laurel://own"}))
    assert sent["data"] == {"link": "laurel://own"}
    assert sent["webpush"]["fcm_options"] == {"link": "https://a.example"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"token": ""}, "token: empty"),
        ({"data": {"n": 1}}, "data: keys and values must be text"),
        ({"data": {"from": "x"}}, "data: a key that FCM keeps for itself"),
        ({"data": {"google.x": "x"}}, "data: a key that FCM keeps for itself"),
        ({"data": {"gcm.x": "x"}}, "data: a key that FCM keeps for itself"),
        ({"android": {"colour": "red"}}, "android.colour: FCM knows no such option"),
        ({"android": {"notification": []}}, "android.notification: not an object"),
        (
            {"android": {"notification": {"color": "red"}}},
            "AndroidNotification.color must be in the form #RRGGBB.",
        ),
        ({"android": {"ttl": "soon"}}, 'android.ttl: not a duration such as "3.5s"'),
        ({"android": {"priority": "urgent"}}, 'AndroidConfig.priority must be "high" or "normal".'),
        (
            {"android": {"notification": {"light_settings": {}}}},
            "android.notification.light_settings: something that it needs is missing",
        ),
        ({"apns": {"headers": {"apns-priority": 5}}}, "apns.headers: a value is not a text"),
        (
            {"apns": {"payload": {"aps": {"badge": "1"}}}},
            "apns.payload.aps.badge: not a whole number",
        ),
        (
            {"webpush": {"fcm_options": {"link": "http://a.example"}}},
            "WebpushFCMOptions.link must be a HTTPS URL.",
        ),
        (
            {"webpush": {"notification": {"dir": "up"}}},
            'WebpushNotification.direction must be "auto", "ltr" or "rtl".',
        ),
    ],
)
def test_what_fcm_would_refuse_is_no_message_and_the_path_is_told(
    said: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidMessage) as refused:
        wire(message(**said))
    assert str(refused.value) == told


# ---------------------------------------------------------------- how much it takes


def test_the_payload_is_all_but_the_token_in_bytes() -> None:
    one = message(title="é", token="phone")
    sent = wire(one)
    del sent["token"]
    expected = json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode()
    assert payload_bytes(one) == len(expected)
    assert payload_bytes(message(title="é", token="p" * 200)) == len(expected)


@given(st.text(st.characters(codec="utf-8"), max_size=4_000))
@settings(max_examples=50, deadline=None)
def test_what_fits_is_not_too_big_for_any_device(body: str) -> None:
    one = message(body=body, data={"n": body[:100]})
    if payload_bytes(one) <= push.MAXIMUM_PAYLOAD_BYTES:
        schema.check(wire(one))


def test_a_text_that_is_no_unicode_is_no_message() -> None:
    with pytest.raises(InvalidMessage):
        payload_bytes(message(body="\ud800"))


# ---------------------------------------------------------------- when to try again


@pytest.mark.parametrize(
    ("attempt", "retry_after", "kind", "expected"),
    [
        (1, None, OutcomeKind.UNAVAILABLE, 10),
        (2, None, OutcomeKind.UNAVAILABLE, 20),
        (3, None, OutcomeKind.INTERNAL, 40),
        (9, None, OutcomeKind.INTERNAL, 2_560),
        (10, None, OutcomeKind.INTERNAL, 3_600),
        (10**9, None, OutcomeKind.INTERNAL, 3_600),
        (1, None, OutcomeKind.QUOTA_EXCEEDED, 60),
        (2, None, OutcomeKind.QUOTA_EXCEEDED, 120),
        (1, 7, OutcomeKind.QUOTA_EXCEEDED, 7),
        (1, 300, OutcomeKind.UNAVAILABLE, 300),
        (2, 7, OutcomeKind.UNAVAILABLE, 20),
        (2, 300, OutcomeKind.UNAVAILABLE, 300),
        (1, 0, OutcomeKind.UNAVAILABLE, 0),
        (1, 86_400, OutcomeKind.UNAVAILABLE, 86_400),
    ],
)
def test_the_pause_doubles_and_is_never_shorter_than_asked(
    attempt: int, retry_after: int | None, kind: OutcomeKind, expected: float
) -> None:
    assert pause_seconds(attempt, retry_after, 0.0, kind=kind) == expected
    assert pause_seconds(attempt, retry_after, 1.0, kind=kind) == expected * 1.5


@given(
    attempt=st.integers(1, 100),
    retry_after=st.none() | st.integers(0, 86_400),
    jitter=st.floats(0, 1),
)
def test_jitter_only_adds(attempt: int, retry_after: int | None, jitter: float) -> None:
    pause = pause_seconds(attempt, retry_after, jitter)
    assert pause_seconds(attempt, retry_after, 0.0) <= pause
    assert pause >= (retry_after or 0)
    assert pause <= max(3_600, retry_after or 0) * 1.5


# ---------------------------------------------------------------- outcomes, and who sends


def test_each_kind_is_one_of_arrived_retryable_and_final() -> None:
    arrived = {OutcomeKind.SENT, OutcomeKind.IN_DOUBT}
    retryable = {
        OutcomeKind.QUOTA_EXCEEDED,
        OutcomeKind.UNAVAILABLE,
        OutcomeKind.INTERNAL,
        OutcomeKind.AUTHENTICATION,
    }
    dead = {OutcomeKind.UNREGISTERED, OutcomeKind.INVALID_TOKEN, OutcomeKind.SENDER_ID_MISMATCH}
    for kind in OutcomeKind:
        outcome = Outcome(kind=kind)
        assert outcome.may_have_arrived is (kind in arrived)
        assert outcome.is_retryable is (kind in retryable)
        assert outcome.is_token_dead is (kind in dead)


async def test_without_a_project_nothing_is_sent() -> None:
    nobody = NoPush()
    assert not nobody.is_set
    assert (
        await nobody.send([message(), message()])
        == [Outcome(kind=OutcomeKind.NOT_SET, reason="not_set")] * 2
    )
    await nobody.close()


def test_the_process_sends_by_the_pusher_that_it_is_told_to_use() -> None:
    before, own = push.pusher(), NoPush()
    try:
        push.use(own)
        assert push.pusher() is own
    finally:
        push.use(before)


def test_a_server_that_only_starts_loads_neither_the_library_nor_its_transport() -> None:
    code = (
        "import sys\nfrom server.integrations import push\nfrom server.integrations import fcm\n"
        "print(sorted({'firebase_admin', 'aiohttp', 'httpx', 'google.auth'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
