"""Firebase's real library over a real wire: what became of each message, whatever FCM does.

The server, and who sends by it, are fixtures of `conftest`.
"""

import asyncio
import gc
import logging
import ssl
from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.clock import Instant
from server.integrations import fcm_answers
from server.integrations.fcm import FirebasePusher
from server.integrations.push import MAXIMUM_BATCH, Outcome, OutcomeKind, wire
from tests.fcm import Conduct, ServedFcm, TokenWay, Way, service_account, until
from tests.integrations.pushing import message, sent_one

KINDS: dict[Way, tuple[OutcomeKind, str | None]] = {
    Way.OK: (OutcomeKind.SENT, None),
    Way.SLOW: (OutcomeKind.SENT, None),
    Way.UNREGISTERED: (OutcomeKind.UNREGISTERED, "UNREGISTERED"),
    Way.SENDER_ID_MISMATCH: (OutcomeKind.SENDER_ID_MISMATCH, "SENDER_ID_MISMATCH"),
    Way.INVALID_TOKEN: (OutcomeKind.INVALID_TOKEN, "INVALID_ARGUMENT"),
    Way.INVALID_TOKEN_FIELD: (OutcomeKind.INVALID_TOKEN, "INVALID_ARGUMENT message.token"),
    Way.INVALID_ARGUMENT: (
        OutcomeKind.INVALID_ARGUMENT,
        "INVALID_ARGUMENT message.data[0].value",
    ),
    Way.QUOTA_EXCEEDED: (OutcomeKind.QUOTA_EXCEEDED, "QUOTA_EXCEEDED"),
    Way.UNAVAILABLE: (OutcomeKind.UNAVAILABLE, "UNAVAILABLE"),
    Way.INTERNAL: (OutcomeKind.INTERNAL, "INTERNAL"),
    Way.THIRD_PARTY_AUTH_ERROR: (OutcomeKind.THIRD_PARTY_AUTH, "THIRD_PARTY_AUTH_ERROR"),
    Way.UNAUTHENTICATED: (OutcomeKind.AUTHENTICATION, "UNAUTHENTICATED"),
    Way.PERMISSION_DENIED: (OutcomeKind.AUTHENTICATION, "PERMISSION_DENIED"),
    Way.NOT_FOUND: (OutcomeKind.REFUSED, "NOT_FOUND"),
    Way.DEADLINE_EXCEEDED: (OutcomeKind.IN_DOUBT, "DEADLINE_EXCEEDED"),
    Way.SILENT: (OutcomeKind.IN_DOUBT, "timeout"),
    Way.RESET_BEFORE: (OutcomeKind.IN_DOUBT, "reset"),
    Way.RESET_AFTER: (OutcomeKind.IN_DOUBT, "reset"),
    Way.CLOSE_AFTER: (OutcomeKind.IN_DOUBT, "reset"),
    Way.GARBAGE: (OutcomeKind.IN_DOUBT, "malformed"),
    Way.NOT_HTTP: (OutcomeKind.IN_DOUBT, "malformed"),
    Way.NAMELESS: (OutcomeKind.IN_DOUBT, "malformed"),
    Way.NOT_AN_OBJECT: (OutcomeKind.IN_DOUBT, "malformed"),
    Way.TRUNCATED: (OutcomeKind.IN_DOUBT, "malformed"),
    Way.CUT_JSON: (OutcomeKind.IN_DOUBT, "malformed"),
    Way.HUGE: (OutcomeKind.IN_DOUBT, "malformed"),
    Way.BAD_GATEWAY: (OutcomeKind.IN_DOUBT, "HTTP 502"),
    Way.GATEWAY_TIMEOUT: (OutcomeKind.IN_DOUBT, "HTTP 504"),
    Way.REDIRECT: (OutcomeKind.UNAVAILABLE, "HTTP 302"),
    Way.NOT_FOUND_PAGE: (OutcomeKind.UNAVAILABLE, "HTTP 404"),
    Way.ODD_ERROR: (OutcomeKind.UNAVAILABLE, "HTTP 400"),
    Way.CUT_ERROR: (OutcomeKind.UNAVAILABLE, "HTTP 503"),
}
ASKED_TWICE = {Way.UNAUTHENTICATED}  # once more with another access token
QUICK = [way for way in Way if way not in (Way.SILENT, Way.SLOW, Way.HUGE)]


# ---------------------------------------------------------------- messages


def test_every_way_of_the_server_has_an_outcome_here() -> None:
    assert set(KINDS) == set(Way)


async def test_a_message_arrives_as_the_library_encodes_it(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    one = message("phone", data={"offer": "coffee"}, link="https://a.example", collapse_key="o")
    outcome = await sent_one(pusher, data=one.data, link=one.link, collapse_key="o")
    [received] = fcm.received
    assert received.message == wire(one)
    assert not received.is_validate_only
    assert outcome == Outcome(
        kind=OutcomeKind.SENT, provider_id="projects/laurel-test/messages/0:1%31bd1c9631bd1c96"
    )


@pytest.mark.parametrize("way", [way for way in Way if way is not Way.SILENT])
async def test_what_became_of_it_is_told_after_one_attempt(
    fcm: ServedFcm, pusher: FirebasePusher, way: Way
) -> None:
    fcm.by_token["phone"] = Conduct(way, seconds=0.01)
    outcome = await sent_one(pusher)
    assert (outcome.kind, outcome.reason) == KINDS[way]
    assert (outcome.provider_id is not None) is (outcome.kind is OutcomeKind.SENT)
    assert fcm.attempts("phone") == (2 if way in ASKED_TWICE else 1)
    if not outcome.may_have_arrived:
        assert fcm.shown("phone") == []


async def test_a_message_that_is_not_answered_in_time_may_have_been_shown(
    fcm: ServedFcm, impatient: FirebasePusher
) -> None:
    outcome = await sent_one(impatient, "silent:1")
    assert (outcome.kind, outcome.reason) == KINDS[Way.SILENT]
    assert len(fcm.shown("silent:1")) == 1


async def test_one_that_goes_wrong_spoils_none_of_the_others(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    batch = []
    for number, way in enumerate(QUICK * 3):
        token = f"{way.value}:{number}"
        batch += [message(token), message(f"fine-{number}"), message("bad", data={"n": 1})]
    outcomes = await pusher.send(batch)
    assert len(outcomes) == len(batch)
    for number, way in enumerate(QUICK * 3):
        first, fine, bad = outcomes[3 * number : 3 * number + 3]
        assert (first.kind, first.reason) == KINDS[way]
        assert fine.kind is OutcomeKind.SENT
        assert bad == Outcome(
            kind=OutcomeKind.INVALID_ARGUMENT, reason="data: keys and values must be text"
        )
    attempts = Counter(one.token for one in fcm.received)
    assert "bad" not in attempts
    asked_twice = {token for token, times in attempts.items() if times > 1}
    assert {token.partition(":")[0] for token in asked_twice} == {"unauthenticated"}


async def test_outcomes_are_in_the_order_of_the_messages_and_each_is_attempted_once(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    numbers = iter(range(10**9))

    @given(st.lists(st.sampled_from(QUICK), max_size=40))
    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def each(ways: list[Way]) -> None:
        tokens = [f"{way.value}:{next(numbers)}" for way in ways]
        fcm.received.clear()
        coroutine = pusher.send([message(token) for token in tokens])
        outcomes = asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)
        assert [outcome.kind for outcome in outcomes] == [KINDS[way][0] for way in ways]
        attempts = Counter(one.token for one in fcm.received)
        assert attempts == {
            token: 2 if way in ASKED_TWICE else 1 for token, way in zip(tokens, ways, strict=True)
        }

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(each)


async def test_a_batch_is_500_at_most(fcm: ServedFcm, pusher: FirebasePusher) -> None:
    batch = [message(f"phone-{number}") for number in range(MAXIMUM_BATCH)]
    outcomes = await pusher.send(batch)
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.SENT}
    assert len({outcome.provider_id for outcome in outcomes}) == MAXIMUM_BATCH
    assert Counter(one.token for one in fcm.received) == dict.fromkeys(
        (one.token for one in batch), 1
    )
    with pytest.raises(ValueError, match="more than 500 messages at once"):
        await pusher.send([*batch, message("phone")])
    assert await pusher.send([]) == []
    assert fcm.count == MAXIMUM_BATCH


async def test_connections_are_few_and_kept(fcm: ServedFcm, tmp_path: Path) -> None:
    own = FirebasePusher(fcm.account.write(tmp_path), url=fcm.url, connections=4)
    for _ in range(3):
        await own.send([message(f"phone-{number}") for number in range(50)])
    await own.close()
    assert fcm.count == 150
    assert fcm.connections == 4 + 1  # that of the access token


async def test_who_waits_too_long_for_a_connection_was_not_sent(
    fcm: ServedFcm, tmp_path: Path
) -> None:
    path = fcm.account.write(tmp_path)
    own = FirebasePusher(path, url=fcm.url, connections=1, timeout_seconds=1)
    outcomes = await own.send([message("silent:1"), message("phone")])
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.IN_DOUBT, OutcomeKind.UNAVAILABLE]
    assert outcomes[1].reason == "timeout"
    assert fcm.attempts("phone") == 0
    await own.close()


# ---------------------------------------------------------------- when FCM asks to wait


RETRY_AFTER = {
    None: None,
    "7": 7,
    "0": 0,
    " 30 ": 30,
    "999999999": 86_400,
    "99999999999999": 86_400,
    "-1": None,
    "soon": None,
    "٣": None,
    "Sun, 01 Mar 2026 12:00:30 GMT": 30,
    "Sun, 01 Mar 2026 12:00:30 -0000": 30,
    "Sun, 01 Mar 2026 14:00:30 +0200": 30,
    "Sun, 01 Mar 99999999999999999999 12:00:00 GMT": None,
    "Sun, 01 Mar 2026 11:00:00 GMT": 0,
    "Sun, 01 Mar 2099 12:00:00 GMT": 86_400,
    "Sun, 99 Mar 2099 12:00:00 GMT": None,
}


@pytest.mark.parametrize("way", [Way.QUOTA_EXCEEDED, Way.UNAVAILABLE, Way.INTERNAL])
async def test_retry_after_is_told_in_seconds(
    fcm: ServedFcm, pusher: FirebasePusher, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    await sent_one(pusher)
    monkeypatch.setattr(fcm_answers, "system_now", lambda: Instant(1_772_366_400_500_000))
    for said, seconds in RETRY_AFTER.items():
        fcm.usual = Conduct(way, retry_after=said)
        outcome = await sent_one(pusher)
        assert (outcome.kind, outcome.retry_after_seconds) == (KINDS[way][0], seconds), said


async def test_retry_after_counts_though_the_rest_is_cut_off(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    fcm.usual = Way.CUT_ERROR
    assert await sent_one(pusher) == Outcome(
        kind=OutcomeKind.UNAVAILABLE, retry_after_seconds=7, reason="HTTP 503"
    )


# ---------------------------------------------------------------- FCM away


async def test_where_nobody_listens_nothing_was_sent(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    assert (await sent_one(pusher)).kind is OutcomeKind.SENT
    fcm.down()
    for _ in range(2):
        assert await sent_one(pusher) == Outcome(kind=OutcomeKind.UNAVAILABLE, reason="unreachable")
    fcm.up()
    assert (await sent_one(pusher)).kind is OutcomeKind.SENT
    assert fcm.count == 2


async def test_connections_that_were_closed_meanwhile_are_not_taken(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    for _ in range(5):
        outcomes = await pusher.send([message(f"phone-{number}") for number in range(20)])
        assert {outcome.kind for outcome in outcomes} == {OutcomeKind.SENT}
        fcm.drop()


async def test_who_is_not_who_they_say_gets_neither_a_message_nor_the_access_token(
    fcm: ServedFcm, tmp_path: Path
) -> None:
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    port = server.sockets[0].getsockname()[1]
    own = FirebasePusher(
        fcm.account.write(tmp_path), url=f"https://127.0.0.1:{port}", token_url=fcm.token_url
    )
    assert await sent_one(own) == Outcome(kind=OutcomeKind.UNAVAILABLE, reason="unreachable")
    await own.close()
    server.close()
    await server.wait_closed()
    assert (fcm.token_requests, heard) == (1, [])


def self_signed(folder: Path) -> ssl.SSLContext:
    """A certificate for this machine that nobody has reason to believe."""
    key = service_account("").key
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, SHA256())
    )
    pem = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_name_that_is_not_known_is_nowhere(fcm: ServedFcm, tmp_path: Path) -> None:
    own = FirebasePusher(
        fcm.account.write(tmp_path), url="http://fcm.invalid", token_url=fcm.token_url
    )
    assert await sent_one(own) == Outcome(kind=OutcomeKind.UNAVAILABLE, reason="unreachable")
    await own.close()


async def test_a_connection_that_is_reset_once_it_is_made_is_never_told_as_sent(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    assert (await sent_one(pusher)).kind is OutcomeKind.SENT
    fcm.accepts = False
    fcm.drop()
    # Whether the request was written before the reset came is up to the machine.
    kinds = {(await sent_one(pusher)).kind for _ in range(10)}
    assert kinds <= {OutcomeKind.IN_DOUBT, OutcomeKind.UNAVAILABLE}
    assert fcm.count == 1


# ---------------------------------------------------------------- who stops


async def test_who_is_cancelled_leaves_nothing_behind_and_others_go_on(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    await sent_one(pusher)
    tasks = asyncio.all_tasks()
    sending = asyncio.create_task(pusher.send([message(f"silent:{n}") for n in range(30)]))
    await until(lambda: fcm.count == 31)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert asyncio.all_tasks() == tasks
    assert (await sent_one(pusher)).kind is OutcomeKind.SENT
    assert fcm.count == 32


async def test_who_is_cancelled_while_the_token_is_fetched_does_not_stop_that(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    fcm.token_way = TokenWay.SILENT
    gone = asyncio.create_task(sent_one(pusher))
    await until(lambda: fcm.token_requests == 1)
    waiting = asyncio.create_task(sent_one(pusher, "other"))
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    fcm.token_way = TokenWay.OK
    fcm.drop()
    assert (await waiting).reason == "token unreachable"
    assert fcm.token_requests == 1


async def test_who_waits_for_an_access_token_when_it_is_closed_has_sent_nothing(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    fcm.token_way = TokenWay.SILENT
    sending = asyncio.create_task(sent_one(pusher))
    await until(lambda: fcm.token_requests == 1)
    await pusher.close()
    assert await sending == Outcome(kind=OutcomeKind.UNAVAILABLE, reason="closed")


async def test_closing_lets_go_of_every_connection_and_a_later_message_starts_anew(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    await pusher.close()
    await pusher.send([message(f"phone-{number}") for number in range(10)])
    sending = asyncio.create_task(sent_one(pusher, "silent:1"))
    await until(lambda: fcm.count == 11)
    await pusher.close()
    await pusher.close()
    assert (await sending).kind is OutcomeKind.IN_DOUBT
    await until(lambda: not fcm._connections)
    assert (await sent_one(pusher)).kind is OutcomeKind.SENT
    gc.collect()  # what was left open would be warned of


async def test_no_log_line_holds_a_token_or_a_text(
    fcm: ServedFcm, pusher: FirebasePusher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = {"title": "Secret-title", "body": "Secret-body", "data": {"k": "Secret-value"}}
    for token_way in (TokenWay.REFUSED, TokenWay.OK):
        fcm.token_way = token_way
        outcomes = await pusher.send([message(f"{way.value}:Secret", **said) for way in QUICK])
        assert "Secret" not in repr(outcomes)
    fcm.down()
    await sent_one(pusher, "Secret", **said)
    assert "Secret" not in caplog.text
    assert "ya29" not in caplog.text
    assert "assertion" not in caplog.text
