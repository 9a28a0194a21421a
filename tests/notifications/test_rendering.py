"""Messages as members read them: exact words in each language, and never an exception."""

import json
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.clock import NEVER, Instant
from server.definitions import checking
from server.definitions.shelves import Published
from server.edge.nodes import global_id
from server.integrations import push
from server.money import currency_codes
from server.notifications.documents import Message
from server.notifications.fitting import MAXIMUM_BODY_SHOWN, MAXIMUM_TITLE_SHOWN
from server.notifications.pushing import LONGEST_ID, pushed
from server.notifications.rendering import rendered, renderer, variables_in
from server.notifications.sending import push_message
from server.notifications.sending_facts import Content, Known
from server.notifications.sending_windows import Outgoing
from server.notifications.shapes import Category, StoredWire, Wire
from server.notifications.templates import DATE_STYLES, Plain
from server.notifications.triggers import TRIGGERS, Money, Value
from server.notifications.using import Use, longest
from server.notifications.using import saying as saying_of
from server.notifications.values import Measure, day, longest_day, longest_money, money
from tests.notifications.messages_written import filled, message, misfits, saying
from tests.notifications.templates_made import LANGUAGES, documents, parts, values

COUNTED = {
    "en": "{points, plural, one {# point} other {# points}}",
    "lv": "{points, plural, zero {# punktu} one {# punkts} other {# punkti}}",
    "lt": "{points, plural, one {# taškas} few {# taškai} other {# taškų}}",
    "ru": "{points, plural, one {# балл} few {# балла} many {# баллов} other {# балла}}",
    "cs": "{points, plural, one {# bod} few {# body} other {# bodů}}",
    "zh_Hant": "{points, plural, other {# 點}}",
}


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "0 points|1 point|2 points|11 points|21 points|1,234 points"),
        ("lv", "0 punktu|1 punkts|2 punkti|11 punktu|21 punkts|1\xa0234 punkti"),
        ("lt", "0 taškų|1 taškas|2 taškai|11 taškų|21 taškas|1\xa0234 taškai"),
        ("ru", "0 баллов|1 балл|2 балла|11 баллов|21 балл|1\xa0234 балла"),
        ("cs", "0 bodů|1 bod|2 body|11 bodů|21 bodů|1\xa0234 bodů"),
        ("zh-Hant", "0 點|1 點|2 點|11 點|21 點|1,234 點"),
    ],
)
def test_a_number_takes_the_plural_form_of_the_language(locale: str, expected: str) -> None:
    told = saying("points_earned", **COUNTED)
    numbers = (0, 1, 2, 11, 21, 1234)
    assert "|".join(rendered(told, locale, {"points": n}).title for n in numbers) == expected


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "€1,234.56|¥1,234|TND\xa01.250|-$9.90"),
        ("lv", "1\xa0234,56\xa0€|1\xa0234\xa0¥|1,250\xa0TND|-9,90\xa0$"),
        ("lt", "1\xa0234,56\xa0€|1\xa0234\xa0JPY|1,250\xa0TND|-9,90\xa0USD"),
        ("ru", "1\xa0234,56\xa0€|1\xa0234\xa0¥|1,250\xa0TND|-9,90\xa0$"),
        ("cs", "1\xa0234,56\xa0€|1\xa0234\xa0JP¥|1,250\xa0TND|-9,90\xa0US$"),
        ("zh-Hant", "€1,234.56|¥1,234|TND\xa01.250|-US$9.90"),
    ],
)
@pytest.mark.parametrize("written", ["{amount}", "{amount, money}"])
def test_money_has_the_decimals_of_its_currency(locale: str, expected: str, written: str) -> None:
    told = saying("cashback_available", **dict.fromkeys(COUNTED, written))
    amounts = [
        Money(123456, "EUR", 2),
        Money(1234, "JPY", 0),
        Money(1250, "TND", 3),
        Money(-990, "USD", 2),
    ]
    shown = [rendered(told, locale, {"amount": one}).title for one in amounts]
    assert "|".join(shown) == expected


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "Dec 24, 2026|12/24/26|December 24, 2026|Thursday, December 24, 2026"),
        (
            "lv",
            "2026. gada 24. dec.|24.12.26|2026. gada 24. decembris|"
            "ceturtdiena, 2026. gada 24. decembris",
        ),
        (
            "lt",
            "2026-12-24|2026-12-24|2026 m. gruodžio 24 d.|2026 m. gruodžio 24 d., ketvirtadienis",
        ),
        (
            "ru",
            "24 дек. 2026\u202fг.|24.12.2026|24 декабря 2026\u202fг.|"
            "четверг, 24 декабря 2026\u202fг.",
        ),
        ("cs", "24. 12. 2026|24.12.26|24. prosince 2026|čtvrtek 24. prosince 2026"),
        ("zh-Hant", "2026年12月24日|2026/12/24|2026年12月24日|2026年12月24日 星期四"),
    ],
)
def test_a_day_is_written_as_the_language_does(locale: str, expected: str) -> None:
    styles = "{expires_on}|{expires_on, date, short}|{expires_on, date, long}"
    written = styles + "|{expires_on, date, full}"
    told = saying("points_expiring", **dict.fromkeys(COUNTED, written))
    assert rendered(told, locale, {"expires_on": date(2026, 12, 24)}).title == expected


def test_exact_numbers_go_before_plural_forms() -> None:
    text = "{points, plural, =0 {nothing} =1 {just one} one {# point} other {# points}}"
    told = saying("points_earned", en=text)
    assert [rendered(told, "en", {"points": n}).title for n in (0, 1, 2, -1)] == [
        "nothing",
        "just one",
        "2 points",
        "-1 point",
    ]


def test_forms_in_forms_count_by_their_own_number() -> None:
    text = "{points, plural, one {#} other {# {available, plural, one {of #} other {of all #}}}}"
    told = saying("points_earned", en=text)
    given: dict[str, Value] = {"points": 5, "available": 1_200}
    assert rendered(told, "en", given).title == "5 of all 1,200"


def test_an_empty_value_has_a_form_of_its_own() -> None:
    text = "{ends_on, select, none {for ever} other {until {ends_on, date}}}"
    named = "{name, select, none {Hello} Bob {Oh, Bob} other {Hello {name}}}"
    told = saying("offer_published", en=f"{named}: {text}")
    day = date(2026, 1, 2)
    assert [
        rendered(told, "en", {"ends_on": ends_on, "name": name}).title
        for ends_on, name in ((None, ""), (day, "Ann"), (day, None), (None, "Bob"))
    ] == [
        "Hello: for ever",
        "Hello Ann: until Jan 2, 2026",
        "Hello: until Jan 2, 2026",
        "Oh, Bob: for ever",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a" * 40, "a" * 40),
        ("a" * 41, "a" * 39 + "…"),
        ("a" * 38 + " bcd", "a" * 38 + "…"),
        ("one\ntwo\tthree\u2028four\x7f", "one two three four "),
        ("{points} it's", "{points} it's"),
        ("\ud800x", " x"),
        ("non-breaking\xa0space", "non-breaking\xa0space"),
    ],
)
def test_a_text_is_on_one_line_and_cut_at_its_maximum(value: str, shown: str) -> None:
    assert rendered(saying(None, en="{name}"), "en", {"name": value}).title == shown


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("lt", "lt"),
        ("lt-LT", "lt"),
        ("LT-lt", "lt"),
        ("lt_LT", "lt"),
        ("en-GB", "en-GB"),
        ("en-US", "en"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh", "zh-Hant"),
        ("zh-Hans-CN", "zh-Hant"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("de", "cs"),
        ("z", "cs"),
        ("", "cs"),
    ],
)
def test_a_member_reads_the_nearest_language_and_else_the_default(
    locale: str, language: str
) -> None:
    told = saying(None, cs="cs", en="en", en_GB="en-GB", lt="lt", zh_Hant="zh-Hant", pt_BR="pt-BR")
    found = rendered(told, locale, {})
    assert (found.locale, found.title) == (language, language)


def test_what_goes_to_the_device_is_named_as_firebase_does() -> None:
    told = message(
        trigger={"kind": "points_earned"},
        link="app://points/{source}?n={points}",
        image="https://example.com/a.png",
        data={"points": "{points}", "shown": "{points, number}", "fixed": "x"},
        collapse_key="points",
        time_to_live_seconds=60,
        priority="high",
        android={"channel_id": "points", "color": "#00ff00", "visibility": "private"},
        apns={"thread_id": "points", "interruption_level": "passive", "mutable_content": True},
        web_push={"urgency": "high", "require_interaction": True, "icon": "https://example.com/i"},
    )
    found = rendered(told, "en", {"points": 1250, "source": "Café & bar/ä"})
    assert found.wire == Wire(
        link="app://points/Caf%C3%A9%20%26%20bar%2F%C3%A4?n=1250",
        image="https://example.com/a.png",
        data={"points": "1250", "shown": "1,250", "fixed": "x"},
        collapse_key="points",
        ttl_seconds=60,
        is_high_priority=True,
        android={
            "notification": {"channel_id": "points", "color": "#00ff00", "visibility": "PRIVATE"}
        },
        apns={
            "payload": {
                "aps": {
                    "thread-id": "points",
                    "interruption-level": "passive",
                    "mutable-content": 1,
                }
            }
        },
        webpush={
            "headers": {"Urgency": "high"},
            "notification": {"icon": "https://example.com/i", "requireInteraction": True},
        },
    )
    sent = push.wire(pushed("t", found.title, found.body, found.wire, notification_id="n"))
    assert sent["data"] == {
        "points": "1250",
        "shown": "1,250",
        "fixed": "x",
        "notificationId": "n",
        "link": found.wire.link,
    }
    assert sent["apns"]["payload"]["aps"]["interruption-level"] == "passive"
    assert sent["webpush"]["headers"]["Urgency"] == "high"


def test_values_for_programs_are_plain() -> None:
    told = message(
        trigger={"kind": "tier_at_risk"},
        data={"all": "{missing} {ends_on} {tier} {missing, money}"},
    )
    given: dict[str, Value] = {
        "missing": Money(-5, "EUR", 2),
        "ends_on": date(2026, 1, 2),
        "tier": "Gold",
    }
    assert rendered(told, "en", given).wire.data == {"all": "-0.05 2026-01-02 Gold -€0.05"}


def test_an_e_mail_may_say_more() -> None:
    text = {"title": "t", "body": "b", "email_subject": "s {name}", "email_body": "l {name}"}
    told = message(texts={"en": {**text, "call_to_action": "Go, {name}"}})
    found = rendered(told, "en", {"name": "Ann"})
    assert (found.email_subject, found.email_body, found.wire.call_to_action) == (
        "s Ann",
        "l Ann",
        "Go, Ann",
    )
    bare = rendered(message(), "en", {})
    assert (bare.email_subject, bare.email_body, bare.wire.call_to_action) == (None, None, None)


def test_a_published_version_renders_as_its_document() -> None:
    told = saying(None, en="{name}")
    published = Published(1, "message", "m", 1, "", Instant(0), told, "")
    given: dict[str, Value] = {"name": "Ann"}
    assert renderer(published, "en")(given) == rendered(told, "en", given)


def test_what_is_checked_when_it_is_saved_is_what_is_sent() -> None:
    told = message(link="app://x", data={"a": "b"}, image="https://example.com/a.png")
    found = rendered(told, "en", {})
    known = Known(
        id=1,
        member_id=2,
        notification_id=2**63 - 1,
        category=Category.POINTS,
        device_id=3,
        attempts=0,
        expires_at=NEVER,
        topic="t",
        zone="UTC",
        merged_into=None,
        own_hours=None,
        run_state=None,
        reached="token",
    )
    stored = StoredWire(**msgspec.structs.asdict(found.wire))
    outgoing = Outgoing(known, Content("en", found.title, found.body, stored))
    opaque = str(global_id("Notification", 2**63 - 1))
    assert push_message(outgoing, Instant(0)) == pushed(
        "token", found.title, found.body, found.wire, notification_id=opaque
    )


def bytes_of(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())


@given(st.data(), st.sampled_from(sorted(TRIGGERS)), st.sampled_from(LANGUAGES))
@pytest.mark.parametrize("measure", [len, bytes_of])
def test_no_text_is_longer_than_its_longest(
    measure: Measure, data: st.DataObject, trigger: str, language: str
) -> None:
    variables = TRIGGERS[trigger].variables
    depth = data.draw(st.integers(0, 2))
    made = data.draw(parts(variables.values(), language, depth))
    said = saying_of(made, variables, language)(data.draw(values(variables)))
    assert measure(said) <= measure(longest(made, variables, language, measure))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("measure", [len, bytes_of])
def test_no_day_and_no_amount_is_longer_than_its_longest(measure: Measure, language: str) -> None:
    """Of one common year, and of all currencies."""
    for style in DATE_STYLES:
        most = measure(longest_day(style, language, measure))
        every = (day(date(2026, 1, 1) + timedelta(n), style, language) for n in range(365))
        assert max(map(measure, every)) == most
    amounts = (
        money(Money(-(2**63), code, digits), language)
        for code in currency_codes()
        for digits in (0, 2, 3, 4)
    )
    assert max(map(measure, amounts)) <= measure(longest_money(language, measure))


@given(st.data(), st.sampled_from(sorted(TRIGGERS)), st.sampled_from([Use.DATA, Use.LINK]))
def test_no_value_for_programs_is_longer_than_its_longest(
    data: st.DataObject, trigger: str, use: Use
) -> None:
    variables = TRIGGERS[trigger].variables
    made = tuple(Plain(name) for name in variables)
    said = saying_of(made, variables, "en", use)(data.draw(values(variables)))
    assert bytes_of(said) <= bytes_of(longest(made, variables, "en", bytes_of, use))


@given(documents(), st.data())
def test_no_saved_message_exceeds_what_firebase_takes(
    plain: dict[str, Any], data: st.DataObject
) -> None:
    """Though it is filled up, and its values are anything."""
    full = filled(plain)
    if misfits(full):
        assert misfits(plain)
        return
    told: Message = checking.checked(full, Message)
    given_values = data.draw(values(variables_in(told)))
    for language in told.texts:
        found = rendered(told, language, given_values)
        sent = pushed("token", found.title, found.body, found.wire, notification_id=LONGEST_ID)
        assert push.payload_bytes(sent) <= push.MAXIMUM_PAYLOAD_BYTES
        assert len(found.title) <= MAXIMUM_TITLE_SHOWN
        assert len(found.body) <= MAXIMUM_BODY_SHOWN
