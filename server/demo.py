"""The demonstration: the demo programme, a handful of sample members and known credentials.

Only `serve --demo` makes them, on a database without members, and only on one's own machine: the
credentials are printed and known to everybody.
"""

import random
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path

from server import clock
from server.actions import kinds as _actions  # noqa: F401 - makes its kinds known
from server.cards.service import MemberReference
from server.catalogue import kinds as _catalogue  # noqa: F401 - same
from server.clock import Instant
from server.definitions import bundles
from server.definitions import service as definitions
from server.definitions.formats import FileFormat
from server.definitions.importing import bring_in
from server.demo_credentials import (
    APPROVER_EMAIL,
    DEVICE_TOKEN,
    MEMBER_EMAIL,
    MEMBER_PASSWORD,
    REPLAY_KEY,
    STAFF_EMAIL,
    STAFF_PASSWORD,
    TILL_KEY,
)
from server.edge.graphiql import ApiKeyIdentity, Identity, PasswordIdentity
from server.enrolment import service as enrolment
from server.members import service as members
from server.notifications import choices, devices
from server.notifications import kinds as _messages  # noqa: F401 - same
from server.notifications.shapes import MARKETING, Channel
from server.principal import Scope, StaffRole
from server.programme import service as programme
from server.programme.service import PublishedProgramme
from server.purchases import service as purchases
from server.purchases.service import Draft, Line, Submission
from server.rewards import service as rewards
from server.segments import kinds as _segments  # noqa: F401 - same
from server.storage import outbox, sql

DEFINITIONS_FILE = Path(__file__).parent / "demo-definitions.yaml"
PROGRAMME_FILE = Path(__file__).parent / "programme" / "demo-programme.yaml"
PUBLISHED_BY = "demonstration"
PARTNER = "demo-shop"
DEVICE_NAME = "Demo phone"
WEEKS = 8
_SEED = 2017

_SAMPLE_NAMES = ("Anna Sample", "Ben Sample", "Chloe Sample", "Dan Sample", "Eva Sample")
_TILL_SCOPES = (
    Scope.MEMBERS_ENROL,
    Scope.MEMBERS_READ,
    Scope.CARDS_WRITE,
    Scope.PURCHASES_WRITE,
    Scope.POINTS_REDEEM,
)
_REPLAY_SCOPES = (*_TILL_SCOPES, Scope.INSIGHTS_READ, Scope.SIMULATE_TIME)

_SHELVES = (  # department, category, type, lowest and highest price of a line in cents
    ("GROCERY", "BREAD", "SANDWICH BREAD", 199, 549),
    ("GROCERY", "CHEESE", "SHREDDED CHEESE", 249, 899),
    ("PRODUCE", "FRUIT", "APPLES", 129, 699),
    ("PRODUCE", "VEGETABLES", "SALAD MIX", 199, 549),
    ("MEAT", "BEEF", "GROUND BEEF", 499, 1899),
    ("DELI", "SALADS", "POTATO SALAD", 299, 799),
    ("PASTRY", "CAKES", "MUFFINS", 249, 699),
    ("DRUG GM", "HOUSEHOLD", "PAPER TOWELS", 399, 1299),
    ("SEAFOOD", "FISH", "SALMON", 799, 2199),
)


def identities(*, is_known: bool) -> list[Identity]:
    """Whom GraphiQL offers to sign in as, with the demo's credentials filled in if there are."""
    return [
        PasswordIdentity(
            slug="member",
            label="Member",
            email=MEMBER_EMAIL if is_known else "",
            password=MEMBER_PASSWORD if is_known else "",
        ),
        PasswordIdentity(
            slug="staff",
            label="Staff",
            email=STAFF_EMAIL if is_known else "",
            password=STAFF_PASSWORD if is_known else "",
        ),
        PasswordIdentity(
            slug="approver",
            label="Second person",
            email=APPROVER_EMAIL if is_known else "",
            password=STAFF_PASSWORD if is_known else "",
        ),
        ApiKeyIdentity(slug="till", label="Till (API key)", api_key=TILL_KEY if is_known else ""),
    ]


class Held(Enum):
    """What a database holds, as far as the demonstration is concerned."""

    NOTHING = auto()  # no programme: there is room for the demonstration
    DEMONSTRATION = auto()
    ANOTHER_PROGRAMME = auto()


async def held() -> Held:
    """What the open database holds."""
    versions = (await programme.rulebook()).ordered
    if not versions:
        return Held.NOTHING
    if any(version.published_by == PUBLISHED_BY for version in versions):
        return Held.DEMONSTRATION
    return Held.ANOTHER_PROGRAMME


async def make() -> None:
    """Publish the demo programme, its offers and rewards, and make the sample members: all at once.

    Assumes a database that holds nothing.
    """
    member_hash = await members.hash_password(MEMBER_PASSWORD)
    staff_hash = await members.hash_password(STAFF_PASSWORD)
    async with sql.transaction(shares_commit=False):
        published = await programme.publish(
            PROGRAMME_FILE.read_text(encoding="utf-8"), published_by=PUBLISHED_BY
        )
        await members.create_api_key("Demo till", PARTNER, _TILL_SCOPES, key=TILL_KEY)
        await members.create_api_key("Demo replay", PARTNER, _REPLAY_SCOPES, key=REPLAY_KEY)
        for email in (STAFF_EMAIL, APPROVER_EMAIL):
            await members.create_staff(email, staff_hash, StaffRole.MANAGER)
        await bring_in(
            bundles.read(DEFINITIONS_FILE.read_text(encoding="utf-8"), FileFormat.YAML),
            by=definitions.COMMAND_LINE,
            now=clock.now(),
        )
        ids = [
            await _enrol_sample(number, name, published)
            for number, name in enumerate(_SAMPLE_NAMES, 1)
        ]
        account_id = await members.create_account(ids[0], MEMBER_EMAIL, member_hash)
        await _play_weeks(ids)
        await _give_phone(ids[0], account_id)
    async with sql.transaction():
        # Of what the samples did in all those weeks nobody is told.
        await outbox.remove_all()


async def _give_phone(member_id: int, account_id: int) -> None:
    """A device that the first sample member wants all messages on."""
    now = clock.now()
    session = await members.open_session(account_id, DEVICE_NAME)
    device = devices.Registration(
        token=DEVICE_TOKEN, platform=devices.Platform.ANDROID, locale="en-US", time_zone="UTC"
    )
    await devices.register(member_id, session.session_id, device, now=now)
    await choices.state(
        member_id,
        [
            choices.Statement(channel, category, is_given=True)
            for channel in (Channel.PUSH, Channel.EMAIL)
            for category in MARKETING
        ],
        text_version="demonstration 1",
        source=choices.ChoiceSource.MEMBER,
        by=PUBLISHED_BY,
        now=now,
    )


async def _enrol_sample(number: int, name: str, published: PublishedProgramme) -> int:
    at = _start() + number * 3_600 * clock.MICROSECONDS_PER_SECOND
    return await enrolment.enrol(
        enrolment.newcomer(
            Instant(at),
            published,
            external_id=f"sample-{number}",
            name=name,
            locale="en-US",
        )
    )


def _start() -> Instant:
    """The instant, some weeks ago, at which the samples begin: a morning, by UTC."""
    first = clock.datetime_of(clock.now()) - timedelta(weeks=WEEKS)
    return clock.instant_of(first.replace(hour=9, minute=0, second=0, microsecond=0))


async def _play_weeks(member_ids: list[int]) -> None:
    chance = random.Random(_SEED)  # noqa: S311 - sample data, the same at every first start
    now = clock.now()
    day_microseconds = 86_400 * clock.MICROSECONDS_PER_SECOND
    for day in range(WEEKS * 7 + 1):
        submissions = []
        for number, member_id in enumerate(member_ids):
            at = _start() + day * day_microseconds + chance.randrange(8 * 3600) * 1_000_000
            if chance.random() < 0.55 - 0.08 * number and at < now:
                external_id = f"sample-{day}-{number}"
                submissions.append(_sample_purchase(external_id, member_id, Instant(at), chance))
        if submissions:
            submissions.sort(key=lambda submission: submission.draft.occurred_at)
            with clock.moved_to(submissions[-1].draft.occurred_at):
                await purchases.record_many(submissions, partner=PARTNER, now=clock.now())
        if day == WEEKS * 7 - 14:
            await _redeem_sample(member_ids[0], Instant(_start() + day * day_microseconds))


async def _redeem_sample(member_id: int, at: Instant) -> None:
    step = (await programme.rulebook()).at(at).programme.redemption_policy.redeem_points
    wish = rewards.Redemption(MemberReference(id=member_id), step)
    with clock.moved_to(at):
        await rewards.redeem_many([wish], now=clock.now())


def _sample_purchase(
    external_id: str, member_id: int, at: Instant, chance: random.Random
) -> Submission:
    lines = []
    for shelf in chance.sample(range(len(_SHELVES)), chance.randint(3, len(_SHELVES))):
        department, category, kind, lowest, highest = _SHELVES[shelf]
        lines.append(
            Line(
                product_id=str(100 + shelf),
                department=department,
                product_category=category,
                product_type=kind,
                quantity=chance.randint(1, 3),
                sales_minor=chance.randint(lowest, highest),
                coupon_minor=50 if chance.random() < 0.1 else 0,
            )
        )
    draft = Draft(
        external_id=external_id,
        member=MemberReference(id=member_id),
        occurred_at=at,
        store_id="1",
        currency="USD",
        lines=tuple(lines),
    )
    return Submission(draft, enrol_if_unknown=False)
