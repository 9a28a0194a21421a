"""What is refused when a message or a policy is saved, and what is not."""

from typing import Any, get_args

import pytest

from server.clock import Instant
from server.definitions import checking, examples
from server.definitions.errors import InvalidDefinition
from server.definitions.shelves import Published
from server.edge.nodes import global_id
from server.integrations import push
from server.notifications import documents, triggers
from server.notifications.documents import Message, MessagePolicy
from server.notifications.fitting import longest_push
from server.notifications.kinds import MESSAGE, POLICY
from server.notifications.policy import DEFAULT, policy_of
from server.notifications.pushing import LONGEST_ID
from server.notifications.rendering import variables_in
from server.notifications.shapes import Cap, Category, Hours, Policy
from server.programme.reading import plain_data
from tests.notifications.messages_written import filled, misfits, plain_message

EARNED: dict[str, Any] = {"trigger": {"kind": "points_earned"}}
NAMES = "name, programme, points, available, source"


def titled(title: str, language: str = "en", **changes: Any) -> dict[str, Any]:
    """A message with the title in the language."""
    texts = {language: {"title": title, "body": "x"}}
    return plain_message(default_language=language, texts=texts, **changes)


@pytest.mark.parametrize("kind", [MESSAGE, POLICY])
def test_the_examples_are_accepted(kind: Any) -> None:
    plain, _repeated = plain_data(examples.example_text(kind), maximum_bytes=10_000)
    checking.checked(plain, kind.document)
    if kind is MESSAGE:
        assert isinstance(plain, dict)
        assert misfits(plain) == []


def test_there_is_a_document_for_each_trigger() -> None:
    tags = [one.__struct_config__.tag for one in get_args(documents.Trigger)]
    assert sorted(tags) == sorted(triggers.TRIGGERS)


@pytest.mark.parametrize("trigger", triggers.TRIGGERS.values(), ids=lambda one: one.name)
def test_each_variable_is_mentioned_in_the_ways_of_its_type_and_no_other(
    trigger: triggers.Trigger,
) -> None:
    ways = {
        "int": ["{%}", "{%, number}", "{%, plural, one {#} other {#}}"],
        "money": ["{%}", "{%, money}"],
        "date": ["{%}", "{%, date}", "{%, date, full}"],
        "text": ["{%}", "{%, select, none {} other {}}"],
    }
    ways["days"] = ways["int"]
    empty_date = ["{%, select, none {} other {{%} {%, date, long}}}"]
    every = {way for each in ways.values() for way in each}
    for variable in trigger.variables.values():
        allowed = ways[variable.type]
        if variable.type is triggers.VariableType.DATE and variable.can_be_empty:
            allowed = [*empty_date, "{%, select, none {} other {}}"]
        for way in [*sorted(every), *empty_date]:
            told = titled(way.replace("%", variable.name), trigger={"kind": trigger.name})
            assert (misfits(told) == []) == (way in allowed), (variable.name, way)


@pytest.mark.parametrize(
    ("title", "accepted"),
    [
        (
            "You have {pionts}",
            f"one of the variables {NAMES}; the nearest is points; there is no pionts"
            " (line 1, column 10)",
        ),
        ("{days}", f"one of the variables {NAMES}; there is no days (line 1, column 1)"),
        ("{points", "a closing brace, or a comma and a format (line 1, column 8)"),
        (
            "{points, date}",
            "number or plural, or {points} alone: points is of the type int (line 1, column 1)",
        ),
        (
            "{points, plural, other {#}}",
            "the plural forms one, other, which en has (line 1, column 1)",
        ),
        (
            "{points, plural, one {#} few {#} other {#}}",
            "the plural forms one, other, which en has (line 1, column 1)",
        ),
        (
            "{source, select, other {{points, plural, other {#}}}}",
            "the plural forms one, other, which en has (line 1, column 25)",
        ),
        (" ", "a text that is not empty"),
    ],
)
def test_a_text_that_does_not_fit_is_refused_with_its_place(title: str, accepted: str) -> None:
    assert misfits(titled(title, **EARNED)) == [("texts.en.title", accepted)]


@pytest.mark.parametrize(
    ("language", "needed"),
    [
        ("en", "one, other"),
        ("lv", "one, other, zero"),
        ("lt", "few, one, other"),
        ("ru", "few, many, one, other"),
        ("cs", "few, one, other"),
        ("zh-Hant", "other"),
        ("pl", "few, many, one, other"),
        ("fr", "many, one, other"),
        ("ar", "few, many, one, other, two, zero"),
    ],
)
def test_a_plural_has_all_forms_of_its_language(language: str, needed: str) -> None:
    every = needed.split(", ")

    def written(forms: list[str]) -> dict[str, Any]:
        text = " ".join(f"{form} {{#}}" for form in forms)
        return titled(f"{{points, plural, =0 {{none}} {text}}}", language, **EARNED)

    assert misfits(written(every)) == []
    for missing in set(every) - {"other"}:
        expected = f"the plural forms {needed}, which {language} has (line 1, column 1)"
        assert misfits(written([one for one in every if one != missing])) == [
            (f"texts.{language}.title", expected)
        ]


def test_a_plural_form_of_fractions_may_be_there() -> None:
    forms = "one {#} few {#} many {#} other {#}"
    assert misfits(titled(f"{{points, plural, {forms}}}", "cs", **EARNED)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"default_language": "lv"}, [("default_language", "a language that there is a text in")]),
        (
            {"texts": {"en": {"title": "a", "body": "b"}, "xx": {"title": "a", "body": "b"}}},
            [("texts.xx", "as a key: a language tag that the CLDR knows, such as lv")],
        ),
        (
            {"texts": {"en": {"title": "a", "body": "b"}, "EN": {"title": "a", "body": "b"}}},
            [("texts.EN", "as a key: each language once")],
        ),
        (
            {
                "texts": {
                    "en": {"title": "a", "body": "b", "email_subject": "s"},
                    "lv": {"title": "a", "body": "b", "call_to_action": "c"},
                }
            },
            [
                (
                    "texts.lv.email_subject",
                    "a text, as it is in en: all languages have the same",
                ),
                ("texts.lv.call_to_action", "left out, as in en: all languages have the same"),
            ],
        ),
        (
            {"trigger": {"kind": "points_expiring", "days": [7, 7]}},
            [("trigger.days", "each number of days once")],
        ),
        (
            {"category": "service", "trigger": {"kind": "birthday"}},
            [
                (
                    "category",
                    "offers, points or challenges: a message for this trigger advertises",
                )
            ],
        ),
        ({"category": "service", "trigger": {"kind": "order_delivered"}}, []),
        ({"channels": ["push", "push"]}, [("channels", "each channel once")]),
        ({"segment": "nobody"}, [("segment", "the key of a segment that counts then")]),
        ({"web_push": {"renotify": True}}, [("web_push.renotify", "false, or a tag as well")]),
        ({"web_push": {"renotify": True, "tag": "a"}}, []),
    ],
)
def test_what_does_not_go_together_is_refused(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert misfits(plain_message(**changes)) == expected


def test_a_segment_that_counts_may_be_named() -> None:
    segment = Published(1, "segment", "regulars", 1, "", Instant(0), object(), "")
    assert misfits(plain_message(segment="regulars"), segment) == []


@pytest.mark.parametrize(
    ("link", "is_taken"),
    [
        ("app://points", True),
        ("app://offers/{programme}?to={name}", True),
        ("app://x/{name, select, none {nobody} other {{name}}}", True),
        ("https://example.com", True),
        ("https://example.com/?q={name}#top", True),
        ("https://example.com:8443/a%20b", True),
        ("app://", False),
        ("http://example.com/", False),
        ("javascript:alert(1)", False),
        ("https://{name}.example.com/", False),
        ("https://example.com{name}/", False),
        ("https://example/", False),
        ("https://a:b@example.com/", False),
        ("https://example.com/a b", False),
        ("https://example.com/é", False),
        ("{name}", False),
        ("other://x", False),
        ("app://x/{unknown}", False),
        ("app://x/{name, number}", False),
    ],
)
def test_a_link_leads_into_the_app_or_to_a_fixed_host(link: str, is_taken: bool) -> None:
    found = misfits(plain_message(link=link))
    assert ([path for path, _accepted in found] == []) == is_taken
    assert {path for path, _accepted in found} <= {"link"}


@pytest.mark.parametrize("place", ["image", "icon", "badge"])
@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("https://example.com/a.png", True),
        ("http://example.com/a.png", False),
        ("https://example.com/{name}.png", False),
        ("data:image/png;base64,AAAA", False),
    ],
)
def test_a_picture_is_fetched_by_https(place: str, url: str, is_taken: bool) -> None:
    changes = {"image": url} if place == "image" else {"web_push": {place: url}}
    assert (misfits(plain_message(**changes)) == []) == is_taken


@pytest.mark.parametrize(
    ("key", "is_taken"),
    [
        ("offer", True),
        ("offer_id.x-1", True),
        ("fromage", True),
        ("from", False),
        ("From", False),
        ("message_type", False),
        ("notification", False),
        ("google.a", False),
        ("gcm.notification.title", False),
        ("link", False),
        ("notificationId", False),
        ("two words", False),
    ],
)
def test_no_data_key_is_one_of_firebase_or_of_laurel(key: str, is_taken: bool) -> None:
    assert (misfits(plain_message(data={key: "x"})) == []) == is_taken


def test_data_may_mention_variables_and_fits_every_language() -> None:
    plural = "{points, plural, one {#} other {#}}"
    told = titled("x", "lv", data={"n": "{points}", "shown": "{nobody}", "p": plural}, **EARNED)
    assert misfits(told) == [
        (
            "data.shown",
            f"one of the variables {NAMES}; there is no nobody (line 1, column 1)",
        ),
        ("data.p", "the plural forms one, other, zero, which lv has (line 1, column 1)"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"texts": {"en": {"title": "x" * 201, "body": "b"}}},
        {"texts": {"en": {"title": "x", "body": "b" * 1_001}}},
        {"texts": {}},
        {"category": "news"},
        {"channels": []},
        {"channels": ["sms"]},
        {"trigger": {"kind": "rain"}},
        {"trigger": {"kind": "points_expiring", "days": []}},
        {"time_to_live_seconds": 2_419_201},
        {"time_to_live_seconds": -1},
        {"priority": "urgent"},
        {"data": {str(number): "x" for number in range(21)}},
        {"android": {"color": "red"}},
        {"apns": {"interruption_level": "critical"}},
        {"web_push": {"urgency": "now"}},
    ],
)
def test_what_is_outside_the_bounds_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidDefinition):
        misfits(plain_message(**changes))


def test_the_bounds_themselves_are_accepted() -> None:
    texts = {"en": {"title": "x" * 200, "body": "b" * 1_000}}
    data = {str(number): "x" for number in range(20)}
    assert misfits(plain_message(texts=texts, data=data, time_to_live_seconds=2_419_200)) == []
    assert misfits(plain_message(time_to_live_seconds=0)) == []


# ---------------------------------------------------------------- bytes


def test_4096_bytes_at_the_longest_are_accepted_and_one_more_is_not() -> None:
    plain = titled("{source} {points}", link="app://x/{name}", **EARNED)
    full = filled(plain)
    told: Message = checking.checked(full, Message)
    longest = longest_push(told, told.texts["en"], variables_in(told), "en")
    assert push.payload_bytes(longest) == 4096
    assert misfits(full) == []
    assert misfits(filled(plain, spare=-1)) == [
        (
            "texts.en",
            "at most 4096 bytes of title, body, link, data and options together, with the longest "
            "values of the variables; it can take 4097",
        )
    ]


def test_a_message_that_is_not_pushed_may_be_longer() -> None:
    long = {"en": {"title": "t", "body": "點" * 1_000}, "lv": {"title": "t", "body": "é" * 1_000}}
    fillings = {f"x{number}": "x" * 400 for number in range(5)}
    pushed = misfits(plain_message(texts=long, data=fillings))
    assert [path for path, _accepted in pushed] == ["texts.en", "texts.lv"]
    assert misfits(plain_message(texts=long, data=fillings, channels=["email", "in_app"])) == []


def test_what_the_inbox_could_not_hold_is_refused() -> None:
    body = "{source}" * 34
    told = plain_message(
        texts={"en": {"title": "{source}" * 7, "body": body}}, channels=["in_app"], **EARNED
    )
    assert misfits(told) == [
        (
            "texts.en.title",
            "at most 400 characters with the longest values; it can have 420",
        ),
        (
            "texts.en.body",
            "at most 2000 characters with the longest values; it can have 2040",
        ),
    ]


def test_the_id_of_a_notification_is_never_longer_than_what_is_kept_for_it() -> None:
    assert len(LONGEST_ID) == len(global_id("Notification", 2**63 - 1))


# ---------------------------------------------------------------- the policy


def test_a_policy_says_what_is_not_done_to_members() -> None:
    plain = {
        "quiet_hours": {"from": "21:30", "until": "08:00"},
        "caps": [{"messages": 2, "days": 7, "category": "offers"}, {"messages": 0, "days": 1}],
    }
    assert policy_of(checking.checked(plain, MessagePolicy)) == Policy(
        quiet=Hours(21 * 60 + 30, 8 * 60),
        caps=(Cap(Category.OFFERS, 2, 7), Cap(None, 0, 1)),
    )
    assert policy_of(MessagePolicy()) == Policy(quiet=None, caps=())


def test_without_a_policy_nights_are_quiet_and_messages_few() -> None:
    assert policy_of(DEFAULT) == Policy(
        quiet=Hours(21 * 60, 8 * 60),
        caps=(Cap(Category.OFFERS, 2, 7), Cap(None, 2, 1), Cap(None, 5, 7)),
    )


@pytest.mark.parametrize(
    "plain",
    [
        {"quiet_hours": {"from": "24:00", "until": "08:00"}},
        {"quiet_hours": {"starts": "21:00", "until": "08:00"}},
        {"caps": [{"messages": -1, "days": 7}]},
        {"caps": [{"messages": 1, "days": 0}]},
        {"caps": [{"messages": 1, "days": 7, "category": "service"}]},
    ],
)
def test_a_policy_outside_the_bounds_is_refused(plain: dict[str, Any]) -> None:
    with pytest.raises(InvalidDefinition):
        checking.checked(plain, MessagePolicy)
