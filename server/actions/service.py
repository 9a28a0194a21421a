"""The verbs of rewarded actions: completing one, what a member may do, what surveys found."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from server import clock
from server.actions import kinds, queries, rules
from server.actions.documents import ActionTerms, Choice, FreeText, Nps
from server.actions.rules import Answer, NetPromoter
from server.cards import service as cards
from server.cards.service import MemberReference
from server.clock import Instant, LocalDay
from server.definitions import service as definitions
from server.definitions.service import Published
from server.enrolment import service as enrolment
from server.errors import InvalidInput, LimitReached, NotAllowed, NotFound, phrase
from server.ledger import service as ledger
from server.members import service as members
from server.members.consents import ConsentPurpose, consents
from server.money import POINTS
from server.programme import service as programme
from server.storage.exchange import fetch_each
from server.storage.ids import new_id

__all__ = [
    "Answer",
    "Completed",
    "Completion",
    "MemberAction",
    "MemberReference",
    "QuestionResult",
    "SurveyResults",
    "SurveyText",
    "complete",
    "of_members",
    "survey_results",
    "survey_texts",
]
MAXIMUM_SUBJECT = 64


class Completion(Struct, frozen=True):
    """That a member completed an action, as the caller tells it."""

    member: MemberReference
    action: str
    told_by: str
    is_own: bool  # the member says so themselves
    subject: str | None = None
    answers: tuple[Answer, ...] = ()


class Completed(Struct, frozen=True):
    """What a completion did, as it was first answered."""

    id: int
    member_id: int
    action: str
    points: int
    completed_at: Instant


# ---------------------------------------------------------------- completing


async def complete(completion: Completion, *, now: Instant) -> Completed:
    """Reward an action that a member completed. Writes; call it inside a transaction.

    Raises NotFound for an action that there is not now, InvalidInput for the subject or an answer,
    NotAllowed for what the member has not done, or can't tell themselves; LimitReached; and
    NotFound or CardUnusable for the member.
    """
    published = (await definitions.shelves()).of(kinds.KIND).at(completion.action, now)
    if published is None:
        raise NotFound("action.unknown", path=("actionKey",))
    terms: ActionTerms = published.document
    if completion.is_own and terms.type == "custom":
        raise NotAllowed("action.told_by_others", path=("actionKey",))
    answers = rules.checked(completion.answers, terms)
    subject = _checked_subject(completion.subject, terms)
    member_id = await cards.member_of(completion.member, path=("member",))
    rules_now = (await programme.rulebook()).at(now)
    day = clock.local_day(now, rules_now.programme.programme.timezone)
    async with ledger.journal([member_id], [POINTS], recorded_at=now) as journal:
        await _check_done(member_id, terms, subject)
        await _check_own_caps(member_id, published, subject, day)
        # Last of all that is locked: other members wait for it.
        is_counted = _is_counted(await definitions.shelves(), published.key)
        if is_counted:
            await _check_total(published)
        done = Completed(new_id(), member_id, published.key, terms.points, now)
        grant = enrolment.points_grant(
            rules_now,
            terms.points,
            now,
            reason=ledger.Reason.ACTION,
            rule=f"action:{published.key}",
            reference=done.id,
        )
        journal.grant(member_id, grant)
        row = (
            *(done.id, member_id, published.key, published.version, subject, day),
            *(terms.points, now, completion.told_by),
        )
        stored = [
            (new_id(), member_id, done.id, published.key, one.question, one.value, one.text)
            for one in answers
        ]
        journal.beside(
            before=[(queries.INSERT_COMPLETION, [row]), (queries.INSERT_ANSWER, stored)],
            after=[(queries.COUNT, [(published.key,)] if is_counted else [])],
        )
    return done


def _checked_subject(subject: str | None, terms: ActionTerms) -> str | None:
    if subject is None and terms.type != "review" and terms.caps.per_subject is None:
        return None
    if subject is None or not 1 <= len(subject) <= MAXIMUM_SUBJECT or not subject.isprintable():
        raise InvalidInput(
            "action.subject",
            path=("subject",),
            value=subject,
            accepted=phrase("accepted.printable", minimum=1, maximum=MAXIMUM_SUBJECT),
        )
    return subject


async def _check_done(member_id: int, terms: ActionTerms, subject: str | None) -> None:
    """Raise NotAllowed if the member has not done what the action is about."""
    if terms.type == "newsletter":
        said = (await consents([member_id]))[member_id]
        if not any(one.is_given for one in said if one.purpose is ConsentPurpose.EMAIL):
            raise NotAllowed("action.no_consent", path=("actionKey",))
    if terms.type == "review" and not await queries.has_bought(member_id, subject or ""):
        raise NotAllowed("action.not_bought", path=("subject",))
    if terms.type == "profile_completed":
        profile = await members.profile(member_id)
        told = {"name": profile.name, "birthday": profile.birthday}
        lacking: list[str] = [one for one in terms.fields if one != "email" and told[one] is None]
        if "email" in terms.fields and not await queries.has_address(member_id):
            lacking.append("email")
        if lacking:
            raise NotAllowed("action.profile_lacks", path=("actionKey",), fields=", ".join(lacking))


async def _check_own_caps(
    member_id: int, published: Published, subject: str | None, day: LocalDay
) -> None:
    """Raise LimitReached if the member, whose accounts are locked, has completed it too often."""
    caps = published.document.caps
    asked = [queries.completed([member_id], [published.key], day)]
    if subject is not None and caps.per_subject is not None:
        asked.append(queries.about(member_id, published.key, subject))
    rows, *about = await fetch_each(asked)
    times, today = (rows[0][2], rows[0][3]) if rows else (0, 0)
    _check("action.limit_member", caps.per_member, times)
    _check("action.limit_day", caps.per_day, today)
    if about:
        _check("action.limit_subject", caps.per_subject, about[0][0][0])


def _check(reason: str, limit: int | None, times: int) -> None:
    if limit is not None and times >= limit:
        raise LimitReached(reason, limit=limit, left=0, path=("actionKey",))


def _is_counted(shelves: definitions.Shelves, key: str) -> bool:
    """Whether all completions are counted: as soon as any published version limits them."""
    versions = shelves.of(kinds.KIND).versions(key)
    return any(one.document is not None and one.document.caps.total is not None for one in versions)


async def _check_total(published: Published) -> None:
    times = await queries.locked_total(published.key)
    _check("action.limit_total", published.document.caps.total, times)


# ---------------------------------------------------------------- what a member may do


class MemberAction(Struct, frozen=True):
    """An action as a member sees it; `times_left` is None without a limit."""

    key: str
    terms: ActionTerms
    times: int
    times_left: int | None


async def of_members(member_ids: Collection[int], *, now: Instant) -> dict[int, list[MemberAction]]:
    """The actions that there are now, by key, with how often each of the members may still complete
    them; a few statements, however many members."""
    live = (await definitions.shelves()).of(kinds.KIND).live(now).by_key
    if not live:
        return {member_id: [] for member_id in member_ids}
    zone = (await programme.rulebook()).at(now).programme.programme.timezone
    (rows,) = await fetch_each([queries.completed(member_ids, live, clock.local_day(now, zone))])
    limited = [key for key, one in live.items() if one.document.caps.total is not None]
    totals = await queries.totals(limited) if limited else {}
    done = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    return {
        member_id: [
            _member_action(one, *done.get((member_id, key), (0, 0)), total=totals.get(key, 0))
            for key, one in live.items()
        ]
        for member_id in member_ids
    }


def _member_action(one: Published, times: int, today: int, *, total: int) -> MemberAction:
    caps = one.document.caps
    left = [
        max(0, limit - used)
        for limit, used in ((caps.per_member, times), (caps.per_day, today), (caps.total, total))
        if limit is not None
    ]
    return MemberAction(one.key, one.document, times, min(left, default=None))


# ---------------------------------------------------------------- surveys


class QuestionResult(Struct, frozen=True):
    """What was answered to a question: answers by value, in the order of the question's own."""

    question: Nps | Choice | FreeText
    answers: int
    counts: tuple[tuple[str, int], ...]
    net_promoter: NetPromoter | None


class SurveyResults(Struct, frozen=True):
    """What a survey found."""

    key: str
    terms: ActionTerms
    responses: int
    questions: tuple[QuestionResult, ...]


class SurveyText(Struct, frozen=True):
    """An answer in words; whose it is, is not told."""

    id: int
    text: str
    answered_at: Instant


async def survey_results(key: str, *, now: Instant) -> SurveyResults | None:
    """What the survey found, by the questions of its newest version that counted by the instant;
    None if there is no such survey."""
    versions = (await definitions.shelves()).of(kinds.KIND).versions(key)
    documents: Sequence[ActionTerms] = [
        one.document
        for one in versions
        if one.document is not None and one.effective_at <= now and one.document.type == "survey"
    ]
    if not documents:
        return None
    counts: dict[str, dict[str | None, int]] = {}
    for question, value, answers in await queries.answer_counts(key):
        counts.setdefault(question, {})[value] = answers
    terms = documents[-1]
    results = tuple(_result(one, counts.get(one.id, {})) for one in terms.questions)
    return SurveyResults(key, terms, await queries.times(key), results)


def _result(question: Nps | Choice | FreeText, counts: dict[str | None, int]) -> QuestionResult:
    if isinstance(question, FreeText):
        return QuestionResult(question, counts.get(None, 0), (), None)
    if isinstance(question, Nps):
        values = [str(number) for number in range(rules.NPS_MAXIMUM + 1)]
    else:
        values = [one.id for one in question.options]
    known = tuple((value, counts.get(value, 0)) for value in values)
    score = rules.net_promoter(dict(known)) if isinstance(question, Nps) else None
    return QuestionResult(question, sum(count for _value, count in known), known, score)


async def survey_texts(key: str, question: str, *, before: int, limit: int) -> list[SurveyText]:
    """The newest answers in words to a question, or those before the one with that id."""
    return [SurveyText(*row) for row in await queries.texts(key, question, before, limit)]
