"""What of a survey's answers is accepted, and what they add up to. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from server.actions.documents import MAXIMUM_TEXT, ActionTerms, Choice, FreeText, Nps, Question
from server.errors import InvalidInput, Path, Phrase, phrase
from server.money import BASIS_POINTS_PER_UNIT

PROMOTER_FROM, DETRACTOR_UP_TO, NPS_MAXIMUM = 9, 6, 10


class Answer(Struct, frozen=True):
    """An answer to one question: a number, the id of an option, or words."""

    question: str
    number: int | None = None
    choice: str | None = None
    text: str | None = None


class Stored(Struct, frozen=True):
    """An answer as it is kept."""

    question: str
    value: str | None
    text: str | None


def checked(answers: Sequence[Answer], terms: ActionTerms) -> list[Stored]:
    """The answers as they are kept, in the order of the questions. Raises InvalidInput."""
    questions = {one.id: one for one in terms.questions}
    found: dict[str, Stored] = {}
    for place, answer in enumerate(answers):
        path: Path = ("answers", place)
        if answer.question not in questions or answer.question in found:
            raise InvalidInput(
                "action.question",
                path=(*path, "question"),
                value=answer.question,
                accepted=phrase("accepted.survey_question"),
            )
        found[answer.question] = _stored(answer, questions[answer.question], path)
    for one in terms.questions:
        if one.required and one.id not in found:
            raise InvalidInput(
                "action.unanswered",
                path=("answers",),
                accepted=phrase("accepted.survey_answer", question=one.id),
            )
    return [found[one.id] for one in terms.questions if one.id in found]


def _stored(answer: Answer, question: Question, path: Path) -> Stored:
    given = [one for one in (answer.number, answer.choice, answer.text) if one is not None]
    if isinstance(question, Nps) and len(given) == 1 and answer.number is not None:
        if 0 <= answer.number <= NPS_MAXIMUM:
            return Stored(question.id, str(answer.number), None)
    elif isinstance(question, Choice) and len(given) == 1 and answer.choice is not None:
        if answer.choice in {one.id for one in question.options}:
            return Stored(question.id, answer.choice, None)
    elif (
        isinstance(question, FreeText)
        and len(given) == 1
        and answer.text is not None
        and 1 <= len(answer.text.strip()) <= MAXIMUM_TEXT
        and all(one.isprintable() or one in "\n\t" for one in answer.text)
    ):
        return Stored(question.id, None, answer.text.strip())
    raise InvalidInput(
        "action.answer",
        path=path,
        value=given[0] if given else None,
        accepted=_accepted(question),
    )


def _accepted(question: Question) -> Phrase | str:
    if isinstance(question, Nps):
        return phrase("accepted.range", minimum=0, maximum=NPS_MAXIMUM)
    if isinstance(question, Choice):
        return ", ".join(one.id for one in question.options)
    return phrase("accepted.characters", minimum=1, maximum=MAXIMUM_TEXT)


class NetPromoter(Struct, frozen=True):
    """The net promoter score and what it is made of."""

    promoters: int
    passives: int
    detractors: int

    @property
    def answers(self) -> int:
        """How many answered."""
        return self.promoters + self.passives + self.detractors

    @property
    def score_bps(self) -> int | None:
        """Promoters less detractors as a share of all, in basis points, rounded towards zero; None
        if nobody answered."""
        if not self.answers:
            return None
        difference = self.promoters - self.detractors
        share = abs(difference) * BASIS_POINTS_PER_UNIT // self.answers
        return share if difference >= 0 else -share


def net_promoter(counts: Mapping[str, int]) -> NetPromoter:
    """The score of answers, counted by number."""

    def within(numbers: Iterable[int]) -> int:
        return sum(counts.get(str(number), 0) for number in numbers)

    return NetPromoter(
        promoters=within(range(PROMOTER_FROM, NPS_MAXIMUM + 1)),
        passives=within(range(DETRACTOR_UP_TO + 1, PROMOTER_FROM)),
        detractors=within(range(DETRACTOR_UP_TO + 1)),
    )


def text_in(texts: Mapping[str, str], language: str, default: str) -> str:
    """The text for who reads the language: of it, of its longest beginning that has one, or of the
    default language, or else the first."""
    by_tag = {tag.lower(): text for tag, text in texts.items()}
    subtags = language.lower().split("-")
    while subtags:
        if "-".join(subtags) in by_tag:
            return by_tag["-".join(subtags)]
        subtags.pop()
    return texts.get(default) or next(iter(texts.values()))
