"""Why a replay ends early."""


class ReplayStopped(Exception):
    """The replay cannot go on, for the reason that its text explains; nothing was skipped."""
