"""Versions: how often what a member can see has been changed, and so whether it has been since.

Each committed transaction takes one step with the version of everything that it noted as changed
(`server.storage.changes`): a member, a session, an API key, the programme, the signing keys. Of
something that was never changed since this is kept, the version is 0.

Who read a version, and then something that it stands for, knows as long as the version is the same
that nothing of it has changed: so what was read may be used again (`server.edge.memory`). Rows are
told apart by the id of what they stand for, which no two tables share but by chance; then a step is
taken for both, which costs a look into the database and is never wrong.
"""

from collections.abc import Collection, Mapping

from tortoise import fields
from tortoise.models import Model

from server.storage import sql
from server.storage.fields import IdField
from server.storage.gathering import Gathering


class Version(Model):
    """How often the thing with the id has been changed."""

    id = IdField()
    version = fields.BigIntField()

    class Meta:
        """Table."""

        table = "versions"


async def _read(ids: Collection[int]) -> Mapping[int, int]:
    wanted = sql.padded(ids)
    rows = await sql.fetch(
        f"SELECT id, version FROM versions WHERE id IN ({sql.placeholders(len(wanted))})", *wanted
    )
    return {row[0]: row[1] for row in rows}


_versions = Gathering(_read)


async def current(ids: Collection[int]) -> tuple[int, ...]:
    """The versions of the things with the ids, in their order, as they are from now on: at the
    end of the answer they may be greater, and are never less. Requests at the same time share a
    statement."""
    found = await _versions.read(ids)
    return tuple(found.get(one, 0) for one in ids)
