"""Background work: the jobs, when each runs, the engine that runs them, and how each fares."""
