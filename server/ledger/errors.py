"""What the ledger refuses."""

from server.errors import AlreadyDecided, Path


class HoldResolved(AlreadyDecided):
    """The hold was settled, released or has expired; `status` says which."""

    def __init__(self, status: str, *, path: Path = ()) -> None:
        super().__init__(f"hold.{status.lower()}", status=status, path=path)
