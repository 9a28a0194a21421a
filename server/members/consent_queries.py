"""The named queries of consents."""

from collections.abc import Collection, Iterable, Sequence

from server.storage import sql
from server.storage.each import of_each
from server.storage.exchange import execute_each

_STATE_COLUMNS = "id, member_id, purpose, is_given, changed_at, source"
_WRITE_STATE = sql.insert(
    "member_consents",
    _STATE_COLUMNS,
    otherwise="ON CONFLICT (member_id, purpose) DO UPDATE SET is_given = excluded.is_given,"
    " changed_at = excluded.changed_at, source = excluded.source",
)
_ADD_EVIDENCE = sql.insert("consent_changes", f"{_STATE_COLUMNS}, stated_by, note, text_version")


async def is_member(member_id: int) -> bool:
    """Whether a member has the id."""
    return await sql.fetch_one("SELECT 1 FROM members WHERE id = $1", member_id) is not None


async def write(state: sql.Row, evidence: sql.Row) -> None:
    """Write what a member said last of a purpose, and the evidence of it."""
    await execute_each([(_WRITE_STATE, [state]), (_ADD_EVIDENCE, [evidence])])


async def states(member_ids: Iterable[int]) -> Sequence[sql.Row]:
    """(member id, purpose, is_given, changed_at, source) of the members."""
    wanted = sql.padded(member_ids)
    return await sql.fetch(
        "SELECT member_id, purpose, is_given, changed_at, source FROM member_consents"
        f" WHERE member_id IN ({sql.placeholders(len(wanted))})",
        *wanted,
    )


async def evidence(member_ids: Collection[int], *, before: int, limit: int) -> Sequence[sql.Row]:
    """(member id, id, purpose, is_given, changed_at, source, stated_by, note, text version) of each
    member's newest changes with an id below `before`, at most so many of each."""
    return await of_each(
        "SELECT member_id, id, purpose, is_given, changed_at, source, stated_by, note, text_version"
        " FROM consent_changes WHERE member_id = {owner} AND id < $1 ORDER BY id DESC LIMIT $2",
        member_ids,
        before,
        limit,
    )
