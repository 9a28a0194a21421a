"""Members with devices, messages to them, and a provider that does as it is told."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from server import clock
from server.clock import Instant
from server.integrations.push import Outcome, OutcomeKind, PushMessage
from server.notifications import sending, writing
from server.notifications.devices import token_hash
from server.notifications.emailing import Letter
from server.notifications.shapes import Category, Channel, Draft, Policy, Wire
from server.storage import sql
from server.storage.ids import new_id, new_ids

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NO_RULES = Policy()
_MEMBER = sql.insert(
    "members",
    "id, external_id, name, birthday, locale, time_zone, enrolled_at, enrolled_local_month",
)
_DEVICE = sql.insert(
    "devices",
    "id, member_id, session_id, token, token_hash, platform, locale, time_zone, registered_at,"
    " seen_at",
)
_ACCOUNT = sql.insert("accounts", "id, member_id, email, email_key, created_at")
_CONSENT = sql.insert(
    "member_consents",
    "id, member_id, purpose, is_given, changed_at, source",
    otherwise="ON CONFLICT (member_id, purpose) DO UPDATE SET is_given = excluded.is_given,"
    " changed_at = excluded.changed_at, source = excluded.source",
)
_CHOICE = sql.insert(
    "message_choices",
    "id, member_id, channel, category, is_given, changed_at, source",
    otherwise="ON CONFLICT (member_id, channel, category) DO UPDATE SET"
    " is_given = excluded.is_given, changed_at = excluded.changed_at, source = excluded.source",
)
_RUN = sql.insert(
    "campaign_runs",
    "id, campaign, version_id, state, after_id, looked_at, started_at, changed_at",
)


def at(text: str) -> Instant:
    """The instant of an ISO date and time in UTC."""
    return clock.instant_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


NOON = at("2026-05-12T10:07")
YESTERDAY = Instant(NOON - DAY)


# ---------------------------------------------------------------- members


async def members(count: int, *, zone: str = "UTC", now: Instant = NOON) -> list[int]:
    """So many of them, without device, address or consent."""
    ids = new_ids(count)
    async with sql.transaction():
        await sql.execute_many(
            _MEMBER, [(one, None, None, None, "en", zone, now, 202605) for one in ids]
        )
    return ids


async def devices(
    member_ids: Iterable[int], *, name: str = "token", seen_at: Instant = NOON
) -> list[int]:
    """A device for each of them, whose token is the name and the member's id."""
    wanted = list(member_ids)
    ids = new_ids(len(wanted))
    rows = []
    seen = (seen_at, seen_at)
    for device_id, member_id in zip(ids, wanted, strict=True):
        token = f"{name}-{member_id}"
        rows.append(
            (device_id, member_id, None, token, token_hash(token), "android", "en", "UTC", *seen)
        )
    async with sql.transaction():
        await sql.execute_many(_DEVICE, rows)
    return ids


async def addresses(member_ids: Iterable[int]) -> None:
    """An e-mail address for each of them."""
    async with sql.transaction():
        await sql.execute_many(
            _ACCOUNT,
            [
                (new_id(), one, f"m{one}@example.org", f"m{one}@example.org", NOON)
                for one in member_ids
            ],
        )


async def say(
    member_ids: Iterable[int],
    channel: Channel = Channel.PUSH,
    category: Category | None = None,
    *,
    is_given: bool = True,
    now: Instant = YESTERDAY,
) -> None:
    """They agree or refuse: a category on a channel, or all advertising on it."""
    said = (int(is_given), now, "member")
    async with sql.transaction():
        if category is None:
            await sql.execute_many(
                _CONSENT, [(new_id(), one, channel, *said) for one in member_ids]
            )
        else:
            await sql.execute_many(
                _CHOICE, [(new_id(), one, channel, category, *said) for one in member_ids]
            )


async def willing(count: int, *, zone: str = "UTC", now: Instant = NOON) -> list[int]:
    """Members with a device each who agreed to advertising by push."""
    ids = await members(count, zone=zone, now=now)
    await devices(ids, seen_at=now)
    await say(ids, now=Instant(now - DAY))
    return ids


async def run(state: str = "sending") -> int:
    """A campaign that is being sent."""
    id_ = new_id()
    async with sql.transaction():
        await sql.execute(_RUN, id_, f"campaign-{id_}", 1, state, 0, 0, NOON, NOON)
    return id_


async def set_run(run_id: int, state: str) -> None:
    """The campaign's state from now on."""
    async with sql.transaction():
        await sql.execute("UPDATE campaign_runs SET state = $1 WHERE id = $2", state, run_id)


# ---------------------------------------------------------------- messages


def draft(
    member_id: int,
    *,
    topic: str = "spring",
    category: Category = Category.OFFERS,
    channels: tuple[Channel, ...] = (Channel.PUSH,),
    due_at: Instant = NOON,
    lasts: int = 2 * DAY,
    run_id: int | None = None,
    is_held_out: bool = False,
    wire: Wire = Wire(),  # noqa: B008 - it's frozen
) -> Draft:
    """A message to the member."""
    return Draft(
        member_id=member_id,
        topic=topic,
        category=category,
        message="hello",
        version_id=1,
        locale="en",
        title="Hello",
        body="It is spring.",
        channels=channels,
        due_at=due_at,
        expires_at=Instant(due_at + lasts),
        wire=wire,
        run_id=run_id,
        is_held_out=is_held_out,
    )


async def written(drafts: Sequence[Draft], now: Instant = NOON) -> list[int | None]:
    """What `writing.write` answers, committed."""
    async with sql.transaction():
        return await writing.write(drafts, now)


async def deliveries() -> list[tuple[str, str | None]]:
    """(status, reason) of each, in the order of their ids."""
    return [tuple(row) for row in await sql.fetch(
        "SELECT status, reason FROM deliveries ORDER BY id"
    )]  # fmt: skip


async def counted() -> dict[tuple[str, str | None], int]:
    """How many deliveries have which status and reason."""
    rows = await sql.fetch("SELECT status, reason, COUNT(*) FROM deliveries GROUP BY 1, 2")
    return {(row[0], row[1]): row[2] for row in rows}


# ---------------------------------------------------------------- the provider


SENT = Outcome(kind=OutcomeKind.SENT, provider_id="projects/p/messages/1")


def outcome(kind: OutcomeKind, retry_after_seconds: int | None = None) -> Outcome:
    """What becomes of a message."""
    return Outcome(kind=kind, retry_after_seconds=retry_after_seconds)


class Provider:
    """A `Pusher` that does with each message as it is told; it remembers all that came."""

    is_set = True

    def __init__(self, deal: Callable[[PushMessage], Outcome] = lambda _one: SENT) -> None:
        self.deal = deal
        self.calls: list[list[PushMessage]] = []

    @property
    def tokens(self) -> list[str]:
        """Of all messages, in their order."""
        return [one.token for call in self.calls for one in call]

    async def send(self, messages: Sequence[PushMessage]) -> list[Outcome]:
        """What became of each."""
        if messages:
            self.calls.append(list(messages))
        return [self.deal(one) for one in messages]

    async def close(self) -> None:
        """Nothing to close."""


async def sent_all(
    provider: Provider,
    now: Instant = NOON,
    *,
    policy: Policy = NO_RULES,
    messages_per_minute: int | None = None,
) -> int:
    """Send as long as something can be done; how many deliveries were handled."""
    handled = 0
    while some := await sending.send_due(
        now,
        pusher=provider,
        mailer=None,
        policy=policy,
        sender_id=new_id(),
        messages_per_minute=messages_per_minute,
    ):
        handled += some
    return handled


class Post:
    """A mailer that remembers the letters."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """What became of each."""
        self.letters += letters
        return [SENT for _ in letters]
