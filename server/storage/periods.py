"""Sorting rows into spans of time inside a statement, the same on both engines."""


def period_of(column: str, edge_count: int, *, first: int = 1) -> str:
    """An expression for the number of the span that the column's instant lies in.

    The edges are the placeholders `$first` and following, ascending: span 0 lies before the first
    edge, span n from edge n - 1 on until just before edge n, and the last from the last edge on.
    """
    cases = " ".join(
        f"WHEN {column} < ${first + number} THEN {number}" for number in range(edge_count)
    )
    return f"CASE {cases} ELSE {edge_count} END"
