"""Several questions about the same members, asked as one statement.

Each domain states its branches: what its part of a member is made from. A statement is the UNION
ALL of the branches that are asked for, with common columns: the branch, the member, numbers, texts;
what a branch has fewer of is null. So a screen that joins many domains is read in one exchange, as
of one instant, and what it does not ask for is not read. This module knows no domain.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from server.storage import sql
from server.storage.gathering import Gathering
from server.storage.sql import Row

Values = tuple[int | str, ...]
FIRST_COLUMN = 2
"""Where a row's own columns begin, after the branch's place and the member."""
_KEPT_QUESTIONS = 256


class Branch:
    """One SELECT for some members.

    `source` is what follows the columns, with `{members}` for the list of placeholders of the
    members' ids, and `{0}`, `{1}`, ... for its own values. Of a row, the numbers come first and the
    texts after them; `text_at` says where in the rows of a question those begin.
    """

    __slots__ = ("member", "name", "numbers", "source", "texts", "value_count")

    def __init__(
        self,
        name: str,
        *,
        member: str,
        source: str,
        numbers: Sequence[str] = (),
        texts: Sequence[str] = (),
        value_count: int = 0,
    ) -> None:
        self.name = name
        self.member = member
        self.source = source
        self.numbers = tuple(numbers)
        self.texts = tuple(texts)
        self.value_count = value_count

    def __repr__(self) -> str:
        return f"Branch({self.name!r})"


Ask = tuple[Branch, Values]
"""A branch, and the values that it is asked with."""


class Question:
    """Some branches with their values, each once."""

    __slots__ = ("asked", "branches", "number_count", "places", "text_at", "text_count", "values")

    def __init__(self, asked: tuple[Ask, ...]) -> None:
        self.asked = asked
        self.branches = tuple(branch for branch, _values in asked)
        assert len(set(self.branches)) == len(self.branches), "each branch is asked once"
        self.number_count = max(len(branch.numbers) for branch in self.branches)
        self.text_count = max(len(branch.texts) for branch in self.branches)
        self.text_at = FIRST_COLUMN + self.number_count  # where in a row the texts begin
        self.places = {branch: place for place, branch in enumerate(self.branches)}
        self.values = [value for _branch, given in asked for value in given]


class Found:
    """What is known of one member: the rows of each branch."""

    __slots__ = ("_places", "_rows", "text_at")

    def __init__(self, question: Question, rows: Sequence[Sequence[Row]]) -> None:
        self.text_at = question.text_at
        self._places = question.places
        self._rows = rows

    def __contains__(self, branch: Branch) -> bool:
        """Whether the branch was asked."""
        return branch in self._places

    def rows(self, branch: Branch) -> Sequence[Row]:
        """The branch's rows: its numbers from FIRST_COLUMN on, its texts from `text_at` on."""
        return self._rows[self._places[branch]]


def _column(expressions: Sequence[str], place: int, type_: str) -> str:
    return f"CAST({expressions[place] if place < len(expressions) else 'NULL'} AS {type_})"


@lru_cache(maxsize=512)
def _statement(branches: tuple[Branch, ...], member_count: int) -> str:
    members = sql.placeholders(member_count)
    number_count = max(len(branch.numbers) for branch in branches)
    text_count = max(len(branch.texts) for branch in branches)
    selects: list[str] = []
    place = member_count + 1
    for number, branch in enumerate(branches):
        values = [f"${place + n}" for n in range(branch.value_count)]
        place += branch.value_count
        columns = [
            f"CAST({number} AS BIGINT)",
            branch.member,
            *(_column(branch.numbers, n, "BIGINT") for n in range(number_count)),
            *(_column(branch.texts, n, "TEXT") for n in range(text_count)),
        ]
        source = branch.source.format(*values, members=members)
        selects.append(f"SELECT {', '.join(columns).format(*values)} {source}")
    return " UNION ALL ".join(selects)


async def read(question: Question, member_ids: Collection[int]) -> Mapping[int, Found]:
    """What the question finds of each of the members, in one statement."""
    wanted = sql.padded(member_ids)
    statement = _statement(question.branches, len(wanted))
    nothing: list[Row] = []  # of most branches; never added to
    none = [nothing] * len(question.branches)
    rows = {member_id: none.copy() for member_id in member_ids}
    for row in await sql.fetch(statement, *wanted, *question.values):
        place, own = row[0], rows[row[1]]
        if own[place] is nothing:
            own[place] = [row]
        else:
            own[place].append(row)
    return {member_id: Found(question, found) for member_id, found in rows.items()}


class Reading:
    """Reads one question for everybody who asks it; made by `reading`."""

    __slots__ = ("_gathering", "question")

    def __init__(self, question: Question) -> None:
        self.question = question
        self._gathering: Gathering[int, Found] = Gathering(self._load)

    async def _load(self, member_ids: Collection[int]) -> Mapping[int, Found]:
        return await read(self.question, member_ids)

    async def read(self, member_ids: Collection[int]) -> Mapping[int, Found]:
        """As `parts.read`; requests that ask at the same time share the statement."""
        return await self._gathering.read(member_ids)


_readings: OrderedDict[tuple[Ask, ...], Reading] = OrderedDict()


def reading(asked: tuple[Ask, ...]) -> Reading:
    """What reads these branches with these values; for who asks them again and again."""
    known = _readings.get(asked)
    if known is None:
        known = _readings[asked] = Reading(Question(asked))
        if len(_readings) > _KEPT_QUESTIONS:
            _readings.popitem(last=False)
    else:
        _readings.move_to_end(asked)
    return known


async def shared(asked: tuple[Ask, ...], member_ids: Collection[int]) -> Mapping[int, Found]:
    """As `read`; requests that ask the same at the same time share the statement."""
    return await reading(asked).read(member_ids)
