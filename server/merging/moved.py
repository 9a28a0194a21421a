"""What a merge has moved, as it is kept to be undone."""

import msgspec


class Debt(msgspec.Struct, frozen=True):
    """What the survivor took over of what the duplicate owed, in points or minor units."""

    asset: str
    amount: int
    reference: int  # of the postings


class Moved(msgspec.Struct, frozen=True):
    """Ids of the rows that moved, and the facts that no row tells any more. Lots are not here:
    those that go on with the duplicate's value name the lot that it comes from."""

    rows: dict[str, list[int]] = {}  # by table
    members: list[int] = []  # who led to the duplicate, and leads to the survivor now
    debts: list[Debt] = []
    stay: int | None = None  # in a household, which ended at the instant of the merge
    kept_points: dict[str, int] = {}  # of withdrawn rewards, by challenge
    undo_reason: str | None = None

    def encoded(self) -> str:
        """As it is stored."""
        return msgspec.json.encode(self).decode()


def decoded(stored: str) -> Moved:
    """What is stored of a merge."""
    return msgspec.json.decode(stored, type=Moved)
