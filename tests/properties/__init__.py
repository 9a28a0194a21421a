"""Promises that hold for every programme and every purchase, tried with many random ones.

Of those that a property names, a quarter is tried, though 25 if it names so many; all of them are
with LAUREL_THOROUGH=1 (scripts/test --thorough). PROPERTY_EXAMPLES multiplies what it names, and is
thorough: PROPERTY_EXAMPLES=20 for an evening's run.
"""

import os

from hypothesis import HealthCheck, settings

EFFORT = float(os.environ.get("PROPERTY_EXAMPLES", "1"))
IS_THOROUGH = "LAUREL_THOROUGH" in os.environ or "PROPERTY_EXAMPLES" in os.environ
FEWEST = 25


def tried(examples: int) -> int:
    """How many examples are tried of a property that names this many."""
    if IS_THOROUGH:
        return max(1, round(examples * EFFORT))
    return max(min(examples, FEWEST), examples // 4)


def trying(examples: int) -> settings:
    """Settings for a property that talks to a database, whose fixture serves all its examples.

    Each example leaves the database as it was: see `undone`.
    """
    return settings(
        max_examples=tried(examples),
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )
