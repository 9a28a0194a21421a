"""Promises that hold for every programme and every purchase, tried with many random ones.

PROPERTY_EXAMPLES multiplies how many are tried: PROPERTY_EXAMPLES=20 for an evening's run.
"""

import os

from hypothesis import HealthCheck, settings

EFFORT = float(os.environ.get("PROPERTY_EXAMPLES", "1"))


def trying(examples: int) -> settings:
    """Settings for a property that talks to a database, whose fixture serves all its examples.

    Each example leaves the database as it was: see `undone`.
    """
    return settings(
        max_examples=max(1, round(examples * EFFORT)),
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )
