"""How the mutations of definitions are called."""

import itertools
from typing import Any

from server.definitions import bundles
from server.definitions.bundles import Item
from server.definitions.formats import FileFormat
from server.principal import StaffRole
from tests.api.calling import Api, Caller, Json
from tests.api.cases import Case, case
from tests.definitions.things import poster

_numbers = itertools.count(1)
_DEAR = 200_000  # minor units, above the limit of one person


def new_poster(**more: Any) -> Json:
    """A poster that nobody has written down yet."""
    document = bundles.written([Item("poster", "x", None, poster(**more))], FileFormat.YAML)
    text = document.partition("document:\n")[2]
    return {"kind": "poster", "key": f"case-{next(_numbers)}", "document": text}


async def draft(api: Api, caller: Caller, **more: Any) -> Json:
    """What says which draft it is, once it is saved."""
    told = await api.mutate("saveDefinition", new_poster(**more), caller)
    return {name: told["definition"][name] for name in ("kind", "key", "version")}


async def published(api: Api, caller: Caller, **more: Any) -> Json:
    """The same once it is asked to be published."""
    wish = await draft(api, caller, **more)
    told = await api.mutate("publishDefinition", wish, caller)
    assert "code" not in told, told
    return wish


async def _marketers(api: Api) -> list[Caller]:
    return [await api.staff(StaffRole.MARKETER) for _ in range(2)]


@case("saveDefinition", "DefinitionSaved")
async def _save(api: Api) -> Case:
    one, two = await _marketers(api)
    return Case(one, new_poster(), new_poster(), two, new_poster())


@case("publishDefinition", "DefinitionPublished")
async def _publish(api: Api) -> Case:
    one, two = await _marketers(api)
    wishes = [await draft(api, one) for _ in range(3)]
    return Case(one, wishes[0], wishes[1], two, wishes[2])


@case("discardDefinition", "DefinitionDiscarded")
async def _discard(api: Api) -> Case:
    one, two = await _marketers(api)
    wishes = [await draft(api, one) for _ in range(3)]
    return Case(one, wishes[0], wishes[1], two, wishes[2])


@case("approveDefinition", "DefinitionDecided")
async def _approve(api: Api) -> Case:
    writer = await api.staff(StaffRole.MARKETER)
    one, two = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    wishes = [await published(api, writer, budget_minor=_DEAR) for _ in range(3)]
    return Case(one, wishes[0], wishes[1], two, wishes[2])


@case("rejectDefinition", "DefinitionDecided")
async def _reject(api: Api) -> Case:
    writer = await api.staff(StaffRole.MARKETER)
    one, two = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    wishes = [
        {**await published(api, writer, budget_minor=_DEAR), "note": "too dear"} for _ in range(3)
    ]
    return Case(one, wishes[0], wishes[1], two, wishes[2])


@case("withdrawDefinition", "DefinitionPublished")
async def _withdraw(api: Api) -> Case:
    one, two = await _marketers(api)
    wishes = [await published(api, one) for _ in range(3)]
    for wish in wishes:
        del wish["version"]
    return Case(one, wishes[0], wishes[1], two, wishes[2])


@case("rollBackDefinition", "DefinitionPublished")
async def _roll_back(api: Api) -> Case:
    one, two = await _marketers(api)
    wishes = [await published(api, one) for _ in range(3)]
    return Case(one, wishes[0], wishes[1], two, wishes[2])


@case("importDefinitions", "DefinitionsImported")
async def _import(api: Api) -> Case:
    one, two = await _marketers(api)
    texts = [
        bundles.written([Item("poster", f"case-{next(_numbers)}", None, poster())], FileFormat.YAML)
        for _ in range(3)
    ]
    wishes = [{"text": text, "mode": "PUBLISHED"} for text in texts]
    return Case(one, wishes[0], wishes[1], two, wishes[2])
