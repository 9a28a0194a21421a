"""Google's access tokens under push messages: asked for once, kept, and renewed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from server.integrations.fcm import BadCredentials, FirebasePusher
from server.integrations.push import Outcome, OutcomeKind
from tests.fcm import ServedFcm, TokenWay, until
from tests.integrations.pushing import message, sent_one

# ---------------------------------------------------------------- access tokens


async def test_one_access_token_serves_all_and_is_asked_for_once(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    batches = [[message(f"phone-{a}-{b}") for b in range(20)] for a in range(5)]
    for outcomes in await asyncio.gather(*(pusher.send(batch) for batch in batches)):
        assert {outcome.kind for outcome in outcomes} == {OutcomeKind.SENT}
    assert (fcm.token_requests, fcm.unauthorized) == (1, 0)


async def test_who_sends_nothing_has_the_token_ready_for_what_follows(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    fcm.token_way = TokenWay.REFUSED
    assert await pusher.send([]) == []
    fcm.token_way = TokenWay.OK
    assert await pusher.send([]) == []
    fcm.token_way = TokenWay.REFUSED
    assert (await sent_one(pusher)).kind is OutcomeKind.SENT
    assert fcm.token_requests == 2


async def test_a_refused_access_token_is_renewed_once_and_the_messages_go_out(
    fcm: ServedFcm, tmp_path: Path
) -> None:
    own = FirebasePusher(fcm.account.write(tmp_path), url=fcm.url, connections=2)
    await sent_one(own)
    fcm.expire_tokens()
    # With two connections some are refused when the token has been renewed for others.
    outcomes = await own.send([message(f"phone-{number}") for number in range(50)])
    await own.close()
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.SENT}
    assert fcm.token_requests == 2
    assert 1 <= fcm.unauthorized <= 50
    assert fcm.count == 51


async def test_one_about_to_expire_is_renewed_beside_the_messages(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    fcm.token_seconds = 60
    await sent_one(pusher)
    fcm.token_seconds = 3_600
    assert (await sent_one(pusher)).kind is OutcomeKind.SENT
    await until(lambda: fcm.token_requests == 2)
    for _ in range(3):
        assert (await sent_one(pusher)).kind is OutcomeKind.SENT
    assert (fcm.token_requests, fcm.unauthorized) == (2, 0)


async def test_while_it_counts_a_token_server_that_is_away_keeps_nothing_from_being_sent(
    fcm: ServedFcm, pusher: FirebasePusher
) -> None:
    fcm.token_seconds = 60
    await sent_one(pusher)
    fcm.token_way = TokenWay.UNAVAILABLE
    for _ in range(3):
        assert (await sent_one(pusher)).kind is OutcomeKind.SENT


@pytest.mark.parametrize(
    ("way", "kind", "reason"),
    [
        (TokenWay.UNAVAILABLE, OutcomeKind.UNAVAILABLE, "token 503"),
        (TokenWay.REFUSED, OutcomeKind.AUTHENTICATION, "token 400"),
        (TokenWay.GARBAGE, OutcomeKind.UNAVAILABLE, "token malformed"),
        (TokenWay.NAMELESS, OutcomeKind.UNAVAILABLE, "token malformed"),
        (TokenWay.RESET, OutcomeKind.UNAVAILABLE, "token unreachable"),
    ],
)
async def test_without_an_access_token_nothing_is_sent_and_all_may_be_tried_again(
    fcm: ServedFcm, pusher: FirebasePusher, way: TokenWay, kind: OutcomeKind, reason: str
) -> None:
    fcm.token_way = way
    outcomes = await pusher.send([message(f"phone-{number}") for number in range(20)])
    assert outcomes == [Outcome(kind=kind, reason=reason)] * 20
    assert outcomes[0].is_retryable
    assert (fcm.count, fcm.unauthorized, fcm.token_requests) == (0, 0, 1)
    fcm.token_way = TokenWay.OK
    assert (await sent_one(pusher)).kind is OutcomeKind.SENT


async def test_a_token_server_that_does_not_answer_is_waited_for_no_longer_than_fcm(
    fcm: ServedFcm, impatient: FirebasePusher
) -> None:
    fcm.token_way = TokenWay.SILENT
    assert await sent_one(impatient) == Outcome(
        kind=OutcomeKind.UNAVAILABLE, reason="token unreachable"
    )
    assert (fcm.count, fcm.token_requests) == (0, 1)


async def test_a_token_server_that_is_down_is_as_one_that_is_away(
    fcm: ServedFcm, tmp_path: Path
) -> None:
    own = FirebasePusher(
        fcm.account.write(tmp_path), url=fcm.url, token_url="http://127.0.0.1:1/token"
    )
    assert await sent_one(own) == Outcome(kind=OutcomeKind.UNAVAILABLE, reason="token unreachable")
    await own.close()


async def test_another_account_s_key_is_refused(fcm: ServedFcm, tmp_path: Path) -> None:
    content = fcm.account.content() | {"client_email": "somebody@else.example"}
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    own = FirebasePusher(path, url=fcm.url)
    assert await sent_one(own) == Outcome(kind=OutcomeKind.AUTHENTICATION, reason="token 400")
    await own.close()


async def test_another_project_s_messages_are_refused(fcm: ServedFcm, tmp_path: Path) -> None:
    content = fcm.account.content() | {"project_id": "another"}
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    own = FirebasePusher(path, url=fcm.url)
    assert own.project == "another"
    assert (await sent_one(own)).kind is OutcomeKind.AUTHENTICATION
    await own.close()


# ---------------------------------------------------------------- the file


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"type": "authorized_user"}, "is not the key of a service account"),
        ({"project_id": ""}, "names no project_id"),
        ({"client_email": None}, "names no client_email"),
        ({"private_key": 5}, "names no private_key"),
        ({"token_uri": []}, "names no token_uri"),
        ({"private_key": "secret-words"}, "holds no RSA key that can be read"),
    ],
)
def test_a_file_that_is_no_key_is_refused_at_once(
    fcm: ServedFcm, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(fcm.account.content() | change))
    with pytest.raises(BadCredentials, match=told) as refused:
        FirebasePusher(path)
    assert "secret-words" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null"])
def test_a_file_that_is_something_else_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.json"
    path.write_bytes(content)
    with pytest.raises(BadCredentials, match="is not"):
        FirebasePusher(path)
    with pytest.raises(BadCredentials, match="can't be read: No such file"):
        FirebasePusher(tmp_path / "none.json")
