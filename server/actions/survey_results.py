"""What surveys found, in the schema."""

from typing import Annotated

import strawberry

from server.actions import service
from server.actions.graphql import SurveyQuestion, question_shown
from server.actions.service import QuestionResult, SurveyResults
from server.clock import Instant
from server.edge import pages
from server.edge.context import Info
from server.edge.fields import computed
from server.edge.pages import PageInfo
from server.edge.permissions import STAFF, query, shown_to


@shown_to(STAFF)
@strawberry.type(description="How often a question was answered so.")
class SurveyCount:
    """A bar of a distribution."""

    value: str = strawberry.field(description="The number, or the option's id.")
    answers: int = strawberry.field(description="How many answered so.")


@shown_to(STAFF)
@strawberry.type(
    description="The net promoter score: those who answered 9 or 10 less those who answered 0 to "
    "6, as a share of all who answered."
)
class NetPromoterScore:
    """A score."""

    promoters: int = strawberry.field(description="How many answered 9 or 10.")
    passives: int = strawberry.field(description="How many answered 7 or 8.")
    detractors: int = strawberry.field(description="How many answered 0 to 6.")
    score_bps: int | None = strawberry.field(
        description="The score in basis points, -10,000 to 10,000, rounded towards 0; null while "
        "nobody has answered. The exact share is (promoters - detractors) / all three."
    )


@shown_to(STAFF)
@strawberry.type(description="An answer in words. Whose it is, is not told.")
class SurveyText:
    """An answer."""

    text: str = strawberry.field(description="The words.")
    answered_at: Instant = strawberry.field(description="When it was answered.")


@shown_to(STAFF)
@strawberry.type(description="An answer with its place in the list.")
class SurveyTextEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="The answer's place, for `after`.")
    node: SurveyText = strawberry.field(description="The answer.")


@shown_to(STAFF)
@strawberry.type(description="A page of answers in words, the newest first.")
class SurveyTextConnection:
    """Relay's connection."""

    edges: list[SurveyTextEdge] = strawberry.field(description="The answers, with places.")
    nodes: list[SurveyText] = strawberry.field(description="The answers alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")


@shown_to(STAFF)
@strawberry.type(description="What was answered to a question.")
class SurveyQuestionResult:
    """A question's results."""

    question: SurveyQuestion = strawberry.field(
        description="The question.", directives=[STAFF.directive]
    )
    answers: int = strawberry.field(description="How many answered it.")
    counts: list[SurveyCount] = strawberry.field(
        description="How often each number or option; empty for a TEXT."
    )
    net_promoter_score: NetPromoterScore | None = strawberry.field(
        description="Of an NPS; null for another question."
    )
    survey: strawberry.Private[str]

    @computed(description="What was answered in words, the newest first.")
    async def texts(
        self,
        first: Annotated[int, strawberry.argument(description="How many at most: 1 to 100.")] = 20,
        after: Annotated[
            str | None,
            strawberry.argument(
                description="The `endCursor` of the page before; null for the first page."
            ),
        ] = None,
    ) -> SurveyTextConnection:
        """A page of answers."""
        limit, before = pages.page(first, after)
        found = await service.survey_texts(
            self.survey, self.question.id, before=pages.before(before), limit=limit + 1
        )
        return pages.connected(
            SurveyTextConnection,
            SurveyTextEdge,
            [
                (one.id, SurveyText(text=one.text, answered_at=one.answered_at))
                for one in found[:limit]
            ],
            has_next=len(found) > limit,
            after=after,
        )


@shown_to(STAFF)
@strawberry.type(description="What a survey found.")
class SurveyResultsReport:
    """A survey's results."""

    key: str = strawberry.field(description="The survey's key.")
    responses: int = strawberry.field(description="How often it was completed.")
    questions: list[SurveyQuestionResult] = strawberry.field(
        description="Its questions now, with what was answered."
    )


def _result_shown(
    result: QuestionResult, results: SurveyResults, language: str
) -> SurveyQuestionResult:
    score = result.net_promoter
    return SurveyQuestionResult(
        question=question_shown(result.question, language, results.terms.default_language),
        answers=result.answers,
        counts=[SurveyCount(value=value, answers=count) for value, count in result.counts],
        net_promoter_score=None
        if score is None
        else NetPromoterScore(
            promoters=score.promoters,
            passives=score.passives,
            detractors=score.detractors,
            score_bps=score.score_bps,
        ),
        survey=results.key,
    )


@strawberry.type
class SurveyQueries:
    """The root fields that read what actions found."""

    @query(STAFF, description="What a survey found; null if there is no such survey.")
    async def survey_results(
        self,
        info: Info,
        key: Annotated[str, strawberry.argument(description="The survey's key.")],
    ) -> SurveyResultsReport | None:
        """A survey's results."""
        found = await service.survey_results(key, now=info.context.at)
        if found is None:
            return None
        language = info.context.language
        return SurveyResultsReport(
            key=found.key,
            responses=found.responses,
            questions=[_result_shown(one, found, language) for one in found.questions],
        )
