"""Checking documents before they are published: nothing is stored that could not be answered."""

from server.edge.budgets import ALLOWANCES
from server.edge.documents import Preparing
from server.edge.limits import TRUSTED, exceeded
from server.edge.refusing import RequestRefused
from server.edge.trusted import MAXIMUM_LABEL_LENGTH, NewDocument

MAXIMUM_DOCUMENTS = 1_000
"""Published at once."""
_MOST_NODES = max(one.nodes for one in ALLOWANCES.values())
_MOST_COST = max(one.maximum for one in ALLOWANCES.values())


def checked(preparing: Preparing, body: str, label: str | None) -> NewDocument:
    """The document to publish, with its operations' names for a label if it has none.

    Raises RequestRefused if it is not valid, or so large that nobody could ever ask for it.
    """
    prepared = preparing.prepared(body, TRUSTED, is_trusted=True)
    for plan in prepared.plans.values():
        asked = plan.estimated({})
        if asked.nodes > _MOST_NODES:
            raise exceeded(
                "TOO_MANY_NODES", "request.nodes", requested=asked.nodes, allowed=_MOST_NODES
            )
        if asked.cost > _MOST_COST:
            raise exceeded(
                "COST_TOO_HIGH", "request.cost", requested=asked.cost, allowed=_MOST_COST
            )
    names = label or ", ".join(filter(None, prepared.plans)) or prepared.sha256[:12]
    return NewDocument(body, names[:MAXIMUM_LABEL_LENGTH])


def said(refused: RequestRefused, language: str = "en") -> str:
    """What is wrong with a document, in one line."""
    return " ".join(str(refused.errors(language)[0]["message"]).split())
