"""The kind `action`: what of its documents the type alone cannot say."""

from server.actions.documents import ActionTerms, Choice
from server.definitions import service as definitions
from server.definitions.service import Misfits, Surroundings
from server.programme.document import Programme

KIND = "action"
MAXIMUM_KEY = 48
"""Of a longer key the rule that the ledger notes would have no room."""


def _misfits(document: ActionTerms, around: Surroundings) -> Misfits:
    if len(around.key) > MAXIMUM_KEY:
        yield (), f"a document under a key of at most {MAXIMUM_KEY} characters"
    if document.default_language not in document.texts:
        yield ("default_language",), "a language that there is a text in"
    if (document.type == "survey") != bool(document.questions):
        yield ("questions",), "questions of a survey, and of nothing else"
    if (document.type == "profile_completed") != bool(document.fields):
        yield ("fields",), "fields of profile_completed, and of nothing else"
    ids = [one.id for one in document.questions]
    for place, question in enumerate(document.questions):
        if question.id in ids[:place]:
            yield ("questions", place, "id"), "an id that no question before has"
        if isinstance(question, Choice):
            options = [one.id for one in question.options]
            for number, option in enumerate(options):
                if option in options[:number]:
                    yield (
                        ("questions", place, "options", number, "id"),
                        "an id that no option before has",
                    )


def _budget(document: ActionTerms, programme: Programme) -> int | None:
    """What all points are worth if it is completed as often as it may be."""
    if not document.points:
        return 0
    if document.caps.total is None:
        return None
    points = document.points * document.caps.total
    return -(-points * programme.liability.point_value_minor_per_1000 // 1_000)


ACTION = definitions.register(
    definitions.Kind(
        KIND,
        ActionTerms,
        misfits=_misfits,
        budget=_budget,
        example={
            "type": "newsletter",
            "points": 100,
            "default_language": "en",
            "texts": {"en": "Get our newsletter"},
            "caps": {"per_member": 1, "total": 1_000},
        },
    )
)
