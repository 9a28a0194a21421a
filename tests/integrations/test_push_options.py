"""Options for Android, Apple's devices and browsers, by the names of FCM's reference."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.integrations.push import InvalidMessage, wire
from tests.fcm import schema
from tests.integrations.pushing import message

OPTIONS: dict[str, dict[str, Any]] = {
    "android": {
        "collapse_key": "own",
        "priority": "high",
        "ttl": "86400s",
        "restricted_package_name": "com.example.app",
        "data": {"a": "b"},
        "notification": {
            "title": "t",
            "body": "b",
            "icon": "star",
            "color": "#112233",
            "sound": "bell",
            "tag": "offers",
            "click_action": "OPEN",
            "body_loc_key": "key",
            "body_loc_args": ["1"],
            "title_loc_key": "key",
            "title_loc_args": ["1"],
            "channel_id": "offers",
            "ticker": "ticker",
            "sticky": True,
            "event_time": "2026-03-01T12:00:00.000000Z",
            "local_only": True,
            "notification_priority": "PRIORITY_HIGH",
            "default_sound": True,
            "default_vibrate_timings": False,
            "default_light_settings": True,
            "vibrate_timings": ["1s", "0.500000000s"],
            "visibility": "PUBLIC",
            "notification_count": 3,
            "light_settings": {
                "color": {"red": 1.0, "green": 0.2, "blue": 0.0, "alpha": 1.0},
                "light_on_duration": "1s",
                "light_off_duration": "2.250000000s",
            },
            "image": "https://a.example/b.png",
            "proxy": "IF_PRIORITY_LOWERED",
        },
        "fcm_options": {"analytics_label": "spring"},
        "direct_boot_ok": True,
        "bandwidth_constrained_ok": True,
        "restricted_satellite_ok": False,
    },
    "apns": {
        "headers": {"apns-priority": "1", "apns-collapse-id": "own", "apns-topic": "app"},
        "payload": {
            "aps": {
                "alert": {
                    "title": "t",
                    "subtitle": "s",
                    "body": "b",
                    "loc-key": "k",
                    "loc-args": ["1"],
                    "title-loc-key": "k",
                    "title-loc-args": ["1"],
                    "action-loc-key": "k",
                    "launch-image": "i",
                    "summary-arg": "new",
                },
                "badge": 4,
                "sound": {"name": "bell", "critical": 1, "volume": 0.5},
                "content-available": 1,
                "mutable-content": 1,
                "category": "OFFER",
                "thread-id": "offers",
                "interruption-level": "time-sensitive",
            },
            "own": {"deep": [1, 2]},
        },
        "fcm_options": {"analytics_label": "spring", "image": "https://a.example/b.png"},
        "live_activity_token": "activity",
    },
    "webpush": {
        "headers": {"TTL": "60", "Urgency": "very-low", "Topic": "own"},
        "data": {"a": "b"},
        "notification": {
            "title": "t",
            "body": "b",
            "icon": "i",
            "badge": "b",
            "image": "m",
            "lang": "de",
            "tag": "x",
            "dir": "ltr",
            "data": {"x": 1},
            "renotify": True,
            "requireInteraction": True,
            "silent": False,
            "timestamp": 1_772_366_400_000,
            "vibrate": [200, 100],
            "actions": [{"action": "open", "title": "Open", "icon": "o"}],
            "own": "kept",
        },
        "fcm_options": {"link": "https://a.example"},
    },
}


@pytest.mark.parametrize("device", OPTIONS)
def test_every_option_of_the_reference_comes_through_as_it_is(device: str) -> None:
    sent = wire(message("phone", **{device: OPTIONS[device]}))
    assert sent[device] == OPTIONS[device]
    schema.check(sent)


@pytest.mark.parametrize("device", OPTIONS)
def test_options_win_over_what_the_message_says_for_all(device: str) -> None:
    everything = message(
        "phone",
        image="https://other.example/c.png",
        link="https://other.example",
        collapse_key="others",
        ttl_seconds=5,
        is_high_priority=True,
        **{device: OPTIONS[device]},
    )
    sent = wire(everything)[device]
    headers = sent.pop("headers", {})
    said = OPTIONS[device] | {}
    assert headers.items() >= said.pop("headers", {}).items()
    assert sent == said


def test_a_header_of_whatever_case_is_said_once() -> None:
    sent = wire(
        message("phone", ttl_seconds=60, webpush={"headers": {"ttl": "5", "urgency": "low"}})
    )
    assert sent["webpush"]["headers"] == {"ttl": "5", "urgency": "low"}


_NAMES = sorted(
    {"headers", "data", "notification", "fcm_options", "payload", "aps", "alert", "sound", "ttl"}
    | {"priority", "color", "light_settings", "actions", "link", "badge", "custom"}
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(device=st.sampled_from(list(OPTIONS)), options=_JSON)
@settings(max_examples=300, deadline=None)
def test_whatever_options_are_written_it_is_a_message_or_an_invalid_one(
    device: str, options: Any
) -> None:
    try:
        sent = wire(message("phone", **{device: options}))
    except InvalidMessage:
        return
    assert json.loads(json.dumps(sent)) == sent
