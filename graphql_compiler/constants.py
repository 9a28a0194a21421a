"""Values that may be shared between runs: nothing can change them."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

PLAIN = frozenset(
    {bool, bytes, date, datetime, Decimal, float, int, str, time, timedelta, UUID},
)
"""Classes whose objects never change, cannot be awaited or called, and are no exceptions."""
ENCODED = frozenset({bool, dict, float, int, list, str})
"""Classes that a scalar gives for the response, nothing of which can be awaited."""


def is_immutable(value: object) -> bool:
    """Whether the value is sure to stay as it is."""
    return value is None or type(value) in PLAIN or isinstance(value, Enum)
